"""DynamoDB calls and transactions: maps errors to Keyscope's own, and retries conflicts."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from keyscope.aws.calls import error_code
from keyscope.aws.clients import DynamoDbClient
from keyscope.errors import Contended, Reason, Unavailable

Write = dict[str, Any]
CONDITION_FAILED = "ConditionalCheckFailed"

MAX_CONTENTION_SECONDS = 20.0
"""How long one change waits for others to the same records. API Gateway times out after 29 s."""

_FIRST_PAUSE_SECONDS = 0.02
_MAX_DOUBLINGS = 5


@dataclass(slots=True)
class Patience:
    """How long one change retries while others block it.

    `timer` returns seconds, `sleep` waits for a number of seconds.
    """

    sleep: Callable[[float], None]
    timer: Callable[[], float]
    _ends_at: float = field(init=False)
    _pauses: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Start the time."""
        self._ends_at = self.timer() + MAX_CONTENTION_SECONDS

    def pause(self) -> None:
        """Wait before another attempt, with jitter and longer each time; raises `Contended`."""
        ceiling = _FIRST_PAUSE_SECONDS * 2 ** min(self._pauses, _MAX_DOUBLINGS)
        seconds = random.uniform(0, ceiling)  # noqa: S311 - jitter, not a secret
        if self.timer() + seconds >= self._ends_at:
            raise Contended
        self._pauses += 1
        self.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Database:
    """DynamoDB; `sleep` waits before a retry, `timer` returns seconds."""

    client: DynamoDbClient
    sleep: Callable[[float], None] = time.sleep
    timer: Callable[[], float] = time.monotonic

    def patience(self) -> Patience:
        """Start the time of one change."""
        return Patience(self.sleep, self.timer)

    def call(self, operation: Callable[..., dict[str, Any]], **arguments: object) -> dict[str, Any]:
        """Call an operation of the client; raises `Unavailable`."""
        try:
            return operation(**arguments)
        except (BotoCoreError, ClientError) as error:
            raise _unavailable(error) from None

    def holds(self, operation: Callable[..., dict[str, Any]], **arguments: object) -> bool:
        """Call a conditional write; return whether its condition held. Raises `Unavailable`."""
        try:
            operation(**arguments)
        except (BotoCoreError, ClientError) as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise _unavailable(error) from None
        return True

    def write(
        self,
        writes: Mapping[str, Write],
        patience: Patience,
        check_time: Callable[[], None] = lambda: None,
    ) -> set[str]:
        """Write all or nothing; return the names of the writes whose condition failed.

        Retries after a conflict with another transaction, and calls `check_time` first, which may
        raise. Raises `Unavailable`, and `Contended` when patience ends.
        """
        token = _new_token()
        while True:
            check_time()
            try:
                self.client.transact_write_items(
                    TransactItems=list(writes.values()), ClientRequestToken=token
                )
            except ClientError as error:
                match error_code(error):
                    case "TransactionInProgressException":
                        # An attempt whose response was lost is still running. The token stays the
                        # same, so that the next attempt gets its result and writes nothing twice.
                        pass
                    case "TransactionCanceledException":
                        codes = _cancellation_codes(error)
                        if CONDITION_FAILED in codes:
                            named = zip(writes, codes, strict=True)
                            return {name for name, code in named if code == CONDITION_FAILED}
                        if "TransactionConflict" not in codes:
                            detail = ", ".join(codes)
                            raise Unavailable(Reason.KEY_STORE_UNAVAILABLE, detail) from None
                        token = _new_token()
                    case _:
                        raise _unavailable(error) from None
            except BotoCoreError as error:
                raise _unavailable(error) from None
            else:
                return set()
            patience.pause()


def _new_token() -> str:
    """Return an idempotency token (DynamoDB API reference, TransactWriteItems)."""
    return str(uuid4())


def _cancellation_codes(error: ClientError) -> Sequence[str]:
    return [str(reason.get("Code")) for reason in error.response["CancellationReasons"]]


def _unavailable(error: BotoCoreError | ClientError) -> Unavailable:
    return Unavailable(Reason.KEY_STORE_UNAVAILABLE, error_code(error))
