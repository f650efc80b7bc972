"""Commands that end something ask first, in a terminal; elsewhere they need --yes."""

import io
import sys
from typing import Final

import pytest

from keyscope_cli.confirmation import confirm
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.output import Output
from tests.support.cli import keyscope

WARNING: Final = "This deletes the app 'Shop' (4f1c0a9b2d3e00005e8c1f02) and revokes its 2 keys."
APP: Final = "4f1c0a9b2d3e00005e8c1f02"
SERVICE_ACCOUNT: Final = "4f1c0a9b2d3e7a21"
ACCOUNT: Final = "4f1c0a9b2d3e"
KEY: Final = "app_63c2b7de09f14a58a1d07e36"
ENDING: Final = [
    ("account", "delete", ACCOUNT),
    ("account", "suspend", ACCOUNT),
    ("account", "keys", "revoke", ACCOUNT, KEY),
    ("account", "keys", "end-overlap", ACCOUNT, KEY),
    ("app", "delete", APP),
    ("key", "delete", APP, KEY),
    ("key", "end-overlap", APP, KEY),
    ("deploy",),
    ("destroy",),
    ("service-account", "delete", SERVICE_ACCOUNT),
    ("service-account", "key", "delete", SERVICE_ACCOUNT, KEY),
    ("service-account", "key", "end-overlap", SERVICE_ACCOUNT, KEY),
]


class Terminal(io.StringIO):
    """What a person types in a terminal."""

    def isatty(self) -> bool:
        return True


def asked(
    answer: str, monkeypatch: pytest.MonkeyPatch, *, terminal: bool = True, yes: bool = False
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer) if terminal else io.StringIO(answer))
    confirm(Output(), lambda: WARNING, "Delete the app? This cannot be undone.", yes=yes)


def test_a_yes_in_a_terminal_continues_after_the_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked("y\n", monkeypatch)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.index(WARNING) < told.err.index("Delete the app? This cannot be undone. [y/N]")


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_anything_but_a_yes_changes_nothing(
    answer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Failure) as failed:
        asked(answer, monkeypatch)
    assert failed.value.status is ExitStatus.NO
    assert failed.value.message == "Canceled. Nothing was changed."
    assert capsys.readouterr().err.endswith("[y/N] \n") is not answer.endswith("\n")


def test_with_yes_there_is_neither_a_warning_nor_a_question(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked("", monkeypatch, terminal=False, yes=True)
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_a_piped_yes_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failure) as failed:
        asked("y\n", monkeypatch, terminal=False)
    assert failed.value.status is ExitStatus.USAGE
    assert "--yes" in failed.value.advice


@pytest.mark.parametrize("command", ENDING, ids=" ".join)
def test_without_a_terminal_each_ending_command_refuses_before_it_sends_anything(
    command: tuple[str, ...],
) -> None:
    # Nothing is named that could be asked, and the refusal comes first all the same.
    done = keyscope(*command)
    assert (done.status, done.out) == (ExitStatus.USAGE, "")
    assert "asks for confirmation, and there is no terminal" in done.err
