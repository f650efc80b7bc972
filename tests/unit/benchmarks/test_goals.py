"""Goals: their order in the report, and what is said of a measured value."""

from benchmarks.goals import COLD_INSTRUCTIONS, HANDLER, MONTHS, READ, in_order
from benchmarks.results import Target


def test_targets_of_all_parts_come_in_the_order_of_the_goals_and_any_others_last() -> None:
    other = Target("something else", 0, 0)
    month, read = MONTHS[1_000_000].of(1), READ.of(1)
    handler, cold = HANDLER["jwt"].of(1), COLD_INSTRUCTIONS.of(1)
    assert in_order([other, month, read, handler, cold]) == [cold, read, handler, month, other]


def test_a_value_above_the_limit_is_missed_by_the_difference() -> None:
    assert COLD_INSTRUCTIONS.of(0.345).verdict == "missed by 0.045"
    assert MONTHS[10_000_000_000].of(712.5).verdict == "missed by 12.5"


def test_a_value_up_to_the_limit_is_met_and_up_to_the_aim_that_too() -> None:
    assert COLD_INSTRUCTIONS.of(0.30).verdict == "met"
    assert COLD_INSTRUCTIONS.of(0.20).verdict == "met, and its aim"
