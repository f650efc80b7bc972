"""Expectations of an access map: which callers may send which requests, and a report for CI.

`docs/how-to/test-an-access-map.md` describes the file.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn
from xml.etree import ElementTree as ET

from keyscope.access.access_map import METHODS, WEBSOCKET
from keyscope.model.key_limits import is_permission
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.maps.decisions import (
    CALLERS,
    CALLERS_BY_NAME,
    EXAMPLES,
    PLACEHOLDER,
    Caller,
    Decision,
    Decisions,
)
from keyscope_cli.maps.map_file import text_of
from keyscope_cli.output import shown

_MEMBERS: Final = frozenset({"request", "allow", "permissions"})
_WHOLE_FILE: Final = frozenset({"routes", "ids", "expect"})


@dataclass(frozen=True, slots=True)
class Expectation:
    """One request, and the callers that may send it. All others must be denied.

    `request` is how the file names it. `path` has only placeholders of `EXAMPLES`. `permissions`
    are those of the callers' keys, or `None` for keys that have none.
    """

    request: str
    method: str
    path: str
    permissions: tuple[str, ...] | None
    allowed: frozenset[Caller]


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a file expects of a map, and the route sets that it names, which may be none."""

    routes: tuple[str, ...]
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """An expectation of one caller, and what the map decides."""

    expectation: Expectation
    caller: Caller
    decision: Decision

    @property
    def passed(self) -> bool:
        """Whether the map decides as expected, on both kinds of API."""
        return self.decision.allowed is (self.caller in self.expectation.allowed)

    @property
    def found(self) -> str:
        """What was found, for a person."""
        by = f" by {self.decision.resource}" if self.decision.resource else ""
        if self.decision.allowed is None:
            return f"REST API: {self.decision.rest}{by}; HTTP API: {self.decision.http}"
        return f"{self.decision.rest}{by}"


def read_expectations(file: Path) -> Expectations:
    """Read a file of expectations.

    Raises:
        Failure: with the place and what is wrong.
    """
    try:
        document = tomllib.loads(text_of(file))
    except tomllib.TOMLDecodeError as error:
        raise Failure(ExitStatus.USAGE, f"{file} does not contain TOML: {error}.") from None
    return _Reader(file).expectations(document)


def outcomes_of(decisions: Decisions, expectations: Sequence[Expectation]) -> list[Outcome]:
    """Return what the map decides about each expectation, for each kind of caller."""
    return [
        Outcome(
            each,
            caller,
            decisions.decide(caller, each.method, caller.fill(each.path), each.permissions),
        )
        for each in expectations
        for caller in CALLERS
    ]


