"""A transaction that DynamoDB commits item by item, as slowly as AWS's documentation allows.

Other stores of the tests commit all items of a transaction at once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from keyscope.aws.clients import DynamoDbClient
from tests.support.contention import conflict_at, key_of, target_of

Item = Mapping[str, Any]
Place = tuple[str, ...]
"""The primary key of an item; the tables' keys differ in length."""


@dataclass
class SlowCommit:
    """The client of a caller whose first transaction is still being committed while others act.

    Items of which `is_late` is true are committed after `meanwhile`, or when `finish` is called.
    """

    client: DynamoDbClient
    is_late: Callable[[Place], bool]
    meanwhile: Callable[[], object]
    happened: bool = False
    late: dict[Place, Item | None] = field(default_factory=dict)
    """What the items were before."""

    def transact_write_items(self, **request: Any) -> object:  # noqa: ANN401 - DynamoDB's notation
        """Commit a transaction, the first one slowly."""
        if self.happened:
            return self.client.transact_write_items(**request)
        self.happened = True
        before = {place: item for place, item in self._items(request) if self.is_late(place)}
        answer = self.client.transact_write_items(**request)
        self.late.update(before)
        self.meanwhile()
        self.finish()
        return answer

    def finish(self) -> None:
        """Commit what is late."""
        self.late.clear()

    def __getattr__(self, operation: str) -> Callable[..., object]:
        """Return any other operation of the client."""
        call: Callable[..., object] = getattr(self.client, operation)
        return call

    def _items(self, request: Mapping[str, Any]) -> Iterator[tuple[Place, Item | None]]:
        for write in request["TransactItems"]:
            table, key = target_of(write)
            stored = self.client.get_item(TableName=table, Key=key, ConsistentRead=True)
            yield place_of(key), stored.get("Item")


@dataclass(frozen=True)
class Beside:
    """The client of another caller meanwhile.

    Its reads return what is late as it was, and its transactions conflict with it.
    """

    slow: SlowCommit

    def get_item(self, **request: Any) -> object:  # noqa: ANN401 - DynamoDB's notation
        """Read an item."""
        stored = self.slow.client.get_item(**request).get("Item")
        place = place_of(request["Key"])
        seen = self.slow.late.get(place, stored)
        return {} if seen is None else {"Item": seen}

    def batch_get_item(self, **request: Any) -> object:  # noqa: ANN401 - DynamoDB's notation
        """Read several items."""
        answer = self.slow.client.batch_get_item(**request)
        found = {table: self._seen(items) for table, items in answer["Responses"].items()}
        return {**answer, "Responses": found}

    def query(self, **request: Any) -> object:  # noqa: ANN401 - DynamoDB's notation
        """Read a range of items."""
        answer = self.slow.client.query(**request)
        return {**answer, "Items": self._seen(answer["Items"])}

    def transact_write_items(self, **request: Any) -> object:  # noqa: ANN401 - DynamoDB's notation
        """Write all or nothing."""
        keys = [key for _, key in map(target_of, request["TransactItems"])]
        late = [place_of(key) in self.slow.late for key in keys]
        if any(late):
            raise conflict_at(late)
        return self.slow.client.transact_write_items(**request)

    def _seen(self, items: Iterable[Item]) -> list[Item]:
        seen = (self.slow.late.get(place_of(item), item) for item in items)
        return [item for item in seen if item is not None]


def place_of(item: Item) -> Place:
    """Return the primary key of an item of DirectoryTable or KeysTable."""
    return tuple(str(value["S"]) for value in key_of(item).values())
