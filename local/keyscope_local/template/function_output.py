"""The standard output of the stack's functions, for listeners to their logs.

The functions run inside this process, several at a time, and share its standard output. So while a
function with listeners runs, standard output also passes what the function writes to them.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, Final, TextIO, cast

Listener = Callable[[str], None]
"""Receives what a function wrote, piece by piece."""

_turn: Final = Lock()
_running: Final[ContextVar["FunctionOutput | None"]] = ContextVar("running", default=None)


class FunctionOutput:
    """The output of one function."""

    def __init__(self) -> None:
        """Start with no listener."""
        self._listeners: list[Listener] = []

    @contextmanager
    def told_to(self, listener: Listener) -> Iterator[None]:
        """Pass what the function writes to a listener while the context lasts."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    @contextmanager
    def passed_on(self) -> Iterator[None]:
        """Pass what this thread writes to the listeners while the context lasts."""
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
        """Pass a text to the listeners."""
        for listener in list(self._listeners):
            listener(text)


class _SharedOutput:
    """Standard output that also passes text to the function that runs in the writing thread."""

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


_kept: Final[list[_SharedOutput]] = []
"""All that were created, because another thread's `print` keeps using a standard output after it
was replaced, without a reference to it: https://github.com/python/cpython/issues/130163."""


@contextmanager
def _shared_output() -> Iterator[None]:
    """Replace standard output with a shared one, once for all running functions."""
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
    if isinstance(current, _SharedOutput):
        return current
    for shared in _kept:
        if shared.output is current:
            return shared
    _kept.append(_SharedOutput(sys.stdout))
    return _kept[-1]
