"""Ratios of medians and their spread."""

from benchmarks.spread import paired_ratio


def test_a_slow_round_moves_no_ratio_that_both_share() -> None:
    ratio = paired_ratio([2.0, 2.0, 20.0, 2.0, 2.0], [1.0, 1.0, 10.0, 1.0, 1.0])
    assert (ratio.value, ratio.low, ratio.high) == (2.0, 2.0, 2.0)


def test_the_interval_holds_the_ratio() -> None:
    ratio = paired_ratio([3.0, 4.0, 5.0, 6.0, 7.0], [1.0, 1.1, 0.9, 1.0, 1.2])
    assert ratio.low < ratio.value < ratio.high
