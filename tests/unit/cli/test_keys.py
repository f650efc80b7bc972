from typing import Any

import pytest

from keyscope_cli.keys import KEY_MEMBERS, changed_members
from keyscope_cli.presentation import (
    cells_of,
    columns_of,
    facts_of,
    readable_time,
    with_readable_times,
)

KEY = {"id": "app_1", "state": "active", "createdAt": "2026-11-28T12:00:00Z"}


@pytest.mark.parametrize(
    ("members", "shown"),
    [
        ({"lastUsedAt": "2026-11-28T13:04:59Z"}, "Nov 28, 2026, 13:04 UTC"),
        ({"lastUsedAt": None}, "Never"),
        ({}, ""),
    ],
)
def test_a_row_says_never_only_of_a_key_that_is_known_to_be_unused(
    members: dict[str, str | None], shown: str
) -> None:
    row = dict(zip(columns_of(KEY_MEMBERS), cells_of(KEY_MEMBERS, {**KEY, **members}), strict=True))
    assert row["Last used"] == shown


@pytest.mark.parametrize(
    ("time", "readable"),
    [
        ("2026-11-24T14:03:00Z", "Nov 24, 2026, 14:03 UTC"),
        ("2030-01-05T00:00:59Z", "Jan 5, 2030, 00:00 UTC"),
    ],
)
def test_a_time_is_shown_without_seconds_and_with_its_zone(time: str, readable: str) -> None:
    assert readable_time(time) == readable


def test_a_sentence_keeps_all_but_its_times() -> None:
    text = "Expired at 2026-11-28T23:28:33Z, not 2026-11-28 or x2026-11-28T23:28:33Z"
    assert with_readable_times(text) == (
        "Expired at Nov 28, 2026, 23:28 UTC, not 2026-11-28 or x2026-11-28T23:28:33Z"
    )


def test_facts_have_labels_and_a_member_without_one_keeps_its_name() -> None:
    members: dict[str, Any] = {"createdAt": KEY["createdAt"], "permissions": ["a", "b"], "new": 1}
    assert facts_of(members) == {
        "Created": "Nov 28, 2026, 12:00 UTC",
        "Permissions": "a, b",
        "new": "1",
    }


def test_facts_are_in_the_order_of_the_table_with_the_secret_last() -> None:
    members: dict[str, Any] = {"secret": "s", "lastUsedAt": None, "settings": {}, **KEY}
    assert [*facts_of(members)] == ["ID", "State", "Created", "Last used", "Secret"]


def test_a_removed_limit_is_sent_as_null() -> None:
    assert changed_members({}, {}, {"expiresAt": True, "permissions": False}) == {"expiresAt": None}
