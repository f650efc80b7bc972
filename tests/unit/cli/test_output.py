"""What reaches a terminal or a pipe holds nothing that a terminal obeys or hides."""

import io
import json
import re
import sys
import unicodedata
from collections.abc import Callable
from typing import Final
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.main import main, report
from keyscope_cli.output import Output, shown

HOSTILE: Final = {
    "ESC and BEL": ("\x1b]0;owned\x07", r"\u001b]0;owned\u0007"),
    "the C1 form of CSI": ("\x9b31m", r"\u009b31m"),
    "carriage return, line feed, tab": ("a\rb\nc\td", r"a\u000db\u000ac\u0009d"),
    "DEL and backspace": ("a\x7f\x08b", r"a\u007f\u0008b"),
    "right-to-left override": ("\u202egnp.exe", r"\u202egnp.exe"),
    "isolates and a mark": ("\u2066a\u2069\u200f", r"\u2066a\u2069\u200f"),
    "line and paragraph separators": ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
    "zero-width characters": ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
    "a tag character": ("\U000e0041", r"\U000e0041"),
    "half of a surrogate pair": ("\ud800", r"\ud800"),
}
KEPT: Final = ["Café 商店", "שלום", "🙂", "a\\u202eb", "e\u0301", "  two  spaces ", "[red]x[/red]"]


def written(write: Callable[[Output], None], *, terminal: bool = False, width: int = 400) -> str:
    """Return what a program's output writes, on either stream."""
    out = io.StringIO()
    console = Console(
        file=out,
        force_terminal=terminal,
        width=width,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
        no_color=True,
    )
    write(Output(_out=console, _err=console))
    return out.getvalue()


WAYS: Final[dict[str, Callable[[Output, str], None]]] = {
    "line": lambda output, text: output.line(text),
    "table cell": lambda output, text: output.table(["name"], [[text]]),
    "table column": lambda output, text: output.table([text], [["x"]]),
    "fact": lambda output, text: output.facts({"name": text}),
    "name of a fact": lambda output, text: output.facts({text: "x"}),
    "note": lambda output, text: output.note(text),
    "warning": lambda output, text: output.warn(text),
    "error": lambda output, text: report(Failure(ExitStatus.NOT_DONE, text), output),
    "advice": lambda output, text: report(Failure(ExitStatus.NOT_DONE, "x", text), output),
    "detail": lambda output, text: report(
        Failure(ExitStatus.NOT_DONE, "x", details=[text]), output
    ),
}


def test_each_detail_of_a_failure_is_on_its_own_line_before_the_advice() -> None:
    failure = Failure(ExitStatus.USAGE, "Two errors.", "Correct them.", ["line 1", "line 2"])
    told = written(lambda output: report(failure, output), terminal=False)
    assert told.splitlines() == ["keyscope: Two errors.", "line 1", "line 2", "Correct them."]


