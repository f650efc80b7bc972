"""Alarms, dashboard, saved queries and access log of the template, and the runbook."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import pytest

from keyscope.access.policy import MAX_POLICY_BYTES
from keyscope.authorize.answer import AuthorizerFailed, Unauthorized, Undecided
from keyscope.aws.deadline import REQUEST_SECONDS
from keyscope.errors import Misconfigured
from keyscope_local.template.stack import Stack, properties_of
from tests.support.stacks import stack_of
from tests.support.watching import (
    Metric,
    alarms,
    matches,
    metrics_of_alarm,
    metrics_of_dashboard,
    of_type,
    widgets,
)

ROOT: Final = Path(__file__).parents[2]
RUNBOOK: Final = ROOT / "docs" / "runbook"
PAGES: Final = {page.name: page.read_text("utf-8") for page in sorted(RUNBOOK.glob("*.md"))}
EVERYTHING: Final = {"HttpApiEnabled": "true", "AccessLogEnabled": "true"}
NOTHING: Final = {"AlarmsEnabled": "false", "DashboardEnabled": "false"}
TOPIC: Final = "arn:aws:sns:us-east-1:123456789012:on-call"
ALARMS: Final = sorted(alarms(stack_of()))
SECTIONS: Final = ("**What it means.**", "**First look.**", "**Fix.**", "**Confirm.**")
MAX_FORMAT_BYTES: Final = 3_072
"""API Gateway quotas, "Access log template"."""
LONGEST_EVALUATION_SECONDS: Final = 86_400
"""CloudWatch API reference, `PutMetricAlarm`, `EvaluationPeriods`."""
OF_BOTH: Final = {
    *("apiId", "authorizer.error", "authorizer.principalId", "error.responseType", "httpMethod"),
    *("identity.sourceIp", "integration.error", "integration.latency", "integration.status"),
    *("path", "requestId", "requestTimeEpoch", "responseLatency", "responseLength", "stage"),
    "status",
}
OF_REST: Final = {
    *("authenticate.latency", "authenticate.status", "authorize.error", "authorize.latency"),
    *("authorize.status", "authorizer.integrationLatency", "authorizer.integrationStatus"),
    *("authorizer.latency", "authorizer.status", "resourcePath"),
}
"""API Gateway developer guide, "Variables for access logging for API Gateway"."""
OF_HTTP: Final = {"routeKey"}
"""API Gateway developer guide, "Customize HTTP API access logs"."""
OF_OUR_CONTEXT: Final = {
    f"authorizer.{name}" for name in ("keyId", "scope", "accountId", "permissions")
}


@pytest.fixture(scope="module")
def stack() -> Stack:
    return stack_of(EVERYTHING)


def kinds(stack: Stack) -> set[str]:
    return {str(resource["Type"]) for resource in stack.resources.values()}


@pytest.mark.parametrize(
    ("parameter", "kind"),
    [
        ("AlarmsEnabled", "AWS::CloudWatch::Alarm"),
        ("AlarmsEnabled", "AWS::Logs::MetricFilter"),
        ("DashboardEnabled", "AWS::CloudWatch::Dashboard"),
    ],
)
def test_a_parameter_turns_off_what_it_names(parameter: str, kind: str) -> None:
    assert kind in kinds(stack_of())
    assert kind not in kinds(stack_of({parameter: "false"}))


def test_watching_needs_no_permission(stack: Stack) -> None:
    roles = of_type(stack, "AWS::IAM::Role")
    bare = stack_of({**NOTHING, "HttpApiEnabled": "true"})
    assert of_type(bare, "AWS::IAM::Role") == roles
    assert {kind for kind in kinds(stack) if kind.startswith("AWS::IAM::")} == {"AWS::IAM::Role"}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_tells_the_topic_of_its_changes_if_there_is_one(name: str, stack: Stack) -> None:
    told = alarms(stack_of({"AlarmTopicArn": TOPIC}))[name]
    assert (told["AlarmActions"], told["OKActions"]) == ([TOPIC], [TOPIC])
    assert not {"AlarmActions", "OKActions"} & {*alarms(stack)[name]}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_names_its_page_of_the_runbook_and_the_page_names_it(
    name: str, stack: Stack
) -> None:
    description = str(alarms(stack)[name]["AlarmDescription"])
    (page,) = re.findall(r"docs/runbook/([\w-]+\.md)$", description)
    assert f"`{name}`" in PAGES[page]
    assert re.search(rf"\({page}\) \|.*`{name}`", PAGES["README.md"])


@pytest.mark.parametrize("page", [name for name in PAGES if name != "README.md"])
def test_a_page_says_what_it_means_what_to_look_at_what_to_do_and_how_to_confirm(page: str) -> None:
    found = [PAGES[page].find(section) for section in SECTIONS]
    assert -1 not in found
    assert found == sorted(found)
    first_look = PAGES[page][found[1] : found[2]]
    assert re.search(r"```sh|aved query \*|dashboard \*", first_look)


def test_no_page_names_an_alarm_that_there_is_not() -> None:
    named = {name for text in PAGES.values() for name in re.findall(r"`(\w+Alarm)`", text)}
    assert named == set(ALARMS)


def test_the_pages_name_queries_resources_and_log_groups_that_there_are(stack: Stack) -> None:
    text = " ".join("\n".join(PAGES.values()).split())
    queries = of_type(stack, "AWS::Logs::QueryDefinition").values()
    titles = {str(query["Name"]).partition("/")[2] for query in queries}
    groups = {
        str(group["LogGroupName"]) for group in of_type(stack, "AWS::Logs::LogGroup").values()
    }
    named = {
        group.replace("$STACK", "keyscope-local")
        for group in re.findall(r"/aws/\w+/\$STACK/\w+", text)
    }
    assert set(re.findall(r"query \*([^*]+)\*", text)) - titles == set()
    assert named - groups == set()
    assert set(re.findall(r"\$\(resource (\w+)\)", text)) - {*stack.resources} == set()


def test_every_widget_that_a_page_names_is_on_the_dashboard(stack: Stack) -> None:
    titles = " / ".join(widget["properties"]["title"] for widget in widgets(stack))
    named = {
        title
        for text in PAGES.values()
        for title in re.findall(r"dashboard \*([^*]+)\*", " ".join(text.split()))
    }
    assert named
    assert [title for title in named if title not in titles] == []


@pytest.mark.parametrize("name", ALARMS)
def test_where_nothing_happens_an_alarm_is_off(name: str, stack: Stack) -> None:
    # But a container tells the size of its policies once, and it does not shrink by silence.
    held = {"PolicySizeAlarm": "ignore"}
    assert alarms(stack)[name]["TreatMissingData"] == held.get(name, "notBreaching")


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_can_be_evaluated(name: str, stack: Stack) -> None:
    alarm = cast("Mapping[str, Any]", alarms(stack)[name])
    stats = [one["MetricStat"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
    (period,) = {one["Period"] for one in stats or [alarm]}
    assert period % 60 == 0
    assert period * alarm["EvaluationPeriods"] <= LONGEST_EVALUATION_SECONDS
    assert 1 <= alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"]


def raised(error_type: str) -> Mapping[str, Any]:
    """Return what Lambda's Python runtime logs of an exception, where the log format is JSON."""
    return {
        "timestamp": "2026-11-28T20:00:00Z",
        "level": "ERROR",
        "errorMessage": "it failed",
        "errorType": error_type,
        "requestId": "1",
        "stackTrace": [],
    }


