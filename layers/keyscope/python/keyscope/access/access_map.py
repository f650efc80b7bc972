"""Which methods and paths each scope may reach, read from a TOML file and checked as a whole.

The top of `scopes.toml` describes the file's format. A map does not load if it could grant more
than its rules say, or lead to a policy that API Gateway rejects.
"""

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, NoReturn

from keyscope.access.checked_map import MANAGEMENT_MAP, read_beside
from keyscope.access.rules import (
    GRANTED,
    GRANTEES,
    MANAGEMENT,
    OPEN_ENDED,
    AccessMap,
    Grantee,
    OtherGrantee,
    Permission,
    RouteSet,
    Rule,
    joined,
    selected,
)
from keyscope.errors import Misconfigured
from keyscope.model.ids import ACCOUNT_ID_LENGTH, ID_LENGTHS, IdName
from keyscope.model.key_limits import MAX_PERMISSION_LENGTH, is_permission
from keyscope.model.scopes import SCOPES, Scope

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


_GRANTEES = {grantee.value: grantee for grantee in GRANTEES}
_SCOPES: Final[Mapping[Grantee, Scope]] = {
    **{scope: scope for scope in Scope},
    OtherGrantee.USER_ACCOUNT: Scope.ACCOUNT,
}
"""The scope whose keys a list of rules is for."""


def _placeholders(ids: Iterable[IdName]) -> frozenset[str]:
    return frozenset(name.placeholder for name in ids)


_OPEN_ENDED = {grantee: _placeholders(ids) for grantee, ids in OPEN_ENDED.items()}
_OF_SCOPES: dict[Grantee, frozenset[str]] = {
    scope: _placeholders(row.bound_ids | row.external) | _OPEN_ENDED[scope]
    for scope, row in SCOPES.items()
}
PLACEHOLDERS: Mapping[Grantee, frozenset[str]] = {
    **_OF_SCOPES,
    OtherGrantee.USER_ACCOUNT: (
        _OF_SCOPES[Scope.ACCOUNT]
        | _OPEN_ENDED[OtherGrantee.USER_ACCOUNT]
        | _placeholders({IdName.ACCOUNT_EXTERNAL})
    ),
    # Only placeholders that the rules of every scope can contain, so that every policy can deny
    # them.
    OtherGrantee.NEVER: frozenset.intersection(*_OF_SCOPES.values()),
}
"""The placeholders that rules may contain."""
_NOT_SPANNED: Mapping[Grantee, frozenset[str]] = {
    **{scope: _placeholders({*IdName} - row.spans) for scope, row in SCOPES.items()},
    OtherGrantee.USER_ACCOUNT: _placeholders({*IdName} - SCOPES[Scope.ACCOUNT].spans),
    OtherGrantee.NEVER: frozenset(),
}
"""Placeholders that a subtree of these rules may contain only if the rule binds them."""

_LENGTHS = {name.placeholder: ID_LENGTHS.get(name) for name in IdName}
"""The length of the id that each placeholder represents, in characters; `None` for any text."""
_APP, _USER = IdName.APP.placeholder, IdName.USER.placeholder
_INTEGRATION = IdName.INTEGRATION.placeholder
_ACCOUNT_EXTERNAL = IdName.ACCOUNT_EXTERNAL.placeholder
_APP_EXTERNAL = IdName.APP_EXTERNAL.placeholder
_EXTERNAL = frozenset({_ACCOUNT_EXTERNAL, _APP_EXTERNAL})
_ANY_TEXT = frozenset({_USER, *_EXTERNAL})
"""Placeholders of ids that Keyscope does not create, so they may be the same as another text."""
_NAMING_AN_APP = frozenset({_APP, _APP_EXTERNAL})
_NAMING_AN_ACCOUNT = frozenset({IdName.ACCOUNT.placeholder, _ACCOUNT_EXTERNAL})
_ANY_PLACEHOLDER = _placeholders(IdName)
_LITERAL = re.compile(r"[A-Za-z0-9._~-]+")
_LIKE_AN_ID = re.compile(f"[0-9a-f]{{{ACCOUNT_ID_LENGTH}}}")
_KEY = r""""([^"]+)"|'([^']+)'|([\w-]+)"""
WEBSOCKET = "websocket"
"""The list of scopes that may open a WebSocket connection; as a rule of a permission, the right to
do so."""
PERMISSIONS = "permissions"
"""The table of a route set that names permissions."""
UNDECIDED = "undecided"
"""The list of a draft's operations without a decision on their scopes. It must be empty."""
APP_FROM_KEY = "app_from_key"
"""The setting of a route set whose paths may omit the app, which then comes from the key."""
MAX_DESCRIPTION_LENGTH = 100
"""Characters of the description of a permission."""


