"""Each promise can be broken, and a test sees it: faults put into the package turn tests red.

`make test-hostile` runs the tests that a fault names on a copy of the package with the fault in it;
every other run proves that each fault still has its place in the code.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.profile import FULL

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "layers/keyscope/python/keyscope"
COMMAND_LINE: Final = ROOT / "cli/keyscope_cli"
TESTS_FAILED: Final = 1
"""Pytest's exit status when tests ran and some failed; others tell of tests that could not run."""


@dataclass(frozen=True)
class Mutant:
    """A fault: in `file`, `old` becomes `new`, and each of `tests` must fail.

    The path of `file` begins in the package, or with `keyscope_cli/`.
    """

    breaks: str
    file: str
    old: str
    new: str
    tests: list[str]

    @property
    def folder(self) -> Path:
        """The package that has the file."""
        return COMMAND_LINE if self.file.startswith(f"{COMMAND_LINE.name}/") else PACKAGE

    @property
    def path(self) -> Path:
        """The file's path in that package."""
        return Path(self.file.removeprefix(f"{COMMAND_LINE.name}/"))


MUTANTS: Final = {
    f"{path.stem}: {mutant['breaks']}": Mutant(**mutant)
    for path in sorted(Path(__file__).with_name("mutants").glob("*.toml"))
    for mutant in tomllib.loads(path.read_text("utf-8"))["mutant"]
}


def test_each_fault_has_one_place_in_the_code() -> None:
    places = {name: text_of(it.folder / it.path).count(it.old) for name, it in MUTANTS.items()}
    assert places == dict.fromkeys(MUTANTS, 1)


def test_the_tests_of_each_fault_are_there() -> None:
    named = {test for mutant in MUTANTS.values() for test in mutant.tests}
    assert [test for test in sorted(named) if not is_there(test)] == []


def is_there(test: str) -> bool:
    path, _, name = test.partition("::")
    function = name.partition("[")[0].rpartition("::")[2]
    return f"def {function}" in text_of(ROOT / path)


@cache
def text_of(path: Path) -> str:
    return path.read_text("utf-8")


@pytest.mark.skipif(not FULL, reason="takes minutes; `make test-hostile` runs it")
@pytest.mark.parametrize("fault", MUTANTS if FULL else ["each"])
def test_the_fault_is_seen(fault: str, tmp_path: Path) -> None:
    mutant = MUTANTS[fault]
    package = tmp_path / mutant.folder.name
    shutil.copytree(mutant.folder, package, ignore=shutil.ignore_patterns("__pycache__"))
    code = (package / mutant.path).read_text("utf-8")
    (package / mutant.path).write_text(code.replace(mutant.old, mutant.new), "utf-8")
    for test in mutant.tests:
        # A property may need more than the examples of every run to meet the fault.
        ended = run(test, tmp_path, "fast")
        if ended.returncode == 0:
            ended = run(test, tmp_path, "full")
        assert ended.returncode == TESTS_FAILED, f"{test} does not see it:\n{ended.stdout}"


def run(test: str, path: Path, profile: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own tests
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(path), "KEYSCOPE_TEST_PROFILE": profile},
        capture_output=True,
        text=True,
        check=False,
    )
