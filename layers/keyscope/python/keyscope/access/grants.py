"""What each kind of principal may reach, as patterns for its policy.

The grant of a limited key allows part of what its kind may reach. It omits the Denies that this
part does not need, and merges others into fewer and wider patterns: permissions take up more of a
policy's budget than rules do.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain, combinations
from typing import Final, NamedTuple

from keyscope.access.path_variants import spellings_of
from keyscope.access.rules import OPEN_ENDED, AccessMap, Grantee, OtherGrantee, Permission, Rule
from keyscope.errors import Misconfigured
from keyscope.model.ids import ID_LENGTHS, IdName
from keyscope.model.scopes import Scope

MAX_CONTAINING_PERMISSIONS: Final = 6
"""Permissions of a map that contain part of another one. Each doubles the work at every start."""
MAX_GRANTS: Final = 1_024
"""How many grants a container remembers."""
_GET, _PUT, _GET_OR_PUT = "GET", "PUT", "??T"
_GET_AND_PUT = frozenset({_GET, _PUT})


class Grant(NamedTuple):
    """What one kind of principal may reach: `METHOD/path` patterns with named placeholders."""

    allow: tuple[str, ...]
    deny: tuple[str, ...]


class Permitted:
    """What one kind of principal may reach with limited keys.

    `patterns` are what each permission allows; `deny` are the Denies that a pattern needs.
    """

    # Compared by identity, so that a grant is found again at once.
    __slots__ = ("deny", "patterns")

    def __init__(
        self, patterns: Mapping[str, tuple[str, ...]], deny: Mapping[str, tuple[str, ...]]
    ) -> None:
        self.patterns = patterns
        self.deny = deny


def grants_of(access_map: AccessMap) -> dict[Grantee, Grant]:
    """Return what each kind of principal may reach with a key that has no permissions."""
    return {kind: _grant(access_map, lists) for kind, lists in _LISTS.items()}


def permitted_of(access_map: AccessMap) -> dict[Grantee, Permitted]:
    """Return what each kind of principal may reach with limited keys."""
    return {kind: _permitted(access_map, lists) for kind, lists in _LISTS.items()}


@lru_cache(maxsize=MAX_GRANTS)
def permitted_grant(permitted: Permitted, permissions: tuple[str, ...]) -> Grant:
    """Return what keys that are limited to some permissions may reach.

    A permission that the map does not know allows nothing.
    """
    found = (permitted.patterns.get(name, ()) for name in permissions)
    allow = _without_contained(chain.from_iterable(found))
    deny = chain.from_iterable(permitted.deny.get(pattern, ()) for pattern in allow)
    return Grant(_with_merged_methods(allow), tuple(dict.fromkeys(deny)))


def longest_sets(permitted: Permitted) -> Iterator[tuple[str, ...]]:
    """Yield sets of permissions. The longest policy of any set is that of one of them.

    One more permission makes a policy longer, unless it contains what others allow.

    Raises:
        Misconfigured: with more than `MAX_CONTAINING_PERMISSIONS` of those.
    """
    containing = [name for name in permitted.patterns if _contains_another(permitted, name)]
    if len(containing) > MAX_CONTAINING_PERMISSIONS:
        message = (
            f"access map: {', '.join(containing)} contain parts of other permissions. At most"
            f" {MAX_CONTAINING_PERMISSIONS} permissions of a scope may"
        )
        raise Misconfigured(message)
    others = tuple(name for name in permitted.patterns if name not in containing)
    for number in range(len(containing) + 1):
        for chosen in combinations(containing, number):
            yield (*others, *chosen)


_LISTS: Final[Mapping[Grantee, tuple[Grantee, ...]]] = {
    **{scope: (scope,) for scope in Scope},
    OtherGrantee.USER_ACCOUNT: (Scope.ACCOUNT, OtherGrantee.USER_ACCOUNT),
}
"""The lists of rules that apply to each kind of principal."""


def _grant(access_map: AccessMap, lists: Iterable[Grantee]) -> Grant:
    rules = [rule for grantee in lists for rule in access_map.rules[grantee]]
    methods: dict[str, set[str]] = {}
    for rule in rules:
        methods.setdefault(rule.path, set()).update(rule.methods)
    allow = (
        f"{_merged(method, methods[rule.path])}{rule.path}"
        for rule in rules
        for method in rule.methods
    )
    denies = _denies(access_map, rules, few=False)
    deny = (pattern for _, _, patterns in denies for pattern in patterns)
    return Grant(*(tuple(dict.fromkeys(patterns)) for patterns in (allow, deny)))


def _merged(method: str, methods: set[str]) -> str:
    """Return the pattern for a method: of API Gateway's seven, `??T` matches only GET and PUT.

    Source: `ANY` covers exactly these seven (API Gateway, "Set up an HTTP method").
    """
    return _GET_OR_PUT if method in _GET_AND_PUT and methods >= _GET_AND_PUT else method


def _denies(
    access_map: AccessMap, rules: Iterable[Rule], *, few: bool
) -> Iterator[tuple[str, Rule, tuple[str, ...]]]:
    """Yield each method and `never` rule that some of the rules reach, with its Denies."""
    for never in access_map.rules[OtherGrantee.NEVER]:
        for method in never.methods:
            if covering := [rule for rule in rules if _covers(rule, method, never)]:
                bound = min(len(rule.segments) for rule in covering)
                patterns = _patterns_of(never, bound, few=few)
                yield method, never, tuple(f"{method}{pattern}" for pattern in patterns)


def _patterns_of(never: Rule, bound: int, *, few: bool) -> list[str]:
    """Return the patterns of a route that no key reaches, below its first `bound` segments."""
    rest = never.segments[bound:]
    if rest:
        return spellings_of(never.segments[:bound], rest, few=few)
    # Everything that begins with the path, because what follows may be a spelling of a slash.
    return ["/" + "/".join(never.segments) + ("?*" if never.tail else "*")]


def _covers(rule: Rule, method: str, never: Rule) -> bool:
    """Return whether a rule allows part of what `never` excludes."""
    common = min(len(rule.segments), len(never.segments))
    same = rule.segments[:common] == never.segments[:common]
    return method in rule.methods and rule.can_be_as_long_as(never) and same


def _permitted(access_map: AccessMap, lists: tuple[Grantee, ...]) -> Permitted:
    all_rules = [rule for grantee in lists for rule in access_map.rules[grantee]]
    denies = list(_denies(access_map, all_rules, few=True))
    patterns: dict[str, tuple[str, ...]] = {}
    needed: dict[str, tuple[str, ...]] = {}
    for name, permission in access_map.permissions.items():
        found: dict[str, None] = {}
        for grantee, rule in _rules(permission, lists):
            for method in rule.methods:
                pattern = method + _path_of_whole_ids(rule, grantee)
                found[pattern] = None
                if denied := _denies_of(rule, method, denies):
                    needed[pattern] = denied
        if found:
            patterns[name] = tuple(found)
    return Permitted(patterns, needed)


def _rules(permission: Permission, lists: Iterable[Grantee]) -> Iterator[tuple[Grantee, Rule]]:
    return ((grantee, rule) for grantee in lists for rule in permission.rules[grantee])


def _path_of_whole_ids(rule: Rule, grantee: Grantee) -> str:
    """Return the path pattern, with `{name+}` for the characters that an owner's id leaves open."""
    path = rule.path
    if rule.tail != "*":
        for name in OPEN_ENDED[grantee] & ID_LENGTHS.keys():
            path = path.replace(name.placeholder, name.placeholder + f"{{{open_part(name)}}}")
    return path


