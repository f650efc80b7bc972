from collections.abc import Callable
from dataclasses import replace

import pytest

from keyscope.errors import Reason, Unavailable
from keyscope.key_cache import RETRY_SECONDS, KeyCache
from keyscope.key_record import Lookup, RecordSource
from tests.support.builders import NOW, make_key
from tests.support.stores import MemoryKeyStore, SteppedClock

KEY, OTHER = make_key(), make_key()


class Cached:
    """A cache of one known key, with its store and its clock in hand."""

    def __init__(self, *, fresh: int = 30, stale: int = 900, entries: int = 3) -> None:
        self.clock = SteppedClock(NOW)
        self.store = MemoryKeyStore({KEY.key_id: KEY.record})
        self.cache = KeyCache(
            self.store,
            self.clock,
            fresh_seconds=fresh,
            stale_seconds=stale,
            max_entries=entries,
            timer=self.clock,
        )

    def get(self, key_id: str = KEY.key_id) -> Lookup:
        return self.cache.get(key_id)


def failing(get: Callable[[], Lookup]) -> Reason:
    with pytest.raises(Unavailable) as unavailable:
        get()
    return unavailable.value.reason


def test_the_first_lookup_reads_the_table() -> None:
    assert Cached().get() == Lookup(KEY.record, RecordSource.TABLE)


def test_a_fresh_record_is_not_read_again() -> None:
    cached = Cached()
    cached.get()
    cached.clock.now += 29
    assert cached.get() == Lookup(KEY.record, RecordSource.CACHE)
    assert cached.store.reads == 1


def test_a_record_is_read_again_when_its_time_is_up() -> None:
    cached = Cached()
    cached.get()
    cached.clock.now += 30
    assert cached.get().source is RecordSource.TABLE


def test_a_recheck_reads_again_what_is_a_second_old() -> None:
    cached = Cached()
    cached.get()
    cached.clock.now += 1
    changed = replace(KEY.record, expires_at=NOW)
    cached.store.records = {KEY.key_id: changed}
    assert cached.cache.recheck(KEY.key_id) == Lookup(changed, RecordSource.TABLE)
    assert cached.get() == Lookup(changed, RecordSource.CACHE)


def test_rechecks_of_one_key_read_once_a_second() -> None:
    cached = Cached()
    for _ in range(20):
        cached.cache.recheck(KEY.key_id)
        cached.clock.now += 0.125
    assert cached.store.reads == 3


def test_rechecks_of_an_unknown_key_read_as_often_as_those_of_a_known_one() -> None:
    cached = Cached()
    for _ in range(20):
        cached.cache.recheck("unknown")
        cached.clock.now += 0.125
    assert cached.store.reads == 3


def test_a_recheck_while_the_table_fails_tells_that_the_record_is_stale() -> None:
    cached = Cached()
    cached.get()
    cached.clock.now += 1
    cached.store.failure = Reason.KEY_STORE_UNAVAILABLE
    assert cached.cache.recheck(KEY.key_id) == Lookup(KEY.record, RecordSource.STALE)


def test_with_no_time_every_lookup_reads() -> None:
    cached = Cached(fresh=0)
    cached.get()
    assert cached.get().source is RecordSource.TABLE


def test_a_clock_set_back_makes_the_cache_read_again() -> None:
    cached = Cached()
    cached.get()
    cached.clock.now -= 10_000
    assert cached.get().source is RecordSource.TABLE


def test_an_unknown_key_is_remembered_as_unknown() -> None:
    cached = Cached()
    cached.get("unknown")
    assert cached.get("unknown") == Lookup(None, RecordSource.CACHE)


def test_a_key_made_since_is_found_when_the_time_is_up() -> None:
    cached = Cached()
    cached.store.records = {}
    cached.get()
    cached.store.records = {KEY.key_id: KEY.record}
    cached.clock.now += 30
    assert cached.get().record == KEY.record
    cached.clock.now += 1
    assert cached.get() == Lookup(KEY.record, RecordSource.CACHE)


def test_a_key_deleted_since_is_not_served_when_the_table_fails() -> None:
    cached = Cached()
    cached.get()
    cached.store.records = {}
    cached.clock.now += 30
    assert cached.get().record is None
    cached.clock.now += 30
    cached.store.failure = Reason.KEY_STORE_UNAVAILABLE
    assert failing(cached.get) is Reason.KEY_STORE_UNAVAILABLE


