import json
from base64 import b64encode
from gzip import compress
from typing import Any

import pytest

from keyscope.aws.log_subscription import LogBatch, read_log_batch
from keyscope.errors import Reason, Unavailable
from keyscope.lifecycle.key_use import LogLine

DATA: dict[str, Any] = {
    "messageType": "DATA_MESSAGE",
    "owner": "123456789012",
    "logGroup": "/aws/lambda/keyscope/rest_authorizer",
    "logStream": "2026/11/28/[7]abc",
    "subscriptionFilters": ["uses"],
    "logEvents": [{"id": "1", "timestamp": 1_800_000_000_000, "message": "a line"}],
}


def event_of(data: bytes) -> dict[str, object]:
    return {"awslogs": {"data": b64encode(compress(data)).decode()}}


def with_data(**changes: object) -> dict[str, object]:
    return event_of(json.dumps(DATA | changes).encode())


def test_a_batch_has_the_lines_of_a_log_stream() -> None:
    assert read_log_batch(with_data()) == LogBatch(
        "/aws/lambda/keyscope/rest_authorizer", "2026/11/28/[7]abc", [LogLine("1", "a line")]
    )


def test_the_message_that_tests_the_subscription_has_no_lines() -> None:
    assert read_log_batch(with_data(messageType="CONTROL_MESSAGE")).lines == []


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        {"awslogs": None},
        {"awslogs": {"data": 1}},
        {"awslogs": {"data": "not base64!"}},
        {"awslogs": {"data": b64encode(b"not gzip").decode()}},
        {"awslogs": {"data": b64encode(compress(b"cut off")[:-4]).decode()}},
        {"awslogs": {"data": b64encode(compress(b"x")[:10] + b"\xff" * 9).decode()}},
        event_of(b"not JSON"),
        event_of(b"[" * 100_000),
        event_of(b"\xff"),
        event_of(b"[]"),
        with_data(logEvents=None),
        with_data(logEvents=["x"]),
        with_data(logEvents=[{"id": "1"}]),
        with_data(logEvents=[{"id": "1", "message": 2}]),
        with_data(logEvents=[{"id": None, "message": "a line"}]),
    ],
)
def test_what_cloudwatch_logs_does_not_send_is_a_malformed_event(event: object) -> None:
    with pytest.raises(Unavailable) as unavailable:
        read_log_batch(event)
    assert unavailable.value.reason is Reason.MALFORMED_EVENT
