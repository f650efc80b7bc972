"""The logs of functions that run in the tests' own process."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def functions_log_here(*services: str) -> Iterator[None]:
    """Let functions log to this test's output; a logger keeps the one that it began with."""
    handlers = [
        handler
        for service in services
        for handler in logging.getLogger(service).handlers
        if isinstance(handler, logging.StreamHandler)
    ]
    before = [handler.setStream(sys.stdout) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, before, strict=True):
            handler.setStream(stream)