class RefusedRule(Misconfigured):
    """A rule is wrong; `number` is its line in the file, counted from 1."""

    def __init__(self, number: int, text: str, reason: str) -> None:
        super().__init__(f"access map, line {number}, {text!r}: {reason}")
        self.number = number
        self.reason = reason


class _Line(NamedTuple):
    """The text of a rule, and its place in the file: a table, and a key of the table."""

    source: str
    table: tuple[str, ...]
    key: str
    text: str

    @property
    def route_set(self) -> str:
        return self.table[0]

    @property
    def grantee(self) -> Grantee:
        return _GRANTEES[self.key]

    @property
    def number(self) -> int:
        """The number of the line in the file, needed only to reject a map."""
        places = ((self.table, self.key), ((*self.table, self.key), "rules"))
        quoted = re.compile(f"[\"']{re.escape(self.text)}[\"']")
        table: tuple[str, ...] = ()
        key, elsewhere = "", 1
        for number, line in enumerate(self.source.split("\n"), 1):
            if found := re.match(r"\s*\[([^\[\]]+)\]", line):
                table = tuple("".join(names) for names in re.findall(_KEY, found[1]))
            elif found := re.match(rf"\s*(?:{_KEY})\s*=", line):
                key = "".join(filter(None, found.groups()))
            if quoted.search(line):
                if (table, key) in places:
                    return number
                elsewhere = number
        return elsewhere

    def refuse(self, reason: str) -> NoReturn:
        """Reject the map because of this line."""
        raise RefusedRule(self.number, self.text, reason)


def read_access_map(source: str, route_sets: Sequence[str]) -> AccessMap:
    """Read an access map and keep the named route sets.

    `management` is Keyscope's own set, which every map has. If no set is named, the map's only one
    is kept beside it. Checks every set in the file, even those that are not named.

    Raises:
        Misconfigured: with the line and the reason.
    """
    with_management = not route_sets or MANAGEMENT in route_sets
    return selected(read_route_sets(source, with_management=with_management), route_sets)


def read_route_sets(source: str, *, with_management: bool) -> dict[str, RouteSet]:
    """Read all route sets of a file and check them, together with Keyscope's own set if it is used.

    Raises:
        Misconfigured: with the line and the reason.
    """
    try:
        document = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        message = f"access map: not TOML: {error}"
        raise Misconfigured(message) from error
    if MANAGEMENT in document:
        message = f"access map: [{MANAGEMENT}] is Keyscope's own set. Choose another name"
        raise Misconfigured(message)
    sources = dict.fromkeys(document, source)
    if with_management:
        sources[MANAGEMENT] = read_beside(MANAGEMENT_MAP)
        document |= tomllib.loads(sources[MANAGEMENT])
    rules = {line: _read_rule(line) for line in _lines(sources, document)}
    for name, table in document.items():
        _refuse_undecided(sources[name], name, table.get(UNDECIDED, []))
    from_key = [name for name, table in document.items() if _takes_app_from_key(name, table)]
    without_app = [rule for rule in rules.values() if _names_no_app(rule)]
    closed = [each for each in rules.items() if each[0].grantee is OtherGrantee.NEVER]
    for line, rule in rules.items():
        _refuse_reaching_others(line, rule, rules.values())
        _refuse_users_without_an_app(line, rule, without_app, from_key)
        _refuse_user_ids_of_others(line, rule, rules.values())
        _refuse_integrations_of_others(line, rule, rules.values())
        _refuse_external_ids_of_others(line, rule, rules.values())
        _refuse_closed_routes_that_stay_open(line, rule, closed)
    return {
        name: _route_set(sources[name], name, table, _of_route_set(rules, name))
        for name, table in document.items()
    }


def unreached_management(access_map: AccessMap) -> list[str]:
    """Return Keyscope's own routes that an account's key does not reach with this map.

    The console and the command line manage apps and keys with them.
    """
    own = read_access_map("", [MANAGEMENT]).rules[Scope.ACCOUNT]
    reached = access_map.rules[Scope.ACCOUNT]
    return [
        f"{method} {rule.path}"
        for rule in own
        for method in rule.methods
        if not any(method in each.methods and each.contains(rule) for each in reached)
    ]


