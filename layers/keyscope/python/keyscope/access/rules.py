"""What an access map says once it is read: rules and permissions, by grantee.

`access_map` reads and checks a map; `checked_map` loads one that was checked before.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from keyscope.errors import Misconfigured
from keyscope.model.ids import IdName
from keyscope.model.scopes import SCOPES, Scope
from keyscope.records import dataclass

MANAGEMENT = "management"
"""Keyscope's own route set, which every map has beside those of its file."""


class OtherGrantee(StrEnum):
    """The rule lists of the file that belong to no scope.

    `userAccount` adds rules to those of the account scope, for a user account's key. No key reaches
    the routes of `never`.
    """

    USER_ACCOUNT = "userAccount"
    NEVER = "never"


Grantee = Scope | OtherGrantee
"""Whom the rules of a list apply to."""

GRANTEES: Final[tuple[Grantee, ...]] = (*Scope, *OtherGrantee)

GRANTED: Final[tuple[Grantee, ...]] = tuple(
    grantee for grantee in GRANTEES if grantee is not OtherGrantee.NEVER
)
"""Whom rules can grant something."""

OPEN_ENDED: Final[Mapping[Grantee, frozenset[IdName]]] = {
    **{scope: row.open_ended for scope, row in SCOPES.items()},
    OtherGrantee.USER_ACCOUNT: (
        SCOPES[Scope.ACCOUNT].open_ended | {IdName.SERVICE_ACCOUNT, IdName.APP_EXTERNAL}
    ),
    OtherGrantee.NEVER: frozenset(),
}
"""Ids that a path gives only as a prefix of many ids, so a star must follow their placeholders.

All that is known of an account's external ids of apps is an empty prefix.
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """Methods and one path.

    `tail` follows the segments. It is empty for the path alone, `/*` for everything below it, and
    `*` if the last segment is the placeholder of an id prefix.
    """

    methods: tuple[str, ...]
    segments: tuple[str, ...]
    tail: Literal["", "/*", "*"]

    @property
    def path(self) -> str:
        """The path pattern, with its placeholders."""
        return "/" + "/".join(self.segments) + self.tail

    def can_be_as_long_as(self, other: "Rule") -> bool:
        """Return whether the two rules can match paths with the same number of segments."""
        depth, others = len(self.segments), len(other.segments)
        return (self.tail != "" or depth >= others) and (other.tail != "" or depth <= others)

    def narrowed_to(self, other: "Rule") -> "Rule | None":
        """Return what both rules allow, or `None` if that is nothing.

        Of two paths that overlap, one always contains the other: a star is only at the end.
        """
        depth = min(len(self.segments), len(other.segments))
        if self.segments[:depth] != other.segments[:depth]:
            return None
        narrower = self if other.contains(self) else other if self.contains(other) else None
        if narrower is None:
            return None
        methods = tuple([method for method in self.methods if method in other.methods])
        return Rule(methods, narrower.segments, narrower.tail) if methods else None

    def contains(self, other: "Rule") -> bool:
        """Return whether the path contains all paths of the other rule."""
        depth, others = len(self.segments), len(other.segments)
        if other.segments[:depth] != self.segments:
            return False
        match self.tail:
            case "":
                return depth == others and not other.tail
            case "/*":
                return depth < others or other.tail == "/*"
            case "*":
                return True


class Permission(NamedTuple):
    """What keys that are limited to one permission may do, by grantee.

    Every rule lies within the grantee's own rules. If an open-ended placeholder is not the last
    part of a path, it represents whole ids. `description` is empty if the map gives none.
    """

    rules: Mapping[Grantee, tuple[Rule, ...]]
    websocket_scopes: frozenset[Scope]
    description: str


@dataclass(frozen=True, slots=True)
class AccessMap:
    """The rules of the selected route sets, by grantee, and their permissions, by name."""

    rules: Mapping[Grantee, tuple[Rule, ...]]
    websocket_scopes: frozenset[Scope]
    permissions: Mapping[str, Permission]


class RouteSet(NamedTuple):
    """What one route set of a map says, after all its checks."""

    rules: Mapping[Grantee, tuple[Rule, ...]]
    websocket_scopes: frozenset[Scope]
    permissions: Mapping[str, Permission]


def selected(sets: Mapping[str, RouteSet], route_sets: Sequence[str]) -> AccessMap:
    """Return what the named route sets say together.

    If none is named, they are the map's only one and Keyscope's own.

    Raises:
        Misconfigured: there is no such set, or none is named and the map has several.
    """
    own = [name for name in sets if name != MANAGEMENT]
    if not route_sets and len(own) != 1:
        message = f"access map: select one or more of its route sets: {', '.join(own)}"
        raise Misconfigured(message)
    chosen = route_sets or (*own, MANAGEMENT)
    for name in chosen:
        if name not in sets:
            known = ", ".join(dict.fromkeys([*sets, MANAGEMENT]))
            message = f"access map: there is no route set {name!r}. It has {known}"
            raise Misconfigured(message)
    found = [sets[name] for name in chosen]
    rules = [each.rules for name, each in sets.items() if name in chosen]
    return AccessMap(
        rules={grantee: joined(rules, grantee) for grantee in GRANTEES},
        websocket_scopes=frozenset().union(*(each.websocket_scopes for each in found)),
        permissions=_merged([each.permissions for each in found]),
    )


def joined(
    parts: Iterable[Mapping[Grantee, tuple[Rule, ...]]], grantee: Grantee
) -> tuple[Rule, ...]:
    """Return the rules of a grantee in several places, each once."""
    return tuple(dict.fromkeys(rule for part in parts for rule in part[grantee]))


def _merged(sets: Sequence[Mapping[str, Permission]]) -> dict[str, Permission]:
    """Join the permissions of several route sets that have the same name."""
    names = dict.fromkeys(name for permissions in sets for name in permissions)
    merged = {}
    for name in names:
        found = [permissions[name] for permissions in sets if name in permissions]
        merged[name] = Permission(
            rules={g: joined([each.rules for each in found], g) for g in GRANTED},
            websocket_scopes=frozenset().union(*(each.websocket_scopes for each in found)),
            description=next(filter(None, (each.description for each in found)), ""),
        )
    return merged
