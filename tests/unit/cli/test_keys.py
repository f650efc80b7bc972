import pytest

from keyscope_cli.keys import KEY_COLUMNS, key_row

KEY = {"id": "app_1", "state": "active", "createdAt": "2026-11-28T12:00:00Z"}
LAST_USED = KEY_COLUMNS.index("last used")


@pytest.mark.parametrize(
    ("members", "shown"),
    [
        ({"lastUsedAt": "2026-11-28T13:00:00Z"}, "2026-11-28T13:00:00Z"),
        ({"lastUsedAt": None}, "Never"),
        ({}, ""),
    ],
)
def test_a_row_says_never_only_of_a_key_that_is_known_to_be_unused(
    members: dict[str, str | None], shown: str
) -> None:
    row = key_row({**KEY, **members})
    assert len(row) == len(KEY_COLUMNS)
    assert row[LAST_USED] == shown
