"""`keyscope up`, as a person runs it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

import pytest

from keyscope_local.run import run as run_stack
from keyscope_local.run_settings import RunOptions
from keyscope_local.tour import events
from tests.support import plain_http
from tests.support.in_process import Ended, run_here
from tests.support.logs import new_loggers

pytestmark = pytest.mark.processes

ROOT: Final = Path(__file__).parents[2]
IGNORING_SIGINT: Final = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")
COMMAND: Final = [str(Path(sys.executable).with_name("keyscope")), "up", "--port", "0"]
END_SECONDS: Final = 300
"""Only a hang takes this long, even on a busy machine."""
SECRET: Final = re.compile(r"ks_\w{40}|eyJ[\w-]+\.")
"""A secret of any key, or a token."""


@dataclass(frozen=True)
class Toured:
    """A run that only made the tour; its log stays in the folder."""

    ended: Ended
    folder: Path


tour = partial(RunOptions, port=0, once=True)
"""The options of a run that only makes the tour."""


def run(options: RunOptions) -> Ended:
    """Run in this process; only the tests of signals start a process."""
    with new_loggers(), same_signals():
        return run_here(lambda: run_stack(options))


@contextmanager
def same_signals() -> Iterator[None]:
    """Give this process its signal handlers back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> Toured:
    folder = tmp_path_factory.mktemp("toured")
    return Toured(run(tour(folder=folder)), folder)


