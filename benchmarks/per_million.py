"""What a million requests cost, by the share that API Gateway's cache answers.

`python -m benchmarks.per_million` prints the table of docs/explanation/performance.md. Prices are
those of `prices.py`, times those assumed for the measured months (`monthly.py`). Each invocation
reads the table, which is the worst case.
"""

import math
from typing import Final

from benchmarks.monthly import (
    DECRYPT_MS,
    FULL_CPU_GB,
    GET_ITEM_MS,
    MEMORY_GB,
    RUNTIME_MS,
    HandlerTimes,
)
from benchmarks.prices import KMS_KEY, MILLION, Cost, Usage, monthly_cost

HIT_RATIOS: Final = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
LOG_BYTES: Final = 740
"""Of an invocation, as docs/reference/measurements.md has it."""
OPENED_SHARE: Final = 0.05
"""Of invocations for which KMS opens a secret; 3 to 5 % in docs/reference/measurements.md."""


def cost_per_million(hit_ratio: float) -> Cost:
    """Price a million requests, without what a month costs in any case."""
    invocations = (1 - hit_ratio) * MILLION
    busy_ms = HandlerTimes().read / min(1.0, MEMORY_GB / FULL_CPU_GB)
    read_ms = math.ceil(busy_ms + GET_ITEM_MS + RUNTIME_MS)
    opened = invocations * OPENED_SHARE
    billed_ms = invocations * read_ms + opened * DECRYPT_MS
    return monthly_cost(
        Usage(
            requests=MILLION,
            invocations=invocations,
            gb_seconds=billed_ms / 1_000 * MEMORY_GB,
            restored_gb=0,
            cached_gb=0,
            table_reads=invocations,
            kms_calls=opened,
            log_bytes=invocations * LOG_BYTES,
            metrics=0,
        )
    )


def row(hit_ratio: float) -> str:
    """Return a row of the table."""
    cost = cost_per_million(hit_ratio)
    kms = cost.kms - KMS_KEY
    added = cost.compute + cost.table + kms + cost.logs
    amounts = (cost.compute, cost.table, kms, cost.logs, added)
    cells = " | ".join(f"{amount:.2f}" for amount in amounts)
    shares = f"{added / cost.rest_api:.0%} | {added / cost.http_api:.0%}"
    return f"| {hit_ratio:.0%} | {cells} | {shares} |"


def main() -> None:
    """Print the rows."""
    print("\n".join(row(hit_ratio) for hit_ratio in HIT_RATIOS))  # noqa: T201 - its output


if __name__ == "__main__":
    main()
