from collections.abc import Callable

import pytest

from keyscope.authorize.key_cache import RETRY_SECONDS, KeyCache
from keyscope.errors import HeldUp, Hung, Reason, Unavailable
from keyscope.model.key_record import Lookup, RecordSource
from tests.support.builders import NOW, limited, make_key
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

    def get(self, key_id: str = KEY.key_id, *, fresh: bool = False) -> Lookup:
        return self.cache.get(key_id, fresh=fresh)


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
    changed = limited(KEY.record, expires_at=NOW)
    cached.store.records = {KEY.key_id: changed}
    assert cached.get(fresh=True) == Lookup(changed, RecordSource.TABLE)
    assert cached.get() == Lookup(changed, RecordSource.CACHE)


def test_rechecks_of_one_key_read_once_a_second() -> None:
    cached = Cached()
    for _ in range(20):
        cached.get(fresh=True)
        cached.clock.now += 0.125
    assert cached.store.reads == 3


def test_rechecks_of_an_unknown_key_read_as_often_as_those_of_a_known_one() -> None:
    cached = Cached()
    for _ in range(20):
        cached.get("unknown", fresh=True)
        cached.clock.now += 0.125
    assert cached.store.reads == 3


def test_a_recheck_while_the_table_fails_tells_that_the_record_is_stale() -> None:
    cached = Cached()
    cached.get()
    cached.clock.now += 1
    cached.store.failure = Reason.KEY_STORE_UNAVAILABLE
    assert cached.get(fresh=True) == Lookup(KEY.record, RecordSource.STALE)


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


def after_a_failed_read(*, by: type[Unavailable] = Hung, fresh: int = 30) -> Cached:
    """Return a cache whose two records are stale, and whose last read, of the first, has failed."""
    cached = Cached(fresh=fresh)
    cached.store.records[OTHER.key_id] = OTHER.record
    cached.get()
    cached.get(OTHER.key_id)
    cached.clock.now += 60
    cached.store.failure, cached.store.fails_by = Reason.KEY_STORE_UNAVAILABLE, by
    cached.get()
    return cached


def test_a_read_that_hung_spares_the_next_ones_of_that_key() -> None:
    cached = after_a_failed_read()
    reads = cached.store.reads
    assert cached.get() == Lookup(KEY.record, RecordSource.STALE)
    assert cached.store.reads == reads


def test_a_read_that_failed_fast_spares_none() -> None:
    cached = after_a_failed_read(by=Unavailable)
    cached.store.failure = None
    assert cached.get() == Lookup(KEY.record, RecordSource.TABLE)


@pytest.mark.parametrize("by", [Unavailable, Hung])
@pytest.mark.parametrize("others", [1, 2, 3])
def test_failed_reads_of_other_keys_spare_no_read(others: int, by: type[Unavailable]) -> None:
    cached = Cached(entries=9)
    made = [make_key() for _ in range(others)]
    cached.store.records |= {each.key_id: each.record for each in made}
    for key_id in list(cached.store.records):
        cached.get(key_id)
    cached.clock.now += 60
    cached.store.failure, cached.store.fails_by = Reason.KEY_STORE_UNAVAILABLE, by
    assert {cached.get(each.key_id).source for each in made} == {RecordSource.STALE}
    cached.store.failure = None
    assert cached.get() == Lookup(KEY.record, RecordSource.TABLE)


def test_a_key_whose_reads_hang_is_read_once_in_that_time() -> None:
    cached = after_a_failed_read()
    cached.clock.now += RETRY_SECONDS
    reads = cached.store.reads
    for _ in range(3):
        cached.get()
    assert cached.store.reads == reads + 1


def test_a_key_whose_read_hung_is_read_again_when_that_time_is_over() -> None:
    cached = after_a_failed_read()
    cached.store.failure = None
    cached.clock.now += RETRY_SECONDS
    assert cached.get() == Lookup(KEY.record, RecordSource.TABLE)


def test_a_key_that_nothing_recent_is_known_of_is_read_all_the_same() -> None:
    cached = after_a_failed_read()
    reads = cached.store.reads
    for _ in range(2):
        assert failing(lambda: cached.get("unknown")) is Reason.KEY_STORE_UNAVAILABLE
    assert cached.store.reads == reads + 2


def test_nothing_is_spared_where_every_record_is_to_be_read_anew() -> None:
    cached = after_a_failed_read(fresh=0)
    reads = cached.store.reads
    cached.get()
    assert cached.store.reads == reads + 1


def test_a_key_that_others_held_up_is_not_served_from_an_old_record() -> None:
    cached = after_a_failed_read()
    cached.store.fails_by = HeldUp
    assert failing(lambda: cached.get(OTHER.key_id)) is Reason.KEY_STORE_UNAVAILABLE


def test_a_key_whose_own_read_hung_is_served_although_others_hold_it_up() -> None:
    cached = after_a_failed_read()
    cached.store.fails_by = HeldUp
    cached.clock.now += RETRY_SECONDS
    assert cached.get() == Lookup(KEY.record, RecordSource.STALE)


def test_a_key_that_others_held_up_is_read_at_its_next_request() -> None:
    cached = after_a_failed_read(by=Unavailable)
    cached.store.fails_by = HeldUp
    failing(cached.get)
    cached.store.failure = None
    assert cached.get() == Lookup(KEY.record, RecordSource.TABLE)


def test_a_read_that_succeeds_ends_what_was_noted_of_the_one_that_hung() -> None:
    cached = after_a_failed_read()
    cached.clock.now += RETRY_SECONDS
    cached.store.failure = None
    cached.get()
    cached.clock.now += 60
    cached.store.failure, cached.store.fails_by = Reason.KEY_STORE_UNAVAILABLE, HeldUp
    assert failing(cached.get) is Reason.KEY_STORE_UNAVAILABLE
