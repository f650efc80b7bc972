"""The commands that README and docs/ show, and what each needs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
_FENCE: Final = re.compile(
    r"(?P<before>[^\n]*)\n+(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
_MARK: Final = re.compile(r"# needs (?:AWS|Docker)\b")
_BY_HAND: Final = "<!-- by hand -->"
"""The line before a block that a person runs: it keeps running, or it takes long."""
_SUCCEEDED: Final = 99
"""The status of a line that succeeds although the page says that it fails."""
_LINES_OF_CI: Final = frozenset(
    re.findall(r"^(?:\w+=\S+ )*(make [a-z-]+)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
)


@dataclass(frozen=True)
class Block:
    """A block of commands; `script` is what of it can run here, and `kept` what cannot."""

    page: str
    script: str
    kept: str


@dataclass(frozen=True)
class Fence:
    """A fenced block of a page, without its indentation, and the line of text before it."""

    language: str
    text: str
    before: str


def fences(page: str) -> list[Fence]:
    """Return every fenced block of a page's text, in order."""
    return [
        Fence(
            found["language"],
            re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            found["before"],
        )
        for found in _FENCE.finditer(page)
    ]


def blocks() -> list[Block]:
    """Return every block of commands of the documents, in order."""
    return [
        block_of(fence, page.relative_to(ROOT).as_posix())
        for page in PAGES
        for fence in fences(page.read_text("utf-8"))
        if fence.language == "sh"
    ]


def block_of(fence: Fence, page: str) -> Block:
    """Return the commands of a fence, and what of them runs here."""
    lines = fence.text.splitlines()
    if fence.before == _BY_HAND:
        return Block(page, "", fence.text.rstrip())
    if _MARK.match(lines[0]):
        return Block(page, "", "\n".join(lines[1:]))
    kept = [line for line in lines if _MARK.search(line) or _is_of_ci(line)]
    script = "\n".join(_with_status(line) for line in lines if line not in kept)
    return Block(page, script, "\n".join(kept))


def _with_status(line: str) -> str:
    """Let a line whose comment names an exit status end with that one, and fail with any other."""
    command, _, comment = line.partition("  # ")
    found = re.search(r"status (\d)", comment)
    return line if found is None else f"({command} && exit {_SUCCEEDED}) || [ $? -eq {found[1]} ]"


def _is_of_ci(line: str) -> bool:
    """Tell whether `.ci/run` runs this very target."""
    return re.sub(r"( [A-Z]+=\S*)*( +#.*)?$", "", line) in _LINES_OF_CI
