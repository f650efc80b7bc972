"""What people and programs are shown: tables, facts, JSON; plain where nobody's terminal is.

Answers go to standard output, all else to standard error. Rich leaves colours out where `NO_COLOR`
is set or the output is no terminal; then tables are plain columns, too.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table
from rich.text import Text

_MARKS = {"passed": "green", "ok": "green", "warning": "yellow"}
_BAD_MARKS = {"failed", "problem"}


def _console(*, stderr: bool) -> Console:
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's words go; `as_json` makes the answer one JSON document."""

    as_json: bool = False
    _out: Console = field(default_factory=lambda: _console(stderr=False))
    _err: Console = field(default_factory=lambda: _console(stderr=True))

    def json(self, value: object) -> None:
        """Write a JSON document."""
        self._out.file.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def line(self, text: str = "", style: str = "") -> None:
        """Write a line of the answer."""
        self._out.print(Text(text, style=style))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table: ruled in a terminal, else columns with two spaces between them."""
        shown = [tuple(row) for row in rows]
        if self._out.is_terminal:
            table = Table(*columns, header_style="bold")
            for row in shown:
                table.add_row(*(Text(cell, style=style_of(cell)) for cell in row))
            self._out.print(table, soft_wrap=False)
            return
        widths = [max(map(len, column)) for column in zip(columns, *shown, strict=True)]
        for row in (tuple(columns), *shown):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self._out.file.write("  ".join(cells).rstrip() + "\n")

    def facts(self, facts: Mapping[str, str]) -> None:
        """Write facts, a line each."""
        width = max(map(len, facts), default=0)
        for name, value in facts.items():
            self.line(f"{name.ljust(width)}  {value}")

    def note(self, text: str) -> None:
        """Tell a person something beside the answer."""
        self._err.print(Text(text))

    def warn(self, text: str) -> None:
        """Warn a person."""
        self._err.print(Text(text, style="yellow"))

    @contextmanager
    def progress(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show that something goes on, in a terminal only; what is yielded takes other words."""
        if not self._err.is_terminal or self.as_json:
            yield lambda _: None
            return
        with self._err.status(Text(text)) as status:
            yield lambda told: status.update(Text(told))


def style_of(cell: str) -> str:
    """Return the colour of a verdict; none for any other text."""
    return "bold red" if cell in _BAD_MARKS else _MARKS.get(cell, "")