def open_part(name: IdName) -> str:
    """Return the placeholder's name for the open characters of an id, without its braces."""
    return f"{name.value}+"


def _denies_of(
    rule: Rule, method: str, denies: Iterable[tuple[str, Rule, tuple[str, ...]]]
) -> tuple[str, ...]:
    """Return the Denies that a rule needs. A question mark also matches slashes."""
    literal = [segment for segment in rule.segments if "?" not in segment]
    if len(literal) < len(rule.segments):
        first = next(place for place, segment in enumerate(rule.segments) if "?" in segment)
        rule = Rule(rule.methods, rule.segments[:first], "/*")
    return tuple(
        pattern
        for denied, never, patterns in denies
        if denied == method and _covers(rule, method, never)
        for pattern in patterns
    )


def _without_contained(patterns: Iterable[str]) -> list[str]:
    """Return the patterns that no other one contains, in order."""
    # A star sorts before everything it can represent, so contained patterns follow their container.
    kept: list[str] = []
    beginning = None
    for pattern in sorted(set(patterns)):
        if beginning is not None and pattern.startswith(beginning):
            continue
        kept.append(pattern)
        if pattern.endswith("*"):
            beginning = pattern[:-1]
    return kept


def _with_merged_methods(patterns: list[str]) -> tuple[str, ...]:
    both = {
        pattern.removeprefix(_GET) for pattern in patterns if pattern.startswith(f"{_GET}/")
    } & {pattern.removeprefix(_PUT) for pattern in patterns if pattern.startswith(f"{_PUT}/")}
    if not both:
        return tuple(patterns)
    merged = (
        _GET_OR_PUT + pattern[len(_GET) :] if pattern[len(_GET) :] in both else pattern
        for pattern in patterns
    )
    return tuple(dict.fromkeys(merged))


def _contains_another(permitted: Permitted, name: str) -> bool:
    beginnings = tuple(
        pattern[:-1] for pattern in permitted.patterns[name] if pattern.endswith("*")
    )
    own = permitted.patterns[name]
    return any(
        pattern.startswith(beginnings) and pattern not in own
        for other, patterns in permitted.patterns.items()
        if other != name
        for pattern in patterns
    )
