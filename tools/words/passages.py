"""Finds the passages of a file that people read."""

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import yaml


class Passage(NamedTuple):
    """A paragraph, list item, table cell, comment or message, and the line it starts at, from 1."""

    line: int
    text: str


def passages(path: Path) -> Iterator[Passage]:
    """Yield the passages of a file; none for a kind of file that this module does not read.

    A test's strings are data, so only its comments and first docstring are read.
    """
    read = _READERS.get(path.suffix or path.name)
    if read is python and path.parts[0] == "tests":
        read = test_module
    return read(path.read_text("utf-8")) if read else iter(())


_CODE: Final = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_FENCE: Final = re.compile(r"\s*(```|~~~)")
_MARK: Final = re.compile(r"([-*+]|\d+\.)\s+|#+\s+|>\s?|[\w.]+:(\s+|$)")
_COLUMNS: Final = re.compile(r"\S {2,}\S")
_LETTER: Final = re.compile(r"[A-Za-z]")
_CELL_END: Final = re.compile(r"\s*\|\s*| {2,}")


def markdown(text: str, first_line: int = 1) -> Iterator[Passage]:
    """Yield paragraphs, list items, headings and table cells, but no blocks of code.

    The entries of a docstring's `Raises:` are items, too.
    """
    lines: list[str] = []
    start = first_line
    fenced = False
    for number, line in enumerate([*text.splitlines(), ""], first_line):
        fence = _FENCE.match(line) is not None
        fenced ^= fence
        content = "" if fenced or fence else line.strip()
        mark = _MARK.match(content)
        row = content.startswith("|") or _COLUMNS.search(content)
        if lines and (not content or mark or row):
            yield Passage(start, _without_code(" ".join(lines)))
            lines = []
        if row:
            cells = _CELL_END.split(_without_code(content))
            yield from (Passage(number, cell) for cell in cells if _LETTER.search(cell))
        elif rest := content[mark.end() :] if mark else content:
            start = start if lines else number
            lines.append(rest)


def _without_code(text: str) -> str:
    return _CODE.sub("`code`", text)


_OWN_LINE: Final = re.compile(r"\s*(?:#+:?|//+|/\*+|\*)(?:\s+|$)(.*?)(?:\s*\*/)?$")
_AT_THE_END: Final = re.compile(r".*\S\s+(?:##?|//)\s+(.+)")


def comments(text: str, strings: Collection[int] = ()) -> Iterator[Passage]:
    """Yield the comments; those of lines that follow each other and hold no code are one.

    `strings` are the lines inside of texts, which hold none.
    """
    block: list[str] = []
    start = 0
    for number, line in enumerate([*text.splitlines(), ""], 1):
        own = None if number in strings else _OWN_LINE.match(line)
        if own:
            start = start if block else number
            block.append(own[1])
            continue
        if block:
            yield from markdown("\n".join(block), start)
            block = []
        if number not in strings and (end := _AT_THE_END.match(line)):
            yield from markdown(end[1], number)


def python(text: str) -> Iterator[Passage]:
    """Yield docstrings, comments and messages of a Python module."""
    reader = _Strings()
    reader.visit(ast.parse(text))
    for line, string in reader.found:
        yield from markdown(string, line)
    yield from comments(text, reader.lines)


_FIRST_DOCSTRING: Final = re.compile(r'"""(.*?)"""', re.DOTALL)


def test_module(text: str) -> Iterator[Passage]:
    """Yield the first docstring and the comments of a test's module, without parsing it."""
    docstring = _FIRST_DOCSTRING.match(text)
    yield from markdown(docstring[1] if docstring else "")
    yield from comments(text)


class _Strings(ast.NodeVisitor):
    """Collects docstrings, and other strings of at least three words."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []
        self.lines: set[int] = set()

    def visit_Expr(self, node: ast.Expr) -> None:
        match node.value:
            case ast.Constant(value=str(text)):
                self._add(node.value, text, least=0)
            case _:
                self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._add(node, node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts = (
            str(part.value) if isinstance(part, ast.Constant) else "`code`" for part in node.values
        )
        self._add(node, "".join(parts))

    def _add(self, node: ast.expr, text: str, *, least: int = 2) -> None:
        if node.end_lineno and node.end_lineno > node.lineno:
            self.lines.update(range(node.lineno, node.end_lineno + 1))
        if text.count(" ") >= least:
            self.found.append((node.lineno, text))


_DESCRIBING: Final = {"Description", "AlarmDescription", "description", "summary", "name"}


def yaml_document(text: str) -> Iterator[Passage]:
    """Yield descriptions and comments of a YAML document, such as a template."""
    for document in yaml.compose_all(text, yaml.CSafeLoader):
        yield from _descriptions(document)
    yield from comments(text)


def _descriptions(node: yaml.Node) -> Iterator[Passage]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _descriptions(item)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value in _DESCRIBING and isinstance(value, yaml.ScalarNode):
                yield from markdown(value.value, value.start_mark.line + 1)
            else:
                yield from _descriptions(value)


_SCRIPT_STRING: Final = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|`((?:[^`\\]|\\.)*)`")


def script(text: str) -> Iterator[Passage]:
    """Yield comments and messages of a JavaScript module."""
    for found in _SCRIPT_STRING.finditer(text):
        words = re.sub(r"\$\{[^}]*\}", "`code`", found[1] or found[2] or "")
        if words.count(" ") > 1:
            yield from markdown(words, text.count("\n", 0, found.start()) + 1)
    yield from comments(text)


_INLINE_TAG: Final = re.compile(r"</?(?:a|abbr|b|code|em|i|kbd|small|span|strong)\b[^>]*>")
_OTHER_TAG: Final = re.compile(r"<[^>]*>")


def html(text: str) -> Iterator[Passage]:
    """Yield the text of a page; inline elements do not end a passage."""
    shown = _OTHER_TAG.sub(lambda tag: "\n" + "\n" * tag[0].count("\n"), _INLINE_TAG.sub("", text))
    return (Passage(0, passage.text) for passage in markdown(shown))


_READERS: Final[Mapping[str, Callable[[str], Iterator[Passage]]]] = {
    ".md": markdown,
    ".py": python,
    ".yaml": yaml_document,
    ".yml": yaml_document,
    ".js": script,
    ".mjs": script,
    ".html": html,
    ".css": comments,
    ".toml": comments,
    ".tf": comments,
    ".sh": comments,
    "Makefile": comments,
}