@pytest.mark.parametrize(("text", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_a_character_that_a_terminal_obeys_or_hides_is_escaped(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize("text", KEPT)
def test_other_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_a_person_escapes(way: str, *, terminal: bool) -> None:
    for text, expected in HOSTILE.values():
        told = written_in_plain(way, text, terminal=terminal)
        assert expected in told
        assert not [it for it in told if it != "\n" and unicodedata.category(it) in {"Cc", "Cf"}]


def written_in_plain(way: str, text: str, *, terminal: bool) -> str:
    """Return what is written, but for the styles that are the terminal's own."""
    return plain(written(lambda output: WAYS[way](output, text), terminal=terminal))


def plain(text: str) -> str:
    """Return a text without the terminal's styles."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("command", [["{}"], ["app", "list", "--{}"], ["explain", "GET", "{}"]])
def test_a_usage_error_escapes_the_argument_that_it_repeats(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = [each.format("x\x1b]0;owned\x07\u202e\x9b") for each in command]
    monkeypatch.setattr(sys, "argv", ["keyscope", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capfd.readouterr().err
    assert ended.value.code == ExitStatus.USAGE
    assert "]0;owned" in told
    assert not re.search("[\x1b\x07\u202e\x9b]", told)


def test_the_traceback_of_a_crash_is_escaped(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hostile = "\x1b]0;owned\x07"
    monkeypatch.setattr(sys, "argv", ["keyscope", "--version"])
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    crash_of = Mock(side_effect=RuntimeError(hostile))
    monkeypatch.setattr("keyscope_cli.release.told_release", crash_of)
    with pytest.raises(RuntimeError) as crash:
        main()
    sys.excepthook(crash.type, crash.value, crash.tb)
    told = capfd.readouterr().err
    assert told.startswith("Traceback (most recent call last):\n")
    assert told.endswith("RuntimeError: \\u001b]0;owned\\u0007\n")


@given(st.text(st.characters()))
def test_no_text_gets_a_control_or_format_character_through(text: str) -> None:
    bad = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not [it for it in shown(text) if unicodedata.category(it) in bad]


@given(st.dictionaries(st.text(st.characters()), st.text(st.characters()), max_size=3))
def test_json_is_printable_ascii_and_means_the_same(value: dict[str, str]) -> None:
    text = written(lambda output: output.json(value))
    assert re.fullmatch(r"[ -~\n]+", text)
    assert json.loads(text) == value


def test_columns_align_by_what_is_shown() -> None:
    text = written(lambda output: output.table(["name", "id"], [["\u202ea", "1"], ["b", "2"]]))
    assert [
        line.index(it) for line, it in zip(text.splitlines(), ("id", "1", "2"), strict=True)
    ] == [9] * 3


@pytest.mark.parametrize("terminal", [False, True])
def test_a_table_leaves_out_the_columns_that_are_empty_in_each_row(*, terminal: bool) -> None:
    rows = [("a", "", "x", ""), ("b", "", "", "")]
    told = written(
        lambda output: output.table(("one", "two", "three", "4"), rows), terminal=terminal
    )
    assert re.findall(r"one|two|three|4", told) == ["one", "three"]


def test_a_table_without_rows_shows_its_columns() -> None:
    assert written(lambda output: output.table(("one", "two"), [])) == "one  two\n"


def test_a_terminal_shows_the_whole_of_a_cell_that_is_too_long_for_it() -> None:
    path = "/tenants/" + "x" * 300
    told = written(lambda output: output.table(("path",), [(path,)]), terminal=True)
    assert "".join(re.findall(r"[/x]|tenants", told)) == path


IDS: Final = [f"app_{number:024x}" for number in range(3)]
TIME: Final = "Nov 28, 2026, 12:00 UTC"
COLUMNS: Final = ("ID", "Name", "State", "Created", "Last used", "Expires", "Allowed IP ranges")
ROWS: Final = [(each, "Server", "active", TIME, TIME, TIME, "192.0.2.0/24") for each in IDS]


@pytest.mark.parametrize("columns", [48, 60, 80, 100, 120, 200])
def test_an_id_is_whole_on_one_line_however_wide_the_terminal_is(columns: int) -> None:
    told = plain(written(lambda output: output.table(COLUMNS, ROWS), terminal=True, width=columns))
    assert [each for each in (*IDS, TIME) if each not in told] == []
    assert max(map(len, told.splitlines())) <= columns


def test_a_table_that_does_not_fit_becomes_a_list_of_facts() -> None:
    told = written(lambda output: output.table(COLUMNS, ROWS), terminal=True, width=60)
    first, *_ = told.split("\n\n")
    assert [re.split("  +", line) for line in first.splitlines()] == [
        list(pair) for pair in zip(COLUMNS, ROWS[0], strict=True)
    ]


def test_a_long_cell_continues_after_a_space_a_comma_or_a_slash() -> None:
    row = ("GET,POST,DELETE", "/v2/apps/{appId}/users", "A name of four words")
    told = written(
        lambda output: output.table(("Methods", "Path", "Name"), [row]), terminal=True, width=51
    )
    assert [line.split() for line in plain(told).splitlines()[1:]] == [
        ["GET,POST,DELETE", "/v2/apps/", "A", "name", "of", "four"],
        ["{appId}/users", "words"],
    ]


def test_a_word_longer_than_any_id_is_folded_to_keep_the_table() -> None:
    rows = [("Add", "DirectoryTableWritesThrottledAlarm", IDS[0])]
    told = plain(
        written(
            lambda output: output.table(("Action", "Resource", "ID"), rows), terminal=True, width=66
        )
    )
    assert [line.split() for line in told.splitlines()[1:]] == [
        ["Add", "DirectoryTableWritesThrottle", IDS[0]],
        ["dAlarm"],
    ]


def test_a_pipe_has_each_row_on_one_line() -> None:
    told = written(lambda output: output.table(COLUMNS, ROWS), width=40)
    assert len(told.splitlines()) == 1 + len(ROWS)


def test_wide_characters_keep_columns_aligned() -> None:
    told = written(lambda output: output.table(("Name", "ID"), [("商店", "1"), ("Shop", "2")]))
    assert told == "Name  ID\n商店  1\nShop  2\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_sentences_break_between_words_in_a_terminal_only(*, terminal: bool) -> None:
    text = "Use https://example.com/a/long/address instead of this one."
    told = written(lambda output: output.note(text), terminal=terminal, width=34)
    assert told.splitlines() == (
        ["Use", "https://example.com/a/long/address", "instead of this one."]
        if terminal
        else [text]
    )
