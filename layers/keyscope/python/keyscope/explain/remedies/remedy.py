"""A remedy, and how the one that fits is found."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from keyscope.errors import Reason
from keyscope.explain.known import Known


class Remedy(NamedTuple):
    """What to do about one cause, and how to recognize the cause."""

    holds: Callable[[Known], bool]
    advice: str


Remedies = tuple[Remedy, ...]
"""The remedies of one reason. The first whose cause holds applies, and the last always does."""
RemediesByReason = Mapping[Reason, Remedies]


def otherwise(advice: str) -> Remedy:
    """Return the remedy for when no other cause of a reason is recognized."""
    return Remedy(lambda _: True, advice)


def advice_among(remedies: Sequence[Remedy], known: Known) -> str:
    """Return the advice of the first remedy whose cause holds."""
    return next(remedy.advice for remedy in remedies if remedy.holds(known))


def only_if(condition: Callable[[Known], bool], remedies: Sequence[Remedy]) -> Remedies:
    """Return the remedies with one more condition."""

    def narrowed(remedy: Remedy) -> Remedy:
        return Remedy(lambda known: condition(known) and remedy.holds(known), remedy.advice)

    return tuple(map(narrowed, remedies))
