"""Temporary changes to the process: they last as long as their block, however it ends."""

import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from keyscope_local.template.process_state import environment_variables, import_path_with

NAME = "KEYSCOPE_TEST_VARIABLE"


class Failed(Exception):  # noqa: N818 - a state
    """The block ends with an exception."""


@pytest.mark.parametrize("former", [None, "former"])
@pytest.mark.parametrize("error", [None, Failed])
def test_a_variable_is_set_for_the_block_and_then_as_before(
    former: str | None, error: type[Failed] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(NAME, raising=False)
    if former is not None:
        monkeypatch.setenv(NAME, former)
    with suppress(Failed), environment_variables({NAME: "now"}):
        assert os.environ[NAME] == "now"
        if error is not None:
            raise error
    assert os.environ.get(NAME) == former


def test_a_variable_that_the_block_removes_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "former")
    with environment_variables({NAME: "now"}):
        del os.environ[NAME]
    assert os.environ[NAME] == "former"


def test_a_variable_that_the_block_removes_stays_away_if_it_is_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(NAME, raising=False)
    with environment_variables({NAME: "now"}):
        del os.environ[NAME]
    assert NAME not in os.environ


@pytest.mark.parametrize("error", [None, Failed])
def test_a_folder_comes_first_on_the_import_path_for_the_block(
    error: type[Failed] | None, tmp_path: Path
) -> None:
    former = list(sys.path)
    with suppress(Failed), import_path_with(tmp_path):
        assert sys.path == [str(tmp_path), *former]
        if error is not None:
            raise error
    assert sys.path == former
