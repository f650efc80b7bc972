"""The words of the canary: a check of a fact, and what it found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from platform_checks.subject import Subject


class Mark(StrEnum):
    """How surely a fact is known before it is checked."""

    DOCUMENTED = "D"
    OBSERVED = "O"
    UNPROVEN = "?"


class Found(StrEnum):
    """What a check found its statement to be."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """A check's outcome. `evidence` names lines of the evidence file.

    `beyond_reach` tells that the place which was asked cannot show it, whatever it does.
    """

    found: Found
    detail: str
    evidence: Sequence[str] = ()
    beyond_reach: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """A statement about the platform, whether it is expected to hold, and how to find out.

    Where it is found otherwise, `local_setting` makes the local gateway do so as well (empty where
    it cannot), and `remedy` says what it means for a stack.
    """

    name: str
    statement: str
    mark: Mark
    expected: Found
    local_setting: str
    remedy: str
    run: Callable[[Subject], Finding]


def yes_or_no(*, holds: bool, detail: str, evidence: Sequence[str]) -> Finding:
    """Return a finding that is not in doubt."""
    return Finding(Found.YES if holds else Found.NO, detail, evidence)


def unknown(detail: str, evidence: Sequence[str] = ()) -> Finding:
    """Return the finding of a check that was answered, but not clearly."""
    return Finding(Found.UNKNOWN, detail, evidence)


def beyond_reach(detail: str) -> Finding:
    """Return the finding of a check that the place which was asked cannot answer."""
    return Finding(Found.UNKNOWN, detail, beyond_reach=True)
