"""The readers that the provisioning function and the management API share."""

import re
import unicodedata
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.lifecycle.directory import Key
from keyscope.lifecycle.key_fields import (
    DISPLAY_NAME_PATTERN,
    present,
    read_display_name,
    shown_key,
    shown_last_use,
)
from keyscope.lifecycle.key_use import LastUse, Unused
from keyscope.model.key_limits import KeyLimits
from tests.support.builders import NOW
from tests.support.readers import if_taken

KEY_ID = "app_" + "0" * 24
DIRECTION_MARKS: Final = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""What the Unicode bidirectional algorithm (UAX 9) calls explicit formatting."""


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


def test_a_plain_key_shows_its_state_and_age() -> None:
    shown = shown_key(Key(KEY_ID, NOW), NOW)
    assert shown == {"state": "active", "createdAt": "2027-01-15T08:00:00Z"}


def test_a_key_shows_what_applies_to_it() -> None:
    key = Key(
        KEY_ID,
        NOW,
        limits=KeyLimits(expires_at=NOW + 60, allowed_cidrs=("192.0.2.0/24",), disabled_at=NOW + 1),
        display_name="not here",
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


@pytest.mark.parametrize(
    ("last_use", "shown"),
    [
        (NOW, {"lastUsedAt": "2027-01-15T08:00:00Z"}),
        (0, {"lastUsedAt": "1970-01-01T00:00:00Z"}),
        (Unused.NEVER, {"lastUsedAt": None}),
        (Unused.UNKNOWN, {}),
    ],
)
def test_a_last_use_is_a_time_null_for_never_or_not_shown(
    last_use: LastUse, shown: dict[str, str | None]
) -> None:
    assert shown_last_use(last_use) == shown
