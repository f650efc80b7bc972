"""The help of commands: never cut, and with examples."""

import typer
from typer._click import Context, HelpFormatter
from typer.core import TyperGroup


class CommandGroup(TyperGroup):
    """A group of commands whose help shows the first sentence of each command in full."""

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the list of commands. Typer's own list cuts what does not fit on one line."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [
            (name, each.get_short_help_str(limit=len(each.help or each.short_help or "") + 1))
            for name, each in found
            if each is not None and not each.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def command_group(text: str) -> typer.Typer:
    """Return an empty group of commands with a help text."""
    return typer.Typer(cls=CommandGroup, no_args_is_help=True, rich_markup_mode=None, help=text)


def examples(*commands: str) -> str:
    r"""Return a command's epilog that shows how to use it.

    `\b` keeps the lines as they are.
    """
    title = "Example:" if len(commands) == 1 else "Examples:"
    return "\n".join(["\b", title, *(f"  keyscope {each}" for each in commands)])
