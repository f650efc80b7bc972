"""Polling a queue and invoking a function, over moto's SQS."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

import pytest

from keyscope_local.emulators.embedded_aws import EmbeddedAws, embedded_aws
from keyscope_local.emulators.listening_program import free_ports
from keyscope_local.emulators.queue_poller import (
    LONGEST_PAUSE_SECONDS,
    PAUSE_SECONDS,
    next_pause,
    polled_queues,
    read_event_sources,
)
from keyscope_local.emulators.queues import empty_queues
from keyscope_local.emulators.tables import local_client
from keyscope_local.template.function_loader import LocalFunction
from keyscope_local.template.intrinsics import TemplateError
from keyscope_local.template.stack import Stack, load_stack, physical_id_of
from tests.support.local_gateway import StubFunction, raising
from tests.support.patience import PATIENCE_SECONDS

TEMPLATE: Final = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Polled:
    Type: AWS::SQS::Queue
    Properties:
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}
  Dead: {Type: "AWS::SQS::Queue"}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: worker
      Handler: app.handler
      Runtime: python3.13
      Events:
        Work: {Type: SQS, Properties: {Queue: !GetAtt Polled.Arn MAPPING}}
"""
COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)


class _Sqs(Protocol):
    def send_message(self, **request: object) -> object: ...

    def get_queue_attributes(self, **request: object) -> Mapping[str, Mapping[str, str]]: ...

    def set_queue_attributes(self, **request: object) -> object: ...


@dataclass(frozen=True)
class Polled:
    """A stack with a queue, and the worker that gets its messages."""

    stack: Stack
    aws: EmbeddedAws
    sqs: _Sqs
    worker: StubFunction

    @property
    def functions(self) -> Mapping[str, LocalFunction]:
        return {"Worker": self.worker.loaded("keyscope-local-Worker")}

    def send(self, body: str, **members: object) -> None:
        self.sqs.send_message(QueueUrl=self.url(), MessageBody=body, **members)

    def hide_received_messages(self, seconds: int) -> None:
        """Set how long a message that was received and not deleted stays out of sight."""
        attributes = {"VisibilityTimeout": str(seconds)}
        self.sqs.set_queue_attributes(QueueUrl=self.url(), Attributes=attributes)

    def polling(self, template: Path | None = None) -> AbstractContextManager[None]:
        stack = load_stack(template) if template else self.stack
        return polled_queues(stack, self.functions, self.aws.endpoint_url)

    def url(self, queue: str = "Polled") -> str:
        return physical_id_of(self.stack, queue)

    def left(self, queue: str = "Polled") -> int:
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url(queue), AttributeNames=["All"])
        return sum(int(answer["Attributes"][name]) for name in COUNTS)

    def bodies(self) -> list[list[str]]:
        return [[record["body"] for record in records_of(event)] for event in self.worker.events]


def records_of(event: Mapping[str, object]) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", event["Records"])


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def write_template(folder: Path, mapping: str = "") -> Path:
    path = folder / "template.yaml"
    path.write_text(TEMPLATE.replace(" MAPPING", mapping and f", {mapping}"), "utf-8")
    return path


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    return load_stack(write_template(tmp_path_factory.mktemp("stack")))


@pytest.fixture(scope="module")
def aws(stack: Stack) -> Iterator[EmbeddedAws]:
    with embedded_aws(stack) as aws:
        yield aws


@pytest.fixture
def polled(stack: Stack, aws: EmbeddedAws) -> Polled:
    empty_queues(stack, aws.endpoint_url)
    sqs = cast("_Sqs", local_client("sqs", aws.endpoint_url))
    polled = Polled(stack, aws, sqs, StubFunction(lambda _: None))
    polled.hide_received_messages(10 * PATIENCE_SECONDS)
    return polled


def test_a_message_reaches_the_function_as_lambda_shows_it(polled: Polled) -> None:
    polled.send("text", MessageAttributes={"a": {"DataType": "String", "StringValue": "b"}})
    with polled.polling():
        until(lambda: polled.worker.events != [])
    (record,) = records_of(polled.worker.events[0])
    assert record.pop("messageId")
    assert record.pop("receiptHandle")
    assert record.pop("attributes")["ApproximateReceiveCount"] == "1"
    assert record == {
        "body": "text",
        "messageAttributes": {
            "a": {
                "stringValue": "b",
                "dataType": "String",
                "stringListValues": [],
                "binaryListValues": [],
            }
        },
        "md5OfBody": "1cb251ec0d568de6a929b520c4aed8d1",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:keyscope-local-Polled",
        "awsRegion": "us-east-1",
    }


def test_a_message_is_deleted_when_the_function_returns(polled: Polled) -> None:
    polled.send("text")
    with polled.polling():
        until(lambda: polled.left() == 0)
    assert polled.bodies() == [["text"]]
    assert polled.left("Dead") == 0


def test_messages_that_wait_are_handed_over_in_batches(polled: Polled) -> None:
    for number in range(25):
        polled.send(str(number))
    with polled.polling():
        until(lambda: polled.left() == 0)
    assert [len(bodies) for bodies in polled.bodies()] == [10, 10, 5]
    assert {body for bodies in polled.bodies() for body in bodies} == set(map(str, range(25)))