def _of_route_set(rules: Mapping[_Line, Rule], name: str) -> dict[Grantee, tuple[Rule, ...]]:
    found: dict[Grantee, list[Rule]] = {grantee: [] for grantee in GRANTEES}
    for line, rule in rules.items():
        if line.route_set == name:
            found[line.grantee].append(rule)
    return {grantee: tuple(dict.fromkeys(each)) for grantee, each in found.items()}


def _route_set(
    source: str,
    name: str,
    table: Mapping[str, object],
    rules: Mapping[Grantee, tuple[Rule, ...]],
) -> RouteSet:
    websocket = _websocket_scopes(name, table)
    named = table.get(PERMISSIONS, {})
    permissions = _permissions(source, (name, PERMISSIONS), named, rules, websocket)
    return RouteSet(rules, websocket, permissions)


def _lines(sources: Mapping[str, str], document: Mapping[str, object]) -> Iterator[_Line]:
    """Yield each rule of each list, with its place."""
    for route_set, table in document.items():
        for grantee, texts in _rule_lists(route_set, table):
            for text in texts:
                yield _Line(sources[route_set], (route_set,), grantee, text)


def _rule_lists(route_set: str, table: object) -> Iterator[tuple[Grantee, list[str]]]:
    if not isinstance(table, dict):
        message = f'access map: {route_set!r} is not a table. A route set looks like ["v2"]'
        raise Misconfigured(message)
    for name, value in table.items():
        if name in (APP_FROM_KEY, WEBSOCKET, PERMISSIONS, UNDECIDED):
            continue
        if name not in _GRANTEES:
            message = f"access map: [{route_set}] contains {name!r}, which is not one of {_names()}"
            raise Misconfigured(message)
        yield _GRANTEES[name], _texts(f"[{route_set}] {name}", value)


