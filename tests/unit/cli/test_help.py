"""The help of every command, as a terminal of 80 columns shows it."""

import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

import pytest
from typer._click import Command, Context
from typer.core import TyperGroup
from typer.main import get_command

from keyscope_cli.main import app

COLUMNS: Final = 80
NARROW: Final = 50
ROOT: Final = get_command(app)


def commands(command: Command, parent: Context | None = None) -> Iterator[Context]:
    """Yield the context of a command and of each one below it."""
    context = Context(
        command, parent, info_name=command.name if parent else "keyscope", terminal_width=COLUMNS
    )
    yield context
    if isinstance(command, TyperGroup):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, context)


ALL: Final = {context.command_path: context for context in commands(ROOT)}
LEAVES: Final = [path for path, each in ALL.items() if not isinstance(each.command, TyperGroup)]


@cache
def help_of(path: str, columns: int = COLUMNS) -> str:
    context = ALL[path]
    context.terminal_width = columns
    return context.command.get_help(context)


def examples_of(text: str) -> Sequence[str]:
    return [line.strip() for line in text.splitlines() if line.startswith("    keyscope ")]


def test_no_line_of_any_help_is_wider_than_the_terminal() -> None:
    too_long = [line for path in ALL for line in help_of(path).splitlines() if len(line) > COLUMNS]
    assert len(LEAVES) > 40
    assert too_long == []


@pytest.mark.parametrize("columns", [COLUMNS, NARROW])
def test_no_sentence_of_any_help_is_cut(columns: int) -> None:
    cut = [
        line
        for path in ALL
        for line in help_of(path, columns).splitlines()
        if line.endswith("...") and "[ARGS]..." not in line
    ]
    assert cut == []


def test_every_option_and_argument_is_named_whole_and_explained() -> None:
    unexplained = [
        (path, parameter.name)
        for path, each in ALL.items()
        for parameter in each.command.params
        if not getattr(parameter, "help", None)
        or not {parameter.metavar, *parameter.opts} & set(help_of(path).split())
    ]
    assert unexplained == []


def test_every_command_that_lists_shows_or_checks_can_write_json() -> None:
    reading = {"list", "show", "check", "test", "diff", "explain", "doctor", "token"}
    without = [
        path
        for path in LEAVES
        if path.split()[-1] in reading and "--json" not in help_of(path).split()
    ]
    assert without == []


def test_every_command_shows_an_example_of_itself() -> None:
    without = [
        path
        for path in LEAVES
        if not any(
            shlex.split(one)[: len(path.split())] == path.split()
            for one in examples_of(help_of(path))
        )
    ]
    assert without == []


def test_every_example_is_a_command_that_the_program_accepts() -> None:
    for path in LEAVES:
        for example in examples_of(help_of(path)):
            context = Context(ROOT, info_name="keyscope")
            words = shlex.split(example.replace("$", ""))[1:]
            while isinstance(context.command, TyperGroup):
                below = context.command.get_command(context, words[0])
                assert below is not None, example
                # Parsing fails for an option that does not exist and an argument that is missing.
                context = (
                    Context(below, context, info_name=words[0])
                    if isinstance(below, TyperGroup)
                    else below.make_context(words[0], words[1:], parent=context)
                )
                words = words[1:]
