"""What is asked of the flush queue, by moto's SQS, and when SQS fails."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, cast

import botocore.session
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from keyscope.aws.clients import SqsClient
from keyscope.aws.flush_queue import MESSAGE, FlushQueue
from keyscope.errors import Reason, Unavailable

FLUSHES = [FlushQueue.flush, FlushQueue.flush_in_any_case]
BOTH = pytest.mark.parametrize("flush", FLUSHES, ids=["flush", "flush in any case"])


class _Sqs(SqsClient, Protocol):
    def create_queue(self, **request: object) -> Mapping[str, str]: ...

    def get_queue_attributes(self, **request: object) -> Mapping[str, Mapping[str, str]]: ...

    def receive_message(self, **request: object) -> Mapping[str, list[Mapping[str, str]]]: ...


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Sqs]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        session = botocore.session.get_session()
        yield cast("_Sqs", session.create_client("sqs", region_name="us-east-1"))


@pytest.fixture
def queue_url(sqs: _Sqs) -> str:
    return sqs.create_queue(QueueName="flushes")["QueueUrl"]


def waiting(sqs: _Sqs, queue_url: str) -> tuple[int, int]:
    """Return how many messages are due now, and how many later."""
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed")
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
    now, delayed = (int(answer["Attributes"][name]) for name in names)
    return now, delayed


def test_a_flush_is_due_now_and_once_more_later(sqs: _Sqs, queue_url: str) -> None:
    FlushQueue(sqs, queue_url, 30).flush()
    assert waiting(sqs, queue_url) == (1, 1)


def test_a_flush_in_any_case_is_due_later_only(sqs: _Sqs, queue_url: str) -> None:
    FlushQueue(sqs, queue_url, 30).flush_in_any_case()
    assert waiting(sqs, queue_url) == (0, 1)


def test_a_message_says_its_format_and_nothing_else(sqs: _Sqs, queue_url: str) -> None:
    FlushQueue(sqs, queue_url, 30).flush()
    (message,) = sqs.receive_message(QueueUrl=queue_url)["Messages"]
    assert message["Body"] == MESSAGE == '{"format": 1}'


@BOTH
def test_sqs_takes_the_delays_of_the_longest_key_cache(
    flush: Callable[[FlushQueue], None], sqs: _Sqs, queue_url: str
) -> None:
    flush(FlushQueue(sqs, queue_url, 300))
    assert waiting(sqs, queue_url)[1] == 1


class AnsweringClient:
    """An SQS client that notes its requests and answers as it is told."""

    def __init__(self, answer: Exception | Mapping[str, object]) -> None:
        self._answer = answer
        self.requests: list[Mapping[str, object]] = []

    def send_message(self, **request: object) -> object:
        self.requests.append(request)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    send_message_batch = send_message


TAKEN = {"MessageId": "1", "Successful": [{"Id": "now"}, {"Id": "after-key-caches"}]}
"""What SQS answers, to one message and to the two of a batch."""


def queue_over(client: AnsweringClient, key_cache_seconds: int = 30) -> FlushQueue:
    return FlushQueue(cast("SqsClient", client), "https://queue", key_cache_seconds)


@pytest.mark.parametrize(("key_cache_seconds", "delays"), [(0, [0, 2]), (30, [0, 32])])
def test_the_later_flush_comes_when_no_container_serves_the_old_record(
    key_cache_seconds: int, delays: list[int]
) -> None:
    client = AnsweringClient(TAKEN)
    queue_over(client, key_cache_seconds).flush()
    (request,) = client.requests
    entries = cast("list[Mapping[str, object]]", request["Entries"])
    assert [entry["DelaySeconds"] for entry in entries] == delays


@pytest.mark.parametrize(("key_cache_seconds", "delay"), [(0, 31), (30, 61)])
def test_the_flush_in_any_case_comes_after_a_write_of_the_callers_last_second(
    key_cache_seconds: int, delay: int
) -> None:
    client = AnsweringClient(TAKEN)
    queue_over(client, key_cache_seconds).flush_in_any_case()
    assert [request["DelaySeconds"] for request in client.requests] == [delay]


@BOTH
@pytest.mark.parametrize(
    ("error", "detail"),
    [
        pytest.param(
            ClientError({"Error": {"Code": "AccessDenied", "Message": "not shown"}}, "SendMessage"),
            "AccessDenied",
            id="an error of SQS",
        ),
        pytest.param(ReadTimeoutError(endpoint_url="http://sqs"), "ReadTimeoutError", id="silence"),
    ],
)
def test_a_message_that_was_not_sent_is_a_failure_with_its_code(
    flush: Callable[[FlushQueue], None], error: Exception, detail: str
) -> None:
    with pytest.raises(Unavailable) as unavailable:
        flush(queue_over(AnsweringClient(error)))
    assert (unavailable.value.reason, unavailable.value.detail) == (
        Reason.FLUSH_QUEUE_UNAVAILABLE,
        detail,
    )


def test_a_batch_of_which_one_message_failed_is_a_failure() -> None:
    failed = [{"Id": "now", "Code": "InternalError", "SenderFault": False}]
    with pytest.raises(Unavailable) as unavailable:
        queue_over(AnsweringClient({"Successful": [{}], "Failed": failed})).flush()
    assert unavailable.value.reason is Reason.FLUSH_QUEUE_UNAVAILABLE
    assert unavailable.value.detail == "InternalError"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="empty"),
        pytest.param({"MessageId": ""}, id="an empty id"),
        pytest.param({"MD5OfMessageBody": "0" * 32}, id="no id"),
    ],
)
def test_a_promise_that_sqs_does_not_say_it_took_is_a_failure(
    answer: Mapping[str, object],
) -> None:
    with pytest.raises(Unavailable, match="flush_queue_unavailable: UnreadableAnswer"):
        queue_over(AnsweringClient(answer)).flush_in_any_case()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="empty"),
        pytest.param({"Successful": []}, id="none"),
        pytest.param({"Successful": [{"Id": "now"}]}, id="the first only"),
        pytest.param({"Successful": [{"Id": "after-key-caches"}]}, id="the second only"),
        pytest.param({"Successful": [{"MessageId": "1"}, {"MessageId": "2"}]}, id="no ids"),
        pytest.param({"Successful": [None, None], "Failed": [None]}, id="nulls"),
    ],
)
def test_a_batch_that_sqs_does_not_say_it_took_whole_is_a_failure(
    answer: Mapping[str, object],
) -> None:
    with pytest.raises(Unavailable, match="flush_queue_unavailable: UnreadableAnswer"):
        queue_over(AnsweringClient(answer)).flush()


def test_a_queue_that_is_gone_is_a_failure(sqs: _Sqs) -> None:
    gone = "https://sqs.us-east-1.amazonaws.com/123456789012/gone"
    with pytest.raises(Unavailable, match="flush_queue_unavailable"):
        FlushQueue(sqs, gone, 30).flush_in_any_case()
