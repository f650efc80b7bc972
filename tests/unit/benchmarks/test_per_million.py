"""The table of docs/explanation/performance.md, held against the prices that it is made of."""

from pathlib import Path
from typing import Final

import pytest

from benchmarks.per_million import HIT_RATIOS, cost_per_million, row
from benchmarks.prices import NOTED

DOCS: Final = Path(__file__).parents[3] / "docs"
PAGE: Final = (DOCS / "explanation" / "performance.md").read_text("utf-8")


@pytest.mark.parametrize("hit_ratio", HIT_RATIOS)
def test_the_page_has_the_row_that_the_prices_give(hit_ratio: float) -> None:
    assert row(hit_ratio) in PAGE


def test_the_page_tells_when_the_prices_were_noted() -> None:
    assert f"noted on {NOTED}" in PAGE


def test_half_the_misses_cost_half() -> None:
    all_missed, half_missed = cost_per_million(0.0), cost_per_million(0.5)
    assert half_missed.table == pytest.approx(all_missed.table / 2)
    assert half_missed.compute == pytest.approx(all_missed.compute / 2)
