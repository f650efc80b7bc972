"""The terms of the canary: a check of a fact, and what it observed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

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


def yes_or_no(*, holds: bool, detail: str, evidence: Sequence[str]) -> Observation:
    """Return a clear observation."""
    return Observation(Found.YES if holds else Found.NO, detail, evidence)


def unknown(detail: str, evidence: Sequence[str] = ()) -> Observation:
    """Return the observation of a check whose responses are not clear."""
    return Observation(Found.UNKNOWN, detail, evidence)


def beyond_reach(detail: str) -> Observation:
    """Return the observation of a check that the platform cannot answer."""
    return Observation(Found.UNKNOWN, detail, beyond_reach=True)
