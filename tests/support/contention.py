"""A DynamoDB client that conflicts as AWS does: DynamoDB Local lets transactions wait instead."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, cast

from botocore.exceptions import ClientError

from keyscope.aws.clients import DynamoDbClient
from keyscope_local.template.intrinsics import Json


@dataclass
class ConflictingClient:
    """Cancels a transaction that meets an item of another one that is under way.

    AWS rejects it at once, for a check as for a write, and names the items it met ("Amazon DynamoDB
    Transactions: How it works", transaction conflict handling). `seconds` is what each takes.
    `started` and `conflicts` count transactions.
    """

    client: DynamoDbClient
    seconds: float
    started: int = 0
    conflicts: int = 0
    _busy: set[str] = field(default_factory=set)
    _turn: Lock = field(default_factory=Lock)

    def __getattr__(self, operation: str) -> Callable[..., object]:
        return cast("Callable[..., object]", getattr(self.client, operation))

    def transact_write_items(self, **request: object) -> dict[str, Any]:
        items = [_item_of(write) for write in cast("list[Json]", request["TransactItems"])]
        self._take(items)
        try:
            time.sleep(self.seconds)
            return self.client.transact_write_items(**request)
        finally:
            with self._turn:
                self._busy.difference_update(items)

    def _take(self, items: list[str]) -> None:
        with self._turn:
            self.started += 1
            met = [item in self._busy for item in items]
            if not any(met):
                self._busy.update(items)
                return
            self.conflicts += 1
        raise conflict_at(met)


def conflict_at(met: list[bool]) -> ClientError:
    """Return DynamoDB's error of a transaction, by which of its items others are at."""
    response: Mapping[str, object] = {
        "Error": {"Code": "TransactionCanceledException", "Message": ""},
        "CancellationReasons": [{"Code": "TransactionConflict" if it else "None"} for it in met],
    }
    return ClientError(cast("Any", response), "TransactWriteItems")


def target_of(write: Json) -> tuple[str, Mapping[str, Any]]:
    """Return the table and the primary key of the item that a part of a transaction is about."""
    ((_, request),) = cast("Mapping[str, Mapping[str, Any]]", write).items()
    return request["TableName"], key_of(request.get("Key") or request["Item"])


def key_of(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the primary key of an item."""
    names = ("account_id", "entity") if "entity" in item else ("key_id",)
    return {name: item[name] for name in names}


def _item_of(write: Json) -> str:
    table, key = target_of(write)
    return f"{table} {sorted((name, value['S']) for name, value in key.items())}"
