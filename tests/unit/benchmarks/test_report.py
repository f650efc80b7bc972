"""The page that a measurement is put into."""

from pathlib import Path

import pytest

from benchmarks.goals import READ
from benchmarks.report import BILL, MEASURED, TARGETS, between_marks, markdown, plain, put_into
from benchmarks.report import MEASUREMENTS as MEASUREMENTS_PAGE
from benchmarks.report import PERFORMANCE as PERFORMANCE_PAGE
from benchmarks.results import Section, Table

ROOT = Path(__file__).parents[3]
READS = Section(
    tables=(Table("reads", "Reads", ("client", "CPU"), (("Keyscope", 210),)),),
    targets=(READ.of(0.24),),
)


def test_the_targets_come_before_all_tables() -> None:
    for report in (plain({"hot": READS}), markdown({"hot": READS})):
        assert report.index(READ.name) < report.index("Reads")


MEASUREMENTS = (
    "# Title\n<!-- targets: begin -->\nold\n<!-- targets: end -->\nHow\n"
    "<!-- measured: begin -->\nold\n<!-- measured: end -->\nEnd\n"
)
PERFORMANCE = "# Title\n<!-- bill: begin -->\nold\n<!-- bill: end -->\nEnd\n"
OPTIONS = Section(
    tables=(
        Table("options", "Options", ("requests", "by default"), ((1_000, 2.5),)),
        Table("steps", "Steps", ("step", "CPU"), (("verify", 7),)),
    )
)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    for page, text in (
        ("explanation/performance.md", PERFORMANCE),
        ("reference/measurements.md", MEASUREMENTS),
    ):
        (tmp_path / page).parent.mkdir()
        (tmp_path / page).write_text(text, "utf-8")
    return tmp_path


def test_a_measurement_replaces_what_is_between_the_marks_and_nothing_else(docs: Path) -> None:
    put_into(docs, {"hot": READS, "monthly": OPTIONS})
    text = (docs / "reference/measurements.md").read_text("utf-8")
    assert "old" not in text
    above, below = text.split("How")
    assert above.startswith("# Title\n")
    assert READ.name in above
    assert "### Reads" in below
    assert READ.name not in below
    assert below.endswith("End\n")
    bill = (docs / "explanation/performance.md").read_text("utf-8")
    assert "| 1,000 | 2.5 |" in bill
    assert "old" not in bill
    assert (docs / "explanation/performance.svg").is_file()


def test_the_pages_leave_out_what_only_developers_need(docs: Path) -> None:
    put_into(docs, {"monthly": OPTIONS})
    text = (docs / "reference/measurements.md").read_text("utf-8")
    assert "Steps" not in text
    assert "Steps" in plain({"monthly": OPTIONS})


def test_without_a_bill_the_old_one_stays(docs: Path) -> None:
    put_into(docs, {"hot": READS})
    assert "old" in (docs / "explanation/performance.md").read_text("utf-8")


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="targets: begin"):
        between_marks("# Title", "targets", "new")


@pytest.mark.parametrize(
    ("page", "name"),
    [(PERFORMANCE_PAGE, BILL), (MEASUREMENTS_PAGE, TARGETS), (MEASUREMENTS_PAGE, MEASURED)],
)
def test_the_pages_have_the_marks(page: Path, name: str) -> None:
    text = (ROOT / "docs" / page).read_text("utf-8")
    assert "new" in between_marks(text, name, "new")
