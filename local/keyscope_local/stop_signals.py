"""Stops a run on Ctrl-C or SIGTERM."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def interrupt_on_signals() -> None:
    """Let both signals raise `KeyboardInterrupt`.

    SIGINT is set here as well, because programs that a script starts in the background ignore it.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.default_int_handler)


@contextmanager
def noted_signals() -> Iterator[Callable[[], None]]:
    """Record the first signal instead of raising; yield a function that waits for it.

    Python swallows an exception in some places, such as finalizers, and then the run would wait
    forever.
    """
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.settimeout(0)
        former = [signal.signal(number, _do_nothing) for number in _SIGNALS]
        former_fd = signal.set_wakeup_fd(writer.fileno())
        try:
            yield lambda: _receive(reader)
        finally:
            signal.set_wakeup_fd(former_fd)
            for number, handler in zip(_SIGNALS, former, strict=True):
                signal.signal(number, handler)


def _receive(reader: socket.socket) -> None:
    reader.recv(1)


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Leave the signal to the socket; without a handler, it would end the process."""
