"""The page that lists the files to touch for a change, held against the repository."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
PACKAGE: Final = ROOT / "layers/keyscope/python/keyscope"
PAGE: Final = (ROOT / "docs/how-to/change-keyscope.md").read_text("utf-8")
SECTIONS: Final = dict(re.findall(r"## (.+)\n((?:(?!## ).*\n)*)", PAGE))
FILES: Final = re.compile(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|toml|md|js|json|yaml)|[\w/]+/)`")
NEW: Final = re.compile(r"[A-Z]{2,}")
"""The part of a path that whoever makes the change chooses."""
MOST_FILES: Final = {
    "A new credential kind": 6,
    "A new scope": 4,
    "A new limit": 8,
    "Another key store": 5,
}


def numbered_rows(section: str) -> list[str]:
    return re.findall(r"^\| \d+ \| .*$", SECTIONS[section], re.MULTILINE)


def test_every_path_on_the_page_exists() -> None:
    named = {path for path in FILES.findall(PAGE) if not NEW.search(path)}
    missing = [path for path in named if not any((at / path).exists() for at in (ROOT, PACKAGE))]
    assert len(named) > sum(MOST_FILES.values())
    assert missing == []


@pytest.mark.parametrize(("section", "most"), MOST_FILES.items())
def test_a_change_touches_a_handful_of_files(section: str, most: int) -> None:
    rows = numbered_rows(section)
    assert 0 < len(rows) <= most
    assert [row for row in rows if not FILES.search(row)] == []


def test_every_code_name_on_the_page_is_in_a_file_that_its_section_names() -> None:
    for text in SECTIONS.values():
        paths = [path for path in FILES.findall(text) if not NEW.search(path)]
        found = [at / path for path in paths for at in (ROOT, PACKAGE) if (at / path).is_file()]
        code = "\n".join(path.read_text("utf-8") for path in found)
        names = set(re.findall(r"`([A-Za-z_]\w+(?:\.[a-z]\w*)?)`", text)) - set(FILES.findall(text))
        parts = {part for name in names for part in name.split(".")}
        assert [name for name in sorted(parts) if name not in code] == []
