"""Runs the checks one after the other."""

from collections.abc import Iterable

from platform_checks.checks import CHECKS
from platform_checks.facts import Check, Observation, unknown
from platform_checks.probe_api import Unanswered
from platform_checks.report import Result
from platform_checks.subject import Subject


def run_checks(subject: Subject, checks: Iterable[Check] = CHECKS) -> list[Result]:
    """Return what each check found; a check without a response does not stop the others."""
    return [Result(check, _found_by(check, subject)) for check in checks]


def _found_by(check: Check, subject: Subject) -> Observation:
    try:
        return check.run(subject)
    except Unanswered as error:
        return unknown(str(error))
