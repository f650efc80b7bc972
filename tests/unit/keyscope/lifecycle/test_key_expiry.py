"""Which warning is due before a key expires, and that each is sent once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.errors import Reason, Unavailable
from keyscope.lifecycle.directory import Key
from keyscope.lifecycle.key_expiry import (
    CLAIM_SECONDS,
    DamagedKey,
    ExpirySweep,
    ExpiryWarning,
    NotSent,
    OwnedKey,
    Sent,
    due_warning,
)
from tests.support.builders import APP, NOW, limited
from tests.support.profile import UNIT_EXAMPLES
from tests.support.stores import SteppedClock

HOUR: Final = 3_600
DAY: Final = 24 * HOUR
KEY_ID: Final = "app_" + "1" * 24
LONG_AGO: Final = NOW - 365 * DAY


def key(remaining: int, created_at: int = LONG_AGO, key_id: str = KEY_ID) -> OwnedKey:
    """Return a key that expires in a number of seconds from `NOW`."""
    return OwnedKey(APP, limited(Key(key_id, created_at, "Server"), expires_at=NOW + remaining))


def days_before(owned: OwnedKey, now: int = NOW) -> int | None:
    warning = due_warning(owned, now)
    return None if warning is None else warning.days_before


@pytest.mark.parametrize(
    ("remaining", "days"),
    [
        (31 * DAY + HOUR, None),
        (31 * DAY + HOUR - 1, 30),
        (30 * DAY, 30),
        (8 * DAY + HOUR, 30),
        (8 * DAY + HOUR - 1, 7),
        (7 * DAY, 7),
        (2 * DAY + HOUR, 7),
        (2 * DAY + HOUR - 1, 1),
        (DAY, 1),
        (1, 1),
        (0, None),
        (-1, None),
    ],
)
def test_the_most_urgent_warning_is_due_before_the_next_sweep_would_be_late(
    remaining: int, days: int | None
) -> None:
    assert days_before(key(remaining)) == days


@pytest.mark.parametrize(
    ("lifetime", "days"),
    [
        (30 * DAY + 1, 30),
        (30 * DAY, None),
        (7 * DAY + 1, 7),
        (7 * DAY, None),
        (DAY + 1, 1),
        (DAY, None),
        (HOUR, None),
    ],
)
def test_a_new_key_gets_no_warning_that_its_creator_asked_for(
    lifetime: int, days: int | None
) -> None:
    assert days_before(key(lifetime, created_at=NOW)) == days


def test_a_key_without_expiry_gets_no_warning() -> None:
    assert due_warning(OwnedKey(APP, Key(KEY_ID, LONG_AGO)), NOW) is None


@pytest.mark.parametrize("member", ["disabled_at", "revoked_at", "suspended_at"])
def test_a_key_that_does_not_work_gets_no_warning(member: str) -> None:
    owned = key(DAY)
    assert days_before(owned) == 1
    assert days_before(replace(owned, key=limited(owned.key, **{member: NOW - 1}))) is None


@pytest.mark.parametrize("late", [-HOUR, 0, HOUR])
@settings(max_examples=UNIT_EXAMPLES)
@given(first=st.integers(31 * DAY + 2 * HOUR, 40 * DAY))
def test_daily_sweeps_warn_in_time_though_they_start_an_hour_early_or_late(
    late: int, first: int
) -> None:
    owned, warned = key(first), dict[int, int]()
    for day in range(41):
        now = NOW + day * DAY + (late if day % 2 else 0)
        warning = due_warning(owned, now)
        if warning is not None:
            warned.setdefault(warning.days_before, warning.expires_at - now)
    assert {*warned} == {30, 7, 1}
    assert [days for days, remaining in warned.items() if remaining < days * DAY] == []
    assert [days for days, remaining in warned.items() if remaining > days * DAY + 25 * HOUR] == []


@dataclass
class MemoryKeys:
    """Pages of keys; the page with the number `fails_at` cannot be read."""

    pages: list[list[OwnedKey | DamagedKey]]
    fails_at: int | None = None

    def expiring(self, now: int, latest: int, /) -> Iterator[Sequence[OwnedKey | DamagedKey]]:
        del now, latest
        for number, page in enumerate(self.pages):
            if number == self.fails_at:
                raise Unavailable(Reason.KEY_STORE_UNAVAILABLE, "InternalServerError")
            yield page


@dataclass
class MemoryLog:
    """What sweeps noted; `None` stands for a warning that was sent."""

    claims: dict[str, int | None] = field(default_factory=dict)
    fails_to_confirm: bool = False

    def sent(self) -> frozenset[str]:
        return frozenset(name for name, until in self.claims.items() if until is None)

    def claim(self, warning: ExpiryWarning, now: int, until: int, /) -> bool:
        held_until = self.claims.get(warning.warning_id, 0)
        if held_until is None or held_until > now:
            return False
        self.claims[warning.warning_id] = until
        return True

    def confirm(self, warning: ExpiryWarning, /) -> None:
        if self.fails_to_confirm:
            raise Unavailable(Reason.KEY_STORE_UNAVAILABLE, "InternalServerError")
        self.claims[warning.warning_id] = None


@dataclass
class MemoryBus:
    """The warnings that were sent; it rejects those of the keys in `rejected`."""

    sent: list[ExpiryWarning] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    rejected: frozenset[str] = frozenset()

    def send(self, warnings: Sequence[ExpiryWarning], /) -> Sequence[str | None]:
        self.sizes.append(len(warnings))
        accepted = [each for each in warnings if each.key_id not in self.rejected]
        self.sent += accepted
        return [None if each in accepted else "ThrottlingException" for each in warnings]


@dataclass
class World:
    """A sweep over memory, with what it did."""

    keys: MemoryKeys
    log: MemoryLog = field(default_factory=MemoryLog)
    bus: MemoryBus = field(default_factory=MemoryBus)
    clock: SteppedClock = field(default_factory=lambda: SteppedClock(NOW))

    def sweep(self) -> list[Sent | NotSent]:
        return list(ExpirySweep(self.keys, self.log, self.bus, self.clock).run())

    def sent(self) -> list[tuple[str, int]]:
        return [(each.key_id, each.days_before) for each in self.bus.sent]


def numbered(number: int) -> str:
    return f"app_{number:024x}"


def world(number: int, page_size: int = 7) -> World:
    """Return a number of keys that expire within a day, in pages."""
    keys: list[OwnedKey | DamagedKey] = [key(DAY, key_id=numbered(each)) for each in range(number)]
    pages = [[*keys[start : start + page_size]] for start in range(0, number, page_size)]
    return World(MemoryKeys(pages))


def test_every_key_of_every_page_gets_its_warning() -> None:
    it = world(23, page_size=12)
    assert it.sweep() == [Sent(warning) for warning in it.bus.sent]
    assert it.sent() == [(numbered(each), 1) for each in range(23)]
    assert it.bus.sizes == [10, 2, 10, 1]


def test_a_second_sweep_sends_nothing_again() -> None:
    it = world(3)
    it.sweep()
    it.clock.now += DAY / 2
    assert it.sweep() == []
    assert len(it.bus.sent) == 3


def test_daily_sweeps_send_three_warnings_for_a_key() -> None:
    it = World(MemoryKeys([[key(40 * DAY)]]))
    for _ in range(41):
        it.sweep()
        it.clock.now += DAY
    assert it.sent() == [(KEY_ID, 30), (KEY_ID, 7), (KEY_ID, 1)]


def test_after_missed_days_only_the_most_urgent_warning_is_sent() -> None:
    it = World(MemoryKeys([[key(40 * DAY)]]))
    for days in (10, 35):
        it.clock.now = NOW + days * DAY
        it.sweep()
    assert it.sent() == [(KEY_ID, 30), (KEY_ID, 7)]


def test_another_expiry_of_a_key_has_warnings_of_its_own() -> None:
    it = World(MemoryKeys([[key(DAY)]]))
    it.sweep()
    it.keys.pages = [[key(DAY + 1)]]
    it.sweep()
    assert len({warning.warning_id for warning in it.bus.sent}) == 2


def test_a_sweep_that_crashed_half_way_is_continued_and_repeats_nothing() -> None:
    it = world(20)
    it.keys.fails_at = 2
    with pytest.raises(Unavailable):
        it.sweep()
    assert len(it.bus.sent) == 14
    it.keys.fails_at = None
    it.sweep()
    assert it.sent() == [(numbered(each), 1) for each in range(20)]


def test_what_the_bus_rejects_is_told_and_sent_by_the_retry() -> None:
    it = world(3)
    it.bus.rejected = frozenset({numbered(1)})
    assert it.sweep()[1] == NotSent(numbered(1), "ThrottlingException")
    it.bus.rejected = frozenset()
    it.clock.now += 60
    it.sweep()
    assert sorted(it.sent()) == [(numbered(each), 1) for each in range(3)]


def test_what_another_sweep_is_about_to_send_is_left_to_it() -> None:
    it = world(2)
    warning = due_warning(key(DAY, key_id=numbered(0)), NOW)
    assert warning is not None
    it.log.claim(warning, NOW, NOW + CLAIM_SECONDS)
    it.sweep()
    assert it.sent() == [(numbered(1), 1)]
    it.clock.now += CLAIM_SECONDS
    it.sweep()
    assert it.sent() == [(numbered(1), 1), (numbered(0), 1)]


def test_a_retry_after_a_minute_may_send_what_a_crashed_sweep_claimed() -> None:
    assert CLAIM_SECONDS < 60


def test_a_crash_between_sending_and_noting_repeats_the_event_with_the_same_id() -> None:
    it = world(1)
    it.log.fails_to_confirm = True
    with pytest.raises(Unavailable):
        it.sweep()
    it.log.fails_to_confirm = False
    it.clock.now += 60
    it.sweep()
    first, second = [warning.warning_id for warning in it.bus.sent]
    assert first == second


def test_a_damaged_record_is_told_and_holds_up_no_other() -> None:
    it = world(1)
    it.keys.pages.insert(0, [DamagedKey(KEY_ID, "attribute created_at")])
    assert it.sweep() == [NotSent(KEY_ID, "attribute created_at"), Sent(it.bus.sent[0])]
