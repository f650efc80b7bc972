"""Access maps at an authorizer's start: one that the layer's build has checked, or one read now.

`python -m keyscope.access.checked_map`, which the build runs, reads the packaged map, makes all
checks of `access_map`, and writes what the map says beside it. An authorizer loads that only if it
was made from exactly the texts that would be read otherwise. Every other map, such as the one in a
layer of its own, is read and checked as a whole at each start.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from os.path import dirname, join
from typing import Any, Final

from keyscope.access.rules import (
    GRANTEES,
    AccessMap,
    Grantee,
    Permission,
    RouteSet,
    Rule,
    selected,
)
from keyscope.model.scopes import Scope

PACKAGED_MAP: Final = "scopes.toml"
"""The access map of the package."""
MANAGEMENT_MAP: Final = "management.toml"
"""Keyscope's own route set."""
CHECKED_MAP: Final = "scopes.checked.json"
"""What the build creates from both; not part of the sources."""
_GRANTEES: Final = {grantee.value: grantee for grantee in GRANTEES}


def load_access_map(source: str, route_sets: Sequence[str]) -> AccessMap:
    """Return what `read_access_map` returns, without the checks that the build has done.

    Raises:
        Misconfigured: the map or the choice of route sets is wrong.
    """
    try:
        checked = read_beside(CHECKED_MAP)
    except FileNotFoundError:
        checked = None
    return access_map_of(source, route_sets, checked)


def access_map_of(source: str, route_sets: Sequence[str], checked: str | None) -> AccessMap:
    """Return the map from what `written` returned, if that was made from the same texts.

    Raises:
        Misconfigured: the map or the choice of route sets is wrong.
        ValueError: `checked` is damaged. The function does not start.
    """
    if checked is not None:
        members = json.loads(checked)
        if members["sources"] == digest(source):
            return selected(_route_sets(members), route_sets)
    from keyscope.access.access_map import read_access_map  # noqa: PLC0415 - costs a start much

    return read_access_map(source, route_sets)


def read_beside(name: str) -> str:
    """Read a file of this folder, or one with an absolute path."""
    # Avoids pathlib, whose import takes 15 million instructions.
    with open(join(dirname(__file__), name), encoding="utf-8") as file:  # noqa: PTH118, PTH120, PTH123
        return file.read()


def digest(source: str) -> str:
    """Return the SHA-256 of a map's text and of Keyscope's own route set, in hexadecimal."""
    texts = json.dumps([source, read_beside(MANAGEMENT_MAP)])
    return sha256(texts.encode()).hexdigest()


def written(sources: str, sets: Mapping[str, RouteSet]) -> str:
    """Return checked route sets as JSON; each rule is listed once."""
    rules: dict[Rule, int] = {}

    def places(of: Mapping[Grantee, tuple[Rule, ...]]) -> dict[str, list[int]]:
        return {
            grantee.value: [rules.setdefault(rule, len(rules)) for rule in each]
            for grantee, each in of.items()
        }

    shown = {
        name: {
            "rules": places(each.rules),
            "websocket": sorted(each.websocket_scopes),
            "permissions": {
                permission: {
                    "rules": places(part.rules),
                    "websocket": sorted(part.websocket_scopes),
                    "description": part.description,
                }
                for permission, part in each.permissions.items()
            },
        }
        for name, each in sets.items()
    }
    listed = [[rule.methods, rule.segments, rule.tail] for rule in rules]
    return json.dumps({"sources": sources, "rules": listed, "sets": shown})


def _route_sets(checked: Any) -> dict[str, RouteSet]:  # noqa: ANN401 - JSON
    rules = [
        Rule(tuple(methods), tuple(segments), tail) for methods, segments, tail in checked["rules"]
    ]

    def found(places: Mapping[str, Iterable[int]]) -> dict[Grantee, tuple[Rule, ...]]:
        return {
            _GRANTEES[name]: tuple([rules[place] for place in each])
            for name, each in places.items()
        }

    return {
        name: RouteSet(
            found(each["rules"]),
            frozenset(map(Scope, each["websocket"])),
            {
                permission: Permission(
                    found(part["rules"]),
                    frozenset(map(Scope, part["websocket"])),
                    part["description"],
                )
                for permission, part in each["permissions"].items()
            },
        )
        for name, each in checked["sets"].items()
    }


def _write() -> None:
    """Check the packaged map and write it for the authorizers.

    Raises:
        Misconfigured: the map is wrong, and the build fails.
    """
    from keyscope.access.access_map import read_route_sets  # noqa: PLC0415 - for the build alone

    source = read_beside(PACKAGED_MAP)
    text = written(digest(source), read_route_sets(source, with_management=True))
    with open(join(dirname(__file__), CHECKED_MAP), "w", encoding="utf-8") as file:  # noqa: PTH118, PTH120, PTH123
        file.write(text)


if __name__ == "__main__":
    _write()
