import json
import time
from dataclasses import replace
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from keyscope.authorize.decision import Decision, Outcome
from keyscope.aws.telemetry import Telemetry
from keyscope.errors import Reason
from keyscope.lifecycle.key_use import read_use
from keyscope.model.ids import OwnerType, new_key_id
from keyscope.model.key_record import RecordSource
from keyscope.model.principal import CredentialKind, Principal, ProvenSecret
from keyscope.model.scopes import Scope
from tests.support.builders import ACCOUNT, APP, NOW

KEY_ID = new_key_id(OwnerType.APP)
ALLOWED = Decision(
    outcome=Outcome.ALLOWED,
    total_ms=1.23456,
    credential_kind=CredentialKind.JWT,
    key_id="app_1",
    record_source=RecordSource.STALE,
    lookup_ms=0.5,
    secret_from_cache=False,
    open_ms=0.25,
    principal=Principal(Scope.APP, "app_1", OwnerType.APP, APP),
)
BY_PREVIOUS_SECRET = replace(
    ALLOWED,
    principal=Principal(Scope.APP, "app_1", OwnerType.APP, APP, secret=ProvenSecret.PREVIOUS),
)
REFUSED = Decision(outcome=Outcome.REFUSED, total_ms=1, reason=Reason.NO_CREDENTIAL)
FAILED = Decision(
    outcome=Outcome.FAILED,
    total_ms=1,
    reason=Reason.KEY_STORE_UNAVAILABLE,
    detail="ThrottlingException",
    credential_kind=CredentialKind.BASIC,
    key_id="app_1",
)


def written(
    decision: Decision, capsys: pytest.CaptureFixture[str], level: str = "INFO"
) -> list[dict[str, Any]]:
    Telemetry("rest_authorizer", level, "Keyscope").record(decision, "request-1", "invocation-1")
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_one_decision_is_one_log_line_and_one_metric_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log, metrics = written(REFUSED, capsys)
    assert log["message"] == "decision"
    assert "_aws" in metrics


