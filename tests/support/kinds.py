"""The kinds of test that `make test` leaves out, and why.

`make test-rest` runs them, and `make test-all` runs all tests. Each kind is a mark:

    pytestmark = pytest.mark.browser

A test that uses a costly fixture gets the fixture's mark by itself. Every marked test also gets the
mark `slow`, so `-m slow` and `-m "not slow"` divide the tests in two.
"""

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

import pytest

KINDS: Final = {
    "browser": "drives Chromium through the key console",
    "build": "runs `sam build` or a part of it, or examines what it makes",
    "cfn_lint": "lints a template with cfn-lint, which takes seconds to load",
    "canary": "runs the canary, which creates stacks and sends hundreds of requests",
    "client": "drives the gateway with another's client, which takes seconds to load",
    "dynamodb_local": "uses Amazon's DynamoDB Local, which takes seconds to start",
    "example_tools": "runs an example's own tool, such as CDK or Terraform",
    "flushes": "waits for flushes of API Gateway's cache, with a stack for each test",
    "generated": "sends thousands of generated requests",
    "installed": "reads every file of every installed package",
    "load": "keeps the processor busy for seconds, on purpose",
    "processes": "starts a program for nearly every test",
    "races": "runs a change against every other change",
}
"""Each slow kind's mark, and why it is slow."""
KIND_OF_FIXTURE: Final = {"built": "build", "dynamodb_local": "dynamodb_local"}
"""Fixtures whose every test is of a slow kind."""
SLOW: Final = "slow"
NOT_SLOW: Final = "not slow"


def register(config: pytest.Config) -> None:
    """Register the marks, which `pytest --markers` lists."""
    for name, why in KINDS.items():
        config.addinivalue_line("markers", f"{name}: {why}")
    config.addinivalue_line("markers", f"{SLOW}: has one of the marks {', '.join(KINDS)}")


def mark_slow(items: Iterable[pytest.Item]) -> None:
    """Add the marks that follow from a test's fixtures, and `slow` to each test of a slow kind."""
    for item in items:
        fixtures: Collection[str] = getattr(item, "fixturenames", ())
        for fixture, kind in KIND_OF_FIXTURE.items():
            if fixture in fixtures:
                item.add_marker(kind)
        if kinds_of(item):
            item.add_marker(SLOW)


def kinds_of(item: pytest.Item) -> list[str]:
    """Return the slow kinds of a test."""
    return [mark.name for mark in item.iter_markers() if mark.name in KINDS]


def is_slow_file(path: Path) -> bool:
    """Tell whether all tests of a file are of one slow kind, by its text."""
    return path.suffix == ".py" and _SLOW_FILE.search(path.read_text("utf-8")) is not None


_SLOW_FILE: Final = re.compile(rf"^pytestmark = pytest\.mark\.({'|'.join(KINDS)})$", re.MULTILINE)
