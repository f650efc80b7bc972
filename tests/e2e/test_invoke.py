"""`make invoke`, as a person runs it."""

import json
from pathlib import Path
from typing import Final

import pytest

from keyscope_local.emulators.runtime_emulator import Invocation
from keyscope_local.invoke import main, shown_answer
from tests.support.in_process import Ended, run_here

EVENTS: Final = Path(__file__).parents[2] / "events"
REQUEST: Final = str(EVENTS / "rest_request_basic_app.json")


def run(*arguments: str) -> Ended:
    """Run the command in this process; the function runs in the emulator's."""
    return run_here(lambda: main(arguments))


@pytest.fixture(scope="module")
def allowed() -> Ended:
    return run("RestAuthorizerFunction", REQUEST)


@pytest.fixture(scope="module")
def refused() -> Ended:
    return run("RestAuthorizerFunction", str(EVENTS / "rest_request_basic_wrong_secret.json"))


def test_the_answer_is_json_on_standard_output(allowed: Ended) -> None:
    assert allowed.status == 0, allowed.err
    assert json.loads(allowed.out)["context"]["scope"] == "app"


def test_the_log_is_on_standard_error(allowed: Ended) -> None:
    assert '"message":"decision"' in allowed.err
    assert '"outcome":"allowed"' in allowed.err


def test_a_refusal_is_shown_as_what_api_gateway_answers(refused: Ended) -> None:
    assert refused.status == 0, refused.err
    assert json.loads(refused.out) == {"statusCode": 401, "errorMessage": "Unauthorized"}


def test_a_refusals_log_tells_the_reason(refused: Ended) -> None:
    assert '"reason":"wrong_secret"' in refused.err


def test_an_unknown_function_is_told_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["RestAuthoriser", REQUEST]) == 2
    told = capsys.readouterr().err
    assert "'RestAuthoriser'" in told
    assert "RestAuthorizerFunction" in told


def test_a_missing_event_file_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["RestAuthorizerFunction", "events/none.json"]) == 2
    assert "events/none.json cannot be read" in capsys.readouterr().err


def test_an_event_file_that_is_not_json_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "event.json").write_text("{")
    assert main(["RestAuthorizerFunction", str(tmp_path / "event.json")]) == 2
    assert "is not JSON" in capsys.readouterr().err


def test_an_unknown_placeholder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "event.json").write_text('{"authorizationToken": "{{basic nobody}}"}')
    assert main(["RestAuthorizerFunction", str(tmp_path / "event.json")]) == 2
    assert "{{basic nobody}}" in capsys.readouterr().err


def test_a_function_that_fails_is_shown_with_status_1() -> None:
    payload = {"errorMessage": "internal", "errorType": "Exception"}
    assert shown_answer(Invocation(payload, error=True, log="")) == (payload, 1)
