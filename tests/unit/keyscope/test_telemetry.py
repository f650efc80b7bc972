import json
from dataclasses import replace
from uuid import uuid4

import pytest

from keyscope.aws.telemetry import Telemetry
from keyscope.decision import Decision, Outcome, Scheme
from keyscope.errors import Reason
from keyscope.ids import OwnerType
from keyscope.key_record import RecordSource
from keyscope.principal import Principal, ProvenSecret, Scope
from tests.support.builders import ACCOUNT, APP

ALLOWED = Decision(
    outcome=Outcome.ALLOWED,
    total_ms=1.23456,
    scheme=Scheme.BEARER,
    key_id="app_1",
    record_source=RecordSource.STALE,
    lookup_ms=0.5,
    secret_from_cache=False,
    open_ms=0.25,
    principal=Principal(Scope.APP, "app_1", OwnerType.APP, ACCOUNT, app_id=APP),
)
BY_PREVIOUS_SECRET = replace(
    ALLOWED,
    principal=Principal(
        Scope.APP, "app_1", OwnerType.APP, ACCOUNT, app_id=APP, secret=ProvenSecret.PREVIOUS
    ),
)
REFUSED = Decision(outcome=Outcome.REFUSED, total_ms=1, reason=Reason.NO_CREDENTIAL)
FAILED = Decision(
    outcome=Outcome.FAILED,
    total_ms=1,
    reason=Reason.KEY_STORE_UNAVAILABLE,
    detail="ThrottlingException",
    scheme=Scheme.BASIC,
    key_id="app_1",
)


def written(
    decision: Decision, capsys: pytest.CaptureFixture[str], level: str = "INFO"
) -> list[dict[str, object]]:
    # Powertools keeps one log handler, with its stream, per name.
    telemetry = Telemetry(f"function-{uuid4()}", level, "Keyscope")
    telemetry.record(decision, "request-1", "invocation-1")
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_one_decision_is_one_log_line_and_one_metric_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log, metrics = written(ALLOWED, capsys)
    assert log["message"] == "decision"
    assert "_aws" in metrics


def test_the_log_line_of_an_allow_names_the_principal(capsys: pytest.CaptureFixture[str]) -> None:
    log = written(ALLOWED, capsys)[0]
    standard = {"level", "location", "message", "timestamp", "service"}
    assert {name: value for name, value in log.items() if name not in standard} == {
        "outcome": "allowed",
        "scheme": "Bearer",
        "scope": "app",
        "key_id": "app_1",
        "secret": "current",
        "principal": f"app/{APP}",
        "account_id": ACCOUNT,
        "request_id": "request-1",
        "invocation_id": "invocation-1",
        "record_source": "stale",
        "secret_from_cache": False,
        "total_ms": 1.235,
        "lookup_ms": 0.5,
        "open_ms": 0.25,
    }


def test_the_log_line_tells_that_the_previous_secret_was_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert written(BY_PREVIOUS_SECRET, capsys)[0]["secret"] == "previous"


def test_uses_of_a_previous_secret_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert written(BY_PREVIOUS_SECRET, capsys)[-1]["PreviousSecretUses"] == [1.0]


@pytest.mark.parametrize("decision", [ALLOWED, REFUSED, FAILED])
def test_no_other_decision_has_a_count_of_previous_secrets(
    decision: Decision, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "PreviousSecretUses" not in written(decision, capsys)[-1]


def test_the_log_line_of_a_refusal_names_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    log = written(REFUSED, capsys)[0]
    assert (log["level"], log["outcome"], log["reason"]) == ("INFO", "refused", "no_credential")


def test_a_failure_is_logged_as_an_error_with_its_detail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = written(FAILED, capsys)[0]
    assert (log["level"], log["reason"], log["detail"]) == (
        "ERROR",
        "key_store_unavailable",
        "ThrottlingException",
    )


def test_metrics_are_written_whatever_the_log_level(capsys: pytest.CaptureFixture[str]) -> None:
    (metrics,) = written(ALLOWED, capsys, level="ERROR")
    assert metrics["Allowed"] == [1.0]


@pytest.mark.parametrize(
    ("decision", "dimensions", "count"),
    [
        (ALLOWED, ("allowed", "none", "Bearer", "app"), "Allowed"),
        (REFUSED, ("refused", "no_credential", "none", "none"), "Refused"),
        (FAILED, ("failed", "key_store_unavailable", "Basic", "none"), "Failed"),
    ],
)
def test_metrics_carry_outcome_reason_scheme_and_scope(
    decision: Decision,
    dimensions: tuple[str, ...],
    count: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics = written(decision, capsys)[-1]
    assert tuple(metrics[name] for name in ("outcome", "reason", "scheme", "scope")) == dimensions
    assert metrics[count] == [1.0]


def test_metrics_can_be_read_per_function_and_per_outcome(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metadata = written(ALLOWED, capsys)[-1]["_aws"]
    assert isinstance(metadata, dict)
    sets = [sorted(names) for names in metadata["CloudWatchMetrics"][0]["Dimensions"]]
    assert sets == [["service"], ["outcome", "reason", "scheme", "scope", "service"]]


def test_a_stale_record_and_a_kms_call_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = written(ALLOWED, capsys)[-1]
    assert (metrics["StaleRecord"], metrics["KeyCacheHit"], metrics["SecretCacheHit"]) == (
        [1.0],
        [0.0],
        [0.0],
    )


def test_one_decision_leaves_no_trace_in_the_metrics_of_the_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry = Telemetry("rest_authorizer", "ERROR", "Keyscope")
    telemetry.record(ALLOWED, None, None)
    telemetry.record(REFUSED, None, None)
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert "Allowed" not in metrics
    assert metrics["scheme"] == "none"
    assert len(metrics["_aws"]["CloudWatchMetrics"][0]["Dimensions"]) == 2
