"""What a function of the stack writes to standard output, for those who listen to its log.

The functions run inside this process, several at a time, and share its standard output. So while
one runs that somebody listens to, standard output passes what it writes on, besides writing it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, Final, TextIO, cast

Listener = Callable[[str], None]
"""Is told what a function wrote, in the pieces in which it wrote it."""

_turn: Final = Lock()
_running: Final[ContextVar["FunctionOutput | None"]] = ContextVar("running", default=None)


class FunctionOutput:
    """The output of one function."""

    def __init__(self) -> None:
        """Start with no listener."""
        self._listeners: list[Listener] = []

    @contextmanager
    def told_to(self, listener: Listener) -> Iterator[None]:
        """Tell a listener what the function writes while the context lasts."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    @contextmanager
    def passed_on(self) -> Iterator[None]:
        """Tell the listeners what this thread writes while the context lasts."""
        if not self._listeners:
            yield
            return
        token = _running.set(self)
        try:
            with _shared_output():
                yield
        finally:
            _running.reset(token)

    def tell(self, text: str) -> None:
        """Tell the listeners what was written."""
        for listener in list(self._listeners):
            listener(text)


class _SharedOutput:
    """Standard output that also tells the function which runs in the writing thread."""

    def __init__(self, output: TextIO) -> None:
        self.output = output
        self.users = 0

    def write(self, text: str) -> int:
        written = self.output.write(text)
        if running := _running.get():
            running.tell(text)
        return written

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the output has
        return getattr(self.output, name)


@contextmanager
def _shared_output() -> Iterator[None]:
    """Put a shared output in the place of standard output, once for all functions that run."""
    with _turn:
        shared = _shared_or_new()
        shared.users += 1
        sys.stdout = cast("TextIO", shared)
    try:
        yield
    finally:
        with _turn:
            shared.users -= 1
            if not shared.users and cast("object", sys.stdout) is shared:
                sys.stdout = shared.output


def _shared_or_new() -> _SharedOutput:
    current: object = sys.stdout
    return current if isinstance(current, _SharedOutput) else _SharedOutput(sys.stdout)
