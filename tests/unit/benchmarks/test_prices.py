"""A month's bill, by hand."""

import pytest

from benchmarks.prices import Usage, monthly_cost, tiered

TIERS = ((10.0, 3.0), (20.0, 2.0), (float("inf"), 1.0))


@pytest.mark.parametrize(
    ("units", "price"),
    [
        pytest.param(0, 0, id="nothing"),
        pytest.param(4, 12, id="within the first tier"),
        pytest.param(10, 30, id="all of the first tier"),
        pytest.param(15, 40, id="into the second"),
        pytest.param(25, 55, id="into the last"),
    ],
)
def test_each_unit_is_priced_by_the_tier_that_it_falls_into(units: float, price: float) -> None:
    assert tiered(units, TIERS) == price


def test_an_idle_month_costs_the_key_and_the_snapshot() -> None:
    nothing = Usage(
        requests=0,
        invocations=0,
        gb_seconds=0,
        restored_gb=0,
        cached_gb=0.5,
        table_reads=0,
        kms_calls=0,
        log_bytes=0,
        metrics=0,
    )
    assert monthly_cost(nothing).authorization == pytest.approx(1 + 1.977, abs=0.001)
