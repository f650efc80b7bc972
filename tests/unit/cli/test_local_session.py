"""`--local` trusts a session file only if it is the person's own and leads to this machine."""

import json
import os
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.main import app
from keyscope_cli.target import local_target

HERE: Final = "http://127.0.0.1:4566"
SESSION: Final[dict[str, Any]] = {
    "rest_api": "http://127.0.0.1:3000",
    "http_api": "http://localhost:3001",
    "stack": {
        "outputs": {},
        "authorizer_environment": {},
        "endpoints": {
            "AWS_ENDPOINT_URL": HERE,
            "AWS_ENDPOINT_URL_DYNAMODB": "http://[::1]:8000",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_REGION": "us-east-1",
        },
    },
    "placeholders": {},
}
FOREIGN: Final = [
    "http://evil.example",
    "https://evil.example:443/",
    "http://127.0.0.1@evil.example",
    "http://evil.example\\@127.0.0.1",
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
    "http://169.254.169.254",
    "http://0.0.0.0:3000",
    "http://10.0.0.1:3000",
    "http://[::ffff:10.0.0.1]:3000",
    "http://2130706433:3000",
    "http://127.0.0.1:3000#@evil.example",
    "http://127.0.0.1:3000?x",
    "http://127.0.0.1:3000\n",
    "//127.0.0.1:3000",
    "127.0.0.1:3000",
    "file:///etc/passwd",
    "http://127.999.0.1",
    "",
    7,
]


def file_of(folder: Path, session: object, mode: int = 0o600) -> Path:
    path = folder / "session.json"
    path.write_text(json.dumps(session), "utf-8")
    path.chmod(mode)
    return path


def failure_of(path: Path) -> Failure:
    with pytest.raises(Failure) as raised:
        local_target(path)
    assert raised.value.status is ExitStatus.UNAVAILABLE
    assert "\n" not in raised.value.message
    return raised.value


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o644])
def test_a_session_of_ones_own_that_stays_on_this_machine_is_used(
    tmp_path: Path, mode: int
) -> None:
    target = local_target(file_of(tmp_path, SESSION, mode))
    assert target.management_url() == "http://127.0.0.1:3000"
    assert target.aws.variables["AWS_ENDPOINT_URL"] == HERE


def test_each_run_is_another_stack_because_its_store_is_new(tmp_path: Path) -> None:
    runs = [{**SESSION, "account_id": account_id} for account_id in ("0" * 12, "1" * 12)]
    first, again, second = (
        local_target(file_of(tmp_path, run)).stack_id() for run in (runs[0], *runs)
    )
    assert first == again
    assert first != second


@pytest.mark.parametrize("url", FOREIGN)
@pytest.mark.parametrize("name", ["rest_api", "http_api"])
def test_an_api_elsewhere_is_refused(tmp_path: Path, name: str, url: object) -> None:
    failure = failure_of(file_of(tmp_path, {**SESSION, name: url}))
    assert name in failure.message
    assert "loopback" in failure.message


@pytest.mark.parametrize("url", [url for url in FOREIGN if isinstance(url, str)])
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_X"])
def test_an_aws_elsewhere_is_refused(tmp_path: Path, name: str, url: object) -> None:
    session = deepcopy(SESSION)
    session["stack"]["endpoints"][name] = url
    assert name in failure_of(file_of(tmp_path, session)).message


def test_an_endpoint_among_the_authorizers_variables_is_checked_as_well(tmp_path: Path) -> None:
    session = deepcopy(SESSION)
    session["stack"]["authorizer_environment"]["AWS_ENDPOINT_URL_KMS"] = "http://evil.example"
    assert "AWS_ENDPOINT_URL_KMS" in failure_of(file_of(tmp_path, session)).message


@pytest.mark.parametrize(
    "missing", ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"]
)
def test_a_session_never_falls_back_to_the_persons_own_aws(tmp_path: Path, missing: str) -> None:
    session = deepcopy(SESSION)
    del session["stack"]["endpoints"][missing]
    assert "Cannot use" in failure_of(file_of(tmp_path, session)).message


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    failure = failure_of(file_of(tmp_path, SESSION, mode))
    assert "writable by others" in failure.message
    assert "chmod" in failure.advice


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file_of(tmp_path, SESSION)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    assert "another user" in failure_of(path).message


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "session.json"
    os.mkfifo(pipe, 0o600)
    assert "not a regular file" in failure_of(pipe).message


@pytest.mark.parametrize("session", [[], 7, None, {}, {"stack": 7}, {"stack": {"endpoints": 7}}])
def test_another_files_json_is_refused(tmp_path: Path, session: object) -> None:
    assert "Cannot use" in failure_of(file_of(tmp_path, session)).message


def test_a_command_sends_nothing_to_where_such_a_file_leads(tmp_path: Path) -> None:
    path = file_of(tmp_path, {**SESSION, "rest_api": "http://evil.example"})
    done = CliRunner().invoke(app, ["app", "list", "--local", "--session", str(path)])
    assert isinstance(done.exception, Failure)
    assert "rest_api" in done.exception.message
