"""What a run of the canary tells, and its exit status."""

import io

import pytest
from rich.console import Console

from platform_checks.checks import run_checks
from platform_checks.facts import Check, Found, Mark, Observation, beyond_reach, unknown, yes_or_no
from platform_checks.probe_api import Unanswered
from platform_checks.report import Result, advice, exit_status, table_of
from platform_checks.subject import Subject
from tests.support.platform_checks import served_subject

YES = yes_or_no(holds=True, detail="seen", evidence=["e1", "e2", "e3"])
NO = yes_or_no(holds=False, detail="seen", evidence=["e4"])


def check(expected: Found = Found.YES, observation: Observation = YES) -> Check:
    def run(_: Subject) -> Observation:
        return observation

    return Check("a-fact", "It holds", Mark.UNPROVEN, expected, "rest.a=true", "do so", run)


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([YES], 0),
        ([YES, beyond_reach("not here")], 0),
        ([YES, unknown("unclear")], 3),
        ([YES, unknown("unclear"), NO], 1),
    ],
    ids=["all expected", "one that cannot be shown", "one in doubt", "one otherwise"],
)
def test_the_exit_status_is_the_worst_finding(findings: list[Observation], status: int) -> None:
    assert exit_status([Result(check(), observation) for observation in findings]) == status


def test_no_may_be_what_is_expected() -> None:
    assert exit_status([Result(check(Found.NO), NO)]) == 0
    assert exit_status([Result(check(Found.NO), YES)]) == 1


def test_what_is_found_otherwise_comes_with_what_to_change() -> None:
    told = 'a-fact is no, not yes. Local gateway: PLATFORM="rest.a=true". Stack: do so.'
    assert advice([Result(check(), YES), Result(check(), NO)]) == [told]


def test_the_table_shows_what_aws_says_in_brackets() -> None:
    console = Console(file=io.StringIO(), width=150)
    console.print(table_of([Result(check(), unknown("refused [bold] it"))]))
    assert isinstance(console.file, io.StringIO)
    assert "refused [bold] it" in console.file.getvalue()


def test_the_table_names_fact_mark_expectation_finding_and_evidence() -> None:
    console = Console(file=io.StringIO(), width=150)
    console.print(table_of([Result(check(), YES)]))
    assert isinstance(console.file, io.StringIO)
    told = console.file.getvalue()
    for cell in ("a-fact", "It holds", "?", "yes", "seen", "e1-e3"):
        assert f" {cell} " in told


def test_a_check_that_nothing_answers_does_not_end_the_others() -> None:
    def silent(_: Subject) -> Observation:
        message = "nobody there"
        raise Unanswered(message)

    broken = Check("broken", "", Mark.OBSERVED, Found.YES, "", "", silent)
    with served_subject() as subject:
        found = [each.observation for each in run_checks(subject, [broken, check()])]
    assert found == [unknown("nobody there"), YES]
