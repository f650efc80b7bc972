"""Each test that docs/explanation/security.md names exists: no promise rests on a deleted test."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/explanation/security.md").read_text("utf-8")
NAMED: Final = sorted(set(re.findall(r"`(tests/[\w/.]+\.py)(?:::(\w+))?`", PAGE)))
RFC_8725_ROWS: Final = [f"8725, 3.{number}" for number in range(1, 13)]


@cache
def functions_of(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_the_page_names_is_there(path: str, name: str) -> None:
    assert name in functions_of(path) | {""}


def test_the_page_names_tests_in_one_way() -> None:
    assert len(re.findall(r"tests/[\w/.]+\.py", PAGE)) == len(
        re.findall(r"`tests/[\w/.]+\.py(?:::\w+)?`", PAGE)
    )


@pytest.mark.parametrize("clause", RFC_8725_ROWS)
def test_each_practice_of_rfc_8725_has_a_row(clause: str) -> None:
    assert re.search(rf"^\| {re.escape(clause)} \|", PAGE, re.MULTILINE)
