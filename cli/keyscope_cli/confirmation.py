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
    check_can_ask(yes=yes)
    if yes:
        return
    output.warn(warning())
    if not confirmed(output, question):
        raise Failure(ExitStatus.NO, "Canceled. Nothing was changed.")


def check_can_ask(*, yes: bool) -> None:
    """Check that there is a terminal to ask in, unless the answer is given.

    Raises:
        Failure: there is none.
    """
    if not yes and not has_terminal():
        message = "This command asks for confirmation, and there is no terminal to ask in."
        raise Failure(ExitStatus.USAGE, message, "Nothing was changed. To confirm, add --yes.")


def confirmed(output: Output, question: str) -> bool:
    """Return whether the answer to a question is yes; the end of the input is a no."""
    return output.asked(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def has_terminal() -> bool:
    """Return whether a person can answer."""
    return sys.stdin.isatty()
