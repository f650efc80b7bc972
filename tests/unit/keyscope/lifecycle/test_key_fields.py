"""The readers that the provisioning function and the management API share."""

import re
import string
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.lifecycle.directory import Key
from keyscope.lifecycle.key_fields import (
    DISPLAY_NAME_PATTERN,
    check_number_of_cidrs,
    present,
    read_cidr,
    read_display_name,
    read_expires_at,
    rfc3339,
    shown_key,
)
from tests.support.builders import NOW

KEY_ID = "app_" + "0" * 24
T = TypeVar("T")
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


DIRECTION_MARKS: Final = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""What the Unicode bidirectional algorithm (UAX 9) calls explicit formatting."""


def if_taken(read: Callable[[object], T], value: object) -> T | None:
    """Return what a reader makes of a value; nothing where it refuses it."""
    try:
        return read(value)
    except ValueError:
        return None


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "x" * 100,
        "🙂" * 100,
        "Café",
        " Shop ",
        "商店",
        "متجر",
        "חנות",
        "\u0915\u094d\u200d\u0937",
        "a\u200db",
        "👨\u200d👩\u200d👧",
        "❤\ufe0f",
        "a\u200b",
    ],
)
def test_a_display_name_is_kept_as_it_is(name: str) -> None:
    assert read_display_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="blank"),
        pytest.param("\u2003\u00a0", id="blank, of other spaces"),
        pytest.param("x" * 101, id="too long"),
        pytest.param("🙂" * 101, id="too long, by characters"),
        pytest.param("a\nb", id="line feed"),
        pytest.param("a\x00", id="NUL"),
        pytest.param("a\x7f", id="DEL"),
        pytest.param("a\x85b", id="C1 control"),
        pytest.param("a\x1b[31mb", id="ESC"),
        pytest.param("a\u2028b", id="line separator"),
        pytest.param("a\u2029b", id="paragraph separator"),
        *(
            pytest.param(f"a{mark}b", id=f"U+{ord(mark):04X}")
            for mark in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        ),
        *(
            pytest.param(blank, id=f"only U+{ord(blank):04X}")
            for blank in "\u00ad\u034f\u115f\u180e\u200b\u200d\u2060\u2064\u206a\u2800\u3000\u3164"
            "\ufe0f\ufeff\uffa0\ufff9\U0001d173\U000e0041\U000e0100"
        ),
        pytest.param(" \u200b\u2060 ", id="several invisible characters"),
        pytest.param("\ud800", id="high surrogate"),
        pytest.param("a\udfffb", id="low surrogate"),
        pytest.param(None, id="null"),
        pytest.param(7, id="number"),
        pytest.param(True, id="boolean"),
        pytest.param(b"shop", id="bytes"),
        pytest.param(["shop"], id="list"),
    ],
)
def test_other_display_names_are_refused(name: object) -> None:
    with pytest.raises(ValueError, match=r"^must be a string of 1 to 100 characters, .*[Rr]emove"):
        read_display_name(name)


@given(st.text(st.characters(), max_size=110))
def test_a_display_name_that_is_taken_can_be_written_down(name: str) -> None:
    taken = if_taken(read_display_name, name)
    if taken is not None:
        assert taken == name
        assert taken.encode().decode() == name
        assert 1 <= len(taken) <= 100
        assert not any(unicodedata.category(each) in {"Cc", "Zl", "Zp"} for each in taken)
        assert not any(unicodedata.bidirectional(each) in DIRECTION_MARKS for each in taken)


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
    with pytest.raises(ValueError, match=r"^must be a time with its zone"):
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


def test_a_plain_key_shows_its_state_and_age() -> None:
    shown = shown_key(Key(KEY_ID, NOW), NOW)
    assert shown == {"state": "active", "createdAt": "2027-01-15T08:00:00Z"}


def test_a_key_shows_what_applies_to_it() -> None:
    key = Key(
        KEY_ID,
        NOW,
        display_name="not here",
        expires_at=NOW + 60,
        allowed_cidrs=("192.0.2.0/24",),
        disabled_at=NOW + 1,
        rotated_at=NOW + 2,
        previous_ends_at=NOW + 30,
    )
    assert shown_key(key, NOW + 3) == {
        "state": "disabled",
        "createdAt": "2027-01-15T08:00:00Z",
        "expiresAt": "2027-01-15T08:01:00Z",
        "allowedCidrs": ["192.0.2.0/24"],
        "disabledAt": "2027-01-15T08:00:01Z",
        "rotatedAt": "2027-01-15T08:00:02Z",
        "previousSecretEndsAt": "2027-01-15T08:00:30Z",
    }


@pytest.mark.parametrize(
    ("now", "ends_at"), [(NOW + 29, "2027-01-15T08:00:30Z"), (NOW + 30, None), (NOW + 31, None)]
)
def test_an_overlap_is_shown_while_it_runs(now: int, ends_at: str | None) -> None:
    shown = shown_key(Key(KEY_ID, NOW, previous_ends_at=NOW + 30), now)
    assert shown.get("previousSecretEndsAt") == ends_at


def test_a_revoked_key_shows_when_it_was() -> None:
    shown = shown_key(Key(KEY_ID, NOW, revoked_at=NOW + 1), NOW + 2)
    assert (shown["state"], shown["revokedAt"]) == ("revoked", "2027-01-15T08:00:01Z")


def test_what_has_no_value_is_left_out_and_what_is_false_is_not() -> None:
    members: dict[str, object] = {"a": None, "b": False, "c": 0, "d": "", "e": []}
    assert present(members) == {"b": False, "c": 0, "d": "", "e": []}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=110))
def test_the_documented_pattern_says_which_display_names_are_taken(name: str) -> None:
    documented = re.fullmatch(DISPLAY_NAME_PATTERN, name) is not None and len(name) <= 100
    assert documented == (if_taken(read_display_name, name) is not None)
