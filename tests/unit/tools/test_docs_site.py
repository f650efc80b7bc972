"""The pages' order, and what becomes of links that leave docs/."""

import re
from pathlib import Path
from typing import Final

import pytest

from tools.docs_site import ORDER, pages_in_order, with_outer_links_as_text

DOCS: Final = Path(__file__).parents[3] / "docs"


def test_every_page_has_its_place() -> None:
    placed = {page for pages in pages_in_order(DOCS).values() for page in pages}
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert sorted(there - placed) == []


def test_the_sections_stand_in_the_order_of_reading() -> None:
    assert list(ORDER) == [
        *("Home", "Tutorials", "How-to guides", "Reference", "Explanation"),
        *("Runbook", "Decisions"),
    ]


def test_no_page_stands_twice() -> None:
    pages = [page for pages in pages_in_order(DOCS).values() for page in pages]
    assert len(pages) == len(set(pages))


def test_a_page_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "explanation").mkdir()
    (tmp_path / "explanation" / "model.md").write_text("# The model\n")
    assert pages_in_order(tmp_path)["Explanation"] == ["explanation/model.md"]


def test_each_decision_has_a_number_of_its_own_which_its_title_repeats() -> None:
    files = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    numbers = [int(file.name[:4]) for file in files]
    assert len(numbers) == len(set(numbers))
    titles = [file.read_text("utf-8").partition(".")[0] for file in files]
    assert titles == [f"# {number}" for number in numbers]


def test_the_index_of_decisions_lists_each_record_once() -> None:
    index = (DOCS / "decisions" / "README.md").read_text("utf-8")
    listed = re.findall(r"\[(\d+)\]\((\d{4}-[^)]+\.md)\)", index)
    records = [(str(int(file.name[:4])), file.name) for file in (DOCS / "decisions").glob("0*.md")]
    assert sorted(listed) == sorted(records)


@pytest.mark.parametrize(
    ("folder", "markdown", "shown"),
    [
        (".", "[the template](../template.yaml)", "the template (`template.yaml`)"),
        (".", "[template.yaml](../template.yaml)", "`template.yaml`"),
        (".", "[model](model.md#x)", "[model](model.md#x)"),
        (".", "[AWS](https://aws.amazon.com/)", "[AWS](https://aws.amazon.com/)"),
        ("runbook", "[model](../model.md)", "[model](../model.md)"),
        ("runbook", "[it](../../template.yaml)", "it (`template.yaml`)"),
        (".", "![a picture](../x.png)", "![a picture](../x.png)"),
    ],
)
def test_only_links_that_leave_the_pages_become_text(
    folder: str, markdown: str, shown: str
) -> None:
    assert with_outer_links_as_text(markdown, folder) == shown
