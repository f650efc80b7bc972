"""Each command of README and docs/ runs here, or says what it needs."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from keyscope_local.tour.seed import INTEGRATION_ID
from tests.support import plain_http
from tests.support.documents import ROOT, Block, blocks
from tests.support.local_run import local_run

pytestmark = pytest.mark.processes

RUN_BY: Final = {
    "docs/reference/platform-facts.md": "tests/e2e/test_platform_checks_facts.py",
    "docs/reference/command-line.md": "tests/e2e/test_cli_guide.py",
    "docs/how-to/migrate-from-api-gateway-keys.md": "tests/e2e/test_walks.py",
    "docs/how-to/migrate-from-your-own-authorizer.md": "tests/e2e/test_walks.py",
    "docs/tutorials/start.md": "tests/e2e/test_walks.py",
    "docs/tutorials/own-api.md": "tests/e2e/test_walks.py",
}
"""Pages whose commands another test runs one by one."""
RUNNABLE: Final = [block for block in blocks() if block.script.strip() and block.page not in RUN_BY]
# A refused request fails the script, and each page defines `api` once.
PRELUDE: Final = """
set -euo pipefail
curl() { command curl --fail-with-body "$@"; }
api() { curl -s -u "$KEY_ID:$SECRET" -H 'Content-Type: application/json' "$@"; }
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """What a reader who followed the pages has at hand: a stack, an account's key, its URL."""
    folder = tmp_path_factory.mktemp("documented")
    with local_run(folder) as run:
        key = run.store.account_key
        yield {
            **os.environ,
            "PATH": f"{ROOT}/.venv/bin{os.pathsep}{os.environ['PATH']}",
            "KEYSCOPE_SESSION": str(folder / "session.json"),
            "XDG_STATE_HOME": str(folder / "state"),
            "URL": run.rest_url,
            "KEY_ID": key.key_id,
            "SECRET": key.secret,
        }


@pytest.fixture
def app(reader: Mapping[str, str]) -> Mapping[str, str]:
    """A new app with a key, for a block to change and delete."""
    url, credential = reader["URL"], (reader["KEY_ID"], reader["SECRET"])
    made = plain_http.post(f"{url}/v2/apps", auth=credential, json={"displayName": "Read of"})
    app_id = made.json()["app"]["id"]
    key = plain_http.post(
        f"{url}/v2/apps/{app_id}/keys", auth=credential, json={"displayName": "Read of"}
    )
    made_key = key.json()["key"]
    return {
        "APP_ID": app_id,
        "APP_KEY_ID": made_key["id"],
        "APP_SECRET": made_key["secret"],
        "INTEGRATION_ID": INTEGRATION_ID,
    }


@pytest.mark.parametrize("block", RUNNABLE, ids=lambda block: block.page)
def test_a_block_of_commands_runs(
    block: Block, reader: Mapping[str, str], app: Mapping[str, str]
) -> None:
    done = subprocess.run(  # noqa: S603 - the documents' own commands
        ["/bin/bash", "-c", PRELUDE + block.script],
        cwd=ROOT,
        env={**reader, **app},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_run_elsewhere_is_there() -> None:
    assert [test for test in RUN_BY.values() if not (ROOT / test).exists()] == []


def test_most_pages_with_commands_are_found() -> None:
    found = {block.page for block in blocks()}
    assert found >= {
        "README.md",
        "docs/tutorials/start.md",
        "docs/how-to/upgrade.md",
        "docs/reference/management-api.md",
    }


def test_no_marked_command_is_one_that_could_run() -> None:
    reaching = (
        "aws ",
        "sam ",
        "--stack",
        "make ",
        "keyscope up",
        "python -m benchmarks",
        "curl",
        "uvx ",
        "uv tool ",
    )
    idle = [
        block for block in blocks() if block.kept and not any(it in block.kept for it in reaching)
    ]
    assert idle == []
