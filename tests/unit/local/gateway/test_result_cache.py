"""The result cache, with a clock that is moved by hand."""

import pytest

from keyscope_local.gateway.result_cache import ResultCache
from tests.support.stores import SteppedClock


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(1_000)


@pytest.fixture
def cache(clock: SteppedClock) -> ResultCache[str]:
    return ResultCache(clock, max_entries=2)


def test_a_result_is_kept_until_its_time_is_over(
    cache: ResultCache[str], clock: SteppedClock
) -> None:
    cache.put("a", "result", 60)
    clock.now += 59.9
    assert cache.get("a") == "result"
    clock.now += 0.1
    assert cache.get("a") is None


def test_a_result_is_found_under_its_own_key_only(cache: ResultCache[str]) -> None:
    cache.put(("guard", "a"), "result", 60)
    assert cache.get(("guard", "b")) is None


def test_without_a_time_nothing_is_kept(cache: ResultCache[str]) -> None:
    cache.put("a", "result", 0)
    assert cache.get("a") is None


def test_a_flush_forgets_everything(cache: ResultCache[str]) -> None:
    cache.put("a", "result", 60)
    cache.flush()
    assert cache.get("a") is None


def test_the_oldest_goes_when_there_are_too_many(cache: ResultCache[str]) -> None:
    for key in ("a", "b", "c"):
        cache.put(key, key, 60)
    assert [cache.get(key) for key in ("a", "b", "c")] == [None, "b", "c"]


def test_a_result_that_is_put_again_begins_its_time_again(
    cache: ResultCache[str], clock: SteppedClock
) -> None:
    cache.put("a", "old", 60)
    clock.now += 30
    cache.put("a", "new", 60)
    clock.now += 40
    assert cache.get("a") == "new"


def test_a_result_that_is_put_again_takes_no_second_place(cache: ResultCache[str]) -> None:
    for key in ("a", "b", "b"):
        cache.put(key, key, 60)
    assert [cache.get(key) for key in ("a", "b")] == ["a", "b"]
