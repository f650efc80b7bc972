"""The options that many commands share, passed to a command as one value."""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from keyscope_cli.aws import Aws
from keyscope_cli.credential_input import HeldKey, held_key
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.management_client import ManagementClient
from keyscope_cli.output import Output
from keyscope_cli.target import Target, local_target

STACK_VARIABLE = "KEYSCOPE_STACK"
URL_VARIABLE = "KEYSCOPE_URL"

SecretFile = Annotated[
    Path | None,
    typer.Option(
        help="Write the new key's id and secret to this new file (mode 0600) instead of showing it."
    ),
]


@dataclass(frozen=True, kw_only=True)
class TargetOptions:
    """Which Keyscope to use, and how to write the result."""

    stack: Annotated[
        str | None, typer.Option(help="The deployed stack's name; else KEYSCOPE_STACK.")
    ] = None
    local: Annotated[bool, typer.Option("--local", help="The stack that `make run` serves.")] = (
        False
    )
    session: Annotated[
        Path | None,
        typer.Option(
            envvar="KEYSCOPE_SESSION",
            help="With --local: the run's session file, if not .local/session.json.",
        ),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="Answer with JSON.")] = False

    @property
    def output(self) -> Output:
        """The output of the command."""
        return Output(as_json=self.as_json)

    def target(self) -> Target:
        """Return the selected Keyscope, without contacting it."""
        if self.local and self.stack is None:
            return local_target(self.session)
        if self.local:
            raise Failure(ExitStatus.USAGE, "Both --local and a stack are given; give one.")
        return Target(Aws(), stack_name=self.stack or os.environ.get(STACK_VARIABLE))


@dataclass(frozen=True, kw_only=True)
class ManagementOptions(TargetOptions):
    """The same, with the account-scope key that calls the management API."""

    url: Annotated[
        str | None,
        typer.Option(help="The management API's base URL; else KEYSCOPE_URL, without a stack."),
    ] = None
    credential_file: Annotated[
        Path | None, typer.Option(help="A file with your key, as --secret-file writes it.")
    ] = None
    key_id: Annotated[
        str | None,
        typer.Option(
            envvar="KEYSCOPE_KEY_ID",
            help="Your key's id; its secret comes from KEYSCOPE_SECRET or a prompt.",
        ),
    ] = None

    def target(self) -> Target:
        """Return the selected Keyscope, without contacting it."""
        names_a_stack = self.local or self.stack is not None
        if self.url is not None and names_a_stack:
            raise Failure(ExitStatus.USAGE, "Both --url and a stack are given; give one.")
        url = self.url or (None if names_a_stack else os.environ.get(URL_VARIABLE))
        return super().target() if url is None else Target(Aws(), url=url)

    def client(self) -> ManagementClient:
        """Return a client of the management API, with the caller's key."""
        target = self.target()
        target.check_named()
        key = self.own_key(target)
        return ManagementClient(target.management_url(), key.basic())

    def own_key(self, target: Target) -> HeldKey:
        """Return the caller's key, or a local run's own account key if none is named."""
        key = held_key(self.credential_file, self.key_id)
        if key is None and target.session is not None:
            return target.session.key("account_key")
        if key is None:
            advice = (
                "Give --credential-file FILE, or --key-id with KEYSCOPE_SECRET or a prompt; the"
                " key is one of account scope (act_ or svc_)."
            )
            raise Failure(ExitStatus.USAGE, "Your own key is missing.", advice)
        return key


_O = TypeVar("_O", bound=TargetOptions)


def with_options(kind: type[_O]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Pass the options of this kind to a command, as its first parameter."""
    shared = inspect.signature(kind, eval_str=True).parameters.values()
    names = {one.name for one in fields(kind)}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(command, eval_str=True).parameters.values()

        def run(**given: Any) -> None:  # noqa: ANN401 - whatever the command's options are
            options = kind(**{name: given.pop(name) for name in names})
            command(options, **given)

        keyword_only = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *shared)]
        run.__doc__, run.__name__ = command.__doc__, command.__name__
        vars(run)["__signature__"] = inspect.Signature(keyword_only)
        return run

    return decorate
