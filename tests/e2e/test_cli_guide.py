"""The examples of docs/reference/command-line.md, run one after the other as a reader would."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import typer.main

from keyscope_cli.failures import ExitStatus
from keyscope_cli.main import app
from keyscope_local.tour.seed import INTEGRATION_ID
from tests.support.cli import ROOT, LocalRun, keyscope, local_run
from tests.support.in_process import Ended

pytestmark = pytest.mark.processes

GUIDE: Final = (ROOT / "docs" / "reference" / "command-line.md").read_text("utf-8")
BLOCKS: Final = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
EXAMPLES: Final = [line for block in BLOCKS for line in block.splitlines()]
NEEDS_AWS: Final = re.compile(r" --(stack|url) ")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    with local_run(tmp_path_factory.mktemp("guide") / ".local") as running:
        yield running


def words_of(example: str, run: LocalRun) -> list[str]:
    """Return an example's arguments, with the run's ids and files in the place of the reader's."""
    session = run.session
    ids = {
        "$ACCOUNT_ID": session["account_id"],
        "$ACCOUNT_KEY_ID": session["spare_key"]["key_id"],
        "$APP_ID": session["app_id"],
        "$KEY_ID": session["app_key"]["key_id"],
        "$INTEGRATION_ID": INTEGRATION_ID,
        "$SERVICE_ACCOUNT_ID": session["service_account_id"],
    }
    text = re.sub(r"\$[A-Z_]+", lambda found: ids[found[0]], example.partition("#")[0])
    text = re.sub(r"(?<=-file )\w+\.json", lambda found: f"{run.file.parent}/{found[0]}", text)
    return shlex.split(text)[1:]


def outcome_of(example: str, run: LocalRun) -> Ended:
    return keyscope(*words_of(example, run), KEYSCOPE_SESSION=str(run.file))


def expected_status(example: str) -> int:
    found = re.search(r"# status (\d)", example)
    return int(found[1]) if found else 0


def test_every_example_that_needs_no_aws_ends_as_the_guide_says(run: LocalRun) -> None:
    examples = [example for example in EXAMPLES if NEEDS_AWS.search(example) is None]
    ended = [(example, outcome_of(example, run)) for example in examples]
    surprises = [
        (example, done) for example, done in ended if done.status != expected_status(example)
    ]
    assert len(examples) >= 30
    assert surprises == []


def test_the_guide_lists_the_exit_statuses() -> None:
    listed = re.findall(r"^\| (\d+) \| ", GUIDE, re.MULTILINE)
    assert [int(status) for status in listed] == list(ExitStatus)


def names_of(command: object, *above: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command below a group."""
    below = getattr(command, "commands", None)
    if below is None:
        yield above
        return
    for name, one in below.items():
        yield from names_of(one, *above, name)


def test_every_command_has_an_example_or_is_named() -> None:
    words = [" ".join(name) for name in names_of(typer.main.get_command(app))]
    own = [name for name in words if not name.startswith("service-account key ")]
    assert len(words) > len(own) > 20
    assert [name for name in own if name not in GUIDE] == []


def test_the_folder_of_the_examples_events_is_there() -> None:
    named = re.findall(r"--event (\S+)", GUIDE)
    assert [name for name in named if name != "FILE`" and not Path(ROOT / name).exists()] == []
