"""Lambda's pollers of SQS queues: one thread for each event source mapping of the stack.

A poller gathers a batch for as long as the mapping says, passes it to the function, and deletes it
when the function returns. If the function raises, the messages stay and become visible again after
the queue's visibility timeout (AWS Lambda developer guide, "Using Lambda with Amazon SQS").
"""

import logging
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from botocore.exceptions import BotoCoreError, ClientError

from keyscope_local.emulators.queues import queue_url_of
from keyscope_local.emulators.tables import REGION, local_client
from keyscope_local.template.function_failure import FunctionFailed
from keyscope_local.template.function_loader import LocalFunction
from keyscope_local.template.intrinsics import Json, TemplateError, whole_number
from keyscope_local.template.stack import Stack

MAPPING_TYPE: Final = "AWS::Lambda::EventSourceMapping"
PAUSE_SECONDS: Final = 0.2
"""The pause between two reads of a queue that was just in use, in seconds."""
LONGEST_PAUSE_SECONDS: Final = 1.0
"""The pause between two reads of a queue that has been empty for a while, in seconds."""

_SUPPORTED = {
    "BatchSize",
    "EventSourceArn",
    "FunctionName",
    "MaximumBatchingWindowInSeconds",
    "ScalingConfig",
}
_DEFAULT_BATCH_SIZE = 10
_PAGE = 10
"""The most messages that SQS receives or deletes in one call."""

_THREAD_NAME = "queue poller"

_log = logging.getLogger("keyscope.local.queue_poller")

_Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EventSource:
    """A queue whose messages go to a function.

    `MaximumConcurrency` of the mapping is never exceeded: one thread handles one batch at a time.
    """

    function: LocalFunction
    queue_arn: str
    queue_url: str
    batch_size: int
    window_seconds: int


class _QueueClient(Protocol):
    """The part of botocore's SQS client that is used here; it ships no types of its own."""

    def receive_message(self, **request: object) -> Mapping[str, list[_Message]]: ...

    def delete_message_batch(self, **request: object) -> Mapping[str, list[_Message]]: ...


@contextmanager
def polled_queues(
    stack: Stack, functions: Mapping[str, LocalFunction], endpoint_url: str
) -> Iterator[None]:
    """Poll the queues of the stack's event source mappings while the context lasts.

    Leaving the context waits for a batch that is being handled.

    Raises:
        TemplateError: a mapping uses something that is not supported here.
    """
    client = cast("_QueueClient", local_client("sqs", endpoint_url))
    stopping = threading.Event()
    threads = [
        threading.Thread(
            target=_poll, args=(source, client, stopping), name=_THREAD_NAME, daemon=True
        )
        for source in read_event_sources(stack, functions)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def read_event_sources(
    stack: Stack, functions: Mapping[str, LocalFunction]
) -> Sequence[EventSource]:
    """Read the stack's event source mappings. `functions` are those of the stack.

    Raises:
        TemplateError: a mapping uses something that is not supported here.
    """
    return [
        _read_event_source(stack, functions, name, cast("Json", resource["Properties"]))
        for name, resource in stack.resources.items()
        if resource["Type"] == MAPPING_TYPE
    ]


def _read_event_source(
    stack: Stack, functions: Mapping[str, LocalFunction], name: str, properties: Json
) -> EventSource:
    if unsupported := sorted(set(properties) - _SUPPORTED):
        message = f"{name}: {', '.join(unsupported)} of an event source is not supported here"
        raise TemplateError(message)
    by_name = {function.name: function for function in functions.values()}
    function_name, arn = str(properties["FunctionName"]), str(properties["EventSourceArn"])
    if function_name not in by_name:
        message = f"{name}: {function_name} is not a function of the stack"
        raise TemplateError(message)
    return EventSource(
        function=by_name[function_name],
        queue_arn=arn,
        queue_url=queue_url_of(stack, arn),
        batch_size=whole_number(properties.get("BatchSize", _DEFAULT_BATCH_SIZE), name),
        window_seconds=whole_number(properties.get("MaximumBatchingWindowInSeconds", 0), name),
    )


def next_pause(pause_seconds: float, *, was_empty: bool) -> float:
    """Return the pause after a read, in seconds: twice the last one while the queue is empty.

    A read takes 12 ms of processor time, so that an idle run would keep a core busy by 6 %.
    """
    return min(2 * pause_seconds, LONGEST_PAUSE_SECONDS) if was_empty else PAUSE_SECONDS


def _poll(source: EventSource, client: _QueueClient, stopping: threading.Event) -> None:
    pause_seconds = PAUSE_SECONDS
    while not stopping.wait(pause_seconds):
        batch: list[_Message] = []
        try:
            if batch := _gather(source, client, stopping):
                _deliver(source, client, batch)
        except (BotoCoreError, ClientError) as error:
            _log.warning("%s: %s", source.queue_arn, error)
        pause_seconds = next_pause(pause_seconds, was_empty=not batch)


def _gather(source: EventSource, client: _QueueClient, stopping: threading.Event) -> list[_Message]:
    """Return the next batch, empty if the queue is empty."""
    batch: list[_Message] = []
    ends_at = 0.0
    while True:
        wanted = min(_PAGE, source.batch_size - len(batch))
        page = _receive(source, client, wanted)
        if page and not batch:
            ends_at = time.monotonic() + source.window_seconds
        batch += page
        if len(batch) == source.batch_size or (len(page) < wanted and time.monotonic() >= ends_at):
            return batch
        if len(page) < wanted and stopping.wait(PAUSE_SECONDS):
            return batch


def _receive(source: EventSource, client: _QueueClient, most: int) -> list[_Message]:
    answer = client.receive_message(
        QueueUrl=source.queue_url,
        MaxNumberOfMessages=most,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return answer.get("Messages", [])


def _deliver(source: EventSource, client: _QueueClient, batch: Sequence[_Message]) -> None:
    try:
        source.function.invoke({"Records": [_record(message, source) for message in batch]})
    except FunctionFailed as failed:
        _log.warning("%s raised %s", source.function.name, failed, exc_info=failed.__cause__)
        return
    for start in range(0, len(batch), _PAGE):
        _delete(source, client, batch[start : start + _PAGE])


def _delete(source: EventSource, client: _QueueClient, messages: Sequence[_Message]) -> None:
    answer = client.delete_message_batch(
        QueueUrl=source.queue_url,
        Entries=[
            {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
            for index, message in enumerate(messages)
        ],
    )
    for failed in answer.get("Failed", []):
        _log.warning("%s: a message was not deleted: %s", source.queue_arn, failed["Code"])


def _record(message: _Message, source: EventSource) -> Json:
    """Return a message in the form in which Lambda passes it to a function."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: _message_attribute(value)
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": source.queue_arn,
        "awsRegion": REGION,
    }


def _message_attribute(value: Mapping[str, Any]) -> Json:
    shown: dict[str, object] = {
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }
    if "StringValue" in value:
        shown["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        shown["binaryValue"] = b64encode(value["BinaryValue"]).decode()
    return shown
