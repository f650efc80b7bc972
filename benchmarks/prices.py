"""AWS's list prices in us-east-1, US dollars, and what a month costs by them.

Prices are the public ones without free tiers and discounts, noted on 2026-11-24; look each up on
its page before you decide by it.
"""

from dataclasses import dataclass
from typing import Final

NOTED: Final = "2026-11-24"
MONTH_SECONDS: Final = 730 * 3_600
"""A month as AWS counts it for prices by the hour."""
MILLION: Final = 1_000_000
GIGABYTE: Final = 1_000_000_000

Tiers = tuple[tuple[float, float], ...]
"""(units up to which a price holds, price of one unit), the last one without end."""

LAMBDA_REQUEST: Final = 0.20 / MILLION
"""https://aws.amazon.com/lambda/pricing/"""
LAMBDA_GB_SECOND: Final = 0.0000133334
"""arm64, first 7.5 billion GB-seconds a month. https://aws.amazon.com/lambda/pricing/"""
SNAPSTART_CACHE_GB_SECOND: Final = 0.0000015046
"""For each published version. https://aws.amazon.com/lambda/pricing/"""
SNAPSTART_RESTORE_GB: Final = 0.0001397998
"""https://aws.amazon.com/lambda/pricing/"""
DYNAMODB_READ: Final = 0.125 / MILLION
"""On demand, one read request unit: a strongly consistent read of at most 4 KB.
https://aws.amazon.com/dynamodb/pricing/on-demand/"""
DYNAMODB_WRITE: Final = 0.625 / MILLION
"""On demand, one write request unit: a write of at most 1 KB, also one whose condition fails.
https://aws.amazon.com/dynamodb/pricing/on-demand/"""
KMS_REQUEST: Final = 0.03 / 10_000
"""https://aws.amazon.com/kms/pricing/"""
KMS_KEY: Final = 1.0
"""A month; each of the first two yearly rotations adds as much.
https://aws.amazon.com/kms/pricing/"""
REST_REQUESTS: Final[Tiers] = (
    (333 * MILLION, 3.50 / MILLION),
    (1_000 * MILLION, 2.80 / MILLION),
    (20_000 * MILLION, 2.38 / MILLION),
    (float("inf"), 1.51 / MILLION),
)
"""https://aws.amazon.com/api-gateway/pricing/"""
HTTP_REQUESTS: Final[Tiers] = ((300 * MILLION, 1.00 / MILLION), (float("inf"), 0.90 / MILLION))
"""Of at most 512 KB. https://aws.amazon.com/api-gateway/pricing/"""
LOG_BYTES: Final[Tiers] = (
    (10_000 * GIGABYTE, 0.50 / GIGABYTE),
    (30_000 * GIGABYTE, 0.25 / GIGABYTE),
    (50_000 * GIGABYTE, 0.10 / GIGABYTE),
    (float("inf"), 0.05 / GIGABYTE),
)
"""Lambda's logs, standard class. https://aws.amazon.com/cloudwatch/pricing/"""
CUSTOM_METRIC: Final = 0.30
"""A month, each of the first 10,000. https://aws.amazon.com/cloudwatch/pricing/"""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a month takes of each service."""

    requests: float
    invocations: float
    gb_seconds: float
    restored_gb: float
    cached_gb: float
    table_reads: float
    kms_calls: float
    log_bytes: float
    metrics: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a month costs, in US dollars; the API itself stands apart, with either kind of API."""

    compute: float
    snapstart: float
    table: float
    kms: float
    logs: float
    metrics: float
    rest_api: float
    http_api: float

    @property
    def authorization(self) -> float:
        """All that authorization adds to an API."""
        return self.compute + self.snapstart + self.table + self.kms + self.logs + self.metrics


def monthly_cost(usage: Usage) -> Cost:
    """Price a month."""
    return Cost(
        compute=usage.invocations * LAMBDA_REQUEST + usage.gb_seconds * LAMBDA_GB_SECOND,
        snapstart=usage.restored_gb * SNAPSTART_RESTORE_GB
        + usage.cached_gb * MONTH_SECONDS * SNAPSTART_CACHE_GB_SECOND,
        table=usage.table_reads * DYNAMODB_READ,
        kms=usage.kms_calls * KMS_REQUEST + KMS_KEY,
        logs=tiered(usage.log_bytes, LOG_BYTES),
        metrics=usage.metrics * CUSTOM_METRIC,
        rest_api=tiered(usage.requests, REST_REQUESTS),
        http_api=tiered(usage.requests, HTTP_REQUESTS),
    )


def tiered(units: float, tiers: Tiers) -> float:
    """Price a number of units by tiers: each unit by the tier that it falls into."""
    total, priced = 0.0, 0.0
    for end, price in tiers:
        total += max(0.0, min(units, end) - priced) * price
        priced = min(units, end)
    return total
