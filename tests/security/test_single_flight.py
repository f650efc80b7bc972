"""Threads that miss the same key at the same time: one read and one decryption per container."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, Event
from typing import Final

import pytest

from keyscope.authorize.decision import Outcome
from keyscope.authorize.key_cache import KeyCache
from keyscope.authorize.single_flight import SingleFlight
from keyscope.errors import Reason, Unavailable
from keyscope.model.key_record import KeyRecord, Lookup, RecordSource
from tests.support.builders import make_key, rotated
from tests.support.faulty_aws import Exchange, Fault, FaultyAws, failing, faulty_aws, slow, well
from tests.support.handlers import Asked, rest_authorizer

REQUESTS: Final = 20
KEY: Final = make_key()
OLD: Final = make_key()
ROTATED: Final = rotated(OLD, ends_at=4_000_000_000)
OTHER: Final = make_key()
A_WHILE: Final = 0.4
"""Seconds in which all requests have begun, and less than botocore waits for an answer."""


@pytest.fixture
def aws() -> Iterator[FaultyAws]:
    with faulty_aws(KEY, ROTATED, OTHER) as services:
        yield services


@pytest.fixture
def asked(aws: FaultyAws) -> Asked:
    return rest_authorizer(aws)


def answers(asked: Asked, authorization: str) -> set[Outcome]:
    all_there = Barrier(REQUESTS)

    def ask(_: int) -> Outcome:
        all_there.wait()
        return asked.outcome(authorization)

    with ThreadPoolExecutor(REQUESTS) as pool:
        return set(pool.map(ask, range(REQUESTS)))


def later(fault: Fault) -> Fault:
    def act(exchange: Exchange) -> None:
        exchange.stopping.wait(A_WHILE)
        fault(exchange)

    return act


def test_a_cold_key_is_read_once(aws: FaultyAws, asked: Asked) -> None:
    aws.dynamodb.fault = slow(A_WHILE)
    assert answers(asked, KEY.basic()) == {Outcome.ALLOWED}
    assert aws.reads_of(KEY) == 1


def test_a_cold_key_that_does_not_exist_is_asked_for_once(aws: FaultyAws, asked: Asked) -> None:
    unknown = make_key()
    aws.dynamodb.fault = slow(A_WHILE)
    assert answers(asked, unknown.basic()) == {Outcome.REFUSED}
    assert aws.reads_of(unknown) == 1


def test_a_cold_secret_is_decrypted_once(aws: FaultyAws, asked: Asked) -> None:
    aws.kms.fault = slow(A_WHILE)
    assert answers(asked, KEY.bearer(scope="app")) == {Outcome.ALLOWED}
    assert (aws.reads_of(KEY), aws.decryptions_of(KEY)) == (1, 1)


def test_each_of_a_rotated_keys_secrets_is_decrypted_once(aws: FaultyAws, asked: Asked) -> None:
    aws.kms.fault = slow(A_WHILE)
    assert answers(asked, OLD.bearer(scope="app")) == {Outcome.ALLOWED}
    assert aws.decryptions_of(ROTATED) == 2


def test_another_key_does_not_wait(aws: FaultyAws, asked: Asked) -> None:
    released = Event()

    def hold(exchange: Exchange) -> None:
        if exchange.request["Key"]["key_id"]["S"] == KEY.key_id:
            released.wait()
        exchange.send(exchange.answer)

    aws.dynamodb.fault = hold
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(asked.outcome, KEY.basic())
        assert asked.outcome(OTHER.basic()) is Outcome.ALLOWED
        assert not held.done()
        released.set()
        assert held.result() is Outcome.ALLOWED


def test_a_failed_read_is_shared_and_not_kept(aws: FaultyAws, asked: Asked) -> None:
    aws.dynamodb.fault = later(failing("AccessDeniedException"))
    assert answers(asked, KEY.basic()) == {Outcome.FAILED}
    assert aws.reads_of(KEY) == 1
    aws.dynamodb.fault = well
    assert asked.outcome(KEY.basic()) is Outcome.ALLOWED


def test_a_failed_decryption_is_shared_and_not_kept(aws: FaultyAws, asked: Asked) -> None:
    aws.kms.fault = later(failing("AccessDeniedException"))
    assert answers(asked, KEY.bearer(scope="app")) == {Outcome.FAILED}
    assert aws.decryptions_of(KEY) == 1
    aws.kms.fault = well
    assert asked.outcome(KEY.bearer(scope="app")) is Outcome.ALLOWED


def test_with_no_cache_no_read_is_shared(aws: FaultyAws) -> None:
    asked = rest_authorizer(aws, key_cache_seconds="0")
    aws.dynamodb.fault = slow(0.2)
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(asked.outcome, [KEY.basic()] * 5))
    assert aws.reads_of(KEY) == 5


class HeldStore:
    """A key store that answers when it is released."""

    def __init__(self, answers: Sequence[KeyRecord | Exception]) -> None:
        self.asked, self.released = Event(), Event()
        self._answers = iter(answers)

    def get(self, key_id: str, /, *, fresh: bool = False) -> Lookup:
        del key_id, fresh
        self.asked.set()
        self.released.wait()
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return Lookup(answer, RecordSource.TABLE)


def cache_of(store: HeldStore, wait_seconds: float) -> KeyCache:
    return KeyCache(
        store,
        lambda: 0,
        fresh_seconds=30,
        stale_seconds=900,
        max_entries=9,
        wait_seconds=lambda: wait_seconds,
    )


def test_who_may_not_wait_so_long_is_told_that_the_store_cannot_answer() -> None:
    store = HeldStore([KEY.record])
    cache = cache_of(store, wait_seconds=0)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(cache.get, KEY.key_id)
        store.asked.wait()
        with pytest.raises(Unavailable) as unavailable:
            cache.get(KEY.key_id)
        store.released.set()
        assert first.result().record == KEY.record
    assert unavailable.value.reason is Reason.KEY_STORE_UNAVAILABLE


def test_an_unexpected_error_reaches_all_who_wait_and_is_not_kept() -> None:
    store = HeldStore([MemoryError(), replace(KEY.record)])
    cache = cache_of(store, wait_seconds=60)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(cache.get, KEY.key_id)
        store.asked.wait()
        others = [pool.submit(cache.get, KEY.key_id) for _ in range(10)]
        store.released.set()
        assert isinstance(first.exception(), MemoryError)
        assert {type(other.exception()) for other in others} <= {MemoryError, type(None)}
    assert cache.get(KEY.key_id).record == KEY.record


def test_a_call_made_after_another_ended_is_a_new_one() -> None:
    flights: SingleFlight[str, int] = SingleFlight(lambda: 0)
    results = iter([1, 2])
    assert [flights.run("key", lambda: next(results)) for _ in range(2)] == [1, 2]
