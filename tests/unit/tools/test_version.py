"""The version is in pyproject.toml; what else names it agrees."""

import re
import tomllib
from pathlib import Path
from typing import Final

from tests.support.cli import keyscope

ROOT: Final = Path(__file__).parents[3]
VERSION: Final[str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "version"
]


def test_the_newest_release_in_the_changelog_is_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(VERSION)} - \d{{4}}-\d{{2}}-\d{{2}}", headings[1])


def test_the_command_names_this_version() -> None:
    assert keyscope("--version").out.split()[:2] == ["keyscope", VERSION]


def test_a_release_is_told_in_fewer_than_a_thousand_words_under_headings() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    (release,) = re.findall(
        rf"^## {re.escape(VERSION)} .*?(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL
    )
    assert len(release.split()) < 1_000
    # A merge that kept both sides would put lines before the first heading or repeat one.
    headings = re.findall(r"^### (.+)$", release, re.MULTILINE)
    assert len(headings) == len(set(headings)) > 0
    assert "\n- " not in release.partition("\n### ")[0]
