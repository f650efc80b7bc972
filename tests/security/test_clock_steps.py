"""Clocks that step, and containers that stand still: no record lives longer than its time."""

import pytest

from keyscope.authorize.key_cache import KeyCache
from keyscope.errors import Reason, Unavailable
from keyscope.model.key_record import Lookup, RecordSource
from tests.support.builders import NOW, make_key
from tests.support.stores import MemoryKeyStore, SteppedClock

KEY = make_key()
FRESH, STALE = 30, 900


class Remembering:
    """A cache that has just read a key, with its store and both of its clocks in hand."""

    def __init__(self) -> None:
        self.clock, self.timer = SteppedClock(NOW), SteppedClock(1_000)
        self.store = MemoryKeyStore({KEY.key_id: KEY.record})
        self.cache = KeyCache(
            self.store,
            self.clock,
            fresh_seconds=FRESH,
            stale_seconds=STALE,
            max_entries=3,
            timer=self.timer,
        )
        self.get()

    def get(self) -> Lookup:
        return self.cache.get(KEY.key_id)

    def pass_seconds(self, seconds: float) -> None:
        self.clock.now += seconds
        self.timer.now += seconds

    def fail(self) -> None:
        self.store.failure = Reason.KEY_STORE_UNAVAILABLE


@pytest.fixture
def remembering() -> Remembering:
    return Remembering()


def is_unavailable(remembering: Remembering) -> bool:
    with pytest.raises(Unavailable) as unavailable:
        remembering.get()
    return unavailable.value.reason is Reason.KEY_STORE_UNAVAILABLE


@pytest.mark.parametrize("step", [-1, -29, -60, -86_400])
def test_a_clock_set_back_prolongs_no_record(step: float, remembering: Remembering) -> None:
    remembering.pass_seconds(FRESH - 1)
    remembering.clock.now += step
    remembering.pass_seconds(1)
    assert remembering.get().source is RecordSource.TABLE


@pytest.mark.parametrize("step", [-1, -600, -86_400])
def test_a_clock_set_back_during_an_outage_prolongs_no_record(
    step: float, remembering: Remembering
) -> None:
    remembering.fail()
    remembering.pass_seconds(STALE - 1)
    remembering.clock.now += step
    remembering.pass_seconds(1)
    assert is_unavailable(remembering)


def test_a_clock_set_forward_makes_the_cache_read_again(remembering: Remembering) -> None:
    remembering.clock.now += FRESH
    assert remembering.get().source is RecordSource.TABLE


def test_a_clock_set_forward_during_an_outage_ends_what_may_be_too_old(
    remembering: Remembering,
) -> None:
    remembering.fail()
    remembering.clock.now += STALE
    assert is_unavailable(remembering)


def test_a_clock_set_right_again_during_an_outage_lets_a_recent_record_serve(
    remembering: Remembering,
) -> None:
    remembering.fail()
    remembering.pass_seconds(FRESH)
    remembering.clock.now += STALE
    assert is_unavailable(remembering)
    remembering.clock.now -= STALE
    assert remembering.get().source is RecordSource.STALE


@pytest.mark.parametrize("step", [-86_400, -60, 60, 86_400])
def test_after_an_outage_any_step_leads_to_a_read(step: float, remembering: Remembering) -> None:
    remembering.fail()
    remembering.clock.now += step
    remembering.store.failure = None
    assert remembering.get().source is RecordSource.TABLE


def test_a_record_ages_while_the_container_and_its_monotonic_clock_stand_still(
    remembering: Remembering,
) -> None:
    remembering.clock.now += FRESH
    assert remembering.get().source is RecordSource.TABLE


def test_a_record_is_dated_before_the_read_that_found_it() -> None:
    remembering = Remembering()
    remembering.pass_seconds(FRESH)
    table = remembering.store.get

    def slow_get(key_id: str, /, *, fresh: bool = False) -> Lookup:
        lookup = table(key_id, fresh=fresh)
        remembering.pass_seconds(5)
        return lookup

    remembering.store.get = slow_get  # type: ignore[method-assign]
    remembering.get()
    remembering.pass_seconds(FRESH - 5)
    assert remembering.get().source is RecordSource.TABLE


def test_a_record_that_grows_too_old_while_the_table_is_asked_does_not_serve(
    remembering: Remembering,
) -> None:
    def slow_failure(key_id: str, /, *, fresh: bool = False) -> Lookup:
        del key_id, fresh
        remembering.pass_seconds(5)
        raise Unavailable(Reason.KEY_STORE_UNAVAILABLE)

    remembering.store.get = slow_failure  # type: ignore[method-assign]
    remembering.pass_seconds(STALE - 5)
    assert is_unavailable(remembering)
