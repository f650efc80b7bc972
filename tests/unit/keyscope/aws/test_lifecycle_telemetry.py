"""What operators see of lifecycle changes, on standard output."""

import json
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from keyscope.aws.lifecycle_telemetry import LifecycleTelemetry
from keyscope.errors import Reason, Unavailable
from keyscope.lifecycle.audit import Action, Actor, AuditEvent, Change
from keyscope.lifecycle.directory import Owner
from keyscope.model.ids import OwnerType
from tests.support.builders import ACCOUNT, NOW

OWNER = Owner(OwnerType.ACCOUNT, ACCOUNT, "Acme", NOW)
EVENT = AuditEvent(Change(Action.ACCOUNT_CREATED, ACCOUNT, after=OWNER), Actor("r-1"), NOW)

Captured = pytest.CaptureFixture[str]


def lines(capsys: Captured) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def function(request: pytest.FixtureRequest) -> str:
    # A logger keeps the output that was there when its name was first used.
    return str(request.node.name)


def test_an_audit_line_holds_the_whole_event(function: str, capsys: Captured) -> None:
    LifecycleTelemetry(function, "Keyscope").audited(EVENT)
    (line,) = lines(capsys)
    assert (line["message"], line["service"]) == ("audit", f"{function}-audit")
    assert line["audit"] == EVENT.detail()


def test_audit_lines_are_written_whatever_level_the_functions_log_has(
    function: str, capsys: Captured
) -> None:
    quiet = Logger(service=function, level="ERROR", location=None)
    quiet.info("answered")
    LifecycleTelemetry(function, "Keyscope").audited(EVENT)
    quiet.info("answered")
    assert [line["message"] for line in lines(capsys)] == ["audit"]


def test_an_undelivered_event_is_named_and_counted(function: str, capsys: Captured) -> None:
    LifecycleTelemetry(function, "Keyscope").undelivered(EVENT, "ThrottlingException")
    line, metric = lines(capsys)
    assert (line["level"], line["audit_event_id"]) == ("ERROR", EVENT.event_id)
    assert line["detail"] == "ThrottlingException"
    assert (metric["UndeliveredAuditEvents"], metric["service"]) == ([1.0], function)


def test_a_flush_that_could_not_be_asked_for_is_told_and_counted(
    function: str, capsys: Captured
) -> None:
    LifecycleTelemetry(function, "Keyscope").flush_failed(
        Unavailable(Reason.FLUSH_QUEUE_UNAVAILABLE, "AccessDenied")
    )
    line, metric = lines(capsys)
    assert (line["reason"], line["detail"]) == ("flush_queue_unavailable", "AccessDenied")
    assert (metric["FlushRequestFailures"], metric["service"]) == ([1.0], function)


def test_failures_are_counted_once_for_all_functions_that_change_keys(
    function: str, capsys: Captured
) -> None:
    LifecycleTelemetry(function, "Keyscope").undelivered(EVENT, "ThrottlingException")
    metric: dict[str, Any] = lines(capsys)[-1]
    (directive,) = metric["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["component"]]
    assert (metric["service"], metric["component"]) == (function, "lifecycle")
