"""`keyscope access diff`: what a change of a map gives and takes."""

from pathlib import Path
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import prepare_policies
from keyscope.aws.dynamodb.limited_keys import LimitedKey
from keyscope_cli.maps.affected_keys import affected_keys
from keyscope_cli.maps.decisions import CALLERS, Decisions
from keyscope_cli.maps.difference import Difference
from keyscope_cli.maps.map_file import LoadedMap
from tests.support.cli import keyscope
from tests.support.profile import UNIT_EXAMPLES

OLD: Final = """\
["api"]
appUser = ["GET /p/{appId}/u/{userId}"]
app = ["GET /p/{appId}", "GET,POST /p/{appId}/m", "GET,PATCH,DELETE /p/{appId}/m/*"]
account = ["GET /p", "GET,DELETE /p/{appId}/*"]

["api".permissions]
"read" = ["GET *"]
"members" = ["GET,PATCH,DELETE /p/{appId}/m/*"]
"""
APP_KEYS: Final = [f"app_{number:024x}" for number in range(5)]
ACCOUNT_KEY: Final = "act_" + "0" * 24

Rows = list[tuple[str, str, str, str]]


def loaded(text: str) -> LoadedMap:
    access_map = read_access_map(text, ["api"])
    return LoadedMap(access_map, prepare_policies(access_map, 30))


def difference(*changes: tuple[str, str]) -> Difference:
    """Return the difference that replacing texts of the map makes."""
    new = OLD
    for old_text, new_text in changes:
        assert old_text in new
        new = new.replace(old_text, new_text)
    return Difference(loaded(OLD), loaded(new))


def rows(found: Difference) -> Rows:
    return [(row.change, row.scope, ",".join(row.methods), row.path) for row in found.rows()]


def test_a_map_that_is_only_written_differently_changes_nothing() -> None:
    again = difference(
        ('"GET /p/{appId}", ', ""),
        ('"GET,POST /p/{appId}/m", ', '"GET /p/{appId}", "POST,GET /p/{appId}/m", '),
    )
    assert rows(again) == []
    assert again.permissions == {}


def test_a_new_rule_is_gained_and_a_removed_one_lost() -> None:
    changed = difference(
        ("GET,POST /p/{appId}/m", "GET /p/{appId}/m"), ('["GET /p", ', '["GET,POST /p", ')
    )
    assert rows(changed) == [
        ("gains", "account", "POST", "/p"),
        ("loses", "app", "POST", "/p/{appId}/m"),
    ]


def test_a_subtree_that_covers_a_listed_route_changes_nothing() -> None:
    assert (
        rows(
            difference(
                (
                    "GET,PATCH,DELETE /p/{appId}/m/*",
                    'GET,PATCH,DELETE /p/{appId}/m/*", "GET /p/{appId}/m/all/x',
                )
            )
        )
        == []
    )


def test_a_subtree_in_place_of_a_listed_route_gains_what_is_beside_it() -> None:
    changed = difference(('"GET /p/{appId}", ', '"GET /p/{appId}", "GET /p/{appId}/x/*", '))
    assert rows(changed) == [("gains", "app", "GET", "/p/{appId}/x/*")]


def test_a_subtree_that_is_taken_back_to_one_route_loses_the_rest_only() -> None:
    listed = difference(
        (
            'GET,PATCH,DELETE /p/{appId}/m/*"]\nacc',
            'GET,PATCH /p/{appId}/m/*", "DELETE /p/{appId}/m/one"]\nacc',
        )
    )
    assert rows(listed) == [
        ("loses", "app", "DELETE", "/p/{appId}/m/*"),
    ]


def test_a_route_that_no_key_reaches_any_more_is_lost() -> None:
    closed = difference(
        ('\n["api".permissions]', 'never = ["DELETE /p/{appId}/m/audit"]\n\n["api".permissions]')
    )
    assert rows(closed) == [
        ("loses", "app", "DELETE", "/p/{appId}/m/audit"),
        ("loses", "account", "DELETE", "/p/{appId}/m/audit"),
    ]


def test_a_user_accounts_own_rules_are_told_apart() -> None:
    own = difference(
        ('\n["api".permissions]', 'userAccount = ["GET /robots"]\n\n["api".permissions]')
    )
    assert rows(own) == [("gains", "userAccount", "GET", "/robots")]


