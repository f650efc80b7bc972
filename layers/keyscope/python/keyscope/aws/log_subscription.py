"""What CloudWatch Logs hands to a function that is subscribed to a log group.

Source: "Using Lambda with CloudWatch Logs" in the AWS Lambda developer guide.
"""

import json
import zlib
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from gzip import decompress
from typing import Any

from keyscope.errors import Reason, Unavailable
from keyscope.lifecycle.key_use import LogLine

_NOT_OF_CLOUDWATCH_LOGS = (
    *(EOFError, LookupError, OSError, RecursionError, TypeError, ValueError),
    zlib.error,
)
"""What reading an event raises that CloudWatch Logs did not send."""


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Lines of one log stream that a subscription's filter let through."""

    log_group: str
    log_stream: str
    lines: Sequence[LogLine]


def read_log_batch(event: object) -> LogBatch:
    """Read an event. The message by which CloudWatch Logs tests a subscription has no lines.

    Raises:
        Unavailable: `MALFORMED_EVENT`, for what CloudWatch Logs does not send.
    """
    try:
        return _batch_of(event)
    except _NOT_OF_CLOUDWATCH_LOGS:
        raise Unavailable(Reason.MALFORMED_EVENT, "awslogs") from None


def _batch_of(event: Any) -> LogBatch:  # noqa: ANN401 - whatever the function was invoked with
    data = json.loads(decompress(b64decode(event["awslogs"]["data"], validate=True)))
    is_test = data["messageType"] == "CONTROL_MESSAGE"
    return LogBatch(
        log_group=str(data["logGroup"]),
        log_stream=str(data["logStream"]),
        lines=[] if is_test else [_line_of(each) for each in data["logEvents"]],
    )


def _line_of(event: Any) -> LogLine:  # noqa: ANN401 - as above
    line_id, text = event["id"], event["message"]
    if not isinstance(line_id, str) or not isinstance(text, str):
        raise TypeError
    return LogLine(line_id, text)
