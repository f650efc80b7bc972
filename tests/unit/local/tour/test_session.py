"""The state folder is one run's at a time, and its session file ends with the run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from keyscope_local.emulators.listening_program import free_ports
from keyscope_local.tour.events import main
from keyscope_local.tour.session import Session, session_file
from keyscope_local.tour.state_folder import FolderInUse, held_folder
from tests.unit.local.tour.test_visits import session

__all__ = ["session"]

HOLD: Final = """
import sys
from pathlib import Path
from keyscope_local.tour.state_folder import held_folder
with held_folder(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_created_for_its_owner_alone(tmp_path: Path) -> None:
    with held_folder(tmp_path / "state"):
        assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_second_run_does_not_get_the_first_one_s_folder(tmp_path: Path) -> None:
    with held_folder(tmp_path), pytest.raises(FolderInUse) as refused, held_folder(tmp_path):
        pass
    told = str(refused.value)
    assert told.startswith(f"Another run (process {os.getpid()}) is using {tmp_path}. ")
    assert f"keyscope up --state-folder {tmp_path}-2 --port 3100" in told


def test_a_second_run_in_another_folder_serves_beside_the_first(tmp_path: Path) -> None:
    with held_folder(tmp_path / "one"), held_folder(tmp_path / "two"):
        assert {path.name for path in tmp_path.iterdir()} == {"one", "two"}


def test_a_folder_is_free_again_after_its_run(tmp_path: Path) -> None:
    for _ in range(2):
        with held_folder(tmp_path):
            assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_a_folder_is_free_again_after_its_run_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(FolderInUse, match=f"process {other.pid}"), held_folder(tmp_path):
            pass
        other.kill()
    with held_folder(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_the_session_file_is_there_while_the_run_lasts_for_its_owner_alone(
    tmp_path: Path, session: Session
) -> None:
    path = tmp_path / "session.json"
    with session_file(path, session, ["http://127.0.0.1:3000"], {}, {}):
        assert path.stat().st_mode & 0o777 == 0o600
        assert json.loads(path.read_text())["app_id"] == session.store.app_id
    assert not path.exists()


def test_the_session_file_is_removed_when_the_run_fails(tmp_path: Path, session: Session) -> None:
    path = tmp_path / "session.json"
    with pytest.raises(KeyboardInterrupt), session_file(path, session, [], {}, {}):
        raise KeyboardInterrupt
    assert not path.exists()


def refusal_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    output = folder / "events"
    assert main(["--output", str(output), "--session", str(folder / "session.json")]) == 2
    assert not output.exists()
    return capsys.readouterr().err


def test_without_a_session_no_events_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = "session.json cannot be read (No such file or directory). Start `keyscope up` first.\n"
    assert refusal_of(tmp_path, capsys).endswith(told)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"environment": 7}', '{"environment": {}}'])
def test_another_file_than_a_session_is_told_in_one_line(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "session.json").write_text(text, "utf-8")
    told = "session.json is not a session file of `keyscope up`. Start `keyscope up` first.\n"
    assert refusal_of(tmp_path, capsys).endswith(told)


def test_the_session_of_a_run_that_was_killed_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_ports(1)[0]}",
        "KEYSCOPE_DIRECTORY_TABLE": "directory",
        "KEYSCOPE_KEYS_TABLE": "keys",
        "KEYSCOPE_KMS_KEY_ARN": "arn:aws:kms:us-east-1:123456789012:key/one",
    }
    path = tmp_path / "session.json"
    path.write_text(json.dumps({"environment": environment}), "utf-8")
    assert refusal_of(tmp_path, capsys) == (
        f"The run that wrote {path} has ended. Start `keyscope up` again.\n"
    )
