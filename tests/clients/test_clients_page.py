"""The snippets of docs/how-to/clients.md, run as a reader would, print what their comments say."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.clients.client_programs import (
    HERE,
    JAVA,
    JAVA_COMMAND,
    JAVASCRIPT,
    STOP_SECONDS,
    Program,
)
from tests.clients.conftest import Api
from tests.support.documents import ROOT, blocks

pytestmark = pytest.mark.client

PAGE: Final = ROOT / "docs" / "how-to" / "clients.md"
FENCE: Final = re.compile(
    r"^## ([^\n]*)$|^```(python|js|java)\n(.*?)^```", re.DOTALL | re.MULTILINE
)
PRINTS: Final = re.compile(
    r"^ *(?:print|console\.log|System\.out\.println)\(.*\);? +(?:#|//) (.*)$", re.MULTILINE
)


@dataclass(frozen=True)
class Snippet:
    """A fence of the page, and the heading above it."""

    heading: str
    language: str
    code: str


def snippets() -> list[Snippet]:
    heading, found = "", []
    for fence in FENCE.finditer(PAGE.read_text("utf-8")):
        if fence[1] is None:
            found.append(Snippet(heading, fence[2], fence[3]))
        else:
            heading = fence[1]
    return found


@pytest.fixture(scope="module")
def variables(api: Api) -> Mapping[str, str]:
    """The environment that the page asks for."""
    store = api.account()
    return {
        "URL": api.url,
        "KEY_ID": store.account_key.key_id,
        "SECRET": store.account_key.secret,
        "APP_ID": store.app_id,
        "APP_KEY_ID": store.app_key.key_id,
        "APP_SECRET": store.app_key.secret,
    }


def command_of(snippet: Snippet, folder: Path) -> list[str]:
    """Return what runs a snippet, or skip the test if something is missing."""
    match snippet.language:
        case "python":
            return [sys.executable, "-c", snippet.code]
        case "js":
            require(JAVASCRIPT)
            return ["node", "--input-type=module", "--eval", snippet.code]
        case "java":
            require(JAVA)
            file = folder / "Bakery.java"
            file.write_text(snippet.code, "utf-8")
            return [*JAVA_COMMAND, str(file)]
        case _ as language:
            raise ValueError(language)


def require(program: Program) -> None:
    """Skip the test if the client of a program is not installed."""
    if (reason := program.missing()) is not None:
        pytest.skip(reason)


@pytest.mark.parametrize("snippet", snippets(), ids=lambda snippet: snippet.heading)
def test_a_snippet_prints_what_its_comments_say(
    snippet: Snippet, variables: Mapping[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(  # noqa: S603 - the page's own code
        command_of(snippet, tmp_path),
        cwd=HERE,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=STOP_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == PRINTS.findall(snippet.code) != []


def test_each_library_of_the_page_has_a_snippet() -> None:
    rows = PAGE.read_text("utf-8").partition("| Library |")[2].partition("\n\n")[0]
    libraries = set(re.findall(r"^\| ([A-Z][^|]*?) +\|", rows, re.MULTILINE))
    assert libraries == {snippet.heading for snippet in snippets()} - {"Use a token"}
    assert "docs/how-to/clients.md" in {block.page for block in blocks() if block.script}
