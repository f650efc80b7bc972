"""A draft of an access map from the operations of an API.

A rule cannot contain the ids of an API's own things, so what lies below such an id is a subtree. A
rule stays in the draft only if the policies that it leads to allow no operation that the document
does not assign to the same callers. Everything else is undecided, and no authorizer loads a map
with undecided operations.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from keyscope.access.access_map import PLACEHOLDERS, RefusedRule, read_access_map
from keyscope.access.grants import grants_of, permitted_of
from keyscope.access.method_arn import MAX_STAGE_LENGTH, longest_api_stage
from keyscope.access.policy import OWN_KEY_PATH, Fit, Policies
from keyscope.access.rules import OPEN_ENDED, AccessMap, Grantee, OtherGrantee
from keyscope.model.scopes import Scope
from keyscope_cli.maps.decisions import (
    CALLERS,
    CALLERS_BY_NAME,
    EXAMPLES,
    PLACEHOLDER,
    Caller,
    Decisions,
)
from keyscope_cli.maps.openapi import Operation

GRANTEES: Final[Mapping[str, Grantee]] = {
    **{scope.value: scope for scope in Scope},
    OtherGrantee.USER_ACCOUNT.value: OtherGrantee.USER_ACCOUNT,
}
"""The lists of a map that a document can assign an operation to, by name."""
ID_OF_OTHERS: Final = "0123456789abcdef01234567"
"""An example of an id that Keyscope does not know."""
_OPEN: Final[Mapping[Grantee, frozenset[str]]] = {
    grantee: frozenset(name.placeholder for name in OPEN_ENDED[grantee])
    for grantee in GRANTEES.values()
}


class DraftRule(NamedTuple):
    """One method and path of a list of the map."""

    grantee: Grantee
    method: str
    segments: tuple[str, ...]
    subtree: bool

    @property
    def path(self) -> str:
        """The path as it is written in a map."""
        return "/" + "/".join((*self.segments, "*") if self.subtree else self.segments)

    def covers(self, path: str) -> bool:
        """Return whether a policy may allow a path because of this rule."""
        own = "/" + "/".join(self.segments)
        rest = path.removeprefix(own)
        is_below = self.subtree and (
            rest.startswith("/") or own.endswith(tuple(_OPEN[self.grantee]))
        )
        return path.startswith(own) and (not rest or is_below)


class Draft(NamedTuple):
    """The rules that stay, and those that do not with the reason; each with its operations.

    `unassigned` are the operations that the document assigns to no caller, each with the reason.
    """

    kept: Mapping[DraftRule, tuple[Operation, ...]]
    refused: Mapping[DraftRule, tuple[Operation, ...]]
    reasons: Mapping[DraftRule, str]
    unassigned: Mapping[Operation, str]

    @property
    def undecided(self) -> frozenset[Operation]:
        """The operations that are undecided for at least one caller."""
        return frozenset(self.unassigned).union(*self.refused.values())


def draft_of(operations: Iterable[Operation], placeholders: Mapping[str, str]) -> Draft:
    """Assign the operations to callers as their document says.

    `placeholders` maps names of path parameters to ids of Keyscope's, such as `tenantId` to
    `accountId`.
    """
    return _Drafting(tuple(operations), placeholders).draft()


def known_names(operation: Operation) -> list[str]:
    """Return the lists that a document assigns an operation to."""
    return [name for name in GRANTEES if name in (operation.names or ())]


def name_of(operation: Operation) -> str:
    """Return the id of an operation, or its method and path."""
    return operation.name or f"{operation.method} {operation.path}"


@dataclass(frozen=True, slots=True)
class _Drafting:
    operations: tuple[Operation, ...]
    placeholders: Mapping[str, str]

    def draft(self) -> Draft:
        wanted: dict[DraftRule, list[Operation]] = {}
        unassigned: dict[Operation, str] = {}
        for each in self.operations:
            if why := _why_unassigned(each):
                unassigned[each] = why
                continue
            for name in known_names(each):
                wanted.setdefault(self._rule(GRANTEES[name], each), []).append(each)
        kept = {rule: tuple(found) for rule, found in wanted.items()}
        refused: dict[DraftRule, tuple[Operation, ...]] = {}
        reasons: dict[DraftRule, str] = {}
        # Removing a rule can give another one a new problem, so check again until none has one.
        while problems := self._problems(list(kept)):
            for rule, why in problems.items():
                refused[rule] = kept.pop(rule)
                reasons[rule] = why
        return Draft(kept, refused, reasons, unassigned)

    def _problems(self, rules: list[DraftRule]) -> dict[DraftRule, str]:
        """Return the rules that cannot stay beside the others, each with the reason."""
        source, rule_of_line = _source(rules)
        try:
            access_map = read_access_map(source, ["draft"])
        except RefusedRule as error:
            return {rule_of_line[error.number]: error.reason}
        decisions = Decisions(_unlimited(access_map))
        reached: dict[DraftRule, dict[str, None]] = {}
        for operation in self.operations:
            if operation.is_public or operation.path == OWN_KEY_PATH:
                continue
            for caller in CALLERS:
                if caller not in _callers_of(operation) and self._allows(
                    decisions, caller, operation
                ):
                    for rule in self._reasons(rules, caller, operation):
                        reached.setdefault(rule, {})[name_of(operation)] = None
        return {rule: f"it also reaches {', '.join(names)}" for rule, names in reached.items()}

    def _reasons(
        self, rules: list[DraftRule], caller: Caller, operation: Operation
    ) -> list[DraftRule]:
        """Return the rules because of which a caller reaches an operation; if unsure, too many."""
        applying = [
            rule
            for rule in rules
            if rule.method == operation.method and caller in CALLERS_BY_NAME[rule.grantee.value]
        ]
        path = "/" + "/".join(self._segments(operation))
        return [rule for rule in applying if rule.covers(path)] or applying

    def _allows(self, decisions: Decisions, caller: Caller, operation: Operation) -> bool:
        path = "/" + "/".join(self._segments(operation))
        example = PLACEHOLDER.sub(
            lambda found: EXAMPLES[found[1]].of(caller) if found[1] in EXAMPLES else ID_OF_OTHERS,
            path,
        )
        # A subtree also contains its own root with a slash after it.
        return any(
            decisions.decide(caller, operation.method, each).allowed is not False
            for each in (example, f"{example}/")
        )

    def _segments(self, operation: Operation) -> tuple[str, ...]:
        renamed = PLACEHOLDER.sub(
            lambda found: f"{{{self.placeholders.get(found[1], found[1])}}}", operation.path
        )
        return tuple(renamed[1:].split("/"))

    def _rule(self, grantee: Grantee, operation: Operation) -> DraftRule:
        """Return the narrowest rule that covers an operation."""
        kept: list[str] = []
        for segment in self._segments(operation):
            if segment in _OPEN[grantee]:
                return DraftRule(grantee, operation.method, (*kept, segment), subtree=True)
            if "{" in segment and (segment not in PLACEHOLDERS[grantee] or segment in kept):
                return DraftRule(grantee, operation.method, tuple(kept), subtree=True)
            kept.append(segment)
        return DraftRule(grantee, operation.method, tuple(kept), subtree=False)


def _why_unassigned(operation: Operation) -> str:
    """Return why a document assigns an operation to no caller, or nothing if it assigns it."""
    if operation.is_public:
        return (
            "The document requires no credential. Delete the line if the route has no authorizer."
        )
    if operation.names is None:
        return "The document does not say who may call it."
    if not known_names(operation):
        if not operation.names:
            return "The document names no scope."
        named = " and ".join(sorted(operation.names))
        return f"The document names {named}, which is not a Keyscope scope."
    return ""


def _callers_of(operation: Operation) -> frozenset[Caller]:
    return frozenset(caller for name in known_names(operation) for caller in CALLERS_BY_NAME[name])


def _source(rules: Iterable[DraftRule]) -> tuple[str, Mapping[int, DraftRule]]:
    """Return a map with one rule on each line, and the rule of each line."""
    lines, rule_of_line = ["[draft]"], {}
    by_grantee: dict[Grantee, list[DraftRule]] = {}
    for rule in rules:
        by_grantee.setdefault(rule.grantee, []).append(rule)
    for grantee, found in by_grantee.items():
        lines.append(f"{grantee.value} = [")
        for rule in found:
            lines.append(f"{toml_text(f'{rule.method} {rule.path}')},")
            rule_of_line[len(lines)] = rule
        lines.append("]")
    return "\n".join(lines), rule_of_line


def toml_text(text: str) -> str:
    """Return a text as a basic string of TOML 1.0."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _unlimited(access_map: AccessMap) -> Policies:
    """Return the policies of a map, whatever their size: a draft may still be too large."""
    fit = Fit(longest_stage_arn=len(longest_api_stage(MAX_STAGE_LENGTH).arn))
    return Policies(
        grants=grants_of(access_map),
        permitted=permitted_of(access_map),
        websocket_scopes=access_map.websocket_scopes,
        permissions={},
        fit=fit,
        limited_fit=fit,
    )
