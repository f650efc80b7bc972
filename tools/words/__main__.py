"""Reads the files that the command line names; fails when it prints a finding.

Each is a line of its own: `file:line: what is wrong`.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tools.words.passages import passages
from tools.words.rules import findings

UNREAD: Final = (
    "docs/decisions/",
    "tests/vectors/",
    "tools/words/rules.py",
    "tests/unit/tools/test_words.py",
)
"""Decisions are records of their day, and the rules quote what they forbid."""


def complaints(files: Iterable[Path]) -> Iterator[str]:
    """Yield a line for each finding in the files."""
    for file in files:
        for passage in passages(file):
            for finding in findings(passage.text):
                yield f"{file}:{passage.line}: {finding}"


if __name__ == "__main__":
    names = (name for name in sys.argv[1:] if not name.startswith(UNREAD))
    found = list(complaints(path for path in map(Path, names) if path.is_file()))
    sys.stdout.writelines(f"{line}\n" for line in found)
    sys.exit(bool(found))
