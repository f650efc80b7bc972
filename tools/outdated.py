"""`python -m tools.outdated`: list locked packages that have a newer release, and what keeps them.

uv asks the index for each lock file.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Final, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).parents[1]
PROJECTS: Final = (".", "layers")
"""The folders that have a lock file."""
_MOVE: Final = re.compile(r"^Update (\S+) .*?(\S+)$", re.MULTILINE)
"""What `uv lock --upgrade --dry-run` prints for each package that it would move."""


class Parent(NamedTuple):
    """A package that needs another one, and for which of its extras, if for one."""

    name: str
    version: str
    extra: str


class Package(NamedTuple):
    """A locked package: the newest release on the index, and what needs the package."""

    name: str
    version: str
    latest: str
    parents: frozenset["Parent"]


def packages(tree: Mapping[str, Any]) -> Sequence[Package]:
    """Return the outdated packages of what `uv tree --outdated --format json` prints."""
    # The workspace itself, the one node without a version, needs nothing.
    found = {key: each for key, each in tree["resolution"].items() if "version" in each}
    parents = defaultdict[str, set[Parent]](set)
    for each in found.values():
        kind = each["kind"]
        extra = kind.get("extra", "") if isinstance(kind, dict) else ""
        for dependency in each["dependencies"]:
            child = found[dependency["id"]]["name"]
            if child != each["name"]:
                parents[child].add(Parent(each["name"], each["version"], extra))
    return sorted(
        {
            Package(
                each["name"],
                each["version"],
                each["latest_version"],
                frozenset(parents[each["name"]]),
            )
            for each in found.values()
            if each.get("latest_version", each["version"]) != each["version"]
        }
    )


def moves(printed: str) -> Mapping[str, str]:
    """Return the new version of each package that `uv lock --upgrade --dry-run` would move."""
    return {name: version.removeprefix("v") for name, version in _MOVE.findall(printed)}


def holders(package: Package, own: Sequence[Requirement]) -> Iterator[str]:
    """Yield each requirement that excludes the newest release; `own` are the project's."""
    for requirement in own:
        if _excludes(requirement, package):
            yield f"pyproject.toml requires {requirement}"
    for parent in sorted(package.parents):
        for requirement in _requirements(parent):
            if _excludes(requirement, package):
                needed = f"{package.name}{requirement.specifier}"
                yield f"{parent.name} {parent.version} requires {needed}"


def _excludes(requirement: Requirement, package: Package) -> bool:
    is_it = canonicalize_name(requirement.name) == package.name
    return is_it and not requirement.specifier.contains(package.latest, prereleases=True)


def _requirements(parent: Parent) -> Iterator[Requirement]:
    """Yield what an installed package requires; nothing is known of one that is not installed."""
    try:
        found = distribution(parent.name)
    except PackageNotFoundError:
        return
    if found.version == parent.version:
        for text in found.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": parent.extra}):
                yield requirement


def reason(package: Package, moved: str | None, held: Sequence[str]) -> str:
    """Say why the lock does not have the newest release."""
    if moved == package.latest:
        return "nothing keeps it: `uv lock --upgrade` updates it"
    if held:
        return "; ".join(held)
    needed_by = ", ".join(sorted({parent.name for parent in package.parents}))
    return f"what it requires itself, or {needed_by} requires"


def _run(*command: str, **environment: str) -> tuple[str, str]:
    done = subprocess.run(  # noqa: S603 - our own commands
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, done.stderr


def _tree(project: str, **environment: str) -> Sequence[Package]:
    scope = ("--project", project, "--frozen", "--all-groups", "--depth", "255")
    printed, _ = _run("uv", "tree", *scope, "--outdated", "--format", "json", **environment)
    return packages(json.loads(printed))


def _own(project: str) -> Sequence[Requirement]:
    read = tomllib.loads((ROOT / project / "pyproject.toml").read_text("utf-8"))
    groups = read["dependency-groups"].values()
    texts = [
        *read["project"].get("dependencies", ()),
        *(each for group in groups for each in group if isinstance(each, str)),
    ]
    return [Requirement(each) for each in texts]


def rows(project: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield each outdated package of a lock file: its name, version, newest release and reason."""
    _, told = _run("uv", "lock", "--project", project, "--upgrade", "--dry-run")
    moved, own = moves(told), _own(project)
    old_enough = {each.name: each for each in _tree(project)}
    for each in old_enough.values():
        held = list(dict.fromkeys(holders(each, own)))
        yield (*each[:3], reason(each, moved.get(each.name), held))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for each in _tree(project, UV_EXCLUDE_NEWER=now):
        known = old_enough.get(each.name)
        if known is None or known.latest != each.latest:
            yield (*each[:3], "the cooldown: the release is less than a week old")


def main() -> int:
    """Print the rows of each lock file; return the exit status."""
    for project in PROJECTS:
        sys.stdout.write(f"{Path(project) / 'uv.lock'}\n")
        found = list(rows(project)) or [("up to date", "", "", "")]
        for name, version, latest, why in found:
            sys.stdout.write(f"  {name:26} {version:14} {latest:14} {why}".rstrip() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
