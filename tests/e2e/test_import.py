"""`keyscope import` as a program: killed in the middle, and seen in a terminal."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.cli import END_SECONDS, PROGRAM, LocalRun, environment, in_a_terminal, local_run

pytestmark = pytest.mark.processes

NUMBER: Final = 40


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    with local_run(tmp_path_factory.mktemp("run")) as running:
        yield running


def tenants_in(folder: Path, name: str) -> Path:
    file = folder / "tenants.jsonl"
    tenants = [
        {"externalId": f"{name}-{number}", "displayName": f"Tenant {number}"}
        for number in range(NUMBER)
    ]
    file.write_text("".join(f"{json.dumps(tenant)}\n" for tenant in tenants))
    return file


def lines_of(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines()[1:] if file.exists() else []


def test_an_import_that_is_killed_continues_and_every_key_works(
    run: LocalRun, tmp_path: Path
) -> None:
    tenants, file = str(tenants_in(tmp_path, "killed")), tmp_path / "secrets.jsonl"
    given = ("import", tenants, "--secret-file", str(file))
    with environment() as own:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [PROGRAM, *given, "--local", "--session", str(run.file)], env=own
        )
        deadline = time.monotonic() + END_SECONDS
        while len(lines_of(file)) < NUMBER // 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        process.wait(END_SECONDS)
    before = len(lines_of(file))
    assert NUMBER // 4 <= before < NUMBER
    done = run.keyscope(*given, "--json")
    assert done.status == 0, done.err
    assert done.json["doneBefore"] == before
    assert done.json["created"] + done.json["replaced"] == NUMBER - before
    keys = [json.loads(line) for line in lines_of(file)]
    assert len({key["ownerId"] for key in keys}) == NUMBER
    key_file = tmp_path / "key.json"
    for key in keys:
        key_file.write_text(json.dumps({name: key[name] for name in ("id", "secret")}))
        asked = run.keyscope("app", "list", "--credential-file", str(key_file), "--json")
        assert asked.json == {"apps": []}


def test_a_terminal_shows_the_progress(run: LocalRun, tmp_path: Path) -> None:
    tenants, file = str(tenants_in(tmp_path, "shown")), str(tmp_path / "secrets.jsonl")
    local = ("--local", "--session", str(run.file))
    done = in_a_terminal("import", tenants, "--secret-file", file, *local)
    assert done.status == 0, done.out
    assert "Importing" in done.out
    assert f"{NUMBER}/{NUMBER}" in done.out
    assert Path(file).stat().st_mode & 0o777 == 0o600
