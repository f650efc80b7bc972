"""What the tests of readers share."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def if_taken(read: Callable[[object], T], value: object) -> T | None:
    """Return what a reader makes of a value; nothing where it refuses it."""
    try:
        return read(value)
    except ValueError:
        return None