def junit_report(outcomes: Sequence[Outcome]) -> str:
    """Return a JUnit report with a test case for each request and caller."""
    failures = sum(not outcome.passed for outcome in outcomes)
    counts = {"tests": str(len(outcomes)), "failures": str(failures)}
    suites = ET.Element("testsuites", counts)
    suite = ET.SubElement(suites, "testsuite", {"name": "keyscope access test", **counts})
    for outcome in outcomes:
        each = outcome.expectation
        limited = "" if each.permissions is None else f" [{' '.join(each.permissions)}]"
        case = ET.SubElement(
            suite,
            "testcase",
            {
                "classname": outcome.caller.name,
                "name": shown(f"{each.request}{limited}: {expected_of(outcome)}"),
            },
        )
        if not outcome.passed:
            ET.SubElement(case, "failure", {"message": shown(outcome.found)})
    ET.indent(suites)
    text: str = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def expected_of(outcome: Outcome) -> str:
    """Return what is expected of a caller's request, in one word."""
    return "allowed" if outcome.caller in outcome.expectation.allowed else "denied"


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads a file of expectations; every error names the place."""

    file: Path

    def expectations(self, document: Mapping[str, object]) -> Expectations:
        if unknown := document.keys() - _WHOLE_FILE:
            self._refuse(
                min(unknown),
                "is not a member of this file; use routes, ids and [[expect]]."
                " The access map comes first, then the expectations",
            )
        ids = self._ids(document.get("ids", {}))
        listed = document.get("expect", [])
        if not isinstance(listed, list) or not listed:
            self._refuse("[[expect]]", "is missing; add one for each request")
        found = (
            one
            for number, each in enumerate(listed, 1)
            for one in self._expectation(f"[[expect]] {number}", each, ids)
        )
        return Expectations(
            routes=self._texts("routes", document.get("routes", [])), expectations=tuple(found)
        )

    def _ids(self, value: object) -> Mapping[str, str]:
        if not isinstance(value, dict):
            self._refuse("[ids]", "must be a table of strings")
        for name, text in value.items():
            if name in EXAMPLES:
                self._refuse(f"[ids] {name}", "is the name of a Keyscope ID; use another name")
            if not isinstance(text, str) or not text:
                self._refuse(f"[ids] {name}", "must be a string")
            self._check_placeholders(f"[ids] {name}", text)
        return value

    def _expectation(
        self, where: str, value: object, ids: Mapping[str, str]
    ) -> Iterator[Expectation]:
        if not isinstance(value, dict) or not {"request", "allow"} <= value.keys() <= _MEMBERS:
            self._refuse(
                where, "must have request and allow, may have permissions, and nothing else"
            )
        methods, written = self._request(where, value["request"])
        where = f"{where}, {value['request']!r}"
        path = PLACEHOLDER.sub(lambda found: ids.get(found[1], found[0]), written)
        self._check_placeholders(where, path)
        names = self._texts(f"{where}: allow", value["allow"])
        for name in names:
            if name not in CALLERS_BY_NAME:
                known = ", ".join(sorted(CALLERS_BY_NAME))
                self._refuse(where, f"allows {name!r}; use {known}")
        permissions = None
        if "permissions" in value:
            permissions = self._texts(f"{where}: permissions", value["permissions"])
            if not permissions or not all(map(is_permission, permissions)):
                self._refuse(where, "has no valid permissions; name one or more, or leave them out")
        allowed = frozenset(caller for name in names for caller in CALLERS_BY_NAME[name])
        for method in methods:
            request = WEBSOCKET if method == WEBSOCKET else f"{method} {written}"
            yield Expectation(request, method, path, permissions, allowed)

    def _request(self, where: str, text: object) -> tuple[list[str], str]:
        if text == WEBSOCKET:
            return [WEBSOCKET], "/"
        methods, space, path = text.partition(" ") if isinstance(text, str) else ("", "", "")
        listed = methods.split(",")
        if not space or not path.startswith("/") or not {*listed} <= {*METHODS}:
            self._refuse(where, f"{text!r} is not a request; use METHODS PATH, or {WEBSOCKET}")
        if "*" in path or "?" in path:
            self._refuse(where, f"{text!r} is a pattern or has a query; use a path")
        return listed, path

    def _check_placeholders(self, where: str, text: str) -> None:
        for name in PLACEHOLDER.findall(text):
            if name not in EXAMPLES:
                known = ", ".join(EXAMPLES)
                self._refuse(where, f"{{{name}}} has no value; set it in [ids], or use {known}")

    def _texts(self, where: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self._refuse(where, "must be a list of strings")
        return tuple(value)

    def _refuse(self, where: str, reason: str) -> NoReturn:
        raise Failure(
            ExitStatus.USAGE,
            f"{self.file}: {where} {reason}.",
            "docs/how-to/test-an-access-map.md describes the file.",
        )


def check_permissions(file: Path, expectations: Expectations, known: Mapping[str, object]) -> None:
    """Check that a map knows the permissions of the expectations: an unknown one allows nothing.

    Raises:
        Failure: it does not know one.
    """
    for each in expectations.expectations:
        for name in each.permissions or ():
            if name not in known:
                names = ", ".join(known) or "none"
                message = (
                    f"{file}: {each.request}: the map does not define the permission {name!r}."
                )
                raise Failure(ExitStatus.USAGE, message, f"It defines {names}.")
