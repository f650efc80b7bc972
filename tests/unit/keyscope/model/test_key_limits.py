"""What narrows a key: how JSON expresses it, and that every limit is known wherever limits are."""

import string
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from keyscope.aws.dynamodb.key_items import (
    LIMIT_ATTRIBUTES,
    AttributeReader,
    attributes_of_limits,
    limits_of,
)
from keyscope.errors import Refused
from keyscope.lifecycle.own_limits import ExceedsOwnLimits, check_limits_within
from keyscope.management_api.key_limits import ChangedLimits, NewLimits, ShownLimits
from keyscope.model.key_limits import (
    LIMIT_MEMBERS,
    LIMIT_REASONS,
    NO_LIMITS,
    KeyLimits,
    check_limits,
    check_number_of_cidrs,
    is_permission,
    read_cidr,
    read_expires_at,
    read_limits,
    shown_limits,
)
from keyscope.model.times import rfc3339
from tests.support.builders import NOW
from tests.support.readers import if_taken

Members = dict[object, object]
FULL: Final = KeyLimits(
    expires_at=4_000_000_000,
    allowed_cidrs=("192.0.2.0/24", "::/0"),
    disabled_at=NOW,
    permissions=("read", "users:write"),
)
"""A value for every limit."""
REQUEST: Final[Members] = {
    "expiresAt": "2096-10-02T07:06:40Z",
    "allowedCidrs": ["192.0.2.0/24", "::/0", "::/0"],
    "permissions": ["read", "users:write", "read"],
}
"""A value for every limit of a new key, as `FULL` has them."""
CHANGE: Final[Members] = {**REQUEST, "disabled": True}
ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.lists(st.text(), max_size=2)
    | st.dictionaries(st.text(), st.text(), max_size=2)
)
ZONES = st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2030, 1, 1), datetime(9999, 12, 30), timezones=ZONES)  # noqa: DTZ001
NETWORKS = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
        lambda pair: IPv4Network(pair, strict=False)
    ),
    st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(
        lambda pair: IPv6Network(pair, strict=False)
    ),
)


def test_every_limit_is_among_the_fullest_limits() -> None:
    assert [name for name in KeyLimits._fields if getattr(FULL, name) in (None, ())] == []


def test_every_limit_is_stored_and_read_back() -> None:
    stored = {
        name: value for name, value in attributes_of_limits(FULL).items() if value is not None
    }
    assert sorted(stored) == sorted(LIMIT_ATTRIBUTES)
    assert limits_of(AttributeReader(stored)) == FULL


def test_a_limit_that_a_key_does_not_have_is_not_stored() -> None:
    assert attributes_of_limits(NO_LIMITS) == dict.fromkeys(LIMIT_ATTRIBUTES)
    assert limits_of(AttributeReader({})) == NO_LIMITS


def test_every_limit_is_shown() -> None:
    assert None not in shown_limits(FULL).values()
    assert set(shown_limits(FULL)) == set(ShownLimits.__annotations__)
    assert set(shown_limits(NO_LIMITS).values()) == {None}


def test_every_limit_of_a_new_key_is_read_alike_by_both_apis() -> None:
    assert set(REQUEST) == LIMIT_MEMBERS
    expected = FULL._replace(disabled_at=None)
    assert NewLimits.model_validate(REQUEST).limits() == expected
    assert faults_and_limits(REQUEST) == ([], expected)


def test_every_limit_can_be_changed_by_a_request() -> None:
    body = ChangedLimits.model_validate(CHANGE)
    assert body.chosen_limits() == frozenset(KeyLimits._fields)
    assert body.changed_limits(NOW) == FULL


@pytest.mark.parametrize("name", KeyLimits._fields)
def test_a_change_of_one_limit_keeps_the_others(name: str) -> None:
    without = FULL._replace(**{name: getattr(NO_LIMITS, name)})
    assert FULL.changed(frozenset({name}), NO_LIMITS) == without
    assert without.changed(frozenset({name}), FULL) == FULL


def test_a_limit_that_is_not_chosen_stays() -> None:
    assert FULL.changed(frozenset(), NO_LIMITS) == FULL
    assert NO_LIMITS.changed(frozenset(), FULL) == NO_LIMITS


def test_a_key_that_is_disabled_again_keeps_its_time() -> None:
    again = KeyLimits(disabled_at=NOW + 5)
    assert FULL.changed(frozenset({"disabled_at"}), again) == FULL


