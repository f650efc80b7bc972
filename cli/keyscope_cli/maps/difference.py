"""What a change of an access map grants to callers and takes from them.

Both maps decide the same requests: one for each path of a rule of either map, and one for anything
below it if the rule is a subtree. These are enough, because a policy allows only single paths and
subtrees. If it allows something that another policy does not, it also allows the path of one of its
rules, or everything below one, that the other policy does not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final, NamedTuple

from keyscope.access.access_map import METHODS, WEBSOCKET
from keyscope.access.rules import AccessMap, Rule
from keyscope_cli.maps.decisions import CALLERS, CALLERS_BY_NAME, Caller, Decisions
from keyscope_cli.maps.map_file import LoadedMap

_ANYTHING: Final = "…"
"""A path segment that no rule mentions, because rules are ASCII."""
_RANKS: Final[Mapping[bool | None, int]] = {False: 0, None: 1, True: 2}
"""How much is allowed: nothing, one kind of API, or both."""

Permissions = tuple[str, ...] | None


class Request(NamedTuple):
    """A method and a path with example placeholders; `shown` ends with `/*` for all below it."""

    method: str
    path: str
    shown: str

    def contains(self, other: "Request") -> bool:
        """Return whether this request stands for a subtree that the other one is in."""
        return (
            self.shown.endswith("/*")
            and other.method == self.method
            and other.shown.startswith(self.shown[:-1])
        )


class Change(NamedTuple):
    """A request that one map allows a caller and the other does not."""

    caller: Caller
    request: Request
    gained: bool


class Row(NamedTuple):
    """Changes as a person reads them: whom they concern, and several methods of one path."""

    change: str
    scope: str
    methods: tuple[str, ...]
    path: str


@dataclass(frozen=True)
class Difference:
    """Two maps, and what changes from the old one to the new one."""

    old: LoadedMap
    new: LoadedMap

    @cached_property
    def requests(self) -> tuple[Request, ...]:
        """The requests that both maps decide."""
        maps = (self.old.access_map, self.new.access_map)
        rules = [rule for each in maps for rule in _rules(each)]
        named = {method for rule in rules for method in rule.methods}
        methods = [method for method in METHODS if method in named]
        paths = dict.fromkeys(path for rule in rules for path in _paths(rule))
        return (
            *(Request(method, path, shown) for path, shown in paths for method in methods),
            Request(WEBSOCKET, "", ""),
        )

    @cached_property
    def _decisions(self) -> tuple[Decisions, Decisions]:
        return Decisions(self.old.policies), Decisions(self.new.policies)

    def changes(self, caller: Caller, permissions: Permissions = None) -> Iterator[Change]:
        """Yield what changes for a caller, with a key that is limited to some permissions.

        A subtree that changes as a whole is one change.
        """
        found = {each.request: each for each in self._all_changes(caller, permissions)}
        for change in found.values():
            subtrees = (each for each in found.values() if each.request.contains(change.request))
            if not any(each is not change and self._is_whole(each, found) for each in subtrees):
                yield change

    def _is_whole(self, subtree: Change, found: Mapping[Request, Change]) -> bool:
        """Return whether everything in a subtree changes in the same way."""
        return all(
            request in found and found[request].gained is subtree.gained
            for request in self.requests
            if subtree.request.contains(request)
        )

    def _all_changes(self, caller: Caller, permissions: Permissions) -> Iterator[Change]:
        old, new = self._decisions
        if old.documents(caller, permissions) == new.documents(caller, permissions):
            return
        for request in self.requests:
            path = caller.fill(request.path)
            was, now = (
                _RANKS[each.decide(caller, request.method, path, permissions).allowed]
                for each in (old, new)
            )
            if was != now:
                yield Change(caller, request, gained=now > was)

    def rows(self, permissions: Permissions = None) -> list[Row]:
        """Return what changes for all callers."""
        return rows_of(chain.from_iterable(self.changes(each, permissions) for each in CALLERS))

    @property
    def permissions(self) -> dict[str, list[Row]]:
        """What changes for keys that are limited to one permission, by its name."""
        names = {**self.old.access_map.permissions, **self.new.access_map.permissions}
        found = {name: self.rows((name,)) for name in names}
        return {name: rows for name, rows in found.items() if rows}

    def state_of(self, permission: str) -> str:
        """Return whether a permission is added, removed or changed."""
        if permission not in self.old.access_map.permissions:
            return "added"
        return "changed" if permission in self.new.access_map.permissions else "removed"


def rows_of(changes: Iterable[Change]) -> list[Row]:
    """Group changes: the callers of a scope that all change alike, and the methods of a path."""
    callers: dict[tuple[bool, Request], list[Caller]] = {}
    for change in changes:
        callers.setdefault((change.gained, change.request), []).append(change.caller)
    methods: dict[tuple[bool, str, str], list[str]] = {}
    for (gained, request), found in callers.items():
        for name in _names(found):
            methods.setdefault((gained, name, request.shown), []).append(request.method)
    return [
        Row("gains" if gained else "loses", name, tuple(found), path)
        for (gained, name, path), found in sorted(methods.items(), key=lambda item: not item[0][0])
    ]


def _names(callers: Sequence[Caller]) -> list[str]:
    """Return the names of callers; a scope means all of its callers."""
    whole = {each.scope for each in callers if {*CALLERS_BY_NAME[each.scope]} <= {*callers}}
    names = (each.scope.value if each.scope in whole else each.name for each in callers)
    return list(dict.fromkeys(names))


def _rules(access_map: AccessMap) -> Iterator[Rule]:
    yield from chain.from_iterable(access_map.rules.values())
    for permission in access_map.permissions.values():
        yield from chain.from_iterable(permission.rules.values())


def _paths(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield a path for each way in which a rule can matter, and how to show it."""
    # An id that Keyscope does not know is as long as the question marks in its place.
    filled = ["x" * len(each) if {*each} == {"?"} else each for each in rule.segments]
    path, shown = ("/" + "/".join(segments) for segments in (filled, rule.segments))
    if rule.tail != "/*":
        yield path, shown
    if rule.tail:
        yield f"{path.rstrip('/')}/{_ANYTHING}", f"{shown.rstrip('/')}/*"
