"""The logs of functions that run in the tests' own process."""

import json
import logging
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from gzip import compress
from io import StringIO
from typing import Any
from unittest.mock import patch

Lines = list[dict[str, Any]]


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


@contextmanager
def lines_logged_by(*services: str) -> Iterator[Callable[[], Lines]]:
    """Yield a function that returns what functions logged since it was last called."""
    output = StringIO()

    def lines() -> Lines:
        text = output.getvalue()
        output.seek(0)
        output.truncate()
        return [json.loads(line) for line in text.splitlines()]

    with redirect_stdout(output), functions_log_here(*services):
        yield lines


@contextmanager
def new_loggers() -> Iterator[None]:
    """Let functions that are loaded meanwhile get loggers of their own, as in a new process."""
    with patch.dict(logging.root.manager.loggerDict) as loggers:
        for name, logger in list(loggers.items()):
            if hasattr(logger, "powertools_handler"):
                del loggers[name]
        yield


def log_event(*lines: str, group: str = "/aws/lambda/x/rest_authorizer") -> dict[str, object]:
    """Return lines as CloudWatch Logs hands them to a function that subscribed to them."""
    data = {
        "messageType": "DATA_MESSAGE",
        "logGroup": group,
        "logStream": "stream",
        "logEvents": [
            {"id": str(number), "timestamp": 0, "message": line}
            for number, line in enumerate(lines)
        ],
    }
    return {"awslogs": {"data": b64encode(compress(json.dumps(data).encode())).decode()}}
