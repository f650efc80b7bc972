"""How a command ends: the exit statuses, and the one exception that carries them.

0    success; for `explain`, `access` and `doctor`: it passes, it is sound, nothing changes
1    the result is negative: refused, forbidden, unsound, not as expected, changed
2    the command was used wrongly; no request was sent
3    your own credential was refused, or may not do what you asked for
4    the request was understood but not carried out: not found, not valid, not possible now
5    no result: AWS, the network or the local stack did not respond
130  interrupted
"""

from collections.abc import Sequence
from enum import IntEnum


class ExitStatus(IntEnum):
    """The exit statuses of every command; `docs/reference/command-line.md` lists them."""

    DONE = 0
    NO = 1
    USAGE = 2
    REFUSED = 3
    NOT_DONE = 4
    UNAVAILABLE = 5
    INTERRUPTED = 130


class Failure(Exception):  # noqa: N818 - a state, as in the package's error tree
    """A command cannot continue; `advice` says what to do. No text contains a secret.

    `details` go on lines of their own, between the message and the advice.
    """

    def __init__(
        self, status: ExitStatus, message: str, advice: str = "", details: Sequence[str] = ()
    ) -> None:
        """Store the texts that a person sees."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.advice = advice
        self.details = details
