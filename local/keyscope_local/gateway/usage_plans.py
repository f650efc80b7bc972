"""How API Gateway throttles the requests of one of its keys, by the key's usage plan.

The rules are in "Usage plans and API keys for REST APIs" and "Throttle requests to your REST APIs"
(a token bucket) in the Amazon API Gateway developer guide.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import assert_never

from keyscope_local.gateway.api_definition import Quota, QuotaPeriod, Throttle, UsagePlan
from keyscope_local.gateway.request import CacheUse
from keyscope_local.gateway.responses import NotAnswered, ResponseType


@dataclass(frozen=True, slots=True)
class _Bucket:
    """The remaining burst of requests at a time."""

    tokens: float
    at: float


@dataclass(frozen=True, slots=True)
class UsageMeter:
    """Counts requests by API Gateway key. `clock` returns seconds since the epoch."""

    plans: Mapping[str, UsagePlan] = field(repr=False)
    clock: Callable[[], float]
    _buckets: dict[str, _Bucket] = field(default_factory=dict, repr=False)
    _counts: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False)
    _turn: Lock = field(default_factory=Lock, repr=False)

    def count(self, usage_identifier_key: str | None, cache: CacheUse) -> None:
        """Count a request for the key that the authorizer named.

        Raises:
            NotAnswered: `INVALID_API_KEY` without a key, or for a key in no plan; `THROTTLED` above
                the plan's rate, `QUOTA_EXCEEDED` above its quota.
        """
        plan = self.plans.get(usage_identifier_key or "")
        if usage_identifier_key is None or plan is None:
            raise NotAnswered(ResponseType.INVALID_API_KEY, "no usage plan key", cache)
        with self._turn:
            if plan.throttle is not None and not self._take(usage_identifier_key, plan.throttle):
                reason = f"rate limit of {plan.name} exceeded"
                raise NotAnswered(ResponseType.THROTTLED, reason, cache)
            if plan.quota is not None and not self._use(usage_identifier_key, plan.quota):
                reason = f"quota of {plan.name} exceeded"
                raise NotAnswered(ResponseType.QUOTA_EXCEEDED, reason, cache)

    def _take(self, key: str, throttle: Throttle) -> bool:
        now = self.clock()
        bucket = self._buckets.get(key, _Bucket(throttle.burst_limit, now))
        refilled = bucket.tokens + (now - bucket.at) * throttle.rate_limit
        tokens = min(throttle.burst_limit, refilled)
        if tokens < 1:
            return False
        self._buckets[key] = _Bucket(tokens - 1, now)
        return True

    def _use(self, key: str, quota: Quota) -> bool:
        period = _period_of(quota.period, self.clock())
        begun, used = self._counts.get(key, (period, 0))
        used = used if begun == period else 0
        if used >= quota.limit:
            return False
        self._counts[key] = (period, used + 1)
        return True


def _period_of(period: QuotaPeriod, now: float) -> int:
    """Return the number of the day, week (from Sunday) or month, in UTC, that contains a time."""
    day = datetime.fromtimestamp(now, UTC).date()
    match period:
        case QuotaPeriod.DAY:
            return day.toordinal()
        case QuotaPeriod.WEEK:
            return day.toordinal() // 7
        case QuotaPeriod.MONTH:
            return day.year * 12 + day.month
        case _:
            assert_never(period)
