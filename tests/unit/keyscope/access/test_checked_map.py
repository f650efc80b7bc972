"""An authorizer serves a map that the build has checked, or else checks it itself."""

import os
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Final

import pytest

from keyscope.access import checked_map
from keyscope.access.access_map import read_access_map, read_route_sets
from keyscope.access.checked_map import (
    CHECKED_MAP,
    MANAGEMENT_MAP,
    PACKAGED_MAP,
    access_map_of,
    digest,
    load_access_map,
    read_beside,
    written,
)
from keyscope.access.rules import MANAGEMENT
from keyscope.errors import Misconfigured

SOURCE: Final = read_beside(PACKAGED_MAP)
SETS: Final = read_route_sets(SOURCE, with_management=True)
CHECKED: Final = written(digest(SOURCE), SETS)
SELECTIONS: Final = [
    [*names] for number in (1, 2, len(SETS)) for names in combinations(SETS, number)
]
PACKAGE: Final = Path(checked_map.__file__).parents[1]
"""The package under test, which is a copy when a fault was put into it."""


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own package
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode == 0 else done.stderr


@pytest.mark.parametrize("route_sets", SELECTIONS, ids=",".join)
def test_the_checked_map_says_what_the_file_says(route_sets: list[str]) -> None:
    assert access_map_of(SOURCE, route_sets, CHECKED) == read_access_map(SOURCE, route_sets)


def test_the_only_set_is_kept_without_a_selection() -> None:
    source = '[pets]\napp = ["GET /pets/{appId}"]\n'
    checked = written(digest(source), read_route_sets(source, with_management=True))
    assert access_map_of(source, [], checked) == read_access_map(source, [])


@pytest.mark.parametrize("route_sets", [[], ["v3"], ["v2", "none"]])
def test_a_wrong_selection_is_refused_in_the_same_words(route_sets: list[str]) -> None:
    with pytest.raises(Misconfigured) as of_file:
        read_access_map(SOURCE, route_sets)
    with pytest.raises(Misconfigured) as of_checked:
        access_map_of(SOURCE, route_sets, CHECKED)
    assert str(of_checked.value).startswith(str(of_file.value))


def test_a_file_that_changed_since_is_checked_again() -> None:
    changed = SOURCE.replace('"GET,POST /v2/apps/{appId}/users"', '"GET,POST /v2/apps/*"')
    assert changed != SOURCE
    with pytest.raises(Misconfigured, match="of others"):
        access_map_of(changed, ["v2"], CHECKED)


def test_a_map_of_ones_own_is_checked_even_where_the_packaged_one_was() -> None:
    with pytest.raises(Misconfigured, match="star"):
        access_map_of('[pets]\napp = ["GET /pets/*/x"]', [], CHECKED)


def test_keyscopes_own_routes_are_part_of_what_was_checked(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "keyscope", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "keyscope" / "access" / MANAGEMENT_MAP).open("a", encoding="utf-8") as file:
        file.write("\n# Another text\n")
    show = (
        "from keyscope.access.checked_map import PACKAGED_MAP, digest, read_beside;"
        "print(digest(read_beside(PACKAGED_MAP)))"
    )
    assert len(run(tmp_path, "-c", show).strip()) == len(digest(SOURCE))
    assert run(tmp_path, "-c", show).strip() != digest(SOURCE)


@pytest.mark.parametrize("checked", ["", "{}", CHECKED[:-1], CHECKED.replace("rules", "rule")])
def test_a_damaged_checked_map_is_not_served(checked: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        access_map_of(SOURCE, ["v2"], checked)


def test_the_sources_contain_no_checked_map() -> None:
    assert not (PACKAGE / "access" / CHECKED_MAP).exists()
    assert load_access_map(SOURCE, ["v2"]) == read_access_map(SOURCE, ["v2"])


def test_the_build_writes_it_once_and_the_same_and_a_start_reads_no_toml(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "keyscope", ignore=shutil.ignore_patterns("__pycache__"))
    run(tmp_path, "-m", "keyscope.access.checked_map")
    access = tmp_path / "keyscope" / "access"
    assert (access / CHECKED_MAP).read_text("utf-8") == CHECKED
    start = (
        "import sys; from keyscope.access.checked_map import load_access_map, read_beside;"
        f"load_access_map(read_beside({PACKAGED_MAP!r}), ('v2', {MANAGEMENT!r}));"
        "print(sorted({'tomllib', 'keyscope.access.access_map'} & {*sys.modules}))"
    )
    assert run(tmp_path, "-c", start) == "[]\n"


def test_the_build_fails_for_a_map_that_is_wrong(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "keyscope", ignore=shutil.ignore_patterns("__pycache__"))
    access = tmp_path / "keyscope" / "access"
    (access / PACKAGED_MAP).write_text('[pets]\napp = ["GET /pets/*/x"]', "utf-8")
    assert "RefusedRule: access map, line 2" in run(tmp_path, "-m", "keyscope.access.checked_map")
    assert not (access / CHECKED_MAP).exists()
