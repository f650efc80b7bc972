"""What a measurement gives: tables of plain numbers, targets, and what was left out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
FOLDER: Final = ROOT / ".local" / "bench"

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """One table; numbers stay numbers, so that the JSON can be read by programs."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A measured value beside its goal, which is at most `limit`; `aim` is where it should go."""

    name: str
    value: float
    limit: float
    aim: float | None = None

    @property
    def verdict(self) -> str:
        """Compare the value with the goal, in words."""
        if self.value > self.limit:
            return f"missed by {self.value - self.limit:.3g}"
        return "met" if self.aim is None or self.value > self.aim else "met, and its aim"


@dataclass(frozen=True, slots=True)
class Section:
    """All that one part of the measurements gave; `skipped` says what was left out, and why."""

    tables: tuple[Table, ...] = ()
    targets: tuple[Target, ...] = ()
    skipped: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def write_results(path: Path, sections: Mapping[str, Section]) -> None:
    """Write sections into a JSON file; those that it holds and that were not measured stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    old: dict[str, object] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    new = {name: asdict(section) for name, section in sections.items()}
    path.write_text(json.dumps({**old, **new}, indent=1) + "\n", "utf-8")


def read_results(path: Path) -> dict[str, Section]:
    """Read the sections of a JSON file.

    Raises:
        OSError: the file cannot be read.
    """
    document = json.loads(path.read_text("utf-8"))
    return {name: _section(value) for name, value in document.items()}


def joined(sections: Sequence[Section]) -> Section:
    """Return several sections as one."""
    return Section(
        tables=tuple(table for section in sections for table in section.tables),
        targets=tuple(target for section in sections for target in section.targets),
        skipped=tuple(text for section in sections for text in section.skipped),
        environment={k: v for section in sections for k, v in section.environment.items()},
    )


def _section(value: Mapping[str, Any]) -> Section:
    return Section(
        tables=tuple(_table(table) for table in value["tables"]),
        targets=tuple(Target(**target) for target in value["targets"]),
        skipped=tuple(value["skipped"]),
        environment=value["environment"],
    )


def _table(value: Mapping[str, Any]) -> Table:
    return Table(
        name=value["name"],
        title=value["title"],
        columns=tuple(value["columns"]),
        rows=tuple(tuple(row) for row in value["rows"]),
        note=value["note"],
    )
