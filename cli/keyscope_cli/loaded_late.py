"""The program's commands, whose modules are imported when one of them is run.

They import what talks to AWS, which takes longer than everything that `--help`, `--version` and a
shell's completion do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, cast

import typer
from typer._click import Command, Context, HelpFormatter
from typer._click.shell_completion import CompletionItem
from typer.core import TyperGroup
from typer.main import get_group


@dataclass(frozen=True, slots=True)
class Late:
    """Where a command is: an attribute of a module, a group or a function.

    `summary` is what the list of commands says about it.
    """

    module: str
    attribute: str
    summary: str


COMMANDS: Final[Mapping[str, Late]] = {
    "up": Late("up", "up", "Run the whole stack on this machine, after a tour of it."),
    "deploy": Late("deploying", "deploy", "Create or update a stack."),
    "destroy": Late(
        "destroying", "destroy", "Delete a stack, but keep its tables and its KMS key."
    ),
    "doctor": Late("doctor", "doctor", "Check the health of a stack."),
    "account": Late("accounts", "app", "Manage accounts and their keys."),
    "import": Late("importing", "import_", "Create accounts and apps from a file."),
    "app": Late("apps", "app", "Manage the apps of your account or service account."),
    "key": Late("keys", "app_keys", "Manage the keys of an app and of its integrations."),
    "service-account": Late("service_accounts", "app", "Manage service accounts."),
    "token": Late("tokens", "token", "Sign a token (JWT) with a key."),
    "explain": Late("explaining", "explain", "Explain why a request passes or fails."),
    "access": Late("access", "app", "Check, test, compare and publish access maps."),
}


class LateCommands(Mapping[str, Command]):
    """The commands by their names; each is imported when it is asked for."""

    def __init__(self, commands: Mapping[str, Late]) -> None:
        self._late = commands
        self._loaded: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        """Return a command, imported now if it was not before."""
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._late[name])
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names, in the order of the help."""
        return iter(self._late)

    def __len__(self) -> int:
        """Return how many commands there are."""
        return len(self._late)


def _load(name: str, late: Late) -> Command:
    module = import_module(f"keyscope_cli.{late.module}")
    found = getattr(module, late.attribute)
    holder = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
    else:
        holder.command(name, epilog=module.EXAMPLES)(found)
    return get_group(holder).commands[name]


class ProgramGroup(TyperGroup):
    """The program, which lists its commands without importing them."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - Typer's
        super().__init__(**settings)
        # Typer only reads it.
        self.commands = cast("dict[str, Command]", LateCommands(COMMANDS))

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands, each with its summary in full."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, late.summary) for name, late in COMMANDS.items()])

    def shell_complete(self, ctx: Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin with a text."""
        commands = [
            CompletionItem(name, help=late.summary)
            for name, late in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*commands, *Command.shell_complete(self, ctx, incomplete)]