def test_the_right_to_open_a_websocket_is_a_change() -> None:
    assert rows(difference(('["api"]\n', '["api"]\nwebsocket = ["app"]\n'))) == [
        ("gains", "app", "websocket", "")
    ]


def test_changes_of_permissions_are_told_by_name() -> None:
    changed = difference(
        ('"members" = ["GET,PATCH,DELETE', '"members" = ["GET,PATCH'),
        ('"read" = ["GET *"]\n', '"list" = ["GET /p"]\n'),
    )
    assert rows(changed) == []
    assert {name: changed.state_of(name) for name in changed.permissions} == {
        "read": "removed",
        "members": "changed",
        "list": "added",
    }
    assert [(row.change, row.scope, row.path) for row in changed.permissions["members"]] == [
        ("loses", "app", "/p/{appId}/m/*"),
        ("loses", "account", "/p/{appId}/m/*"),
    ]


def test_keys_are_grouped_by_what_changes_for_them() -> None:
    changed = difference(('"GET,POST /p/{appId}/m"', '"GET /p/{appId}/m"'))
    keys = [
        LimitedKey(APP_KEYS[1], ()),
        LimitedKey(APP_KEYS[0], ()),
        LimitedKey(APP_KEYS[2], ("read",)),
        LimitedKey(APP_KEYS[3], ("gone",)),
        LimitedKey(ACCOUNT_KEY, ()),
    ]
    (found,) = affected_keys(changed, keys)
    assert (found.permissions, found.key_ids) == ((), (APP_KEYS[0], APP_KEYS[1]))
    assert [(row.change, row.scope, row.path) for row in found.rows] == [
        ("loses", "app", "/p/{appId}/m")
    ]


WORDS: Final = st.lists(st.sampled_from("ab"), max_size=3).map("/".join)
RULES: Final = st.lists(
    st.builds(
        "{} /{{appId}}/{}{}".format,
        st.sampled_from(["GET", "GET,POST"]),
        WORDS.filter(bool),
        st.sampled_from(["", "/*"]),
    ),
    min_size=1,
    max_size=4,
)
PATHS: Final = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join))


@settings(max_examples=UNIT_EXAMPLES, deadline=None)
@given(RULES, RULES, PATHS)
def test_a_request_that_only_one_map_allows_is_in_a_row(
    old: list[str], new: list[str], paths: list[str]
) -> None:
    maps = [loaded(f"[api]\napp = {rules}\n") for rules in (old, new)]
    (caller,) = (each for each in CALLERS if each.name == "app")
    found = rows(Difference(*maps))
    for asked in (f"/{{appId}}/{path}" for path in paths):
        was, now = (
            Decisions(each.policies).decide(caller, "GET", caller.fill(asked)).allowed
            for each in maps
        )
        told = {
            change
            for change, _, methods, shown in found
            if "GET" in methods.split(",")
            and (shown == asked or (shown.endswith("/*") and asked.startswith(shown[:-1])))
        }
        if was is not now:
            assert told == {"gains" if now else "loses"}


def changed_files(folder: Path) -> tuple[str, str]:
    old, new = folder / "old.toml", folder / "new.toml"
    old.write_text(OLD, "utf-8")
    new.write_text(OLD.replace('"GET,POST /p/{appId}/m"', '"GET /p/{appId}/m"'), "utf-8")
    return str(old), str(new)


def test_the_command_ends_with_status_1_if_something_changes(tmp_path: Path) -> None:
    old, new = changed_files(tmp_path)
    same = keyscope("access", "diff", old, old)
    assert (same.status, same.out) == (0, "Both maps allow the same requests.\n")
    done = keyscope("access", "diff", old, new)
    assert done.status == 1
    assert done.out.splitlines()[1].split() == ["loses", "app", "POST", "/p/{appId}/m"]


def test_the_answer_can_be_json(tmp_path: Path) -> None:
    found: dict[str, Any] = keyscope("access", "diff", *changed_files(tmp_path), "--json").json
    row = {"change": "loses", "scope": "app", "methods": ["POST"], "path": "/p/{appId}/m"}
    assert found == {"changes": [row], "permissions": []}


def test_the_old_map_can_have_sets_of_other_names(tmp_path: Path) -> None:
    old, new = changed_files(tmp_path)
    Path(old).write_text(OLD + '\n["more"]\napp = ["GET /more"]\n', "utf-8")
    done = keyscope("access", "diff", old, new, "--old-routes", "api,more")
    assert "/more" in done.out
