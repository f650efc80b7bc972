"""`make canary`: the run on AWS and on this machine, from its settings to its exit status."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from keyscope_local.gateway.api_definition import ASSUMED, ApiKind
from keyscope_local.gateway.control_plane import control_plane
from keyscope_local.gateway.server import bound, served, url_of
from platform_checks.__main__ import main
from platform_checks.evidence import Evidence
from platform_checks.local_platform import LOCAL_TOKEN, LocalCaches, local_subject
from platform_checks.probe_stack import TAG, StageCaches
from platform_checks.subject import Subject
from tests.support.platform_checks import Waiting
from tests.support.platform_checks_aws import (
    PROBE,
    PROBE_OUTPUTS,
    STACK,
    Account,
    account,
    small_template,
)

pytestmark = pytest.mark.canary


@dataclass(frozen=True)
class Aws:
    """The account, and the gateway that its probe stack's URLs lead to."""

    account: Account
    subject: Subject


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An AWS whose API Gateway is the local one, and whose other parts are moto's."""
    waiting = Waiting()
    with local_subject(ASSUMED, Evidence(lambda _: None), waiting.clock()) as subject:
        urls = {kind: api.url for kind, api in subject.apis.items()}
        outputs = {"RestApiUrl": urls[ApiKind.REST], "HttpApiUrl": urls[ApiKind.HTTP]}
        template = small_template("probe", {**PROBE_OUTPUTS, **outputs})
        monkeypatch.setattr("platform_checks.probe_stack.probe_template", lambda: template)
        monkeypatch.setattr("platform_checks.probe_stack.new_token", lambda: LOCAL_TOKEN)
        monkeypatch.setattr("platform_checks.__main__.Clock", waiting.clock)
        # moto does not flush authorizer caches.
        monkeypatch.setattr(StageCaches, "flush", lambda _, kind: subject.caches.flush(kind))
        with account() as made:
            yield Aws(made, subject)


def evidence_of(folder: Path) -> str:
    (path,) = (folder / "canary").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_text()


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    return {"STACK": STACK, "STATE_FOLDER": str(tmp_path)}


def test_a_run_on_aws_tells_every_fact_and_no_secret_and_leaves_nothing(
    aws: Aws, settings: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(settings) == 1
    told, complaints = capsys.readouterr()
    # moto counts no errors of Lambda functions.
    assert "rest-unauthorized-counts-as-error is no, not yes." in told
    assert "46 of 54 facts are as expected." in told
    assert aws.account.stacks() == [STACK]
    evidence = evidence_of(tmp_path)
    assert LOCAL_TOKEN not in told + complaints + evidence
    lines = evidence.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"e{n + 1}" for n in range(len(lines))]


def test_an_interrupted_run_leaves_nothing(
    aws: Aws, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: Subject) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("platform_checks.__main__.run_checks", interrupt)
    assert main(settings) == 130
    assert aws.account.stacks() == [STACK]


def test_a_clean_up_can_be_asked_for_alone(aws: Aws, settings: dict[str, str]) -> None:
    aws.account.make_stack(PROBE, {"Left": "behind"}, (TAG, STACK))
    assert main({**settings, "CLEAN": "1"}) == 0
    assert aws.account.stacks() == [STACK]


def test_what_cannot_be_removed_has_an_exit_status_of_its_own(
    aws: Aws, settings: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    aws.account.make_stack(PROBE, {"Some": "thing"})
    assert main(settings) == 4
    assert "make canary STACK=keyscope CLEAN=1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"STACK": ""}, "Name the deployed stack"),
        ({"STACK": "other"}, "There is no stack other"),
        (
            {"STACK": "local", "PLATFORM": "rest.no=true"},
            "'rest.no=true' is not a platform setting",
        ),
    ],
    ids=["no stack", "another stack", "no setting"],
)
@pytest.mark.usefixtures("aws")
def test_a_run_that_cannot_be_made_says_why(
    changes: dict[str, str],
    told: str,
    settings: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main({**settings, **changes}) == 2
    assert told in capsys.readouterr().err


def test_the_local_gateway_can_be_named_like_a_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = Waiting()
    monkeypatch.setattr("platform_checks.__main__.Clock", lambda **_: waiting.clock())
    assert main({"STACK": "local", "STATE_FOLDER": str(tmp_path)}) == 0
    assert evidence_of(tmp_path)


def test_a_local_gateway_that_behaves_otherwise_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = Waiting()
    monkeypatch.setattr("platform_checks.__main__.Clock", lambda **_: waiting.clock())
    platform = "http.answers_unauthorized=false"
    assert main({"LOCAL": "1", "STATE_FOLDER": str(tmp_path), "PLATFORM": platform}) == 1
    assert f'Local gateway: PLATFORM="{platform}".' in capsys.readouterr().out


def test_each_kind_of_api_is_flushed_by_its_own_control_plane(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with local_subject(ASSUMED, Evidence(lambda _: None), Waiting().clock()) as subject:
        assert isinstance(subject.caches, LocalCaches)
        gateways = subject.caches.gateways
        with bound(0) as listener, served((control_plane([*gateways.values()]), listener)):
            url = url_of(listener)
            monkeypatch.setenv("AWS_ENDPOINT_URL_API_GATEWAY", url)
            monkeypatch.setenv("AWS_ENDPOINT_URL_APIGATEWAYV2", url)
            ids = [gateways[kind].api.api_id for kind in ApiKind]
            with account() as made:
                caches = StageCaches(made.clients, *ids)
                kept = {kind: _cached_after_flush(subject, caches, kind) for kind in ApiKind}
    assert kept == dict.fromkeys(ApiKind, ("first", "second"))


def _cached_after_flush(
    subject: Subject, caches: StageCaches, kind: ApiKind
) -> tuple[object, object]:
    api = subject.apis[kind]
    api.ask({"name": "first"}, "key")
    before = api.ask({"name": "second"}, "key").name
    caches.flush(kind)
    return before, api.ask({"name": "second"}, "key").name