CHECKED_BY_POLICY: Final = {"permissions"}
"""Limits that narrow the policy and refuse nobody."""


@pytest.mark.parametrize("name", sorted({*KeyLimits._fields} - CHECKED_BY_POLICY))
def test_every_limit_refuses_by_itself_and_its_change_can_lift_the_refusal(name: str) -> None:
    limits = NO_LIMITS._replace(**{name: getattr(FULL, name)})
    with pytest.raises(Refused) as refused:
        check_limits(limits, 4_000_000_000, "198.51.100.1")
    assert refused.value.reason in LIMIT_REASONS


@pytest.mark.parametrize("name", sorted({*KeyLimits._fields} - {"disabled_at"}))
def test_every_limit_of_a_caller_binds_the_keys_that_it_changes(name: str) -> None:
    own = NO_LIMITS._replace(**{name: getattr(FULL, name)})
    check_limits_within(own, own)
    with pytest.raises(ExceedsOwnLimits):
        check_limits_within(NO_LIMITS, own)


def faults_and_limits(members: Members) -> tuple[list[tuple[str, str]], KeyLimits]:
    faults: list[tuple[str, str]] = []
    limits = read_limits(members, NOW, lambda member, title: faults.append((member, title)))
    return faults, limits


@pytest.mark.parametrize("members", [{}, dict.fromkeys(LIMIT_MEMBERS)])
def test_a_null_limits_nothing(members: Members) -> None:
    assert faults_and_limits(members) == ([], NO_LIMITS)


def test_every_limit_at_fault_is_reported() -> None:
    faults, _ = faults_and_limits({"expiresAt": "soon", "allowedCidrs": ["::/0", 7, "x"]})
    assert [member for member, _ in faults] == ["expiresAt", "allowedCidrs[1]", "allowedCidrs[2]"]


@pytest.mark.parametrize("cidrs", ["::/0", [], ["::/0"] * 9, {}])
def test_a_list_of_another_length_is_reported_and_not_read(cidrs: object) -> None:
    faults, limits = faults_and_limits({"allowedCidrs": cidrs})
    assert faults == [("allowedCidrs", "must be a list of 1 to 8 CIDRs")]
    assert limits == NO_LIMITS


@pytest.mark.parametrize(
    "names",
    ["read", [], ["read"] * 17, {}, {"read": True}, ["read", 7], ["read", ""], ["re ad"], [None]],
)
def test_permissions_of_another_shape_are_reported_and_not_read(names: object) -> None:
    faults, limits = faults_and_limits({"permissions": names})
    assert [member for member, _ in faults] == ["permissions"]
    assert limits == NO_LIMITS
    with pytest.raises(ValidationError):
        NewLimits.model_validate({"permissions": names})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("read", True),
        ("conversations:read", True),
        ("a.B_c-9", True),
        ("a" * 40, True),
        ("a" * 41, False),
        ("", False),
        ("9", False),
        (":read", False),
        ("read,write", False),
        ("read\n", False),
        ("r\u00e9ad", False),
        ("*", False),
        (7, False),
        (None, False),
    ],
)
def test_a_permission_is_named_by_a_letter_and_letters_digits_and_marks(
    name: object, *, expected: bool
) -> None:
    assert is_permission(name) is expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2030-01-31T12:00:00Z", "2030-01-31T12:00:00Z"),
        ("2030-01-31T12:00:00+01:00", "2030-01-31T11:00:00Z"),
        ("2030-01-31T12:00:00.999999999-00:30", "2030-01-31T12:30:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("9999-12-31T23:59:59.999999+00:00", "9999-12-31T23:59:59Z"),
        ("4148-01-01T00:00:00.999993Z", "4148-01-01T00:00:00Z"),
    ],
)
def test_an_expiry_is_read_with_its_zone(text: str, shown: str) -> None:
    assert rfc3339(read_expires_at(text, NOW)) == shown


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("tomorrow", id="words"),
        pytest.param("2030-01-31", id="no time"),
        pytest.param("2030-01-31T12:00:00", id="no zone"),
        pytest.param("2030-01-31 12:00:00Z", id="a space"),
        pytest.param("20300131T120000Z", id="ISO 8601's basic format"),
        pytest.param("2030-W05-4T12:00:00Z", id="ISO 8601's weeks"),
        pytest.param("2030-01-31T12:00Z", id="no seconds"),
        pytest.param("2030-01-31T12:00:00+01:00:30", id="a zone with seconds"),
        pytest.param("2030-02-30T12:00:00Z", id="no such day"),
        pytest.param("2030-01-31T25:00:00Z", id="no such hour"),
        pytest.param("2030-01-31T12:00:00+24:00", id="no such zone"),
        pytest.param("٢٠٣٠-01-31T12:00:00Z", id="other digits"),
        pytest.param("2030-01-31T12:00:00Z\n", id="line feed"),
        pytest.param("9999-12-31T23:59:59-00:01", id="year 10000 in UTC"),
        pytest.param("\ud800", id="surrogate"),
        pytest.param(4_000_000_000, id="number"),
        pytest.param(float("nan"), id="NaN"),
        pytest.param(None, id="null"),
        pytest.param(True, id="boolean"),
    ],
)
def test_what_is_no_rfc_3339_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^must be an RFC 3339 time with a time zone"):
        read_expires_at(value, NOW)


