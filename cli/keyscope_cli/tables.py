"""The layout of tables: how wide each column is, and where its cells continue on the next line."""

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from rich.cells import cell_len, chop_cells

from keyscope.model.ids import KEY_ID_LENGTH

GAP: Final = 2
"""The spaces between two columns."""
READABLE: Final = 16
"""The least width of a column with longer cells."""
WHOLE: Final = KEY_ID_LENGTH
"""The longest word that is never broken: no id of Keyscope's is longer, and no time."""
_BREAKS: Final = " ,/"
"""The characters after which a cell may continue on the next line. No id contains one."""
_TIME: Final = r"[A-Z][a-z]{2} \d{1,2}, \d{4}, \d\d:\d\d UTC"
"""A time as `presentation.readable_time` writes it, which is never broken."""


def widths_of(rows: Sequence[Sequence[str]], available: int | None) -> list[int] | None:
    """Return the width of each column, or `None` if the table would break an id or a time.

    Without an available width, each column is as wide as its longest cell.
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(map(cell_len, column)) for column in columns]
    if available is None:
        return widths
    least = [
        max(
            min(width, READABLE),
            *(min(cell_len(piece.rstrip()), WHOLE) for cell in column for piece in _pieces(cell)),
        )
        for column, width in zip(columns, widths, strict=True)
    ]
    room = available - GAP * (len(columns) - 1)
    if sum(least) > room:
        return None
    while sum(widths) > room:
        # Of the columns that can be narrower, the widest.
        at = max(
            (at for at in range(len(widths)) if widths[at] > least[at]), key=widths.__getitem__
        )
        widths[at] -= 1
    return widths


def rows_in_lines(row: Sequence[str], widths: Sequence[int]) -> Iterator[list[str]]:
    """Yield the lines of a row, with each cell as wide as its column."""
    cells = (_folded(cell, width) for cell, width in zip(row, widths, strict=True))
    for line in zip_longest(*cells, fillvalue=""):
        yield [
            part + " " * (width - cell_len(part)) for part, width in zip(line, widths, strict=True)
        ]


def _folded(cell: str, width: int) -> list[str]:
    """Return a cell in lines that are no longer than a width."""
    return [part for line in wrapped(cell, width) for part in chop_cells(line, width) or [""]]


def wrapped(text: str, width: int, at: str = _BREAKS) -> list[str]:
    """Return a text in lines of a width; a longer word has a line of its own."""
    lines, line = [], ""
    for piece in _pieces(text, at):
        if line and cell_len(line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return [*lines, line.rstrip()]


def _pieces(text: str, at: str = _BREAKS) -> list[str]:
    """Split a text after the characters at which it may break."""
    return re.findall(rf"{_TIME}|[^{at}]*[{at}]+|[^{at}]+", text) or [""]