def test_the_log_line_of_an_allow_names_the_principal(capsys: pytest.CaptureFixture[str]) -> None:
    log = written(ALLOWED, capsys)[0]
    standard = {"level", "message", "timestamp", "service"}
    assert {name: value for name, value in log.items() if name not in standard} == {
        "outcome": "allowed",
        "credential_kind": "jwt",
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
    (metrics,) = written(REFUSED, capsys, level="ERROR")
    assert metrics["Refused"] == [1.0]


def uses(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line.get("message") == "use"]


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_an_allowed_decision_says_that_its_key_was_used_whatever_the_log_level(
    level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = time.time()
    (use,) = uses(written(replace(ALLOWED, key_id=KEY_ID), capsys, level))
    read = read_use(json.dumps(use), time.time())
    assert read.key_id == KEY_ID
    assert int(before) <= read.used_at <= time.time()
    assert list(use)[:4] == ["level", "message", "timestamp", "service"]


@pytest.mark.parametrize("decision", [REFUSED, FAILED, replace(REFUSED, key_id=KEY_ID)])
def test_no_other_decision_says_that_a_key_was_used(
    decision: Decision, capsys: pytest.CaptureFixture[str]
) -> None:
    assert uses(written(decision, capsys)) == []


def test_a_container_writes_one_line_about_the_uses_of_a_key_in_five_minutes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = Telemetry("rest_authorizer", "ERROR", "Keyscope")
    for now in (NOW, NOW + 299, NOW + 300):
        monkeypatch.setattr("keyscope.aws.telemetry.time.time", lambda now=now: now)
        telemetry.record(replace(ALLOWED, key_id=KEY_ID), None, None)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [use["used_at"] for use in uses(lines)] == [NOW, NOW + 300]


@pytest.mark.parametrize(
    ("decision", "dimensions", "count"),
    [
        (ALLOWED, ("allowed", "none", "jwt", "app"), "Allowed"),
        (REFUSED, ("refused", "no_credential", "none", "none"), "Refused"),
        (FAILED, ("failed", "key_store_unavailable", "basic", "none"), "Failed"),
    ],
)
def test_metrics_carry_outcome_reason_credential_kind_and_scope(
    decision: Decision,
    dimensions: tuple[str, ...],
    count: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics = written(decision, capsys)[-1]
    names = ("outcome", "reason", "credential_kind", "scope")
    assert tuple(metrics[name] for name in names) == dimensions
    assert metrics[count] == [1.0]


def directives(line: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = line["_aws"]["CloudWatchMetrics"]
    return found


def test_metrics_can_be_read_per_function_for_both_authorizers_and_per_outcome(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (directive,) = directives(written(ALLOWED, capsys)[-1])
    assert directive["Dimensions"] == [
        ["service"],
        ["component"],
        ["service", "outcome", "reason", "credential_kind", "scope"],
    ]


@pytest.mark.parametrize(
    ("decision", "names"),
    [
        pytest.param(REFUSED, ["Refused"], id="refused"),
        pytest.param(FAILED, ["Failed", "Throttled"], id="throttled"),
    ],
)
def test_only_what_was_not_allowed_is_counted_by_reason(
    decision: Decision, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, by_reason = directives(written(decision, capsys)[-1])
    assert by_reason["Dimensions"] == [["component", "reason"]]
    assert [metric["Name"] for metric in by_reason["Metrics"]] == names


@pytest.mark.parametrize("reason", [Reason.REVOKED_KEY, Reason.EXPIRED_KEY])
def test_uses_of_a_key_that_ended_are_counted(
    reason: Reason, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written(replace(REFUSED, reason=reason), capsys)[-1]["EndedKeyUses"] == [1.0]


@pytest.mark.parametrize("decision", [ALLOWED, REFUSED, FAILED])
def test_no_other_decision_is_the_use_of_a_key_that_ended(
    decision: Decision, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "EndedKeyUses" not in written(decision, capsys)[-1]


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
def test_a_call_that_aws_throttled_is_counted(
    code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert written(replace(FAILED, detail=code), capsys)[-1]["Throttled"] == [1.0]


@pytest.mark.parametrize("decision", [ALLOWED, REFUSED, replace(FAILED, detail="InternalError")])
def test_what_failed_otherwise_is_not_counted_as_throttled(
    decision: Decision, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Throttled" not in written(decision, capsys)[-1]


def test_a_container_tells_the_size_of_its_largest_policy_once_with_its_first_decision(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry = Telemetry("rest_authorizer", "ERROR", "Keyscope", 3_000)
    assert capsys.readouterr().out == ""
    telemetry.record(ALLOWED, None, None)
    telemetry.record(ALLOWED, None, None)
    first, _, *others = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (first["PolicyBytes"], first["component"]) == ([3_000.0], "authorizer")
    assert directives(first) == [
        {
            "Namespace": "Keyscope",
            "Dimensions": [["component"]],
            "Metrics": [{"Name": "PolicyBytes", "Unit": "Bytes"}],
        }
    ]
    assert [line for line in others if "PolicyBytes" in line] == []
    assert len(others) == 2


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
    assert metrics["credential_kind"] == "none"
    assert len(metrics["_aws"]["CloudWatchMetrics"][0]["Dimensions"]) == 3


def test_the_log_line_begins_as_those_of_the_other_functions_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = written(ALLOWED, capsys)[0]
    Logger(service="test_telemetry", location=None).info("decision")
    other = json.loads(capsys.readouterr().out)
    assert list(log)[: len(other)] == list(other)
    assert log["timestamp"][:17] == other["timestamp"][:17]
    assert len(log["timestamp"]) == len(other["timestamp"])


def test_the_log_line_names_the_trace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3f;Parent=53995c3f;Sampled=0")
    assert written(ALLOWED, capsys)[0]["xray_trace_id"] == "1-5759e988-bd862e3f"


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\u2028b", "\ud800", 'a"}', "Zoë", "\x00"])
def test_a_line_holds_what_others_named_as_one_line_of_ascii(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Telemetry("rest_authorizer", "INFO", "Keyscope").record(REFUSED, text, None)
    output = capsys.readouterr().out
    assert output.isascii()
    assert output.count("\n") == 2
    assert json.loads(output.splitlines()[0])["request_id"] == text


def test_a_metric_set_has_the_shape_of_those_of_the_other_functions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics = written(REFUSED, capsys)[-1]
    others = EphemeralMetrics(service="rest_authorizer", namespace="Keyscope")
    others.add_dimensions(component="authorizer")
    others.add_dimensions(
        service="rest_authorizer",
        outcome="refused",
        reason="no_credential",
        credential_kind="none",
        scope="none",
    )
    others.add_metric(name="Refused", unit=MetricUnit.Count, value=1)
    others.add_metric(name="DecisionTime", unit=MetricUnit.Milliseconds, value=1)
    others.flush_metrics()
    other = json.loads(capsys.readouterr().out)
    other["_aws"]["Timestamp"] = metrics["_aws"]["Timestamp"]
    (directive,) = other["_aws"]["CloudWatchMetrics"]
    by_reason = {"Dimensions": [["component", "reason"]], "Metrics": directive["Metrics"][:1]}
    other["_aws"]["CloudWatchMetrics"].append(directive | by_reason)
    assert metrics == other
