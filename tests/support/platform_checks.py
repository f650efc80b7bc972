"""The canary's checks against the local gateway, on a clock that never waits."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from keyscope_local.gateway.platform_settings import read_behaviors
from platform_checks.checks import CHECKS, run_checks
from platform_checks.evidence import Evidence
from platform_checks.facts import Check
from platform_checks.local_platform import local_subject
from platform_checks.report import Result
from platform_checks.subject import Clock, Subject
from tests.support.local_gateway import NOW


@dataclass
class Waiting:
    """A clock that only waiting moves on."""

    at: float = NOW
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    def clock(self) -> Clock:
        return Clock(self.now, self.sleep, margin_seconds=1)


@contextmanager
def served_subject(platform: str = "", lines: list[str] | None = None) -> Iterator[Subject]:
    """Serve the probe APIs by a gateway that behaves as the settings say."""
    evidence = Evidence((lines if lines is not None else []).append)
    with local_subject(read_behaviors(platform), evidence, Waiting().clock()) as subject:
        yield subject


def results_by_name(platform: str, checks: tuple[Check, ...] = CHECKS) -> Mapping[str, Result]:
    with served_subject(platform) as subject:
        return {result.check.name: result for result in run_checks(subject, checks)}
