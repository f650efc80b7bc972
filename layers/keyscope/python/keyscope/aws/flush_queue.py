"""Asking for a flush of API Gateway's authorizer caches, when a key ends or is narrowed."""

import json
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from keyscope.aws.clients import SqsClient, UnreadableAnswer, error_code
from keyscope.errors import Reason, Unavailable

MESSAGE: Final = json.dumps({"format": 1})
"""Says no more than that a flush is due: each flushes the whole stage."""

_CALLERS_TIMEOUT_SECONDS = 29
"""The longest that a function of the stack runs, and so the latest that its write can come."""
_MARGIN_SECONDS = 2
"""For a read that was under way when a record changed, and for clocks that differ."""


@dataclass(frozen=True, slots=True)
class FlushQueue:
    """FlushQueue as those see it who end or narrow keys.

    A write takes two calls: `flush_in_any_case` before it and `flush` after it.
    `key_cache_seconds` is how long an authorizer's container may serve the old record, and so make
    API Gateway cache an outdated policy once more; at most 300.
    """

    client: SqsClient
    queue_url: str
    key_cache_seconds: int

    def flush_in_any_case(self) -> None:
        """Ask for a flush that comes even if the caller crashes after its write.

        Raises:
            Unavailable: `FLUSH_QUEUE_UNAVAILABLE`; nothing should be written then.
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
        """Ask for a flush now, and for one when no container serves the old record any more.

        Raises:
            Unavailable: `FLUSH_QUEUE_UNAVAILABLE`; the write stands, and the flush of
                `flush_in_any_case` still comes.
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


def _unavailable(detail: str) -> Unavailable:
    return Unavailable(Reason.FLUSH_QUEUE_UNAVAILABLE, detail)
