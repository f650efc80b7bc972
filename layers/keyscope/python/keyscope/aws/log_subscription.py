"""The events that CloudWatch Logs sends to a function subscribed to a log group.

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
"""The errors raised when an event does not come from CloudWatch Logs."""


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Lines of one log stream that match a subscription's filter."""

    log_group: str
    log_stream: str
    lines: Sequence[LogLine]


def read_log_batch(event: object) -> LogBatch:
    """Read an event. CloudWatch Logs tests a subscription with a message that has no lines.

    Raises:
        Unavailable: `MALFORMED_EVENT`, for an event that CloudWatch Logs does not send.
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
