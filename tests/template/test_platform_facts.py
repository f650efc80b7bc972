"""The page of platform facts, held against the canary's checks and the tests."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from platform_checks.checks import CHECKS
from platform_checks.facts import Check, Mark
from tools.reference import security_claims

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "reference" / "platform-facts.md").read_text("utf-8")


@dataclass(frozen=True)
class Row:
    """A row of the table of checks."""

    statement: str
    mark: str
    expected: str
    source: str
    checks: Sequence[str]


TABLES: Final = [
    line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")
]
CELLS_OF_CHECKED: Final = 5
CELLS_OF_OTHERS: Final = 3


def rows() -> list[Row]:
    """Return the rows of the facts that a check covers."""
    return [
        Row(statement, mark, expected, source, re.findall(r"`([a-z-]+)`", checks))
        for statement, mark, expected, source, checks in facts(CELLS_OF_CHECKED)
    ]


def facts(cells: int) -> list[list[str]]:
    return [row for row in TABLES if len(row) == cells and row[1] in {*Mark}]


def row_of(check: Check) -> Row:
    (row,) = [row for row in rows() if check.name in row.checks]
    return row


def test_every_check_is_listed_once_and_no_other() -> None:
    listed = [name for row in rows() for name in row.checks]
    assert sorted(listed) == sorted(check.name for check in CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_a_row_says_what_its_check_says(check: Check) -> None:
    row = row_of(check)
    statement = check.statement.partition(": ")[2]
    assert (row.statement.lower(), row.mark, row.expected) == (
        statement.lower(),
        check.mark,
        check.expected,
    )


def test_every_row_names_a_source() -> None:
    assert all(row.source for row in rows())


def test_every_fact_is_a_claim_with_tests_on_the_local_gateway() -> None:
    (claims,) = [
        section.claims
        for section in security_claims()
        if section.title.startswith("Platform facts")
    ]
    stated = {cells[0] for count in (CELLS_OF_CHECKED, CELLS_OF_OTHERS) for cells in facts(count)}
    assert {claim.says for claim in claims} == stated


def test_every_mark_is_explained() -> None:
    explained = re.search(r"^Marks:(.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert explained is not None
    assert set(re.findall(r"\*\*(.)\*\*", explained[1])) == {str(mark) for mark in Mark}


def test_every_exit_status_is_explained() -> None:
    told = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    main = (ROOT / "platform_checks" / "__main__.py").read_text("utf-8")
    documented = re.search(r"Exit status: (.*?)\n\"\"\"", main, re.DOTALL)
    assert documented is not None
    assert re.findall(r"\b(\d+) [a-z]", documented[1]) == [*told[:-1], told[-1]]


def test_the_permissions_name_every_call_that_the_canary_makes() -> None:
    policy = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert policy is not None
    allowed = {action for each in json.loads(policy[1])["Statement"] for action in listed(each)}
    assert allowed >= {
        "apigateway:DELETE",
        "cloudformation:CreateStack",
        "cloudformation:DeleteStack",
        "cloudformation:DescribeStackEvents",
        "cloudformation:DescribeStacks",
        "cloudwatch:GetMetricStatistics",
        "lambda:GetFunctionConfiguration",
        "logs:FilterLogEvents",
    }


def listed(statement: Mapping[str, str | list[str]]) -> list[str]:
    actions = statement["Action"]
    return actions if isinstance(actions, list) else [actions]
