"""Requests flushes of API Gateway's authorizer caches, when a key is revoked or narrowed."""

import json
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from keyscope.aws.calls import error_code
from keyscope.aws.clients import SqsClient, UnreadableAnswer
from keyscope.aws.lifecycle_telemetry import LifecycleTelemetry
from keyscope.errors import Reason, Unavailable

MESSAGE: Final = json.dumps({"format": 1})
"""Only says that a flush is due, because each flush empties the whole stage's cache."""

_CALLERS_TIMEOUT_SECONDS = 29
"""The longest that a function of the stack runs, and so the latest that its write can take
effect."""
_MARGIN_SECONDS = 2
"""For a read in progress while a record changed, and for clock skew."""


@dataclass(frozen=True, slots=True)
class FlushQueue:
    """The flush queue, as seen by operations that revoke or narrow keys.

    A write takes two calls: `flush_in_any_case` before it and `flush` after it.
    `key_cache_seconds`, at most 300, is how long an authorizer's container may serve the old
    record, and so make API Gateway cache an outdated policy again.
    """

    client: SqsClient
    queue_url: str
    key_cache_seconds: int

    def flush_in_any_case(self) -> None:
        """Schedule a flush that happens even if the caller crashes after its write.

        Raises:
            Unavailable: `FLUSH_QUEUE_UNAVAILABLE`; the caller should not write then.
        """
        delay = self.key_cache_seconds + _CALLERS_TIMEOUT_SECONDS + _MARGIN_SECONDS
        try:
            response = self.client.send_message(
                QueueUrl=self.queue_url, MessageBody=MESSAGE, DelaySeconds=delay
            )
        except (BotoCoreError, ClientError) as error:
            raise _unavailable(error_code(error)) from None
        if not response.get("MessageId"):
            raise _unavailable(UnreadableAnswer.__name__)

    def flush(self) -> None:
        """Request a flush now, and one when no container serves the old record any longer.

        Raises:
            Unavailable: `FLUSH_QUEUE_UNAVAILABLE`; the write is done, and the flush of
                `flush_in_any_case` still happens.
        """
        delays = {"now": 0, "after-key-caches": self.key_cache_seconds + _MARGIN_SECONDS}
        try:
            response = self.client.send_message_batch(
                QueueUrl=self.queue_url,
                Entries=[
                    {"Id": name, "MessageBody": MESSAGE, "DelaySeconds": delay}
                    for name, delay in delays.items()
                ],
            )
        except (BotoCoreError, ClientError) as error:
            raise _unavailable(error_code(error)) from None
        if failed := [*filter(None, response.get("Failed", ()))]:
            raise _unavailable(", ".join(sorted({str(entry.get("Code")) for entry in failed})))
        taken = {entry.get("Id") for entry in filter(None, response.get("Successful", ()))}
        if not delays.keys() <= taken:
            raise _unavailable(UnreadableAnswer.__name__)


@dataclass(frozen=True, slots=True)
class QueuedFlushes:
    """Requests flushes from a queue, and reports failures after the write to the operator."""

    queue: FlushQueue
    telemetry: LifecycleTelemetry

    def flush_in_any_case(self) -> None:
        """Schedule a flush for when the coming write is in effect; raises `Unavailable`."""
        self.queue.flush_in_any_case()

    def flush(self) -> None:
        """Flush the policies now, and again when no container caches the old key any longer."""
        try:
            self.queue.flush()
        except Unavailable as unavailable:
            self.telemetry.flush_failed(unavailable)


def _unavailable(detail: str) -> Unavailable:
    return Unavailable(Reason.FLUSH_QUEUE_UNAVAILABLE, detail)