def _texts(where: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        message = f"access map: {where} must be a list of strings"
        raise Misconfigured(message)
    return value


def _names() -> str:
    return ", ".join((APP_FROM_KEY, WEBSOCKET, PERMISSIONS, *GRANTEES))


def _takes_app_from_key(route_set: str, table: object) -> bool:
    value = table.get(APP_FROM_KEY, False) if isinstance(table, dict) else False
    if not isinstance(value, bool):
        message = f"access map: [{route_set}] {APP_FROM_KEY} must be true or false"
        raise Misconfigured(message)
    return value


def _refuse_undecided(source: str, route_set: str, value: object) -> None:
    for text in _texts(f"[{route_set}] {UNDECIDED}", value):
        _Line(source, (route_set,), UNDECIDED, text).refuse(
            "it is undecided. Add it to the list of each scope that may reach it, or delete it"
            " if no key may"
        )


def _permissions(
    source: str,
    table: tuple[str, ...],
    named: object,
    own: Mapping[Grantee, Sequence[Rule]],
    websocket: frozenset[Scope],
) -> dict[str, Permission]:
    """Read the permissions of one route set, whose rules and WebSocket scopes they narrow."""
    where = f"[{'.'.join(table)}]"
    if not isinstance(named, dict):
        message = f"access map: {where} is not a table"
        raise Misconfigured(message)
    permissions: dict[str, Permission] = {}
    for name, value in named.items():
        if not is_permission(name):
            message = (
                f"access map: {where} contains {name!r}, which is not a permission name. Use a"
                f" letter, then letters, digits and : . _ -, at most {MAX_PERMISSION_LENGTH}"
                f" characters"
            )
            raise Misconfigured(message)
        description, rules = _description_and_rules(f"{where} {name}", value)
        texts = _texts(f"{where} {name}", rules)
        if not texts:
            message = f"access map: {where} {name} has no rules"
            raise Misconfigured(message)
        lines = [_Line(source, table, name, text) for text in texts]
        opens = any(text == WEBSOCKET for text in texts)
        if opens and not websocket:
            lines[texts.index(WEBSOCKET)].refuse("no scope of this set opens a WebSocket")
        narrowed = [_narrowed(line, own) for line in lines if line.text != WEBSOCKET]
        permissions[name] = Permission(
            rules={grantee: joined(narrowed, grantee) for grantee in GRANTED},
            websocket_scopes=websocket if opens else frozenset(),
            description=description,
        )
    return permissions


def _description_and_rules(where: str, value: object) -> tuple[str, object]:
    """Return the two parts of a permission that is a table; a list has no description."""
    if not isinstance(value, dict):
        return "", value
    if unknown := value.keys() - {"description", "rules"}:
        message = f"access map: {where} holds {min(unknown)!r}; use description and rules"
        raise Misconfigured(message)
    if "description" not in value:
        return "", value.get("rules")
    text = value["description"]
    is_text = isinstance(text, str) and text.isprintable() and text.strip() != ""
    if not is_text or len(text) > MAX_DESCRIPTION_LENGTH:
        message = (
            f"access map: the description of {where} must be one line of 1 to"
            f" {MAX_DESCRIPTION_LENGTH} characters"
        )
        raise Misconfigured(message)
    return text, value.get("rules")


def _narrowed(
    line: _Line, own: Mapping[Grantee, Sequence[Rule]]
) -> Mapping[Grantee, tuple[Rule, ...]]:
    """Return what each grantee's own rules and a rule of a permission both allow."""
    scope, permitted = _read_permitted(line)
    narrowed = {
        grantee: tuple(
            rule
            for each in (own[grantee] if scope in (None, _SCOPES[grantee]) else ())
            if (rule := each.narrowed_to(permitted)) and _is_bound(rule, grantee)
        )
        for grantee in GRANTED
    }
    if not any(narrowed.values()):
        line.refuse("no scope of this set reaches it")
    return narrowed


def _is_bound(rule: Rule, grantee: Grantee) -> bool:
    """Return whether a policy of the grantee can contain the path.

    A star in place of another placeholder would match slashes, too. The same is true of an external
    id that is open: nothing is known of its length.
    """
    if rule.tail != "*" and _APP_EXTERNAL in _OPEN_ENDED[grantee].intersection(rule.segments):
        return False
    return all(
        segment in PLACEHOLDERS[grantee] for segment in rule.segments if segment.startswith("{")
    )


def _websocket_scopes(route_set: str, table: object) -> frozenset[Scope]:
    names = table.get(WEBSOCKET, []) if isinstance(table, dict) else []
    if not isinstance(names, list) or not {*names} <= {*Scope}:
        message = f"access map: [{route_set}] websocket must be a list of {', '.join(Scope)}"
        raise Misconfigured(message)
    return frozenset(Scope(name) for name in names)


def _read_rule(line: _Line) -> Rule:
    methods, path = _methods_and_path(line, line.text)
    segments, subtree = _segments(path)
    if not segments:
        line.refuse(
            "a subtree requires a segment before /*, because it would also reach the management API"
        )
    for segment in segments:
        if segment not in PLACEHOLDERS[line.grantee]:
            _refuse_misplaced_external_id(line, segment)
            _check_literal(line, segment, line.grantee, PLACEHOLDERS[line.grantee])
    _refuse_repeated_placeholders(line, segments)
    open_ended = _ends_open(line, segments, subtree=subtree)
    tail: Literal["", "/*", "*"] = "*" if open_ended else "/*" if subtree else ""
    return Rule(methods, tuple(segments), tail)


def _read_permitted(line: _Line) -> tuple[Scope | None, Rule]:
    """Read a rule of a permission, which only ever narrows the rules of a scope.

    `SCOPE: METHODS PATH` narrows those of one scope only. `METHODS *` narrows nothing but the
    methods. A segment of question marks represents an id of that many characters that no principal
    has.
    """
    name, colon, text = line.text.partition(": ")
    if colon and name not in {*Scope}:
        line.refuse(f"{name!r} is not a scope. The scopes are {', '.join(Scope)}")
    scope = Scope(name) if colon else None
    methods, path = _methods_and_path(line, text if colon else line.text, anything="*")
    if path == "*":
        return scope, Rule(methods, (), "/*")
    segments, subtree = _segments(path)
    for segment in segments:
        if segment not in _ANY_PLACEHOLDER and set(segment) != {"?"}:
            _check_literal(line, segment, "a permission", _ANY_PLACEHOLDER)
    _refuse_repeated_placeholders(line, segments)
    return scope, Rule(methods, tuple(segments), "/*" if subtree else "")


def _methods_and_path(line: _Line, text: str, anything: str = "") -> tuple[tuple[str, ...], str]:
    methods_text, space, path = text.partition(" ")
    methods = tuple(methods_text.split(","))
    if not space or not (path.startswith("/") or (anything and path == anything)):
        line.refuse("a rule is METHODS PATH, such as 'GET,POST /v2/apps'")
    for method in methods:
        if method not in METHODS:
            allowed = ", ".join(METHODS)
            line.refuse(f"{method!r} is not a method. List methods one by one: {allowed}")
    if len(set(methods)) != len(methods):
        line.refuse("a method is repeated")
    return methods, path


def _segments(path: str) -> tuple[list[str], bool]:
    """Return the segments of a path, and whether it ends with a star for all below them."""
    segments = path[1:].split("/")
    subtree = segments[-1] == "*"
    return (segments[:-1] if subtree else segments), subtree


def _refuse_repeated_placeholders(line: _Line, segments: Sequence[str]) -> None:
    placeholders = [segment for segment in segments if segment.startswith("{")]
    if len(set(placeholders)) != len(placeholders):
        line.refuse("a placeholder is repeated")


def _refuse_misplaced_external_id(line: _Line, segment: str) -> None:
    if segment not in _EXTERNAL:
        return
    if line.grantee is Scope.ACCOUNT:
        line.refuse(
            f"{segment} does not identify the service account that created an app, and service"
            f" accounts share the rules of account. Move the rule to userAccount"
        )
    if line.grantee is OtherGrantee.NEVER:
        line.refuse(
            f"never cannot contain {segment}, because not every policy has that id. Leave the"
            f" route out of the rules to close it"
        )


def _check_literal(line: _Line, segment: str, whose: str, placeholders: Iterable[str]) -> None:
    if segment.startswith("{"):
        known = ", ".join(sorted(placeholders))
        line.refuse(f"{segment} is not a placeholder of {whose}. It has {known}")
    if "*" in segment or "?" in segment:
        line.refuse("a star is allowed only at the end, as /*, and a question mark nowhere")
    if segment in {"", "."} or segment.startswith("..") or _LITERAL.fullmatch(segment) is None:
        line.refuse(f"{segment!r} is not a path segment. Use letters, digits and . _ ~ -")
    if _LIKE_AN_ID.match(segment):
        line.refuse(f"{segment!r} begins like an id. An account with that id would reach the path")


def _ends_open(line: _Line, segments: Sequence[str], *, subtree: bool) -> bool:
    open_ended = _OPEN_ENDED[line.grantee].intersection(segments)
    if not open_ended:
        return False
    if len(open_ended) > 1 or segments[-1] not in open_ended or not subtree:
        line.refuse(
            f"in the account scope {min(open_ended)} stands for many ids, so it must be the last"
            f" segment, followed by /*"
        )
    if _APP_EXTERNAL in open_ended and not _NAMING_AN_ACCOUNT.intersection(segments):
        line.refuse(
            f"in the account scope {_APP_EXTERNAL} stands for the id of any app, so the path"
            " requires {accountId} or {accountExternalId} before it"
        )
    return True


def _refuse_reaching_others(line: _Line, rule: Rule, others: Collection[Rule]) -> None:
    """Reject a subtree that contains ids that the rule's scope must bind.

    `/v2/*` would reach `/v2/apps/{appId}` of every app.
    """
    if not rule.tail:
        return
    depth, not_spanned = len(rule.segments), _NOT_SPANNED[line.grantee]
    for other in others:
        if not _may_begin_alike(rule, other, depth):
            continue
        if below := not_spanned.intersection(other.segments[depth:]):
            line.refuse(f"it reaches {other.path} of others, because it does not bind {min(below)}")


def _refuse_users_without_an_app(
    line: _Line, rule: Rule, without_app: Iterable[Rule], from_key: Collection[str]
) -> None:
    """Reject a user id that does not identify exactly one user.

    User ids are unique only within an app. If a path does not name the app, the backend must know
    it from the key, and a key of an account has many apps.
    """
    if _names_no_app(rule) and line.route_set not in from_key:
        line.refuse(
            f"{{userId}} identifies a user within an app, so the path requires {{appId}} or"
            f" {_APP_EXTERNAL}, or the set {APP_FROM_KEY} = true"
        )
    if _APP not in _OPEN_ENDED[line.grantee]:
        return
    for other in without_app:
        depth = min(len(rule.segments), len(other.segments))
        if rule.can_be_as_long_as(other) and _may_begin_alike(rule, other, depth):
            line.refuse(
                f"it reaches {other.path}, whose app comes from the key, and an account"
                f" has many apps"
            )


def _names_no_app(rule: Rule) -> bool:
    return _USER in rule.segments and _NAMING_AN_APP.isdisjoint(rule.segments)


def _refuse_user_ids_of_others(line: _Line, rule: Rule, others: Collection[Rule]) -> None:
    """Reject a user id that could be part of another route.

    Callers choose user ids. With a rule for `/users/{userId}`, a user named `all` would reach the
    route `/users/all`, and callers of that route would reach the user.
    """
    if _USER not in rule.segments:
        return
    depth = rule.segments.index(_USER)
    for other in others:
        is_beside = len(other.segments) > depth and _may_begin_alike(rule, other, depth)
        if is_beside and other.segments[depth] != _USER:
            line.refuse(f"a {{userId}} could be the {other.segments[depth]} of {other.path}")


def _refuse_integrations_of_others(line: _Line, rule: Rule, others: Collection[Rule]) -> None:
    """Reject an integration's id that does not name exactly one integration.

    The creator of a key chooses the integration's id, which could be the id of another's app.
    """
    if _INTEGRATION not in rule.segments:
        return
    if _NAMING_AN_APP.isdisjoint(rule.segments):
        line.refuse(
            "{integrationId} identifies an integration within an app, so the path requires"
            f" {{appId}} or {_APP_EXTERNAL}"
        )
    depth = rule.segments.index(_INTEGRATION)
    for other in others:
        is_beside = len(other.segments) > depth and _may_begin_alike(rule, other, depth + 1)
        if is_beside and other.segments[depth] != _INTEGRATION:
            line.refuse(
                f"an {{integrationId}} could be the {other.segments[depth]} of {other.path}"
            )


def _refuse_external_ids_of_others(line: _Line, rule: Rule, others: Collection[Rule]) -> None:
    """Reject an external id that could be part of another route, or another kind of id.

    An account with the id `all` would reach `/tenants/all`, and an app could have the id of an
    account. The id `v2` would reach Keyscope's own routes if a path began with it.
    """
    for depth, segment in enumerate(rule.segments):
        if segment not in _EXTERNAL:
            continue
        if depth == 0:
            line.refuse(f"the first segment of a path with {segment} must be literal")
        for other in others:
            is_beside = len(other.segments) > depth and _may_begin_alike(rule, other, depth)
            if is_beside and other.segments[depth] != segment:
                line.refuse(
                    f"{segment} is where {other.path} has {other.segments[depth]}, and one"
                    " could be the other. Put a literal segment before one of them"
                )


def _refuse_closed_routes_that_stay_open(
    line: _Line, rule: Rule, closed: Iterable[tuple[_Line, Rule]]
) -> None:
    """Reject a rule that reaches a route of `never` if a policy could not deny that route.

    A policy denies such a route with the placeholders of the rule. If one has `{accountId}` and the
    other `{appId}`, the policy would not contain a Deny.
    """
    if line.grantee is OtherGrantee.NEVER:
        return
    for never_line, never in closed:
        if not {*rule.methods} & {*never.methods}:
            continue
        depth = min(len(rule.segments), len(never.segments))
        if not rule.can_be_as_long_as(never) or not _may_begin_alike(rule, never, depth):
            continue
        if rule.segments[:depth] != never.segments[:depth]:
            line.refuse(
                f"it reaches {never.path} of never, line {never_line.number}, with other"
                f" placeholders. Use the same ones in both"
            )


def _may_begin_alike(one: Rule, other: Rule, depth: int) -> bool:
    """Return whether the first `depth` segments of both rules can match the same text."""
    if len(other.segments) < depth:
        return False
    # A loop, because generators would take a large part of every start.
    for position, segment in enumerate(one.segments[:depth]):
        if segment != other.segments[position] and not _may_be_alike(one, other, position):
            return False
    return True


def _may_be_alike(one: Rule, other: Rule, position: int) -> bool:
    """Return whether the segments of both rules at a position can match the same text.

    User ids and external ids can be any text. Other ids can be equal only if they have the same
    length, or if one of them is a prefix of many ids. No literal begins like an id.
    """
    segment, others = one.segments[position], other.segments[position]
    if segment == others or segment in _ANY_TEXT or others in _ANY_TEXT:
        return True
    if segment not in _LENGTHS or others not in _LENGTHS:
        return False
    same_length = _LENGTHS[segment] == _LENGTHS[others]
    last = (rule.tail == "*" and position == len(rule.segments) - 1 for rule in (one, other))
    return same_length or any(last)
