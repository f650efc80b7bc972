"""What people and programs are shown: tables, facts, JSON; plain where nobody's terminal is.

Answers go to standard output, all else to standard error. Rich leaves colours out where `NO_COLOR`
is set or the output is no terminal; then tables are plain columns, too.

Names, metadata and events come from others. Text goes through `shown`, and JSON is printable ASCII,
so neither can move a cursor, rename a window, or make one name look like another.
"""

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

_MARKS = {"passed": "green", "ok": "green", "warning": "yellow"}
_BAD_MARKS = {"failed", "problem"}
_UNSAFE: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode's general categories of what `shown` escapes."""
_LAST_OF_FOUR_DIGITS: Final = 0xFFFF


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
        # `json.dumps` escapes all but DEL.
        text = json.dumps(value, indent=2, ensure_ascii=True).replace("\x7f", r"\u007f")
        self._out.file.write(text + "\n")

    def line(self, text: str = "", style: str = "") -> None:
        """Write a line of the answer."""
        self._out.print(Text(shown(text), style=style))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table: ruled in a terminal, else columns with two spaces between them."""
        head, *body = [tuple(map(shown, row)) for row in (columns, *rows)]
        if self._out.is_terminal:
            table = Table(*head, header_style="bold")
            for row in body:
                table.add_row(*(Text(cell, style=style_of(cell)) for cell in row))
            self._out.print(table, soft_wrap=False)
            return
        widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
        for row in (head, *body):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self._out.file.write("  ".join(cells).rstrip() + "\n")

    def facts(self, facts: Mapping[str, str]) -> None:
        """Write facts, a line each."""
        lines = {shown(name): value for name, value in facts.items()}
        width = max(map(len, lines), default=0)
        for name, value in lines.items():
            self.line(f"{name.ljust(width)}  {value}")

    def note(self, text: str) -> None:
        """Tell a person something beside the answer."""
        self._err.print(Text(shown(text)))

    def warn(self, text: str) -> None:
        """Warn a person."""
        self._err.print(Text(shown(text), style="yellow"))

    @contextmanager
    def progress(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show that something goes on, in a terminal only; what is yielded takes other words."""
        if not self._err.is_terminal or self.as_json:
            yield lambda _: None
            return
        with self._err.status(Text(shown(text))) as status:
            yield lambda told: status.update(Text(shown(told)))


def shown(text: str) -> str:
    """Escape what a terminal obeys, hides or reorders, in the way of JSON (RFC 8259, section 7).

    These are control characters (C0, DEL and C1, so also ESC, tabs and line feeds), format
    characters (bidirectional marks, zero-width characters, tags), line and paragraph separators,
    and halves of surrogate pairs. Text of one line stays on one line.
    """
    return "".join(
        _escaped(ord(each)) if unicodedata.category(each) in _UNSAFE else each for each in text
    )


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code <= _LAST_OF_FOUR_DIGITS else f"\\U{code:08x}"


def style_of(cell: str) -> str:
    """Return the colour of a verdict; none for any other text."""
    return "bold red" if cell in _BAD_MARKS else _MARKS.get(cell, "")
