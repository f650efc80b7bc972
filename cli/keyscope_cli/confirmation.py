"""Asks before a command does what cannot be undone."""

import sys
from collections.abc import Callable
from typing import Annotated, Final

import typer

from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.output import Output

WHEN_KEYS_FAIL: Final = "within the stack's KeyCacheSeconds, 30 seconds by default"
"""How long a key may still work after it was revoked."""
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


def confirm(output: Output, warning: Callable[[], str], question: str, *, yes: bool) -> None:
    """Show a warning and ask a question in a terminal, unless the answer is given.

    `warning` names what is affected and what follows; it is called only before the question,
    because it takes requests to find out.

    Raises:
        Failure: the answer is no, or there is no terminal to ask in.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        message = "This command asks for confirmation, and there is no terminal to ask in."
        raise Failure(ExitStatus.USAGE, message, "Nothing was changed. To confirm, add --yes.")
    output.warn(warning())
    if output.asked(f"{question} [y/N] ").strip().lower() not in {"y", "yes"}:
        raise Failure(ExitStatus.NO, "Canceled. Nothing was changed.")
