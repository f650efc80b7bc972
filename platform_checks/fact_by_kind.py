"""A fact about API Gateway, and its checks, one for each kind of API."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from local.gateway.api_definition import ApiKind
from platform_checks.facts import Check, Found, Mark, Observation
from platform_checks.subject import Subject


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