def test_a_recent_record_goes_on_serving_when_the_table_fails() -> None:
    cached = Cached()
    cached.get()
    cached.store.failure = Reason.KEY_STORE_UNAVAILABLE
    cached.clock.now += 899
    assert cached.get() == Lookup(KEY.record, RecordSource.STALE)


def test_a_record_too_old_does_not_serve_when_the_table_fails() -> None:
    cached = Cached()
    cached.get()
    cached.store.failure = Reason.KEY_STORE_UNAVAILABLE
    cached.clock.now += 900
    assert failing(cached.get) is Reason.KEY_STORE_UNAVAILABLE


def test_an_unseen_key_does_not_serve_when_the_table_fails() -> None:
    cached = Cached()
    cached.store.failure = Reason.KEY_STORE_UNAVAILABLE
    assert failing(cached.get) is Reason.KEY_STORE_UNAVAILABLE


def test_a_damaged_record_is_not_papered_over_with_an_old_one() -> None:
    cached = Cached()
    cached.get()
    cached.clock.now += 30
    cached.store.failure = Reason.DAMAGED_RECORD
    assert failing(cached.get) is Reason.DAMAGED_RECORD


def test_a_failure_is_not_remembered() -> None:
    cached = Cached()
    cached.store.failure = Reason.KEY_STORE_UNAVAILABLE
    failing(cached.get)
    cached.store.failure = None
    assert cached.get().record == KEY.record


def test_a_flood_of_unknown_keys_evicts_no_known_key() -> None:
    cached = Cached(entries=3)
    cached.get()
    for number in range(100):
        cached.get(f"unknown-{number}")
    assert cached.get().source is RecordSource.CACHE


def test_the_memory_of_unknown_keys_is_bounded() -> None:
    cached = Cached(entries=3)
    for number in range(4):
        cached.get(f"unknown-{number}")
    assert cached.get("unknown-3").source is RecordSource.CACHE
    assert cached.get("unknown-0").source is RecordSource.TABLE


def while_the_store_fails(*, fresh: int = 30) -> Cached:
    """Return a cache whose records are stale, and whose store has just failed for the first."""
    cached = Cached(fresh=fresh)
    cached.store.records[OTHER.key_id] = OTHER.record
    cached.get()
    cached.get(OTHER.key_id)
    cached.clock.now += 60
    cached.store.failure = Reason.KEY_STORE_UNAVAILABLE
    cached.get()
    return cached


def test_a_failed_read_spares_the_next_ones_of_that_key() -> None:
    cached = while_the_store_fails()
    reads = cached.store.reads
    assert cached.get() == Lookup(KEY.record, RecordSource.STALE)
    assert cached.store.reads == reads


def test_a_failed_read_of_one_key_spares_no_other_key_s() -> None:
    cached = while_the_store_fails()
    cached.store.failure = None
    assert cached.get(OTHER.key_id) == Lookup(OTHER.record, RecordSource.TABLE)


def test_failed_reads_of_two_keys_spare_those_of_every_recent_record() -> None:
    cached = while_the_store_fails()
    cached.get(OTHER.key_id)
    reads = cached.store.reads
    assert [cached.get(key.key_id).source for key in (KEY, OTHER)] == [RecordSource.STALE] * 2
    assert cached.store.reads == reads


def test_a_failing_store_is_asked_once_in_that_time_whichever_keys_are_used() -> None:
    cached = while_the_store_fails()
    cached.get(OTHER.key_id)
    cached.clock.now += RETRY_SECONDS
    reads = cached.store.reads
    for key in (KEY, OTHER, KEY):
        cached.get(key.key_id)
    assert cached.store.reads == reads + 1


def test_the_store_is_asked_again_when_that_time_is_over() -> None:
    cached = while_the_store_fails()
    cached.store.failure = None
    cached.clock.now += RETRY_SECONDS
    assert cached.get() == Lookup(KEY.record, RecordSource.TABLE)


def test_a_key_that_nothing_recent_is_known_of_is_asked_for_all_the_same() -> None:
    cached = while_the_store_fails()
    reads = cached.store.reads
    assert failing(lambda: cached.get("unknown")) is Reason.KEY_STORE_UNAVAILABLE
    assert cached.store.reads == reads + 1


def test_a_read_that_succeeds_ends_the_sparing() -> None:
    cached = while_the_store_fails()
    cached.store.failure = None
    cached.get("unknown")
    assert cached.get() == Lookup(KEY.record, RecordSource.TABLE)


def test_nothing_is_spared_where_every_record_is_to_be_read_anew() -> None:
    cached = while_the_store_fails(fresh=0)
    reads = cached.store.reads
    cached.get()
    assert cached.store.reads == reads + 1
