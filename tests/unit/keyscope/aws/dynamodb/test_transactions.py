"""How changes to one record wait for each other, in simulated time."""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from botocore.exceptions import ClientError

from keyscope.aws.dynamodb.transactions import MAX_CONTENTION_SECONDS, Database, Patience
from keyscope.errors import Contended
from tests.support.contention import conflict_at

if TYPE_CHECKING:
    from keyscope.aws.clients import DynamoDbClient

CREATORS: Final = 100
WRITE: Final = {"item": {"Put": {"TableName": "keys", "Item": {}}}}


@dataclass
class Contender:
    """One change that tries until it is done; `now` is when it tries next, in seconds."""

    now: float = 0
    patience: Patience = field(init=False)

    def __post_init__(self) -> None:
        self.patience = Patience(self._sleep, lambda: self.now)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


def ends_of(contenders: int, seconds: float) -> Iterator[float]:
    """Yield when each is done, if a transaction takes that long and rejects what it meets."""
    free_at = 0.0
    waiting = [(0.0, number, Contender()) for number in range(contenders)]
    while waiting:
        now, number, contender = heapq.heappop(waiting)
        if now >= free_at:
            free_at = now + seconds
            yield free_at
        else:
            contender.patience.pause()
            heapq.heappush(waiting, (contender.now, number, contender))


@pytest.mark.parametrize("milliseconds", [10, 20, 50, 100])
def test_a_hundred_changes_to_one_record_are_all_done_in_time(milliseconds: int) -> None:
    for seed in range(20):
        random.seed(seed)
        ends = list(ends_of(CREATORS, milliseconds / 1_000))
        assert len(ends) == CREATORS
        assert max(ends) < MAX_CONTENTION_SECONDS


def test_more_changes_than_there_is_time_for_are_told_so() -> None:
    random.seed(1)
    with pytest.raises(Contended):
        list(ends_of(CREATORS, MAX_CONTENTION_SECONDS / CREATORS * 2))


class AnsweringClient:
    """A DynamoDB client that raises these errors, then succeeds; `tokens` names each attempt."""

    def __init__(self, *errors: ClientError) -> None:
        self._errors = list(errors)
        self.tokens: list[object] = []

    def transact_write_items(self, **request: object) -> dict[str, Any]:
        self.tokens.append(request["ClientRequestToken"])
        if self._errors:
            raise self._errors.pop(0)
        return {}


def written_by(client: AnsweringClient) -> list[object]:
    database = Database(cast("DynamoDbClient", client), lambda _: None)
    assert database.write(WRITE, database.patience()) == set()
    return client.tokens


def test_a_write_that_is_still_under_way_is_asked_for_again_and_not_written_twice() -> None:
    in_progress = ClientError(
        {"Error": {"Code": "TransactionInProgressException"}}, "TransactWriteItems"
    )
    first, second = written_by(AnsweringClient(in_progress))
    assert first == second


def test_a_write_that_was_canceled_is_another_one_when_it_is_tried_again() -> None:
    first, second = written_by(AnsweringClient(conflict_at([True])))
    assert first != second
