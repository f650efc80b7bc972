"""What the template watches, held against what the functions really write."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast

import pytest

from keyscope.authorize.decision import Outcome
from keyscope_local.template.stack import Stack
from tests.support.dynamodb_local import Store
from tests.support.emitted import Line, emitted_lines
from tests.support.stacks import stack_of
from tests.support.watching import (
    Metric,
    alarms,
    emitted_metrics,
    fields_of,
    filtered_metrics,
    flat,
    metrics_of_alarm,
    metrics_of_dashboard,
    of_type,
    values_of,
)

NAMESPACE: Final = "Keyscope"
SET_BY_LOGS: Final = frozenset({"@timestamp"})
OF_AWS: Final = {
    # DynamoDB developer guide, "DynamoDB Metrics and dimensions".
    ("AWS/DynamoDB", "ReadThrottleEvents"): {"TableName"},
    ("AWS/DynamoDB", "WriteThrottleEvents"): {"TableName"},
    # SQS developer guide, "Available CloudWatch metrics for Amazon SQS".
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {"QueueName"},
    # Lambda developer guide, "Types of metrics for Lambda functions".
    ("AWS/Lambda", "Invocations"): {"FunctionName"},
    ("AWS/Lambda", "Throttles"): {"FunctionName"},
    ("AWS/Lambda", "ConcurrentExecutions"): {"FunctionName"},
    # API Gateway developer guide, "Amazon API Gateway dimensions and metrics".
    ("AWS/ApiGateway", "Count"): {"ApiName", "Stage"},
    ("AWS/ApiGateway", "4XXError"): {"ApiName", "Stage"},
    ("AWS/ApiGateway", "5XXError"): {"ApiName", "Stage"},
}
"""AWS's own metrics, with their dimensions and where they are documented."""


@pytest.fixture(scope="module")
def watched() -> Stack:
    return stack_of({"HttpApiEnabled": "true", "AccessLogEnabled": "true"})


@pytest.fixture(scope="module")
def lines(moto_store: Store) -> list[Line]:
    return emitted_lines(moto_store)


@pytest.fixture(scope="module")
def emitted(lines: list[Line], watched: Stack) -> set[Metric]:
    return emitted_metrics(lines) | filtered_metrics(watched)


def own(metrics: list[Metric]) -> list[Metric]:
    return [metric for metric in metrics if metric.namespace == NAMESPACE]


def watched_metrics(stack: Stack) -> list[Metric]:
    of_alarms = [metric for alarm in alarms(stack).values() for metric in metrics_of_alarm(alarm)]
    return of_alarms + metrics_of_dashboard(stack)


def test_the_functions_were_driven_through_every_outcome(lines: list[Line]) -> None:
    outcomes = {(line["service"], line["outcome"]) for line in lines if "outcome" in line}
    authorizers = ("rest_authorizer", "http_authorizer")
    assert outcomes == {(name, outcome.value) for name in authorizers for outcome in Outcome}


def test_each_metric_that_an_alarm_stands_on_is_emitted_with_just_its_dimensions(
    watched: Stack, emitted: set[Metric]
) -> None:
    missing = {
        name: [metric for metric in own(metrics_of_alarm(alarm)) if metric not in emitted]
        for name, alarm in alarms(watched).items()
    }
    assert {name: metrics for name, metrics in missing.items() if metrics} == {}


def test_each_metric_on_the_dashboard_is_emitted_with_just_its_dimensions(
    watched: Stack, emitted: set[Metric]
) -> None:
    assert [each for each in own(metrics_of_dashboard(watched)) if each not in emitted] == []


def test_each_metric_that_costs_is_read_by_an_alarm_or_the_dashboard(
    emitted: set[Metric],
) -> None:
    # Those of a deployment's rollback are there only while traffic shifts.
    shifting = {"TrafficShifting": "Linear10PercentEvery1Minute"}
    read = watched_metrics(stack_of({"HttpApiEnabled": "true", **shifting}))
    assert emitted - {*read} == set()


def test_an_ordinary_decision_has_one_metric(lines: list[Line]) -> None:
    ordinary = [
        line
        for line in lines
        if line.get("outcome") == "allowed"
        and line["record_source"] != "stale"
        and "PolicyBytes" not in line
    ]
    assert {metric.name for metric in emitted_metrics(ordinary)} == {"DecisionTime"}


def test_each_metric_of_aws_is_one_that_aws_documents(watched: Stack) -> None:
    foreign = [each for each in watched_metrics(watched) if each.namespace != NAMESPACE]
    assert [
        each
        for each in foreign
        if {name for name, _ in each.dimensions} != OF_AWS.get((each.namespace, each.name))
    ] == []


def test_the_dimensions_of_aws_metrics_name_resources_of_the_stack(watched: Stack) -> None:
    names = {
        *watched.physical_ids.values(),
        "keyscope-local",
        "keyscope-local-FlushDeadLetterQueue",
        "keyscope-local-KeyUseDeadLetterQueue",
        "keyscope-local-ExpirySweepDeadLetterQueue",
    }
    foreign = [each for each in watched_metrics(watched) if each.namespace != NAMESPACE]
    assert {value for each in foreign for _, value in each.dimensions} - names == set()


@pytest.mark.parametrize("namespace", ["Keyscope", "Other/prod"])
def test_alarms_dashboard_and_filters_follow_the_namespace(namespace: str) -> None:
    stack = stack_of({"MetricsNamespace": namespace})
    namespaces = {each.namespace for each in watched_metrics(stack)}
    namespaces |= {each.namespace for each in filtered_metrics(stack)}
    assert {name for name in namespaces if not name.startswith("AWS/")} == {namespace}


def queries(stack: Stack) -> dict[str, Mapping[str, Any]]:
    return cast("dict[str, Mapping[str, Any]]", of_type(stack, "AWS::Logs::QueryDefinition"))


def written_to(group: str, stack: Stack, lines: list[Line]) -> list[dict[str, Any]]:
    """Return the lines that a log group gets."""
    if group.endswith("/access"):
        stage = cast(
            "Mapping[str, Mapping[str, str]]", stack.resources["RestApiStage"]["Properties"]
        )
        return [json.loads(stage["AccessLogSetting"]["Format"])]
    function = group.rpartition("/")[2]
    return [flat(line) for line in lines if re.fullmatch(rf"{function}(-audit)?", line["service"])]


QUERIES: Final = sorted(of_type(stack_of(), "AWS::Logs::QueryDefinition"))


@pytest.mark.parametrize("name", QUERIES)
def test_each_field_of_a_query_is_in_lines_of_its_log_groups(
    name: str, watched: Stack, lines: list[Line]
) -> None:
    query = queries(watched)[name]
    groups = [written_to(group, watched, lines) for group in query["LogGroupNames"]]
    assert all(groups)
    known = {field for group in groups for line in group for field in line}
    assert fields_of(query["QueryString"]) - SET_BY_LOGS - known == set()


@pytest.mark.parametrize("name", QUERIES)
def test_each_text_that_a_query_looks_for_is_in_lines_of_its_log_groups(
    name: str, watched: Stack, lines: list[Line]
) -> None:
    query = queries(watched)[name]
    found = {
        (field, value)
        for group in query["LogGroupNames"]
        for line in written_to(group, watched, lines)
        for field, value in line.items()
        if isinstance(value, str)
    }
    assert values_of(query["QueryString"]) - found == set()


def test_no_line_holds_a_secret_or_a_token(lines: list[Line]) -> None:
    assert re.findall(r"ks_\w{40}|eyJ[\w-]+\.", json.dumps(lines)) == []
