"""`make bench`, quickly: that the measurements run, never what they measure.

Cold starts and growth start hundreds of programs, so only `make test-hostile` runs those, too.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from benchmarks.report import OWN_TABLES, markdown
from benchmarks.results import Section, read_results
from tests.support.profile import FULL

pytestmark = pytest.mark.processes

ROOT: Final = Path(__file__).parents[2]
PARTS: Final = ("cold", "hot", "growth", "use") if FULL else ("hot", "use")
OUTPUT: Final = ROOT / ".local" / "bench" / "quick.json"


@pytest.fixture(scope="module")
def printed() -> str:
    OUTPUT.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks"],
        cwd=ROOT,
        env={**os.environ, "QUICK": "1", "ONLY": ",".join(PARTS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def results(printed: str) -> dict[str, Section]:
    assert printed
    return read_results(OUTPUT)


def test_every_part_is_measured(results: dict[str, Section]) -> None:
    assert set(results) == set(PARTS)


def test_every_table_is_printed(printed: str, results: dict[str, Section]) -> None:
    titles = [table.title for section in results.values() for table in section.tables]
    assert [title for title in titles if title not in printed] == []


def test_every_target_is_told_as_met_or_missed(results: dict[str, Section]) -> None:
    targets = [target for section in results.values() for target in section.targets]
    assert len(targets) >= (9 if FULL else 4)
    assert {target.verdict.partition(" by ")[0] for target in targets} <= {
        *("met", "met, and its aim", "missed")
    }


def test_the_page_can_be_made_of_it(results: dict[str, Section]) -> None:
    page = markdown(results)
    tables = results["hot"].tables
    shown = {table.name for table in tables if f"### {table.title}" in page}
    assert shown == {table.name for table in tables} - OWN_TABLES != set()


def test_the_picture_is_well_formed(printed: str) -> None:
    assert printed
    picture = ET.fromstring(OUTPUT.with_suffix(".svg").read_text("utf-8"))  # noqa: S314 - our own file
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"


def test_no_secret_is_in_the_results() -> None:
    scenario = json.loads((OUTPUT.parent / "scenario.json").read_text("utf-8"))
    written = OUTPUT.read_text("utf-8")
    assert [secret for secret in scenario["secrets"].values() if secret in written] == []