def test_a_larger_batch_takes_more_than_sqs_hands_out_at_once(
    polled: Polled, tmp_path: Path
) -> None:
    for number in range(25):
        polled.send(str(number))
    mapping = "BatchSize: 25, MaximumBatchingWindowInSeconds: 300"
    with polled.polling(write_template(tmp_path, mapping)):
        until(lambda: polled.left() == 0)
    assert [len(bodies) for bodies in polled.bodies()] == [25]


def test_a_window_gathers_what_comes_within_it(polled: Polled, tmp_path: Path) -> None:
    mapping = "BatchSize: 2, MaximumBatchingWindowInSeconds: 300"
    with polled.polling(write_template(tmp_path, mapping)):
        polled.send("one")
        until(lambda: polled.left() == 1)
        polled.send("two")
        until(lambda: polled.left() == 0)
    assert polled.bodies() == [["one", "two"]]


def test_a_delayed_message_comes_when_its_delay_is_over(polled: Polled) -> None:
    polled.send("late", DelaySeconds=1)
    polled.send("now")
    with polled.polling():
        until(lambda: polled.left() == 0)
    assert sorted(body for bodies in polled.bodies() for body in bodies) == ["late", "now"]


def test_a_message_whose_function_raised_comes_again(polled: Polled) -> None:
    failing = [True]

    def respond(_: object) -> object:
        if failing:
            failing.clear()
            message = "not now"
            raise RuntimeError(message)
        return None

    polled.worker.respond = respond
    polled.hide_received_messages(1)
    polled.send("text")
    with polled.polling():
        until(lambda: polled.left() == 0)
    received = [
        records_of(event)[0]["attributes"]["ApproximateReceiveCount"]
        for event in polled.worker.events
    ]
    assert received == ["1", "2"]


def test_a_message_that_fails_too_often_goes_to_the_dead_letter_queue(polled: Polled) -> None:
    polled.worker.respond = raising("never")
    polled.hide_received_messages(1)
    polled.send("text")
    with polled.polling():
        until(lambda: polled.left("Dead") == 1)
    assert polled.left() == 0
    assert len(polled.worker.events) == 2


def test_a_failure_is_logged_without_the_message(
    polled: Polled, caplog: pytest.LogCaptureFixture
) -> None:
    polled.worker.respond = raising("never")
    polled.send("the body")
    with polled.polling():
        until(lambda: "keyscope-local-Worker raised RuntimeError" in caplog.text)
    assert "the body" not in caplog.text


def test_a_queue_that_does_not_answer_is_logged_and_polled_on(
    polled: Polled, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
    with polled_queues(polled.stack, polled.functions, nowhere):
        until(lambda: caplog.text.count("Could not connect to the endpoint URL") > 1)


def poller_threads() -> int:
    return sum(thread.name == "queue poller" for thread in threading.enumerate())


def test_no_thread_outlives_the_context(polled: Polled) -> None:
    with polled.polling():
        assert poller_threads() == 1
    assert poller_threads() == 0


def test_what_was_received_when_the_context_ends_is_still_handed_over(
    polled: Polled, tmp_path: Path
) -> None:
    mapping = "BatchSize: 1000, MaximumBatchingWindowInSeconds: 300"
    polled.send("text")
    with polled.polling(write_template(tmp_path, mapping)):
        until(lambda: in_flight(polled) == 1)
    assert (polled.bodies(), polled.left()) == ([["text"]], 0)


def in_flight(polled: Polled) -> int:
    answer = polled.sqs.get_queue_attributes(QueueUrl=polled.url(), AttributeNames=["All"])
    return int(answer["Attributes"]["ApproximateNumberOfMessagesNotVisible"])


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ("FunctionResponseTypes: [ReportBatchItemFailures]", "FunctionResponseTypes of an event"),
        ("FilterCriteria: {Filters: []}", "FilterCriteria of an event source is not supported"),
        ("Enabled: false", "Enabled of an event source is not supported"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    mapping: str, told: str, polled: Polled, tmp_path: Path
) -> None:
    with pytest.raises(TemplateError, match=told):
        read_event_sources(load_stack(write_template(tmp_path, mapping)), polled.functions)


def test_a_source_that_is_no_queue_of_the_stack_is_refused(polled: Polled, tmp_path: Path) -> None:
    template = write_template(tmp_path)
    stream = "arn:aws:kinesis:us-east-1:123456789012:stream/keyscope-local-Polled"
    template.write_text(template.read_text().replace("!GetAtt Polled.Arn", stream), "utf-8")
    with pytest.raises(TemplateError, match="is not a queue of the stack"):
        read_event_sources(load_stack(template), polled.functions)


def test_a_function_that_is_not_of_the_stack_is_refused(polled: Polled) -> None:
    with pytest.raises(TemplateError, match="keyscope-local-Worker is not a function of the stack"):
        read_event_sources(polled.stack, {})


def test_an_empty_queue_is_read_ever_less_often() -> None:
    pauses = [PAUSE_SECONDS]
    for _ in range(4):
        pauses.append(next_pause(pauses[-1], was_empty=True))
    assert pauses == [0.2, 0.4, 0.8, 1.0, 1.0]


def test_a_queue_in_use_is_read_without_delay() -> None:
    assert next_pause(LONGEST_PAUSE_SECONDS, was_empty=False) == PAUSE_SECONDS
