"""Run the checks, one after the other."""

from collections.abc import Iterable

from canary.checks import CHECKS
from canary.facts import Check, Finding, unknown
from canary.probe_api import Unanswered
from canary.report import Result
from canary.subject import Subject


def run_checks(subject: Subject, checks: Iterable[Check] = CHECKS) -> list[Result]:
    """Return what each check found; one that nothing answers does not end the others."""
    return [Result(check, _found_by(check, subject)) for check in checks]


def _found_by(check: Check, subject: Subject) -> Finding:
    try:
        return check.run(subject)
    except Unanswered as error:
        return unknown(str(error))
