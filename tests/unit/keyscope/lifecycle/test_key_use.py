"""What is made of the authorizers' lines about the use of keys, and of recorded uses."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.errors import Reason, Unavailable
from keyscope.lifecycle.directory import Key
from keyscope.lifecycle.key_use import (
    MAX_CLOCK_DIFFERENCE_SECONDS,
    REMEMBERED_SECONDS,
    WRITE_INTERVAL_SECONDS,
    KeyUse,
    LastUses,
    LogLine,
    MalformedUse,
    Recording,
    Unused,
    UseFault,
    UseRecorder,
    read_use,
)
from keyscope.model.ids import OwnerType, is_key_id, new_key_id
from keyscope.model.key_use import INTERVAL_SECONDS
from tests.support.builders import NOW
from tests.support.profile import UNIT_EXAMPLES

KEY_ID: Final = new_key_id(OwnerType.APP)
OTHER_KEY_ID: Final = new_key_id(OwnerType.ACCOUNT)
OUTAGE: Final = Unavailable(Reason.USE_TABLE_UNAVAILABLE, "ThrottlingException")


def line(**changes: object) -> str:
    members: dict[str, object] = {
        "level": "INFO",
        "message": "use",
        "format": 1,
        "key_id": KEY_ID,
        "used_at": NOW,
    }
    return json.dumps(members | changes)


def fault_of(text: str) -> UseFault | None:
    try:
        read_use(text, NOW)
    except MalformedUse as malformed:
        return malformed.fault
    return None


def test_a_line_says_which_key_was_used_and_when() -> None:
    assert read_use(line(), NOW) == KeyUse(KEY_ID, NOW)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", UseFault.NOT_JSON),
        ("[" * 100_000, UseFault.NOT_JSON),
        ('{"message":"use"', UseFault.NOT_JSON),
        ("[]", UseFault.NO_USE),
        (line(message="decision"), UseFault.NO_USE),
        (line(format=2), UseFault.UNKNOWN_FORMAT),
        (line(format=True), UseFault.UNKNOWN_FORMAT),
        (line(format="1"), UseFault.UNKNOWN_FORMAT),
        (line(key_id="app_1"), UseFault.MALFORMED_KEY_ID),
        (line(key_id=None), UseFault.MALFORMED_KEY_ID),
        (line(used_at=float(NOW)), UseFault.MALFORMED_TIME),
        (line(used_at=True), UseFault.MALFORMED_TIME),
        (line(used_at=-1), UseFault.MALFORMED_TIME),
        (line(used_at=NOW + MAX_CLOCK_DIFFERENCE_SECONDS + 1), UseFault.IN_THE_FUTURE),
        (line(used_at=10**4_000), UseFault.IN_THE_FUTURE),
    ],
)
def test_what_is_no_line_about_a_use_is_told_apart(text: str, fault: UseFault) -> None:
    assert fault_of(text) is fault


def test_a_clock_may_be_some_minutes_ahead() -> None:
    used_at = NOW + MAX_CLOCK_DIFFERENCE_SECONDS
    assert read_use(line(used_at=used_at), NOW).used_at == used_at


json_values: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=5,
)
near_lines: Final = st.fixed_dictionaries(
    {
        "message": st.just("use") | json_values,
        "format": st.just(1) | json_values,
        "key_id": st.just(KEY_ID) | json_values,
        "used_at": st.integers(0, NOW) | json_values,
    }
).map(json.dumps)


@settings(max_examples=4 * UNIT_EXAMPLES, deadline=None)
@given(near_lines | st.text(max_size=40))
def test_a_line_gives_a_sound_use_or_a_fault_and_nothing_else(text: str) -> None:
    try:
        use = read_use(text, NOW)
    except MalformedUse:
        return
    assert json.loads(text)["message"] == "use"
    assert is_key_id(use.key_id)
    assert 0 <= use.used_at <= NOW + MAX_CLOCK_DIFFERENCE_SECONDS


@dataclass
class MemoryUses:
    """Last uses in memory, which only move forward; `failure` makes each call fail."""

    uses: dict[str, int] = field(default_factory=dict)
    failure: Unavailable | None = None
    writes: int = 0

    def record(self, use: KeyUse, /) -> bool:
        if self.failure is not None:
            raise self.failure
        self.writes += 1
        if self.uses.get(use.key_id, -1) >= use.used_at:
            return False
        self.uses[use.key_id] = use.used_at
        return True

    def last_uses(self, key_ids: Sequence[str], /) -> Mapping[str, int]:
        if self.failure is not None:
            raise self.failure
        return {key_id: self.uses[key_id] for key_id in key_ids if key_id in self.uses}


def lines(*texts: str) -> list[LogLine]:
    return [LogLine(str(number), text) for number, text in enumerate(texts)]


def recorder(store: MemoryUses, **options: Any) -> UseRecorder:  # noqa: ANN401 - its own
    return UseRecorder(store, lambda: NOW, **options)


def test_of_a_batch_each_keys_latest_use_is_written_once() -> None:
    store = MemoryUses()
    batch = lines(line(used_at=NOW - 9), line(), line(used_at=NOW - 5), line(key_id=OTHER_KEY_ID))
    assert recorder(store).record(batch) == Recording(2, [])
    assert (store.uses, store.writes) == ({KEY_ID: NOW, OTHER_KEY_ID: NOW}, 2)


def test_unreadable_lines_are_named_and_hold_up_no_other() -> None:
    store = MemoryUses()
    recording = recorder(store).record(lines("x", line(), line(format=9)))
    assert recording.malformed == [("0", UseFault.NOT_JSON), ("2", UseFault.UNKNOWN_FORMAT)]
    assert store.uses == {KEY_ID: NOW}


def test_a_use_close_to_the_recorded_one_is_not_written() -> None:
    store = MemoryUses()
    its = recorder(store)
    its.record(lines(line(used_at=NOW - 600)))
    its.record(lines(line(used_at=NOW - 600 + WRITE_INTERVAL_SECONDS - 1)))
    assert store.writes == 1
    its.record(lines(line(used_at=NOW - 600 + WRITE_INTERVAL_SECONDS)))
    assert store.uses == {KEY_ID: NOW - 600 + WRITE_INTERVAL_SECONDS}


def test_a_use_that_was_not_recorded_is_due_again() -> None:
    store = MemoryUses(failure=OUTAGE)
    its = recorder(store)
    with pytest.raises(Unavailable):
        its.record(lines(line()))
    store.failure = None
    its.record(lines(line()))
    assert store.uses == {KEY_ID: NOW}


def test_what_the_recorder_remembers_is_bounded() -> None:
    store = MemoryUses()
    its = recorder(store, max_keys=1)
    its.record(lines(line(), line(key_id=OTHER_KEY_ID)))
    its.record(lines(line()))
    assert store.writes == 3


@settings(max_examples=2 * UNIT_EXAMPLES, deadline=None)
@given(
    st.lists(st.integers(NOW - 5_000, NOW), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
    st.data(),
)
def test_repeated_late_and_unordered_batches_end_close_to_the_latest_use(
    times: list[int],
    order: random.Random,
    data: st.DataObject,
) -> None:
    given_times = times + data.draw(st.lists(st.sampled_from(times), max_size=10))
    order.shuffle(given_times)
    store = MemoryUses()
    its = recorder(store)
    seen = [0]
    while given_times:
        size = data.draw(st.integers(1, 4))
        batch, given_times = given_times[:size], given_times[size:]
        its.record(lines(*(line(used_at=time) for time in batch)))
        seen.append(store.uses[KEY_ID])
    assert seen == sorted(seen)
    assert 0 <= max(times) - store.uses[KEY_ID] < WRITE_INTERVAL_SECONDS


def test_a_figure_is_true_to_the_authorizers_cache_and_ten_minutes() -> None:
    minutes_to_arrive = 3
    assert INTERVAL_SECONDS + WRITE_INTERVAL_SECONDS + minutes_to_arrive * 60 <= 10 * 60


def key(key_id: str = KEY_ID, created_at: int = NOW - 60) -> Key:
    return Key(key_id, created_at)


def last_use(store: MemoryUses, *, sees_all: bool = True, created_at: int = NOW - 60) -> object:
    uses = LastUses(store, sees_all, lambda _: None)
    return uses.of([key(created_at=created_at)], NOW)[KEY_ID]


def test_a_recorded_use_is_shown() -> None:
    assert last_use(MemoryUses({KEY_ID: NOW - 1})) == NOW - 1


def test_without_a_recorded_use_a_key_was_never_used() -> None:
    assert last_use(MemoryUses()) is Unused.NEVER


def test_a_use_at_the_epoch_is_a_use() -> None:
    assert last_use(MemoryUses({KEY_ID: 0})) == 0


@pytest.mark.parametrize(
    ("age", "shown"),
    [(REMEMBERED_SECONDS - 1, Unused.NEVER), (REMEMBERED_SECONDS, Unused.UNKNOWN)],
)
def test_a_key_whose_use_may_be_forgotten_is_not_said_to_be_never_used(
    age: int, shown: Unused
) -> None:
    assert last_use(MemoryUses(), created_at=NOW - age) is shown


def test_where_other_stacks_use_the_keys_too_none_is_said_to_be_never_used() -> None:
    assert last_use(MemoryUses(), sees_all=False) is Unused.UNKNOWN
    assert last_use(MemoryUses({KEY_ID: NOW}), sees_all=False) == NOW


def test_when_the_store_does_not_answer_last_uses_are_unknown_and_it_is_reported() -> None:
    reported: list[Unavailable] = []
    uses = LastUses(MemoryUses(failure=OUTAGE), sees_all=True, report=reported.append)
    found = uses.of([key(), key(OTHER_KEY_ID)], NOW)
    assert found == {KEY_ID: Unused.UNKNOWN, OTHER_KEY_ID: Unused.UNKNOWN}
    assert reported == [OUTAGE]


def test_of_no_keys_nothing_is_read() -> None:
    uses = LastUses(MemoryUses(failure=OUTAGE), sees_all=True, report=lambda _: pytest.fail("read"))
    assert uses.of([], NOW) == {}
