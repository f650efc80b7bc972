"""Reports the results of a run: a table, and what to change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.markup import escape
from rich.table import Table

from platform_checks.facts import Check, Found, Observation

AS_EXPECTED: Final = 0
OTHERWISE: Final = 1
IN_DOUBT: Final = 3


@dataclass(frozen=True, slots=True)
class Result:
    """A check with its observation."""

    check: Check
    observation: Observation

    @property
    def is_otherwise(self) -> bool:
        """Whether the platform differs from what Keyscope assumes."""
        found = self.observation.found
        return found is not Found.UNKNOWN and found is not self.check.expected

    @property
    def is_in_doubt(self) -> bool:
        """Whether the platform could have shown the fact but did not."""
        return self.observation.found is Found.UNKNOWN and not self.observation.beyond_reach


def table_of(results: Sequence[Result]) -> Table:
    """Return the results as a table."""
    table = Table("Fact", "Mark", "Expected", "Found", "What was seen", "Evidence")
    for result in results:
        check, observation = result.check, result.observation
        table.add_row(
            f"{check.name}\n{check.statement}",
            check.mark,
            check.expected,
            observation.found,
            # AWS's messages may contain brackets, which rich reads as styles.
            escape(observation.detail),
            _lines(observation.evidence),
            style="red" if result.is_otherwise else "yellow" if result.is_in_doubt else None,
        )
    return table


def advice(results: Sequence[Result]) -> list[str]:
    """Return what to change, one line for each fact that does not hold as expected."""
    return [_advice(each.check, each.observation) for each in results if each.is_otherwise]


def exit_status(results: Sequence[Result]) -> int:
    """Return 1 if a fact does not hold as expected, else 3 if one stays in doubt, else 0."""
    if any(each.is_otherwise for each in results):
        return OTHERWISE
    return IN_DOUBT if any(each.is_in_doubt for each in results) else AS_EXPECTED


def _advice(check: Check, observation: Observation) -> str:
    local = f' Local gateway: PLATFORM="{check.local_setting}".' if check.local_setting else ""
    return (
        f"{check.name} is {observation.found}, not {check.expected}.{local} Stack: {check.remedy}."
    )


def _lines(evidence: Sequence[str]) -> str:
    return evidence[0] if len(evidence) == 1 else "-".join([*evidence[:1], *evidence[-1:]])
