"""Calls and transactions of DynamoDB: errors as Keyscope's own, conflicts tried again."""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from keyscope.aws.clients import DynamoDbClient
from keyscope.aws.key_table import error_code
from keyscope.errors import Reason, Unavailable

Write = dict[str, Any]
CONDITION_FAILED = "ConditionalCheckFailed"

_MAX_ATTEMPTS = 12
_PAUSE_BASE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Database:
    """DynamoDB; `sleep` waits before what others hindered is tried again."""

    client: DynamoDbClient
    sleep: Callable[[float], None] = time.sleep

    def attempts(self) -> Iterator[int]:
        """Yield a number for each attempt, the later ones after a pause with jitter."""
        for attempt in range(_MAX_ATTEMPTS):
            if attempt:
                ceiling = _PAUSE_BASE_SECONDS * 2 ** min(attempt - 1, 4)
                self.sleep(random.uniform(0, ceiling))  # noqa: S311 - jitter, not a secret
            yield attempt

    def call(self, operation: Callable[..., dict[str, Any]], **arguments: object) -> dict[str, Any]:
        """Call an operation of the client; raises `Unavailable`."""
        try:
            return operation(**arguments)
        except (BotoCoreError, ClientError) as error:
            raise _unavailable(error) from None

    def write(self, writes: Mapping[str, Write]) -> set[str]:
        """Write all or nothing; return the names of the writes whose condition failed.

        A conflict with another transaction is tried again. Raises `Unavailable`.
        """
        for _ in self.attempts():
            try:
                self.client.transact_write_items(TransactItems=list(writes.values()))
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise _unavailable(error) from None
                codes = _cancellation_codes(error)
                if CONDITION_FAILED in codes:
                    named = zip(writes, codes, strict=True)
                    return {name for name, code in named if code == CONDITION_FAILED}
                if "TransactionConflict" not in codes:
                    raise Unavailable(Reason.KEY_STORE_UNAVAILABLE, ", ".join(codes)) from None
            except BotoCoreError as error:
                raise _unavailable(error) from None
            else:
                return set()
        raise Unavailable(Reason.KEY_STORE_UNAVAILABLE, "TransactionConflict")


def _cancellation_codes(error: ClientError) -> Sequence[str]:
    return [str(reason.get("Code")) for reason in error.response["CancellationReasons"]]


def _unavailable(error: BotoCoreError | ClientError) -> Unavailable:
    return Unavailable(Reason.KEY_STORE_UNAVAILABLE, error_code(error))
