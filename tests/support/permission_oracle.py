"""What limited keys reach, worked out without the package's code.

It reads the packaged map's permissions as text and the API's own tables. A row of a table is
reached when the table lets the principal use it and a rule of one of its key's permissions names
it. Rules are compared with rows segment by segment, so a star or a question mark never means more
here than the documentation says.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from tests.support.route_tables import Row

OTHERS_IDS: Final[Mapping[str, str]] = {"integrationId": "582dedf230e788746891281a"}
"""Ids of the tables that are no ids of Keyscope's, as long as the API makes them."""
_SCOPES: Final = {"service account": "account"}
"""The scopes of kinds of principals, where their names differ."""
_USER_IDS: Final = frozenset({"userId", "userIdOrExternalId", "zendeskId"})


@cache
def permissions_of(route_set: str) -> Mapping[str, Sequence[str]]:
    """Return the rules of each permission of a route set of the packaged map, as they are written.

    Without the one that is not about a path.
    """
    text = (files("keyscope.access") / "scopes.toml").read_text("utf-8")
    named = tomllib.loads(text)[route_set]["permissions"]
    return {
        name: [rule for rule in permission["rules"] if rule != "websocket"]
        for name, permission in named.items()
    }


def names_of(route_sets: Sequence[str]) -> list[str]:
    """Return the names of all permissions of some route sets, in order."""
    return sorted({name for route_set in route_sets for name in permissions_of(route_set)})


@cache
def permits(row: Row, kind: str, name: str) -> bool:
    """Return whether a permission names a row, for a kind of principal."""
    return any(_names(rule, row, kind) for rule in permissions_of(row.route_set).get(name, ()))


def _names(rule: str, row: Row, kind: str) -> bool:
    *scope, rule = rule.split(": ")
    if scope and scope != [_SCOPES.get(kind, kind)]:
        return False
    methods, _, path = rule.partition(" ")
    if row.method not in methods.split(","):
        return False
    if path == "*":
        return True
    wanted, found = path.split("/")[1:], row.path.split("/")[1:]
    if wanted[-1] == "*":
        wanted = wanted[:-1]
        return len(found) > len(wanted) and _alike(wanted, found[: len(wanted)], kind)
    return len(found) == len(wanted) and _alike(wanted, found, kind)


def _alike(wanted: Sequence[str], found: Sequence[str], kind: str) -> bool:
    return all(_is_like(one, other, kind) for one, other in zip(wanted, found, strict=True))


def _is_like(wanted: str, found: str, kind: str) -> bool:
    placeholder = re.fullmatch(r"\{(\w+)\}", found)
    if placeholder is None:
        return wanted == found
    if wanted == "{userId}":
        # Only a user's token is bound to a user.
        return kind == "appUser" and placeholder[1] in _USER_IDS
    if wanted == "{integrationId}":
        # Only an integration's key is bound to an integration.
        return kind == "integration" and placeholder[1] == "integrationId"
    if set(wanted) == {"?"}:
        return kind != "integration" and len(OTHERS_IDS.get(placeholder[1], "")) == len(wanted)
    return wanted == found
