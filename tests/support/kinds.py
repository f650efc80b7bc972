"""The kinds of test that `make test` leaves out, and why.

`make test-rest` runs them, and `make test-all` runs all tests. Each kind is a mark:

    pytestmark = pytest.mark.browser

A test that uses a costly fixture gets the fixture's mark by itself. Every marked test also gets the
mark `slow`, so `-m slow` and `-m "not slow"` divide the tests in two.
"""

import re
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Final

import pytest

KINDS: Final = {
    "browser": "drives Chromium through the key console",
    "build": "runs `sam build` or a part of it, or examines what it makes",
    "cfn_lint": "lints a template with cfn-lint, which takes seconds to load",
    "canary": "runs the canary, which creates stacks and sends hundreds of requests",
    "client": "drives the gateway with another's client, which takes seconds to load",
    "cloudformation": "runs a stack in moto's CloudFormation, which loads all of moto",
    "dynamodb_local": "uses Amazon's DynamoDB Local, which takes seconds to start",
    "example_tools": "runs an example's own tool, such as CDK or Terraform",
    "flushes": "waits for flushes of API Gateway's cache, with a stack for each test",
    "generated": "sends thousands of generated requests",
    "installed": "reads every file of every installed package",
    "load": "keeps the processor busy for seconds, on purpose",
    "processes": "starts a program for nearly every test",
    "races": "runs a change against every other change",
    "traced": "counts each allocation, which takes seconds",
    "wheel": "builds the packages and installs them with all that they need, from an index",
}
"""Each slow kind's mark, and why it is slow."""
KIND_OF_FIXTURE: Final = {
    "artifacts": "build",
    "built": "build",
    "dynamodb_local": "dynamodb_local",
}
"""Fixtures whose every test is of a slow kind."""
SLOW: Final = "slow"
NOT_SLOW: Final = "not slow"
SLOW_BUT_NO_LOAD: Final = "slow and not load"
LOAD: Final = "load"


def register(config: pytest.Config) -> None:
    """Register the marks, which `pytest --markers` lists."""
    for name, why in KINDS.items():
        config.addinivalue_line("markers", f"{name}: {why}")
    config.addinivalue_line("markers", f"{SLOW}: has one of the marks {', '.join(KINDS)}")


def mark_slow(items: Iterable[pytest.Item]) -> None:
    """Add the marks that follow from a test's fixtures, and `slow` to each test of a slow kind.

    Raises:
        pytest.UsageError: a test is slow, but its file's text does not say so.
    """
    for item in items:
        fixtures: Collection[str] = getattr(item, "fixturenames", ())
        for fixture, kind in KIND_OF_FIXTURE.items():
            if fixture in fixtures:
                item.add_marker(kind)
        if kinds_of(item):
            item.add_marker(SLOW)
            if has_none_of(SLOW_BUT_NO_LOAD, item.path):
                message = f"`make test-rest` would not find {item.nodeid}: its file names no kind"
                raise pytest.UsageError(message)


def kinds_of(item: pytest.Item) -> list[str]:
    """Return the slow kinds of a test."""
    return [mark.name for mark in item.iter_markers() if mark.name in KINDS]


def has_none_of(selected: str, path: Path) -> bool:
    """Tell by its text that no test of a file is among those that an expression of marks selects.

    The answer is no where that is not certain.
    """
    if path.suffix != ".py":
        return False
    if selected == NOT_SLOW:
        return _SLOW_FILE.search(_text_of(path)) is not None
    if selected == SLOW_BUT_NO_LOAD:
        # The fixtures of a folder may use costly ones, as those of tests/integration do.
        texts = [_text_of(each) for each in (path, path.with_name("conftest.py")) if each.is_file()]
        return not any(map(_PERHAPS_SLOW.search, texts))
    return selected == LOAD and f"mark.{LOAD}" not in _text_of(path)


@cache
def _text_of(path: Path) -> str:
    return path.read_text("utf-8")


_SLOW_FILE: Final = re.compile(rf"^pytestmark = pytest\.mark\.({'|'.join(KINDS)})$", re.MULTILINE)
_PERHAPS_SLOW: Final = re.compile(rf"mark\.({'|'.join(KINDS)})\b|\b({'|'.join(KIND_OF_FIXTURE)})\b")