def reported(kind: str, status: str, error_type: str = "") -> Mapping[str, Any]:
    """Return a line of Lambda's own; "Lambda Telemetry API Event schema reference"."""
    error = {"errorType": error_type} if error_type else {}
    return {"time": "", "type": kind, "record": {"requestId": "1", "status": status, **error}}


@pytest.mark.parametrize("function", ["RestAuthorizer", "HttpAuthorizer"])
@pytest.mark.parametrize(
    ("line", "is_crash"),
    [
        *((raised(error.__name__), False) for error in (Unauthorized, AuthorizerFailed)),
        *((raised(error.__name__), True) for error in (Undecided, Misconfigured)),
        (raised("Runtime.ImportModuleError"), True),
        (reported("platform.report", "timeout"), True),
        (reported("platform.report", "failure"), True),
        (reported("platform.report", "error", "Runtime.ExitError"), True),
        (reported("platform.report", "error", "Runtime.OutOfMemory"), True),
        (reported("platform.initReport", "timeout"), True),
        # Each refusal.
        (reported("platform.report", "error", "Unauthorized"), False),
        (reported("platform.report", "error"), False),
        (reported("platform.runtimeDone", "error"), False),
        ({"level": "ERROR", "message": "decision", "outcome": "failed"}, False),
    ],
)
def test_what_ends_an_authorizer_is_a_crash_and_what_it_raises_on_purpose_is_none(
    function: str, line: Mapping[str, Any], *, is_crash: bool, stack: Stack
) -> None:
    filters = [properties_of(stack, f"{function}{name}Filter") for name in ("Ended", "Raised")]
    assert any(matches(str(one["FilterPattern"]), line) for one in filters) == is_crash
    groups = {one["LogGroupName"] for one in filters}
    assert groups == {stack.physical_ids[f"{function}LogGroup"]}


def test_lambdas_errors_are_looked_at_nowhere(stack: Stack) -> None:
    metrics = metrics_of_dashboard(stack)
    metrics += [metric for alarm in alarms(stack).values() for metric in metrics_of_alarm(alarm)]
    assert [metric for metric in metrics if metric.name == "Errors"] == []


