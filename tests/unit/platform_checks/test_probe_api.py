"""How the canary asks, and what it keeps of it."""

import json
from typing import Final
from unittest.mock import patch

import pytest

from keyscope_local.gateway.api_definition import ApiKind
from platform_checks.aws_calls import AwsRefused
from platform_checks.evidence import Evidence
from platform_checks.probe_api import ATTEMPTS, ProbeApi, Unanswered, connection_to
from platform_checks.probe_stack import wait_until_ready
from tests.support.platform_checks import Waiting, served_subject

NOBODY: Final = ProbeApi("http://127.0.0.1:1", "token", Evidence(lambda _: None))


@pytest.mark.parametrize("target", ["/a//b/", "/a/../b", "/a%2Fb%2a"])
def test_the_path_goes_out_exactly_as_it_is(target: str) -> None:
    lines: list[str] = []
    with served_subject(lines=lines) as subject:
        answer = subject.apis[ApiKind.REST].ask({"name": "first"}, target=target)
    assert answer.context["path"] == target
    assert json.loads(lines[0])["request"]["line"] == f"GET {target}"


def test_a_request_and_its_answer_make_one_line_of_evidence() -> None:
    lines: list[str] = []
    with served_subject(lines=lines) as subject:
        answer = subject.apis[ApiKind.HTTP].ask({"name": "first"}, "a-key")
    line = json.loads(lines[0])
    assert line["id"] == answer.evidence == "e1"
    assert line["request"]["script"] == {"name": "first"}
    assert line["answer"]["status"] == 200


def test_a_caller_without_the_token_gets_nothing() -> None:
    with served_subject() as subject:
        stranger = ProbeApi(subject.apis[ApiKind.REST].url, "guessed", Evidence(lambda _: None))
        assert stranger.ask({"name": "first"}).status == 401


def test_a_request_that_nothing_answers_is_sent_again() -> None:
    with served_subject() as subject:
        url = subject.apis[ApiKind.REST].url
        connections = [connection_to(NOBODY.url), connection_to(NOBODY.url), connection_to(url)]
        with patch("platform_checks.probe_api.connection_to", side_effect=connections):
            assert subject.apis[ApiKind.REST].ask({"name": "first"}).status == 200


def test_an_api_that_never_answers_is_told_without_its_token() -> None:
    with pytest.raises(Unanswered) as error:
        NOBODY.ask({"name": "first"})
    assert str(error.value) == "127.0.0.1 does not answer: ConnectionRefusedError"
    assert ATTEMPTS > 1


def test_the_checks_begin_when_both_apis_answer() -> None:
    waiting = Waiting()
    with served_subject() as subject:
        wait_until_ready(subject.apis, waiting.clock())
    assert len(waiting.slept) == 6


def test_an_api_that_does_not_get_ready_ends_the_run() -> None:
    with (
        served_subject("rest.max_policy_bytes=1") as subject,
        pytest.raises(AwsRefused, match="The REST API of the probe stack answers 500"),
    ):
        wait_until_ready(subject.apis, Waiting().clock())
