"""Starts an authorizer's container without garbage collection."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Import and create what lasts as long as the container; never search it for garbage."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
