"""Results as text for a terminal, or as the Markdown of two pages of docs/.

    python -m benchmarks.report                prints Markdown of results.json
    python -m benchmarks.report --into docs

The second replaces the parts between marks of explanation/performance.md (a month's bill, and the
picture beside it) and of reference/measurements.md (the targets and the other tables).
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.goals import in_order
from benchmarks.plot import plot
from benchmarks.results import FOLDER, Cell, Section, Table, Target, read_results

RESULTS: Final = FOLDER / "results.json"
TARGETS: Final = "targets"
BILL: Final = "bill"
MEASURED: Final = "measured"
"""The names of the pages' marks."""
PERFORMANCE: Final = Path("explanation/performance.md")
MEASUREMENTS: Final = Path("reference/measurements.md")
"""The pages, relative to docs/."""
BILL_TABLE: Final = "options"
"""The table of a month's bill, which is on the page about performance."""
OWN_TABLES: Final = frozenset(
    {"steps", "keys", "since", "miss_canned_answers", "use", "use of months", BILL_TABLE}
)
"""Tables that the measurements page leaves out: developers find them in the terminal."""
_TARGET_COLUMNS: Final = ("what", "measured", "at most", "aim", "")


def plain(sections: Mapping[str, Section]) -> str:
    """Return everything for a terminal: targets, what was measured with, tables."""
    blocks = [
        f"Targets\n{_columns(_TARGET_COLUMNS, _target_rows(sections))}\n",
        *(f"{name}: {text}" for name, text in _environment(sections).items()),
        *(
            f"\n{table.title}\n{_columns(table.columns, table.rows)}{_noted(table)}"
            for section in sections.values()
            for table in section.tables
        ),
        *(f"\nLeft out. {text}" for text in _skipped(sections)),
    ]
    return "\n".join(blocks) + "\n"


def markdown(sections: Mapping[str, Section]) -> str:
    """Return everything as Markdown, the targets first."""
    return f"{markdown_targets(sections)}\n{markdown_details(sections)}"


def markdown_targets(sections: Mapping[str, Section]) -> str:
    """Return the targets as a Markdown table."""
    return _markdown_rows(_TARGET_COLUMNS, _target_rows(sections)) + "\n"


def markdown_details(sections: Mapping[str, Section]) -> str:
    """Return the tables for readers as Markdown."""
    blocks = [
        _markdown_rows(("measured with", ""), tuple(_environment(sections).items())),
        *(block for section in sections.values() for block in _markdown_tables(section)),
        *(f"Left out: {text}" for text in _skipped(sections)),
    ]
    return "\n\n".join(blocks) + "\n"


def markdown_bill(sections: Mapping[str, Section]) -> str:
    """Return a month's bill as a Markdown table, empty if it was not measured."""
    tables = (table for section in sections.values() for table in section.tables)
    bills = (table for table in tables if table.name == BILL_TABLE)
    return "".join(f"{_markdown_rows(bill.columns, bill.rows)}\n" for bill in bills)


def _markdown_tables(section: Section) -> Iterator[str]:
    for table in section.tables:
        if table.name in OWN_TABLES:
            continue
        yield f"### {table.title}"
        yield _markdown_rows(table.columns, table.rows)
        if table.note:
            yield table.note


def _markdown_rows(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    numeric = [_is_numeric(rows, position) for position in range(len(columns))]
    lines = [
        columns,
        ["--:" if number else "---" for number in numeric],
        *([shown(cell) for cell in row] for row in rows),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _columns(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    lines = [list(columns), *([shown(cell) for cell in row] for row in rows)]
    widths = [max(len(line[position]) for line in lines) for position in range(len(columns))]
    numeric = [_is_numeric(rows, position) for position in range(len(columns))]
    return "\n".join(
        "  "
        + "  ".join(
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def shown(cell: Cell) -> str:
    """Show one cell."""
    match cell:
        case None:
            return ""
        case str():
            return cell
        case int():
            return f"{cell:,}"
        case _:
            return f"{cell:,.2f}" if abs(cell) >= 1_000 else f"{cell:,}"  # noqa: PLR2004 - digits


def _target_rows(sections: Mapping[str, Section]) -> tuple[tuple[Cell, ...], ...]:
    targets = (target for section in sections.values() for target in section.targets)
    return tuple(_target_row(target) for target in in_order(targets))


def _target_row(target: Target) -> tuple[Cell, ...]:
    return target.name, target.value, target.limit, target.aim, target.verdict


def _environment(sections: Mapping[str, Section]) -> dict[str, str]:
    """Return the measuring environment; what differs between the parts is listed for each."""
    told: dict[str, str] = {}
    for part, section in sections.items():
        for name, text in section.environment.items():
            same = all(other.environment.get(name) == text for other in sections.values())
            told[name if same else f"{name}, {part}"] = text
    return told


def _skipped(sections: Mapping[str, Section]) -> list[str]:
    return [text for section in sections.values() for text in section.skipped]


def _noted(table: Table) -> str:
    return f"\n  {table.note}" if table.note else ""


def _is_numeric(rows: Sequence[Sequence[Cell]], position: int) -> bool:
    return any(isinstance(row[position], int | float) for row in rows)


def put_into(docs: Path, sections: Mapping[str, Section]) -> None:
    """Replace what is between the pages' marks, and draw the picture.

    Raises:
        ValueError: a page lacks its marks.
    """
    performance, measurements = docs / PERFORMANCE, docs / MEASUREMENTS
    if bill := markdown_bill(sections):
        text = performance.read_text("utf-8")
        performance.write_text(between_marks(text, BILL, bill), "utf-8")
    performance.with_suffix(".svg").write_text(plot(sections), "utf-8")
    text = measurements.read_text("utf-8")
    text = between_marks(text, TARGETS, markdown_targets(sections))
    text = between_marks(text, MEASURED, markdown_details(sections))
    measurements.write_text(text, "utf-8")


def between_marks(page: str, name: str, content: str) -> str:
    """Return a page with other content between two marks.

    Raises:
        ValueError: the page has no such marks.
    """
    first, last = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        message = f"the page needs the marks {first} and {last}"
        raise ValueError(message)
    return f"{before}{begin}\n\n{content}\n{end}{after}"


def main() -> None:
    """Print the Markdown, or put it into the pages."""
    parser = argparse.ArgumentParser(description="Show the last full measurement as Markdown.")
    parser.add_argument("--into", type=Path, metavar="DOCS")
    docs: Path | None = parser.parse_args().into
    sections = read_results(RESULTS)
    if docs is None:
        sys.stdout.write(markdown(sections))
    else:
        put_into(docs, sections)


if __name__ == "__main__":
    main()
