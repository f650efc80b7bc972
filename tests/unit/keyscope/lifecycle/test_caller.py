"""When a credential that was proven is still good, by what the caller's record says now."""

from dataclasses import replace
from typing import Final

import pytest

from keyscope.errors import Forbidden
from keyscope.lifecycle.caller import JudgedKey, ProvenKey, Standing
from keyscope.lifecycle.directory import Key
from keyscope.model.key_limits import NO_LIMITS, KeyLimits
from tests.support.builders import NOW, limited, make_key, rotated
from tests.support.stores import SteppedClock

FIRST: Final = Standing(
    limits=NO_LIMITS,
    revoked_at=None,
    secret_generation=1,
    previous_ends_at=None,
)
ADDRESS: Final = "192.0.2.7"


def is_good(standing: Standing, generation: int = 1, address: str | None = ADDRESS) -> bool:
    try:
        ProvenKey("act_" + "0" * 24, generation, address).judge(standing, NOW)
    except Forbidden:
        return False
    return True


def test_a_key_without_limits_is_good() -> None:
    assert is_good(FIRST)


@pytest.mark.parametrize(
    ("standing", "good"),
    [
        pytest.param(replace(FIRST, revoked_at=NOW), False, id="revoked"),
        pytest.param(replace(FIRST, suspended_at=NOW), False, id="suspended"),
        pytest.param(limited(FIRST, disabled_at=NOW), False, id="disabled"),
        pytest.param(limited(FIRST, expires_at=NOW), False, id="expired at this second"),
        pytest.param(limited(FIRST, expires_at=NOW + 1), True, id="expires in a second"),
    ],
)
def test_a_key_that_is_over_is_not_good(standing: Standing, good: bool) -> None:  # noqa: FBT001 - a table
    assert is_good(standing) is good


@pytest.mark.parametrize(
    ("proven", "current", "overlap_ends_at", "good"),
    [
        pytest.param(3, 3, None, True, id="the current secret"),
        pytest.param(3, 3, NOW + 60, True, id="the current secret during an overlap"),
        pytest.param(2, 3, NOW + 1, True, id="the previous one during its overlap"),
        pytest.param(2, 3, NOW, False, id="the previous one at the overlap's end"),
        pytest.param(2, 3, None, False, id="the previous one without an overlap"),
        pytest.param(1, 3, NOW + 60, False, id="the one before the previous"),
        pytest.param(4, 3, NOW + 60, False, id="one that is not there yet"),
    ],
)
def test_only_the_current_secret_and_one_in_its_overlap_are_good(
    proven: int,
    current: int,
    overlap_ends_at: int | None,
    good: bool,  # noqa: FBT001 - a table
) -> None:
    standing = replace(FIRST, secret_generation=current, previous_ends_at=overlap_ends_at)
    assert is_good(standing, proven) is good


@pytest.mark.parametrize(
    ("networks", "address", "good"),
    [
        (("192.0.2.0/24",), ADDRESS, True),
        (("198.51.100.0/24", "192.0.2.7/32"), ADDRESS, True),
        (("198.51.100.0/24",), ADDRESS, False),
        (("192.0.2.0/24",), "2001:db8::1", False),
        (("192.0.2.0/24",), None, False),
        (("192.0.2.0/24",), "unknown", False),
        ((), None, True),
    ],
)
def test_the_address_must_be_in_todays_networks(
    networks: tuple[str, ...],
    address: str | None,
    good: bool,  # noqa: FBT001 - a table
) -> None:
    assert is_good(limited(FIRST, allowed_cidrs=networks), address=address) is good


def test_time_alone_ends_what_was_judged() -> None:
    clock = SteppedClock(NOW)
    proven = ProvenKey("act_" + "0" * 24, 1, ADDRESS)
    judged = JudgedKey(proven, limited(FIRST, expires_at=NOW + 5), 0, clock)
    judged.check_time()
    clock.now += 5
    with pytest.raises(Forbidden):
        judged.check_time()


def test_a_record_and_what_is_shown_of_it_are_judged_alike() -> None:
    record = rotated(make_key(), NOW + 60).record
    record = limited(record, expires_at=NOW + 90, allowed_cidrs=("::/0",), disabled_at=NOW)
    shown = Key(
        record.key_id,
        NOW,
        limits=KeyLimits(expires_at=NOW + 90, allowed_cidrs=("::/0",), disabled_at=NOW),
        previous_ends_at=NOW + 60,
        secret_generation=2,
    )
    assert shown.standing == Standing.of(record)
