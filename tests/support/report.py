"""Tables of what hostile tests measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.table import Table

WIDTH: Final = 160
"""Columns. A narrower terminal breaks the lines; folded cells would be harder to read."""


@dataclass(frozen=True)
class Report:
    """Tables, by their titles, in the order of their first rows."""

    tables: dict[str, list[Mapping[str, object]]] = field(default_factory=dict)

    def row(self, title: str, **cells: object) -> None:
        """Add a row to the table of a title.

        The rows of a table have the same cells, whose names head its columns; an underscore in a
        name stands for a space.
        """
        self.tables.setdefault(title, []).append(cells)

    def shown(self) -> str:
        console = Console(width=WIDTH, no_color=True, highlight=False, markup=False)
        with console.capture() as captured:
            for title, rows in self.tables.items():
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
