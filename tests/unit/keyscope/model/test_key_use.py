from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.model.key_use import INTERVAL_SECONDS, FirstUses
from tests.support.builders import NOW
from tests.support.profile import UNIT_EXAMPLES


def noted(uses: FirstUses, *times: float, key_id: str = "app_1") -> list[bool]:
    return [uses.note(key_id, time) for time in times]


def test_only_the_first_use_in_five_minutes_is_picked() -> None:
    assert noted(FirstUses(9), NOW, NOW, NOW + 299.9, NOW + 300, NOW + 599.9) == [
        *(True, False, False),
        *(True, False),
    ]


def test_each_key_has_five_minutes_of_its_own() -> None:
    uses = FirstUses(9)
    assert uses.note("app_1", NOW)
    assert uses.note("app_2", NOW + 1)
    assert not uses.note("app_1", NOW + 2)


def test_after_the_clock_was_set_back_the_next_use_is_picked() -> None:
    assert noted(FirstUses(9), NOW, NOW - 60, NOW - 59) == [True, True, False]


def test_another_container_starts_with_no_use() -> None:
    assert noted(FirstUses(9), NOW) == noted(FirstUses(9), NOW)


def test_when_it_is_full_it_forgets_the_key_whose_line_is_oldest() -> None:
    uses = FirstUses(2)
    for key_id, time in [("app_1", NOW), ("app_2", NOW + 1), ("app_1", NOW + 300)]:
        assert uses.note(key_id, time)
    assert uses.note("app_3", NOW + 301)
    assert not uses.note("app_1", NOW + 302)
    assert uses.note("app_2", NOW + 303)


@settings(max_examples=UNIT_EXAMPLES, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 200)), max_size=60))
def test_a_use_that_is_not_picked_has_one_that_is_within_the_five_minutes_before(
    steps: list[tuple[str, int]],
) -> None:
    uses, now = FirstUses(3), float(NOW)
    picked: dict[str, float] = {}
    for key_id, seconds in steps:
        now += seconds
        if uses.note(key_id, now):
            picked[key_id] = now
        else:
            assert now - picked[key_id] < INTERVAL_SECONDS
