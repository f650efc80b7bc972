"""The page that a measurement is put into."""

from pathlib import Path

import pytest

from benchmarks.goals import READ
from benchmarks.report import between_marks, markdown, plain, put_into
from benchmarks.results import Section, Table

ROOT = Path(__file__).parents[3]
READS = Section(
    tables=(Table("reads", "Reads", ("client", "CPU"), (("Keyscope", 210),)),),
    targets=(READ.of(0.24),),
)


def test_the_targets_come_before_all_tables() -> None:
    for report in (plain({"hot": READS}), markdown({"hot": READS})):
        assert report.index(READ.name) < report.index("Reads")


def test_a_measurement_replaces_what_is_between_the_marks_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Title\n<!-- targets: begin -->\nold\n<!-- targets: end -->\nHow\n"
        "<!-- measured: begin -->\nold\n<!-- measured: end -->\nEnd\n",
        "utf-8",
    )
    put_into(page, {"hot": READS})
    text = page.read_text("utf-8")
    assert "old" not in text
    above, below = text.split("How")
    assert above.startswith("# Title\n")
    assert READ.name in above
    assert "### Reads" in below
    assert READ.name not in below
    assert below.endswith("End\n")
    assert page.with_suffix(".svg").is_file()


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="targets: begin"):
        between_marks("# Title", "targets", "new")


def test_the_page_about_performance_has_the_marks() -> None:
    page = (ROOT / "docs" / "explanation" / "performance.md").read_text("utf-8")
    for name in ("targets", "measured"):
        assert "new" in between_marks(page, name, "new")
