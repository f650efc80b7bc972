"""`make run`, as a person runs it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from local import events

ROOT: Final = Path(__file__).parents[2]
IGNORING_SIGINT: Final = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
COMMAND: Final = [sys.executable, "-m", "local"]
SECRET: Final = re.compile(r"ks_[\w-]{40}|eyJ[\w-]+\.")
"""A secret of any key, or a token."""


@dataclass(frozen=True)
class Serving:
    """A run that serves: what it printed until then, and where it wrote its files."""

    lines: list[str]
    folder: Path

    @property
    def session_file(self) -> Path:
        return self.folder / "session.json"

    @property
    def session(self) -> dict[str, Any]:
        session: dict[str, Any] = json.loads(self.session_file.read_text())
        return session


def run(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own module
        COMMAND,
        cwd=ROOT,
        env={**os.environ, "PORT": "0", "ONCE": "1", "STATE_FOLDER": str(folder), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    return run(tmp_path_factory.mktemp("toured"))


@contextmanager
def served(
    folder: Path, *wrapper: str, **settings: str
) -> Iterator[tuple[subprocess.Popen[str], Serving]]:
    environment = {**os.environ, "PORT": "0", "STATE_FOLDER": str(folder), **settings}
    with subprocess.Popen(  # noqa: S603 - our own module
        [*wrapper, *COMMAND], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = list(takewhile("Serving until Ctrl-C.\n".__ne__, process.stdout))
            assert process.poll() is None
            yield process, Serving(lines, folder)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with served(tmp_path_factory.mktemp("serving")) as (_, running):
        yield running


@pytest.mark.parametrize(
    ("number", "wrapper"),
    [
        pytest.param(signal.SIGTERM, (), id="SIGTERM"),
        pytest.param(signal.SIGINT, IGNORING_SIGINT, id="SIGINT, ignored by a script"),
    ],
)
def test_a_signal_ends_it_cleanly(
    number: signal.Signals, wrapper: tuple[str, ...], tmp_path: Path
) -> None:
    with served(tmp_path, *wrapper) as (process, _):
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    assert output.endswith("is gone.\n")
    assert process.returncode == 0


def test_it_ends_with_a_shells_status_when_stopped_before_it_serves(tmp_path: Path) -> None:
    environment = {**os.environ, "PORT": "0", "STATE_FOLDER": str(tmp_path)}
    with subprocess.Popen(  # noqa: S603 - our own module
        COMMAND, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None and not (tmp_path / "functions.log").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "Stopped before it served.\n")


def test_every_request_of_the_tour_is_answered_as_expected(
    toured: subprocess.CompletedProcess[str],
) -> None:
    assert (toured.returncode, toured.stderr) == (0, "")
    rows = [line for line in toured.stdout.splitlines() if line.startswith("ok ")]
    assert f"{len(rows)} of {len(rows)} requests were answered as expected." in toured.stdout
    assert len(rows) >= 12


@pytest.mark.parametrize("scope", ["appUser", "app", "account"])
def test_the_tour_shows_each_scope(scope: str, toured: subprocess.CompletedProcess[str]) -> None:
    assert re.search(rf"200 +scope {scope} ", toured.stdout)


def test_the_tour_makes_a_key_uses_it_and_ends_it(
    toured: subprocess.CompletedProcess[str],
) -> None:
    rows = [line.split()[1:-2] for line in toured.stdout.splitlines() if line.startswith("ok ")]
    used = "GET /v2/apps/{newApp}/users"
    assert {
        "account Basic POST /v2/apps 400 bad_request",
        "account Basic POST /v2/apps 201 created",
        "account Basic POST /v2/apps/{newApp}/keys 201 created",
        *(f"newKey {kind} {used} 200 scope app" for kind in ("Basic", "JWT")),
        "account Basic POST /v2/apps/{newApp}/keys/{newKey}/rotate 200 new secret",
        *(f"rotated {kind} {used} 200 scope app" for kind in ("Basic", "JWT")),
        "account Basic DELETE /v2/apps/{newApp} 200 done",
        f"spareKey Basic {used} 401 revoked_key",
    } <= {" ".join(row) for row in rows}


def test_the_tour_shows_a_service_account_its_own_apps_only(
    toured: subprocess.CompletedProcess[str],
) -> None:
    assert re.search(r"svc account Basic +GET /v2/apps +200 +apps: Staging +miss", toured.stdout)


def test_the_tour_shows_no_secret(toured: subprocess.CompletedProcess[str]) -> None:
    assert SECRET.search(toured.stdout) is None


@pytest.mark.parametrize("routes", ["v1.1", "v2,v1.1"])
def test_the_tour_follows_the_selected_route_sets(routes: str, tmp_path: Path) -> None:
    done = run(tmp_path, PARAMETERS=f"AccessMapRoutes={routes} AuthorizerCacheSeconds=0")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_api_of_an_attached_template_is_served_after_the_stack_s_own(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        ATTACH="examples/sam-http/template.yaml",
        ACCESS_MAP="examples/access-map/projects.toml",
        PARAMETERS="AccessMapRoutes=projects HttpApiEnabled=false",
    )
    names = re.findall(r"^  (.+)  http://127.0.0.1:\d+$", done.stdout, re.MULTILINE)
    assert (done.returncode, names) == (0, ["REST API", "ProjectsHttpApi"])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"PORT": "x"}, "PORT is 'x'"),
        ({"PORT": "65535"}, "PORT is '65535'"),
        ({"PARAMETERS": "Stage"}, "PARAMETERS holds Stage"),
        ({"PARAMETERS": "Stage=x"}, "no parameter 'Stage'"),
        ({"PARAMETERS": "AccessMapRoutes=v9"}, "no route set 'v9'"),
        ({"PARAMETERS": "PolicyConditions=false"}, "Set AuthorizerCacheSeconds to 0."),
        ({"ATTACH": "none.yaml"}, "ATTACH is 'none.yaml'"),
        ({"ACCESS_MAP": "none.toml"}, "ACCESS_MAP is 'none.toml'"),
        ({"PARAMETERS": "LeewaySeconds=61"}, "LeewaySeconds cannot be '61'"),
    ],
)
def test_a_wrong_setting_is_told_in_one_line(
    settings: dict[str, str], told: str, tmp_path: Path
) -> None:
    done = run(tmp_path, **settings)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("routes", ["v2", "v1.1"])
def test_the_printed_curl_lines_work_when_pasted(routes: str, tmp_path: Path) -> None:
    with served(tmp_path, PARAMETERS=f"AccessMapRoutes={routes}") as (_, running):
        curls = [line for line in running.lines if line.startswith("  curl ")]
        answers = [
            subprocess.run(line, shell=True, check=True, capture_output=True, text=True)  # noqa: S602
            for line in curls
        ]
    assert [answer.stdout.splitlines()[0] for answer in answers] == [
        "HTTP/1.1 200 OK",
        "HTTP/1.1 201 Created",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK",
    ]


def test_the_session_file_holds_credentials_that_work(serving: Serving) -> None:
    key = serving.session["app_key"]
    url = f"{serving.session['rest_api']}/v2/apps/{serving.session['app_id']}/users"
    assert httpx.get(url, auth=(key["key_id"], key["secret"])).status_code == 200


def test_the_session_file_is_for_its_owner_only(serving: Serving) -> None:
    assert serving.session_file.stat().st_mode & 0o777 == 0o600


def test_no_log_line_holds_a_secret(serving: Serving) -> None:
    log = (serving.folder / "functions.log").read_text()
    keys = [value for value in serving.session.values() if "secret" in value]
    assert '"message":"decision"' in log
    assert len(keys) == 7
    assert [key["key_id"] for key in keys if key["secret"] in log] == []
    assert serving.session["app_user_token"] not in log
    assert SECRET.search(log) is None


def test_the_events_are_filled_for_the_running_store(serving: Serving, tmp_path: Path) -> None:
    output = tmp_path / "events"
    arguments = ["--output", str(output), "--session", str(serving.session_file)]
    assert events.main(arguments) == 0
    event = json.loads((output / "rest_request_basic_app.json").read_text())
    url = serving.session["rest_api"] + event["path"]
    headers = {"authorization": event["headers"]["Authorization"]}
    assert httpx.get(url, headers=headers).status_code == 200
