"""The claims about security name tests that exist, and the page of evidence lists them."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tools.reference import pages, security_claims

ROOT: Final = Path(__file__).parents[2]
CLAIMS: Final = [claim for section in security_claims() for claim in section.claims]
TESTS: Final = sorted({test for claim in CLAIMS for test in claim.tests})


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("test", TESTS)
def test_a_test_that_a_claim_names_exists(test: str) -> None:
    path, _, name = test.partition("::")
    assert name in functions_of(path) | {""}


def test_every_claim_has_a_test() -> None:
    assert [claim.says for claim in CLAIMS if not claim.tests] == []


@pytest.mark.parametrize("number", range(1, 13))
def test_each_practice_of_rfc_8725_has_a_claim(number: int) -> None:
    assert [claim for claim in CLAIMS if claim.says.startswith(f"8725, 3.{number}:")] != []


def test_the_threat_model_names_sections_of_the_evidence() -> None:
    page = (ROOT / "docs/explanation/threat-model.md").read_text("utf-8")
    rows = re.findall(r"^\| .+ \| .+ \| ([^|]*) \|$", page.partition("## Threats")[2], re.MULTILINE)
    named = {name for row in rows[1:] for name in row.split(", ") if name}
    assert named != set()
    assert named - {section.title for section in security_claims()} == set()


def test_the_page_of_evidence_is_up_to_date() -> None:
    generated = pages()
    assert {page: page.read_text("utf-8") for page in generated} == generated, "run: make reference"
