"""Output for people and programs: tables, facts and JSON, without styles outside a terminal.

Results go to standard output, everything else to standard error. Rich omits colors if `NO_COLOR` is
set or the output is not a terminal.

Other people choose names, metadata and events. Text goes through `shown`, and JSON is printable
ASCII, so neither can move the cursor, rename the window, or make one name look like another.
"""

import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.text import Text

from keyscope_cli.tables import rows_in_lines, widths_of, wrapped

_MARKS = {"passed": "green", "ok": "green", "warning": "yellow"}
_BAD_MARKS = {"failed", "problem"}
MAX_LINES: Final = 20
"""How many lines of one kind a person wants to see."""
_UNSAFE: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""The Unicode general categories that `shown` escapes."""
_LAST_OF_FOUR_DIGITS: Final = 0xFFFF


def _console(*, stderr: bool) -> Console:
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Output:
    """The output of a command; with `as_json`, the result is one JSON document."""

    as_json: bool = False
    _out: Console = field(default_factory=lambda: _console(stderr=False))
    _err: Console = field(default_factory=lambda: _console(stderr=True))

    def json(self, value: object) -> None:
        """Write a JSON document."""
        # `json.dumps` escapes everything but DEL.
        text = json.dumps(value, indent=2, ensure_ascii=True).replace("\x7f", r"\u007f")
        self._out.file.write(text + "\n")

    def document(self, text: str) -> None:
        """Write a text file, whose characters are already harmless."""
        self._out.file.write(text)

    def line(self, text: str = "", style: str = "") -> None:
        """Write a line of the result."""
        self._out.print(Text(shown(text), style=style))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table, or one fact per line if the terminal is too narrow for the table.

        Cells continue on the next line only after a space, a comma or a slash, so an id is never
        broken, and neither is a time. A column that is empty in each row is left out.
        """
        rows = [tuple(map(shown, row)) for row in rows]
        used = [at for at in range(len(columns)) if not rows or any(row[at] for row in rows)]
        head, *body = [[row[at] for at in used] for row in (tuple(map(shown, columns)), *rows)]
        widths = widths_of([head, *body], self._out.width if self._out.is_terminal else None)
        if widths is None:
            for number, row in enumerate(body):
                if number:
                    self.line()
                self.facts({name: cell for name, cell in zip(head, row, strict=True) if cell})
            return
        for number, row in enumerate((head, *body)):
            for line in rows_in_lines(row, widths):
                styles = ["bold"] * len(row) if number == 0 else list(map(style_of, row))
                text = Text("  ").join(map(Text, line, styles))
                text.rstrip()
                self._out.print(text)

    def facts(self, facts: Mapping[str, str], indent: int = 0) -> None:
        """Write facts, one per line."""
        lines = {shown(name): value for name, value in facts.items()}
        width = max(map(len, lines), default=0)
        for name, value in lines.items():
            self.line(f"{' ' * indent}{name.ljust(width)}  {value}")

    def prose(self, text: str, style: str = "") -> None:
        """Write sentences of the result; a terminal shows only whole words on each line."""
        self._write_prose(self._out, text, style)

    def note(self, text: str) -> None:
        """Write a note to standard error."""
        self._write_prose(self._err, text)

    def warn(self, text: str) -> None:
        """Write a warning to standard error."""
        self._write_prose(self._err, text, "yellow")

    def asked(self, question: str) -> str:
        """Return the line that a person types after a question on standard error."""
        self._err.print(Text(shown(question)), end="")
        answer = ""
        try:
            answer = sys.stdin.readline()
        finally:
            # After Ctrl-C and at the end of the input, what follows needs a line of its own.
            if not answer.endswith("\n"):
                self._err.print()
        return answer

    @staticmethod
    def _write_prose(console: Console, text: str, style: str = "") -> None:
        whole = shown(text)
        lines = wrapped(whole, console.width, at=" ") if console.is_terminal else [whole]
        for line in lines:
            console.print(Text(line, style=style))

    @contextmanager
    def progress(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show progress, in a terminal only; yields a function that changes the text."""
        if not self._err.is_terminal or self.as_json:
            yield lambda _: None
            return
        with self._err.status(Text(shown(text))) as status:
            yield lambda told: status.update(Text(shown(told)))

    @contextmanager
    def progress_bar(self, text: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a progress bar, in a terminal only; yields a function that advances it."""
        # No other command needs it, and it takes a while to load.
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        hidden = not self._err.is_terminal or self.as_json
        with Progress(*columns, TimeRemainingColumn(), console=self._err, disable=hidden) as bar:
            task = bar.add_task(shown(text), total=total)
            yield lambda done: bar.advance(task, done)


def counted(number: int, one: str, several: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else several}"


def sentences(texts: Iterable[str]) -> str:
    """Return texts as sentences."""
    return " ".join(text if text.endswith((".", "?", "!")) else f"{text}." for text in texts)


def first_lines(lines: Sequence[str]) -> Sequence[str]:
    """Return the first lines, and how many more there are."""
    more = len(lines) - MAX_LINES
    return lines if more <= 0 else [*lines[:MAX_LINES], f"... and {more:,} more"]


def shown(text: str) -> str:
    """Escape what a terminal obeys, hides or reorders, in JSON's way (RFC 8259, section 7).

    These are control characters (C0, DEL and C1, which include ESC, tabs and line feeds), format
    characters (bidirectional marks, zero-width characters, tags), line and paragraph separators,
    and halves of surrogate pairs. One line of text stays one line.
    """
    return "".join(
        _escaped(ord(each)) if unicodedata.category(each) in _UNSAFE else each for each in text
    )


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code <= _LAST_OF_FOUR_DIGITS else f"\\U{code:08x}"


def style_of(cell: str) -> str:
    """Return the color of a verdict; none for any other text."""
    return "bold red" if cell in _BAD_MARKS else _MARKS.get(cell, "")