def test_the_share_of_failures_is_that_of_all_decisions_of_both_authorizers(stack: Stack) -> None:
    alarm = cast("Mapping[str, Any]", alarms(stack)["InternalErrorsAlarm"])
    failed, decisions, percent = alarm["Metrics"]
    authorizers = frozenset({("component", "authorizer")})
    assert metrics_of_alarm(alarm) == [
        Metric("Keyscope", "Failed", authorizers),
        Metric("Keyscope", "DecisionTime", authorizers),
    ]
    assert [one["MetricStat"]["Stat"] for one in (failed, decisions)] == ["Sum", "SampleCount"]
    assert percent["Expression"] == f"100 * {failed['Id']} / {decisions['Id']}"
    assert [one.get("ReturnData", True) for one in alarm["Metrics"]] == [False, False, True]


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("InternalErrorsAlarm", "AlarmFailedPercent"),
        ("SlowDecisionsAlarm", "AlarmDecisionMilliseconds"),
        ("UnknownKeysAlarm", "AlarmUnknownKeys"),
        ("EndedKeysAlarm", "AlarmEndedKeyUses"),
        ("PolicySizeAlarm", "AlarmPolicyBytes"),
    ],
)
def test_a_threshold_is_its_parameter_and_may_be_reached(name: str, parameter: str) -> None:
    alarm = alarms(stack_of({parameter: "77"}))[name]
    assert (str(alarm["Threshold"]), alarm["ComparisonOperator"]) == ("77", "GreaterThanThreshold")


def test_every_other_alarm_rings_at_the_first_one(stack: Stack) -> None:
    by_parameter = {"InternalErrors", "SlowDecisions", "UnknownKeys", "EndedKeys", "PolicySize"}
    others = {
        name: (alarm["Threshold"], alarm["ComparisonOperator"])
        for name, alarm in alarms(stack).items()
        if name.removesuffix("Alarm") not in by_parameter
    }
    assert set(others.values()) == {(1, "GreaterThanOrEqualToThreshold")}


def test_a_policy_alarms_from_90_percent_of_its_budget(stack: Stack) -> None:
    assert int(stack.parameters["AlarmPolicyBytes"]) == MAX_POLICY_BYTES


def test_a_decision_is_slow_long_before_it_must_end(stack: Stack) -> None:
    assert int(stack.parameters["AlarmDecisionMilliseconds"]) < REQUEST_SECONDS * 1_000 / 2


def test_the_widgets_lie_side_by_side(stack: Stack) -> None:
    places = [(widget["x"], widget["y"]) for widget in widgets(stack)]
    assert len(set(places)) == len(places)
    assert {(each["width"], each["height"]) for each in widgets(stack)} == {(8, 6)}
    assert {x % 8 or x > 16 or y % 6 for x, y in places} == {False}


STAGES: Final = [
    pytest.param("RestApiStage", "AccessLogSetting", OF_BOTH | OF_REST, id="REST"),
    pytest.param(
        "HttpApiApiGatewayDefaultStage", "AccessLogSettings", OF_BOTH | OF_HTTP, id="HTTP"
    ),
]


def access_log(stack: Stack, stage: str, setting: str) -> Mapping[str, str]:
    return cast("Mapping[str, str]", properties_of(stack, stage)[setting])


@pytest.mark.parametrize(("stage", "setting", "variables"), STAGES)
def test_an_access_log_line_is_json_of_variables_that_aws_documents(
    stage: str, setting: str, variables: set[str], stack: Stack
) -> None:
    line_format = access_log(stack, stage, setting)["Format"]
    used = [str(value).removeprefix("$context.") for value in json.loads(line_format).values()]
    assert set(used) == variables | OF_OUR_CONTEXT
    assert len(line_format) <= MAX_FORMAT_BYTES


@pytest.mark.parametrize(("stage", "setting", "variables"), STAGES)
def test_an_access_log_holds_nothing_that_may_hold_a_credential(
    stage: str, setting: str, variables: set[str], stack: Stack
) -> None:
    # Where no route fits, the first two quote the Authorization header.
    unsafe = r"error\.message|authenticate\.error|header|query|apiKey|userArn|claims"
    assert not re.search(unsafe, access_log(stack, stage, setting)["Format"])
    assert not re.search(unsafe, " ".join(variables))


@pytest.mark.parametrize(("stage", "setting", "variables"), STAGES)
def test_an_access_log_goes_to_a_log_group_of_the_stack_that_is_kept_as_long_as_the_others(
    stage: str, setting: str, variables: set[str], stack: Stack
) -> None:
    del variables
    group = properties_of(stack, "AccessLogGroup")
    target = access_log(stack, stage, setting)["DestinationArn"]
    assert target.endswith(f":log-group:{group['LogGroupName']}")
    assert str(group["RetentionInDays"]) == stack.parameters["LogRetentionDays"]


def test_without_being_asked_for_there_is_no_access_log() -> None:
    stack = stack_of({"HttpApiEnabled": "true"})
    assert "AccessLogGroup" not in stack.resources
    assert "AccessLogSetting" not in properties_of(stack, "RestApiStage")
    assert "AccessLogSettings" not in properties_of(stack, "HttpApiApiGatewayDefaultStage")
