import json
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from keyscope.authorize.decision import Decision, Outcome
from keyscope.aws.telemetry import Telemetry, TelemetrySettings
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


Line = dict[str, Any]
OF_METRICS = {"_aws", "component", "DecisionTime"}


def lines(capsys: pytest.CaptureFixture[str]) -> list[Line]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def written(
    decision: Decision, capsys: pytest.CaptureFixture[str], level: str = "INFO"
) -> list[Line]:
    Telemetry("rest_authorizer", TelemetrySettings(level)).record(
        decision, "request-1", "invocation-1"
    )
    return lines(capsys)


def directives(line: Line) -> list[Line]:
    found: list[Line] = line["_aws"]["CloudWatchMetrics"]
    return found


def metrics_of(line: Line) -> dict[str, object]:
    """Return what CloudWatch makes of a line: the value of each metric, by its dimensions."""
    return {
        f"{metric['Name']} {' '.join(f'{name}={line[name]}' for name in dimensions)}": line[
            metric["Name"]
        ]
        for directive in directives(line)
        for dimensions in directive["Dimensions"]
        for metric in directive["Metrics"]
    }


def test_one_decision_is_one_line_that_is_log_and_metrics(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (line,) = written(REFUSED, capsys)
    assert line["message"] == "decision"
    assert directives(line)


def test_the_line_of_an_allow_names_the_principal(capsys: pytest.CaptureFixture[str]) -> None:
    line = written(ALLOWED, capsys)[0]
    standard = {"level", "message", "timestamp", "service", "_aws", "component"}
    assert {name: value for name, value in line.items() if name not in standard} == {
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
        "lookup_ms": 0.5,
        "open_ms": 0.25,
        "DecisionTime": 1.235,
        "StaleRecord": 1,
    }


def test_the_line_says_that_the_previous_secret_was_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert written(BY_PREVIOUS_SECRET, capsys)[0]["secret"] == "previous"


def test_the_line_of_a_refusal_names_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    line = written(REFUSED, capsys)[0]
    assert (line["level"], line["outcome"], line["reason"]) == ("INFO", "refused", "no_credential")


@pytest.mark.parametrize("level", ["INFO", "WARNING", "ERROR"])
def test_a_failure_is_logged_as_an_error_with_its_detail_whatever_the_log_level(
    level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = written(FAILED, capsys, level)[0]
    assert (line["level"], line["reason"], line["detail"]) == (
        "ERROR",
        "key_store_unavailable",
        "ThrottlingException",
    )


@pytest.mark.parametrize("level", ["WARNING", "ERROR"])
def test_from_warning_on_a_line_holds_the_metrics_alone(
    level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = written(REFUSED, capsys, level)
    assert {*line} == OF_METRICS | {"Refused"}
    assert metrics_of(line) == metrics_of(written(REFUSED, capsys)[0])


def logged(found: list[Line]) -> list[bool]:
    return ["message" in line for line in found]


def test_of_allowed_decisions_one_in_the_sample_is_logged_and_each_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry = Telemetry("rest_authorizer", TelemetrySettings(log_allowed_sample=3))
    ordinary = replace(ALLOWED, record_source=RecordSource.CACHE, key_id=None)
    for _ in range(7):
        telemetry.record(ordinary, None, None)
    found = lines(capsys)
    assert logged(found) == [True, False, False, True, False, False, True]
    assert {json.dumps(metrics_of(line)) for line in found} == {
        '{"DecisionTime component=authorizer": 1.235}'
    }
    assert {*found[1]} == OF_METRICS


@pytest.mark.parametrize(
    "decision",
    [
        pytest.param(REFUSED, id="refused"),
        pytest.param(FAILED, id="failed"),
        pytest.param(replace(ALLOWED, key_id=None), id="stale record"),
        pytest.param(
            replace(BY_PREVIOUS_SECRET, key_id=None, record_source=RecordSource.CACHE),
            id="previous secret",
        ),
    ],
)
def test_no_other_decision_is_left_out_by_the_sample(
    decision: Decision, capsys: pytest.CaptureFixture[str]
) -> None:
    telemetry = Telemetry("rest_authorizer", TelemetrySettings(log_allowed_sample=1_000))
    for _ in range(3):
        telemetry.record(decision, None, None)
    assert logged(lines(capsys)) == [True, True, True]


def test_the_sample_leaves_out_no_use_of_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = Telemetry("rest_authorizer", TelemetrySettings(log_allowed_sample=1_000))
    ids = [new_key_id(OwnerType.APP) for _ in range(3)]
    for key_id in ids:
        telemetry.record(replace(ALLOWED, key_id=key_id), None, None)
    assert [use["key_id"] for use in uses(lines(capsys))] == ids


def uses(found: list[Line]) -> list[Line]:
    return [line for line in found if line.get("message") == "use"]


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
    telemetry = Telemetry("rest_authorizer", TelemetrySettings("ERROR"))
    for now in (NOW, NOW + 299, NOW + 300):
        monkeypatch.setattr("keyscope.aws.telemetry.time.time", lambda now=now: now)
        telemetry.record(replace(ALLOWED, key_id=KEY_ID), None, None)
    assert [use["used_at"] for use in uses(lines(capsys))] == [NOW, NOW + 300]


@pytest.mark.parametrize(
    ("decision", "counts"),
    [
        (replace(ALLOWED, record_source=RecordSource.CACHE), {}),
        (ALLOWED, {"StaleRecord component=authorizer": 1}),
        (BY_PREVIOUS_SECRET, {"StaleRecord component=authorizer": 1}),
        (REFUSED, {"Refused component=authorizer": 1}),
        (
            replace(REFUSED, reason=Reason.UNKNOWN_KEY),
            {"Refused component=authorizer": 1, "UnknownKeys component=authorizer": 1},
        ),
        *(
            (
                replace(REFUSED, reason=reason),
                {"Refused component=authorizer": 1, "EndedKeyUses component=authorizer": 1},
            )
            for reason in (Reason.REVOKED_KEY, Reason.EXPIRED_KEY)
        ),
        (FAILED, {"Failed component=authorizer": 1, "Failed service=rest_authorizer": 1}),
        (
            replace(FAILED, reason=Reason.KMS_UNAVAILABLE),
            {
                "Failed component=authorizer": 1,
                "Failed service=rest_authorizer": 1,
                "KmsThrottled component=authorizer": 1,
            },
        ),
        (
            replace(FAILED, reason=Reason.KMS_UNAVAILABLE, detail="InternalError"),
            {"Failed component=authorizer": 1, "Failed service=rest_authorizer": 1},
        ),
    ],
)
def test_a_decision_has_its_time_and_counts_of_what_is_out_of_the_ordinary(
    decision: Decision, counts: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    found = metrics_of(written(decision, capsys)[0])
    assert found.pop("DecisionTime component=authorizer") == round(decision.total_ms, 3)
    assert found == counts


def test_each_metric_has_its_unit(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry = Telemetry("rest_authorizer", TelemetrySettings("ERROR"), 3_000)
    telemetry.record(REFUSED, None, None)
    (directive,) = directives(lines(capsys)[0])
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        "DecisionTime": "Milliseconds",
        "Refused": "Count",
        "PolicyBytes": "Bytes",
    }


def test_a_container_tells_the_size_of_its_largest_policy_once_with_its_first_decision(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry = Telemetry("rest_authorizer", TelemetrySettings("ERROR"), 3_000)
    assert capsys.readouterr().out == ""
    telemetry.record(REFUSED, None, None)
    telemetry.record(REFUSED, None, None)
    first, second = lines(capsys)
    assert metrics_of(first)["PolicyBytes component=authorizer"] == 3_000
    assert "PolicyBytes" not in second


def test_one_decision_leaves_no_trace_in_the_line_of_the_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    telemetry = Telemetry("rest_authorizer", TelemetrySettings())
    telemetry.record(FAILED, None, None)
    telemetry.record(REFUSED, None, None)
    line = lines(capsys)[-1]
    assert "Failed" not in line
    assert "key_id" not in line
    assert len(directives(line)) == 1


@pytest.mark.parametrize("decision", [ALLOWED, REFUSED, FAILED])
def test_the_line_has_the_form_of_the_embedded_metric_format(
    decision: Decision, capsys: pytest.CaptureFixture[str]
) -> None:
    # "Specification: Embedded metric format" in the CloudWatch user guide.
    before = time.time()
    line = written(decision, capsys)[0]
    assert {*line["_aws"]} == {"Timestamp", "CloudWatchMetrics"}
    assert int(before * 1_000) <= line["_aws"]["Timestamp"] <= time.time() * 1_000
    for directive in directives(line):
        assert {*directive} == {"Namespace", "Dimensions", "Metrics"}
        for name in (name for dimensions in directive["Dimensions"] for name in dimensions):
            assert isinstance(line[name], str)
            assert line[name]
        for metric in directive["Metrics"]:
            assert {*metric} == {"Name", "Unit"}
            assert type(line[metric["Name"]]) in {int, float}


def test_the_log_members_are_named_as_those_of_the_other_functions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = written(ALLOWED, capsys)[0]
    Logger(service="test_telemetry", location=None).info("decision")
    other = json.loads(capsys.readouterr().out)
    assert [name for name in line if name in other] == list(other)


@pytest.mark.parametrize("now", [0.0, 1_764_000_000.0, 1_764_000_000.958_7, 1_764_000_000.999_9])
def test_the_time_of_a_line_is_what_lambda_reads_from_a_json_log(
    now: float, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Lambda developer guide, "Log-level filtering": RFC 3339, else the line's level is ignored.
    monkeypatch.setattr("keyscope.aws.telemetry.time.time", lambda: now)
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        stamp = written(REFUSED, capsys)[0]["timestamp"]
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
    assert datetime.fromisoformat(stamp).timestamp() == int(now * 1_000) / 1_000
    assert stamp.endswith("Z")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (
            "Root=1-5759e988-bd862e3f;Parent=53995c3f;Sampled=1;Lineage=1:a:0",
            "1-5759e988-bd862e3f",
        ),
        ("Root=1-5759e988-bd862e3f;Parent=53995c3f;Sampled=0", None),
        ("", None),
    ],
)
def test_the_line_names_the_trace_that_x_ray_keeps(
    header: str,
    found: str | None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    assert written(ALLOWED, capsys)[0].get("xray_trace_id") == found


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\u2028b", "\ud800", 'a"}', "Zoë", "\x00"])
def test_a_line_holds_what_others_named_as_one_line_of_ascii(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Telemetry("rest_authorizer", TelemetrySettings()).record(REFUSED, text, None)
    output = capsys.readouterr().out
    assert output.isascii()
    assert output.count("\n") == 1
    assert json.loads(output)["request_id"] == text
