"""Runs one Python function in a process of its own, as `function_process` starts it.

    python -P python_worker.py REQUESTS ANSWERS HANDLER

The first two are file descriptors, for a line of JSON each way. The folder with the code is the
working directory. This program imports nothing of Keyscope, so that the function finds its own
modules alone.
"""

import contextlib
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import IO, Any


class Context:
    """The context that Lambda passes to a handler."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        """Take the members that `function_process` sends."""
        self.function_name = members["functionName"]
        self.function_version = "$LATEST"
        self.invoked_function_arn = members["invokedFunctionArn"]
        self.memory_limit_in_mb = members["memoryLimitInMB"]
        self.aws_request_id = members["awsRequestId"]
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = "local"
        self._ends_at = time.monotonic() + members["timeoutSeconds"]

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the invocation may still take."""
        return max(0, int((self._ends_at - time.monotonic()) * 1_000))


def main(requests: IO[str], answers: IO[str], handler_name: str) -> int:
    """Load the handler, say so, and answer one event after the other until there are no more."""
    try:
        handler = load(handler_name)
    except Exception as error:  # noqa: BLE001 - whatever the function's module raises
        tell(answers, failure(error))
        return 1
    tell(answers, {"loaded": True})
    for line in requests:
        tell(answers, answer(handler, json.loads(line)))
    return 0


def load(handler_name: str) -> Callable[[object, Context], object]:
    """Import the handler as Lambda does: a module, perhaps in a folder, and a function in it."""
    module_name, _, function_name = handler_name.rpartition(".")
    module = importlib.import_module(module_name.replace("/", "."))
    handler: Callable[[object, Context], object] = getattr(module, function_name)
    return handler


def answer(handler: Callable[[object, Context], object], request: Mapping[str, Any]) -> object:
    """Call the handler; return its answer, or what Lambda reports about its exception."""
    try:
        result = handler(request["event"], Context(request["context"]))
        return {"answer": json.loads(json.dumps(result))}
    except Exception as error:  # noqa: BLE001 - whatever the handler raises
        return failure(error)


def failure(error: Exception) -> object:
    """Log an exception, and return what Lambda reports about it."""
    traceback.print_exception(error)
    return {"error": {"type": type(error).__name__, "message": str(error)}}


def tell(answers: IO[str], message: object) -> None:
    """Write one line, after everything that the function has logged."""
    sys.stdout.flush()
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - pathlib would be one more import
    with (
        os.fdopen(int(sys.argv[1]), encoding="utf-8") as from_parent,
        os.fdopen(int(sys.argv[2]), "w", encoding="utf-8") as to_parent,
        contextlib.suppress(BrokenPipeError),
    ):
        sys.exit(main(from_parent, to_parent, sys.argv[3]))
