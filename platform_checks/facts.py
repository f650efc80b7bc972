"""The terms of the canary: facts about API Gateway, their checks, and what a check observed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from keyscope_local.gateway.api_definition import ApiKind
from platform_checks.subject import Subject


class Mark(StrEnum):
    """How certain a fact is before it is checked."""

    DOCUMENTED = "D"
    OBSERVED = "O"
    UNPROVEN = "?"


class Found(StrEnum):
    """Whether a check found its statement to hold."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Observation:
    """What a check observed. `evidence` names lines of the evidence file.

    `beyond_reach` means that the checked platform cannot show the fact at all.
    """

    found: Found
    detail: str
    evidence: Sequence[str] = ()
    beyond_reach: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """A statement about the platform, whether it is expected to hold, and how to find out.

    If the platform behaves otherwise, `local_setting` makes the local gateway behave the same way
    (empty if it cannot), and `remedy` says what that means for a stack.
    """

    name: str
    statement: str
    mark: Mark
    expected: Found
    local_setting: str
    remedy: str
    run: Callable[[Subject], Observation]


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement, with its mark and expected answer for each kind of API.

    `local` is the setting with which the local gateway behaves differently.
    """

    kinds: Mapping[ApiKind, tuple[Mark, Found]]
    name: str
    statement: str
    run: Callable[[Subject, ApiKind], Observation]
    local: str = ""
    remedy: str = "nothing to change"

    def checks(self) -> Iterator[Check]:
        """Return the checks."""
        for kind, (mark, expected) in self.kinds.items():
            otherwise = "false" if expected is Found.YES else "true"
            setting = f"{kind.lower()}.{self.local.replace('OTHERWISE', otherwise)}"
            yield Check(
                name=f"{kind.lower()}-{self.name}",
                statement=f"{kind}: {self.statement}",
                mark=mark,
                expected=expected,
                local_setting=setting if self.local else "",
                remedy=self.remedy,
                run=partial(_run, self.run, kind),
            )


def _run(
    run: Callable[[Subject, ApiKind], Observation], kind: ApiKind, subject: Subject
) -> Observation:
    return run(subject, kind)


def both(mark: Mark, expected: Found) -> dict[ApiKind, tuple[Mark, Found]]:
    """Return the kinds of a fact that is the same for both."""
    return dict.fromkeys(ApiKind, (mark, expected))


def only(kind: ApiKind, mark: Mark) -> dict[ApiKind, tuple[Mark, Found]]:
    """Return the kinds of a fact that only one kind of API has."""
    return {kind: (mark, Found.YES)}


def yes_or_no(*, holds: bool, detail: str, evidence: Sequence[str]) -> Observation:
    """Return a clear observation."""
    return Observation(Found.YES if holds else Found.NO, detail, evidence)


def unknown(detail: str, evidence: Sequence[str] = ()) -> Observation:
    """Return the observation of a check whose responses are not clear."""
    return Observation(Found.UNKNOWN, detail, evidence)


def beyond_reach(detail: str) -> Observation:
    """Return the observation of a check that the platform cannot answer."""
    return Observation(Found.UNKNOWN, detail, beyond_reach=True)