@pytest.mark.parametrize("seconds", [NOW - 1, NOW])
def test_an_expiry_that_has_passed_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match=r"^must be in the future$"):
        read_expires_at(rfc3339(seconds), NOW)


def test_the_first_second_after_now_is_the_future() -> None:
    assert read_expires_at(rfc3339(NOW + 1), NOW) == NOW + 1


def test_the_first_years_are_the_past() -> None:
    with pytest.raises(ValueError, match=r"^must be"):
        read_expires_at("0001-01-01T00:00:00+23:59", NOW)


@given(MOMENTS)
def test_every_time_that_is_taken_can_be_shown(moment: datetime) -> None:
    seconds = read_expires_at(moment.isoformat(), NOW)
    assert rfc3339(seconds) == moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@given(ANYTHING | st.text("0123456789TZ:+-. "))
def test_anything_is_a_time_that_can_be_shown_or_is_refused(value: object) -> None:
    seconds = if_taken(lambda given: read_expires_at(given, NOW), value)
    assert seconds is None or rfc3339(seconds)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1/128"),
        ("::/0", "::/0"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::FFFF:192.0.2.7", "192.0.2.7/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
    ],
)
def test_a_network_is_read_in_its_canonical_form(text: str, canonical: str) -> None:
    assert read_cidr(text) == canonical


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("192.0.2.7/24", id="host bits"),
        pytest.param("192.0.2.0/33", id="prefix too long"),
        pytest.param("192.0.2.0/-1", id="negative prefix"),
        pytest.param("192.0.2.0/255.255.255.0", id="net mask"),
        pytest.param("192.0.2.0/0.0.0.255", id="host mask"),
        pytest.param("192.0.2/24", id="three parts"),
        pytest.param("010.0.0.0/8", id="octal"),
        pytest.param(" 192.0.2.0/24", id="space"),
        pytest.param("192.0.2.0/24\n", id="line feed"),
        pytest.param("\u0661.0.0.0/8", id="other digits"),
        pytest.param("fe80::1%eth0", id="zone"),
        pytest.param("::%${aws:SourceIp}/128", id="zone with an IAM variable"),
        pytest.param("::%" + "x" * 3_000, id="long zone"),
        pytest.param(3_221_225_984, id="number"),
        pytest.param(b"\xc0\x00\x02\x00", id="bytes"),
        pytest.param(None, id="null"),
        pytest.param(["192.0.2.0/24"], id="list"),
    ],
)
def test_what_is_no_network_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^must be a network such as"):
        read_cidr(value)


@given(NETWORKS)
def test_every_network_is_read_as_itself(network: IPv4Network | IPv6Network) -> None:
    assert ip_network(read_cidr(str(network))) == network


@given(ANYTHING | st.text("0123456789abcdefxX.:/%$"))
def test_anything_is_a_network_fit_for_a_policy_or_is_refused(value: object) -> None:
    cidr = if_taken(read_cidr, value)
    if cidr is not None:
        assert set(cidr) <= set(string.hexdigits.lower() + ".:/")
        assert len(cidr) <= 43
        assert read_cidr(cidr) == cidr


@pytest.mark.parametrize("number", [1, 8])
def test_a_key_is_limited_to_one_to_eight_networks(number: int) -> None:
    check_number_of_cidrs(number)


@pytest.mark.parametrize("number", [0, 9])
def test_another_number_of_networks_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=r"^must be a list of 1 to 8 CIDRs$"):
        check_number_of_cidrs(number)
