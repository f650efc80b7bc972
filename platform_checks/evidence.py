"""The raw evidence of a run: one JSON line for each request and its response."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Evidence:
    """Numbers the lines and passes them on; no line contains a credential or a token."""

    write: Callable[[str], object]
    _names: list[str] = field(default_factory=list)

    def add(self, members: Mapping[str, object]) -> str:
        """Store one line; return its name, such as `e12`."""
        name = f"e{len(self._names) + 1}"
        self._names.append(name)
        self.write(json.dumps({"id": name, **members}) + "\n")
        return name


@contextmanager
def evidence_file(path: Path) -> Iterator[Evidence]:
    """Store the evidence in a new file that only its owner can read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", buffering=1, encoding="utf-8") as file:
        yield Evidence(file.write)
