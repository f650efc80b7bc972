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
