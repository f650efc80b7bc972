"""Create and empty the template's own SQS queues at the embedded AWS."""

import json
from collections.abc import Mapping
from typing import Final, Protocol, cast

from keyscope_local.emulators.tables import local_client
from keyscope_local.template.intrinsics import Json, TemplateError
from keyscope_local.template.stack import Stack, physical_id_of

QUEUE_TYPE: Final = "AWS::SQS::Queue"

_ATTRIBUTES = ("DelaySeconds", "MessageRetentionPeriod", "RedrivePolicy", "VisibilityTimeout")
"""The attributes that the embedded AWS supports; it has no use for encryption."""


class _QueueClient(Protocol):
    """The part of botocore's SQS client that is used here; it ships no types of its own."""

    def create_queue(self, **request: object) -> Mapping[str, str]: ...

    def delete_queue(self, **request: object) -> object: ...


def create_queues(stack: Stack, endpoint_url: str) -> None:
    """Create the stack's missing queues.

    Raises:
        botocore.exceptions.BotoCoreError: nothing answers at the endpoint.
        botocore.exceptions.ClientError: it refuses a queue.
    """
    client = cast("_QueueClient", local_client("sqs", endpoint_url))
    # A dead-letter queue must exist before the queue that names it.
    for url, properties in sorted(_queues(stack), key=lambda queue: "RedrivePolicy" in queue[1]):
        attributes = {name: properties[name] for name in _ATTRIBUTES if name in properties}
        client.create_queue(
            QueueName=_last_part(url, "/"),
            Attributes={name: _as_attribute(value) for name, value in attributes.items()},
        )


def empty_queues(stack: Stack, endpoint_url: str) -> None:
    """Remove all messages from the stack's queues, including delayed ones."""
    client = cast("_QueueClient", local_client("sqs", endpoint_url))
    # By deleting and creating them: as in AWS, a queue can be purged only once a minute.
    for url, _ in _queues(stack):
        client.delete_queue(QueueUrl=url)
    create_queues(stack, endpoint_url)


def queue_url_of(stack: Stack, arn: str) -> str:
    """Return the URL of the queue that an ARN names.

    Raises:
        TemplateError: the stack has no such queue.
    """
    for url, _ in _queues(stack):
        if arn.startswith("arn:aws:sqs:") and _last_part(arn, ":") == _last_part(url, "/"):
            return url
    message = f"{arn} is not a queue of the stack"
    raise TemplateError(message)


def _queues(stack: Stack) -> list[tuple[str, Json]]:
    """Return the URL and the properties of each queue."""
    return [
        (physical_id_of(stack, name), cast("Json", resource.get("Properties", {})))
        for name, resource in stack.resources.items()
        if resource["Type"] == QUEUE_TYPE
    ]


def _last_part(text: str, separator: str) -> str:
    """Return the queue's name, which ends its URL and its ARN."""
    return text.rpartition(separator)[2]


def _as_attribute(value: object) -> str:
    return json.dumps(value) if isinstance(value, Mapping) else str(value)
