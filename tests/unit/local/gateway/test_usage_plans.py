"""A usage plan's bucket and quota, by a clock that is set by hand."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope_local.gateway.api_definition import Quota, QuotaPeriod, Throttle, UsagePlan
from keyscope_local.gateway.request import CacheUse
from keyscope_local.gateway.responses import NotAnswered, ResponseType
from keyscope_local.gateway.usage_plans import UsageMeter
from tests.support.stores import SteppedClock

KEY = "k" * 20
OTHER = "o" * 20


def metered(plan: UsagePlan, now: float = 0) -> tuple[UsageMeter, SteppedClock]:
    clock = SteppedClock(now)
    return UsageMeter({KEY: plan, OTHER: plan}, clock), clock


def outcome(meter: UsageMeter, key: str | None = KEY) -> ResponseType | None:
    try:
        meter.count(key, CacheUse.MISS)
    except NotAnswered as refused:
        return refused.response_type
    return None


@given(
    rate=st.sampled_from([0.5, 1, 8]),
    burst=st.integers(1, 5),
    pauses=st.lists(st.sampled_from([0, 0.125, 0.5, 1, 4]), max_size=60),
)
def test_no_more_pass_than_the_burst_and_the_rate_since(
    rate: float, burst: int, pauses: list[float]
) -> None:
    meter, clock = metered(UsagePlan("plan", Throttle(rate, burst), None))
    passed = 0
    for pause in pauses:
        clock.now += pause
        passed += outcome(meter) is None
    assert passed <= burst + rate * clock.now


def test_each_key_of_a_plan_has_its_own_allowance() -> None:
    meter, _ = metered(UsagePlan("plan", Throttle(1, 1), Quota(1, QuotaPeriod.DAY)))
    assert [outcome(meter, key) for key in (KEY, OTHER)] == [None, None]


def test_what_is_throttled_is_not_taken_from_the_quota() -> None:
    meter, clock = metered(UsagePlan("plan", Throttle(1, 1), Quota(2, QuotaPeriod.DAY)))
    assert [outcome(meter) for _ in range(3)] == [None, *[ResponseType.THROTTLED] * 2]
    clock.now += 1
    assert outcome(meter) is None
    clock.now += 1
    assert outcome(meter) is ResponseType.QUOTA_EXCEEDED


@pytest.mark.parametrize(
    ("period", "first"),
    [
        pytest.param(QuotaPeriod.DAY, datetime(2026, 11, 25, tzinfo=UTC), id="a day"),
        pytest.param(QuotaPeriod.WEEK, datetime(2026, 11, 29, tzinfo=UTC), id="a Sunday"),
        pytest.param(QuotaPeriod.MONTH, datetime(2026, 12, 1, tzinfo=UTC), id="a first of a month"),
    ],
)
def test_a_quota_is_new_at_the_periods_first_midnight(period: QuotaPeriod, first: datetime) -> None:
    begun = first.timestamp()
    meter, clock = metered(UsagePlan("plan", None, Quota(1, period)), begun - 60)
    assert [outcome(meter), outcome(meter)] == [None, ResponseType.QUOTA_EXCEEDED]
    clock.now = begun
    assert outcome(meter) is None


@pytest.mark.parametrize("key", [None, "", "unknown" * 3])
def test_without_a_key_of_a_plan_nothing_passes(key: str | None) -> None:
    meter, _ = metered(UsagePlan("plan", None, None))
    assert outcome(meter, key) is ResponseType.INVALID_API_KEY


def test_a_plan_without_limits_lets_all_pass() -> None:
    meter, _ = metered(UsagePlan("plan", None, None))
    assert {outcome(meter) for _ in range(100)} == {None}
