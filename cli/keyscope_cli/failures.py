"""How a command ends: exit statuses, and the one exception that names them.

0    done; for `explain`, `access check` and `doctor`: it passes, it is sound
1    the answer is no: refused, forbidden, unsound
2    the command was used wrongly; nothing was asked
3    your own credential was refused, or does not reach what you asked for
4    the request was understood and not carried out: not there, not valid, not now possible
5    nothing could be told: AWS, the network or the local stack did not answer
130  interrupted
"""

from enum import IntEnum


class ExitStatus(IntEnum):
    """The exit statuses of every command; `docs/command-line.md` lists them."""

    DONE = 0
    NO = 1
    USAGE = 2
    REFUSED = 3
    NOT_DONE = 4
    UNAVAILABLE = 5
    INTERRUPTED = 130


class Failure(Exception):  # noqa: N818 - a state, as in the package's error tree
    """A command cannot go on; `advice` says what to do. Neither text holds a secret."""

    def __init__(self, status: ExitStatus, message: str, advice: str = "") -> None:
        """Carry what a person is told."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.advice = advice
