"""Ending a run by Ctrl-C or SIGTERM."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def interrupt_on_signals() -> None:
    """Let both signals raise `KeyboardInterrupt`.

    Set, not inherited: what a script starts in the background has SIGINT ignored.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.default_int_handler)


@contextmanager
def noted_signals() -> Iterator[Callable[[], None]]:
    """Note the signals that come instead of raising; yield what waits for the first one.

    An exception may be raised anywhere, also where Python swallows it, such as in a finalizer: then
    the run would wait on for ever.
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
    """Leave it to the socket: without a handler the signal would end the process."""
