"""Tables of what hostile tests measured."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from rich.console import Console
from rich.table import Table

MEASURED: Final = "measured"
WIDTH: Final = 160
"""Columns. A narrower terminal breaks the lines; folded cells would be harder to read."""


Rows: TypeAlias = Mapping[str, Sequence[Mapping[str, object]]]
"""The rows of each table, by its title."""


@dataclass(frozen=True)
class Report:
    """What one test measured, kept with its properties, so that another process can tell it."""

    properties: list[tuple[str, object]]

    def row(self, title: str, **cells: object) -> None:
        """Add a row to the table of a title.

        The rows of a table have the same cells, whose names head its columns; an underscore in a
        name stands for a space.
        """
        self.properties.append((MEASURED, (title, cells)))


def rows_of(properties: Iterable[tuple[str, object]]) -> Rows:
    """Gather what was measured from the properties of all tests."""
    tables: dict[str, list[Mapping[str, object]]] = {}
    for name, value in properties:
        if name == MEASURED:
            title, cells = cast("tuple[str, Mapping[str, object]]", value)
            tables.setdefault(title, []).append(cells)
    return tables


def shown(tables: Rows) -> str:
    console = Console(width=WIDTH, no_color=True, highlight=False, markup=False)
    with console.capture() as captured:
        for title, rows in tables.items():
            console.print(_table(title, rows))
    return captured.get()


def _table(title: str, rows: Sequence[Mapping[str, object]]) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", box=None, pad_edge=False)
    for name, value in rows[0].items():
        is_number = isinstance(value, int | float)
        table.add_column(name.replace("_", " "), justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    return table


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)