@dataclass(frozen=True)
class Served:
    """What a run did that served until a signal ended it."""

    curls: list[str]
    """What the printed curl lines printed."""
    status_of_session: int
    """The answer to a credential of the session file."""
    status_of_event: int
    """The answer to the credential of a filled event."""
    session: dict[str, Any]
    mode_of_session: int
    second_run: Ended
    """A run in the same folder meanwhile."""
    folder: Path
    ending: str
    exit_status: int


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("v2/apps/{}/users/{}", signal.SIGTERM, ()), id="v2-SIGTERM"),
        pytest.param(
            ("v1.1/apps/{}/appusers/{}", signal.SIGINT, IGNORING_SIGINT),
            id="v1.1-SIGINT, ignored by a script",
        ),
    ],
)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Served:
    path, number, wrapper = request.param
    folder, routes = tmp_path_factory.mktemp("served"), path.partition("/")[0]
    options = ["--state-folder", str(folder), "--parameters", f"AccessMapRoutes={routes}"]
    with subprocess.Popen(  # noqa: S603 - our own module
        [*wrapper, *COMMAND, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = list(takewhile("Running. Press Ctrl-C to stop.\n".__ne__, process.stdout))
            assert process.poll() is None
            session = json.loads((folder / "session.json").read_text())
            mode = (folder / "session.json").stat().st_mode & 0o777
            second = run(tour(folder=folder))
            assert json.loads((folder / "session.json").read_text()) == session
            url = f"{session['rest_api']}/{path}"
            curls = [_pasted(line) for line in lines if line.startswith("  curl ")]
            key = session["app_key"]
            of_session = plain_http.get(
                url.format(session["app_id"], session["user_id"]),
                auth=(key["key_id"], key["secret"]),
                timeout=END_SECONDS,
            )
            event = _filled_event(folder)
            of_event = plain_http.get(
                url.format(event["path"].split("/")[3], session["user_id"]),
                headers={"authorization": event["headers"]["Authorization"]},
                timeout=END_SECONDS,
            )
            process.send_signal(number)
            ending, _ = process.communicate(timeout=END_SECONDS)
        finally:
            process.kill()
    statuses = of_session.status_code, of_event.status_code
    return Served(curls, *statuses, session, mode, second, folder, ending, process.returncode)


def _pasted(line: str) -> str:
    done = subprocess.run(line, shell=True, check=True, capture_output=True, text=True)  # noqa: S602
    return done.stdout


def _filled_event(folder: Path) -> dict[str, Any]:
    """Fill the events, which seeds an account of their own; return one of its app."""
    output = folder / "events"
    session_file = str(folder / "session.json")
    assert events.main(["--output", str(output), "--session", session_file]) == 0
    event: dict[str, Any] = json.loads((output / "rest_request_basic_app.json").read_text())
    return event


def test_a_signal_ends_it_cleanly(served: Served) -> None:
    assert served.ending.endswith("in memory only.\n")
    assert served.exit_status == 0


def test_a_second_run_in_its_folder_is_refused_in_one_line(served: Served) -> None:
    assert (served.second_run.status, served.second_run.out) == (2, "")
    assert served.second_run.err.startswith("Another run (process ")
    assert served.second_run.err.count("\n") == 1


def test_its_session_file_is_removed_at_the_end(served: Served, toured: Toured) -> None:
    assert not (served.folder / "session.json").exists()
    assert not (toured.folder / "session.json").exists()


def test_the_printed_curl_lines_work_when_pasted(served: Served) -> None:
    assert [answer.splitlines()[0] for answer in served.curls] == [
        "HTTP/1.1 200 OK",
        "HTTP/1.1 201 Created",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK",
    ]


def test_the_session_file_holds_credentials_that_work(served: Served) -> None:
    assert served.status_of_session == 200


def test_the_events_are_filled_for_the_running_store(served: Served) -> None:
    assert served.status_of_event == 200


def test_it_ends_with_a_shells_status_when_stopped_before_it_serves(tmp_path: Path) -> None:
    log = tmp_path / "functions.log"
    # The start waits at this pipe until somebody reads its log.
    os.mkfifo(log)
    options = ["--state-folder", str(tmp_path)]
    with subprocess.Popen(  # noqa: S603 - our own module
        [*COMMAND, *options], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            with log.open():
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=END_SECONDS)
        finally:
            process.kill()
    assert (process.returncode, errors) == (130, "Stopped before the server was ready.\n")


def test_every_request_of_the_tour_is_answered_as_expected(
    toured: Toured,
) -> None:
    assert (toured.ended.status, toured.ended.err) == (0, "")
    rows = [line for line in toured.ended.out.splitlines() if line.startswith("ok ")]
    assert f"{len(rows)} of {len(rows)} responses were as expected." in toured.ended.out
    assert len(rows) >= 12


@pytest.mark.parametrize("scope", ["appUser", "app", "account"])
def test_the_tour_shows_each_scope(scope: str, toured: Toured) -> None:
    assert re.search(rf"200 +scope {scope} ", toured.ended.out)


def test_the_tour_makes_a_key_uses_it_and_ends_it(
    toured: Toured,
) -> None:
    rows = [line.split()[1:-2] for line in toured.ended.out.splitlines() if line.startswith("ok ")]
    used = "GET /v2/apps/{newApp}/users"
    assert {
        "account Basic POST /v2/apps 400 bad_request",
        "account Basic POST /v2/apps 201 created",
        "account Basic POST /v2/apps/{newApp}/keys 201 created",
        *(f"newKey {kind} {used} 200 scope app" for kind in ("Basic", "Bearer secret", "JWT")),
        "account Basic POST /v2/apps/{newApp}/keys/{newKey}/rotate 200 new secret",
        *(f"rotated {kind} {used} 200 scope app" for kind in ("Basic", "JWT")),
        "account Basic DELETE /v2/apps/{newApp} 200 done",
        f"spareKey Basic {used} 401 revoked_key",
    } <= {" ".join(row) for row in rows}


def test_the_tour_shows_a_service_account_its_own_apps_only(
    toured: Toured,
) -> None:
    assert re.search(r"svc account Basic +GET /v2/apps +200 +apps: Staging +miss", toured.ended.out)


def test_the_tour_shows_no_secret(toured: Toured) -> None:
    assert SECRET.search(toured.ended.out) is None


@pytest.mark.parametrize("routes", ["v1.1", "v2,v1.1"])
def test_the_tour_follows_the_selected_route_sets(routes: str, tmp_path: Path) -> None:
    done = run(
        tour(folder=tmp_path, parameters=[f"AccessMapRoutes={routes} AuthorizerCacheSeconds=0"])
    )
    assert (done.status, done.err) == (0, "")


def test_a_map_of_ones_own_needs_no_route_sets_and_keeps_the_management_api(
    tmp_path: Path,
) -> None:
    file = tmp_path / "map.toml"
    file.write_text('["orders"]\napp = ["GET /orders"]\n', "utf-8")
    done = run(tour(folder=tmp_path / "state", access_map=file))
    assert "with the route sets management and the one in your access map:" in done.out
    assert "No key reaches" not in done.out


def test_a_run_says_that_no_key_reaches_the_management_api(tmp_path: Path) -> None:
    file = tmp_path / "map.toml"
    file.write_text('["orders"]\napp = ["GET /orders"]\n', "utf-8")
    done = run(
        tour(folder=tmp_path / "state", access_map=file, parameters=["AccessMapRoutes=orders"])
    )
    assert "No key reaches GET /v2/apps, POST /v2/apps" in done.out
    assert "Add management to AccessMapRoutes." in " ".join(done.out.split())


BACKEND: Final = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Backend:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.13, Handler: app.handler, CodeUri: .}
"""


def test_an_attached_api_is_served_after_the_stack_s_own_and_what_it_lacks_is_told(
    tmp_path: Path,
) -> None:
    example = (ROOT / "examples" / "sam-http" / "template.yaml").read_text("utf-8")
    text = example.replace("EnableFunctionDefaultPermissions: true", "")
    template = tmp_path / "template.yaml"
    template.write_text(text.replace("../backend", str(ROOT / "examples" / "backend")), "utf-8")
    done = run(
        tour(
            folder=tmp_path,
            attach=template,
            access_map=ROOT / "examples" / "access-map" / "projects.toml",
            parameters=["AccessMapRoutes=projects", "HttpApiEnabled=false"],
        )
    )
    names = re.findall(r"^  (.+)  http://127.0.0.1:\d+$", done.out, re.MULTILINE)
    assert (done.status, names) == (0, ["REST API", "ProjectsHttpApi"])
    assert (
        "ProjectsHttpApi returns 500 (AUTHORIZER_CONFIGURATION_ERROR) for every request with the"
        " authorizer Keyscope: no permission allows API Gateway to invoke"
        " arn:aws:lambda:us-east-1:123456789012:function:keyscope-local-HttpAuthorizerFunction:live"
    ) in done.out
    assert "With EnableFunctionDefaultPermissions: true" in done.out


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("Resources: {", "is not YAML: while parsing a flow node did not find expected node"),
        (BACKEND, "Backend failed to load: ModuleNotFoundError: No module named 'app'"),
    ],
)
def test_a_fault_of_an_attached_template_is_told_in_one_line(
    template: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(template, "utf-8")
    done = run(tour(folder=tmp_path / "state", attach=path))
    assert done.status == 2
    assert "Running." not in done.out
    assert told in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "state" / "session.json").exists()


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ("Stage", "--parameters contains Stage"),
        ("Stage=x", "no parameter 'Stage'"),
        ("AccessMapRoutes=v9", "no route set 'v9'"),
        ("PolicyConditions=false", "Set AuthorizerCacheSeconds to 0."),
        ("LeewaySeconds=61", "LeewaySeconds cannot be '61'"),
    ],
)
def test_a_wrong_parameter_is_told_in_one_line(parameters: str, told: str, tmp_path: Path) -> None:
    assert_told_in_one_line(run(tour(folder=tmp_path, parameters=[parameters])), told)


def test_a_file_that_is_none_is_told_in_one_line(tmp_path: Path) -> None:
    none = Path("none.yaml")
    missing = "There is no file 'none.yaml'. Set"
    assert_told_in_one_line(run(tour(folder=tmp_path, attach=none)), f"{missing} --attach")
    assert_told_in_one_line(run(tour(folder=tmp_path, access_map=none)), f"{missing} --access-map")


def test_a_wrong_parameter_of_an_attached_template_is_told_in_one_line(tmp_path: Path) -> None:
    template = ROOT / "examples" / "sam-http" / "template.yaml"
    done = run(tour(folder=tmp_path, attach=template, attach_parameters=["Stage=x"]))
    assert_told_in_one_line(done, "The template has no parameter 'Stage'. It has none")


def test_a_wrong_platform_setting_is_told_in_one_line(tmp_path: Path) -> None:
    told = "'rest.nothing=true' is not a platform setting"
    assert_told_in_one_line(run(tour(folder=tmp_path, platform="rest.nothing=true")), told)


def assert_told_in_one_line(done: Ended, told: str) -> None:
    assert done.status == 2
    assert told in done.err
    assert done.err.count("\n") == 1


def test_the_session_file_is_for_its_owner_only(served: Served) -> None:
    assert served.mode_of_session == 0o600


def test_no_log_line_holds_a_secret(served: Served, toured: Toured) -> None:
    log = (served.folder / "functions.log").read_text()
    keys = [value for value in served.session.values() if "secret" in value]
    assert '"message":"decision"' in log
    assert len(keys) == 8
    assert [key["key_id"] for key in keys if key["secret"] in log] == []
    assert served.session["app_user_token"] not in log
    assert SECRET.search(log) is None
    assert SECRET.search((toured.folder / "functions.log").read_text()) is None
