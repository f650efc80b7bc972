"""How the canary reads Lambda's reports and metrics, and the authorizers' log."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import pytest
from botocore.stub import ANY

from keyscope_local.gateway.api_definition import ApiKind
from platform_checks.aws_clients import Reply
from platform_checks.aws_only_checks import (
    cold_start_is_as_set,
    failures_are_reported,
    lines_are_unchanged,
    lines_become_metrics,
    unauthorized_counts_as_error,
)
from platform_checks.deployed_stack import ColdStarts, DeployedStack
from platform_checks.facts import Found, Observation
from platform_checks.probe_metrics import ProbeMetrics
from platform_checks.subject import Subject
from tests.support.platform_checks import Waiting, served_subject
from tests.support.platform_checks_aws import AUTHORIZERS, Account, account, stubbed

pytestmark = pytest.mark.canary


def report(**metrics: float) -> str:
    record = {"requestId": "1", "status": "error", "metrics": {"durationMs": 9.1, **metrics}}
    return json.dumps({"time": "", "type": "platform.report", "record": record})


RESTORED: Final = report(restoreDurationMs=412.5, billedRestoreDurationMs=380)
STARTED: Final = report(initDurationMs=901.25)
WARM: Final = report()
DECIDED: Final = '{"_aws":{},"level":"INFO","message":"decision","DecisionTime":1.5}'
REST_ARN: Final = AUTHORIZERS["RestAuthorizerArn"]


@pytest.fixture
def aws() -> Iterator[Account]:
    with account() as made:
        yield made


def logged(aws: Account, *pages: list[str], snap_start: str = "On") -> None:
    """Let Lambda and CloudWatch Logs answer once with a configuration and pages of lines."""
    functions = stubbed(aws.clients.functions)
    configuration = {
        "LoggingConfig": {"LogGroup": "/the/group"},
        "SnapStart": {"OptimizationStatus": snap_start},
        "Environment": {"Variables": {"KEYSCOPE_METRICS_NAMESPACE": "Orders"}},
    }
    for _ in range(2):
        expected = {"FunctionName": REST_ARN}
        functions.add_response("get_function_configuration", configuration, expected)
    functions.activate()
    logs = stubbed(aws.clients.logs)
    request = {"logGroupName": "/the/group", "startTime": 6_400_000, "filterPattern": ANY}
    for number, lines in enumerate(pages, 1):
        is_last = number == len(pages)
        logs.add_response(
            "filter_log_events",
            {
                "events": [{"message": line} for line in lines],
                **({} if is_last else {"nextToken": str(number)}),
            },
            request,
        )
        request = {**request, "nextToken": str(number)}
    logs.activate()


def deployed(aws: Account, **outputs: str) -> DeployedStack:
    return DeployedStack(aws.clients, {**AUTHORIZERS, **outputs}, lambda: 10_000)


def checked(aws: Account, check: Callable[[Subject, ApiKind], Observation]) -> Observation:
    """Check a stack whose REST API is the local gateway's."""
    with served_subject() as served:
        url = served.apis[ApiKind.REST].url
        stack = deployed(aws, RestApiUrl=url)
        subject = Subject(served.apis, served.caches, served.clock, deployed=stack)
        return check(subject, ApiKind.REST)


def test_restores_and_inits_are_read_from_every_page_of_the_log(aws: Account) -> None:
    logged(aws, [RESTORED], [STARTED, WARM, RESTORED])
    starts = deployed(aws).cold_starts(ApiKind.REST)
    assert starts == ColdStarts("On", restores=[412.5, 412.5], inits=[901.25])


@pytest.mark.parametrize(
    ("snap_start", "lines", "found"),
    [
        ("On", [RESTORED, RESTORED], Found.YES),
        ("On", [RESTORED, STARTED], Found.NO),
        ("Off", [STARTED], Found.YES),
        ("Off", [RESTORED, STARTED], Found.NO),
    ],
)
def test_containers_are_to_start_as_the_stack_says(
    snap_start: str, lines: list[str], found: Found, aws: Account
) -> None:
    logged(aws, lines, snap_start=snap_start)
    assert checked(aws, cold_start_is_as_set).found is found


def test_a_row_tells_how_long_starts_take(aws: Account) -> None:
    logged(aws, [STARTED, report(initDurationMs=100), report(initDurationMs=300)], snap_start="Off")
    assert checked(aws, cold_start_is_as_set).detail == (
        "SnapStart is Off; restores: none; inits: 3, median 300 ms, longest 901 ms"
    )


def test_reports_of_refusals_are_counted(aws: Account) -> None:
    logged(aws, [WARM, WARM.replace('"error"', '"timeout"')])
    observation = checked(aws, failures_are_reported)
    assert observation.found is Found.YES
    assert observation.detail.startswith("1 reports of failures")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param(DECIDED, Found.YES, id="as written"),
        pytest.param(DECIDED + "\n", Found.YES, id="with its line break"),
        pytest.param(DECIDED[:-1] + ',"requestId":"1"}', Found.NO, id="with a member of Lambda's"),
        pytest.param(json.dumps(json.loads(DECIDED)), Found.NO, id="encoded anew"),
        pytest.param('{"level":"INFO","message":"decision","_aws":{}}', Found.NO, id="reordered"),
    ],
)
def test_a_line_that_lambda_changed_is_found(line: str, found: Found, aws: Account) -> None:
    logged(aws, [DECIDED, line])
    assert checked(aws, lines_are_unchanged).found is found


def test_a_log_without_decisions_leaves_it_in_doubt(aws: Account) -> None:
    with served_subject() as served:
        stack = deployed(aws, RestApiUrl=served.apis[ApiKind.REST].url)
        stack = replace(stack, clients=replace(aws.clients, logs=NoLines()))
        functions = stubbed(aws.clients.functions)
        for _ in range(30):
            functions.add_response(
                "get_function_configuration", {"LoggingConfig": {"LogGroup": "/the/group"}}
            )
        functions.activate()
        subject = Subject(served.apis, served.caches, served.clock, deployed=stack)
        assert lines_are_unchanged(subject, ApiKind.REST).found is Found.UNKNOWN


class NoLines:
    """The logs of a stack that logs failures only."""

    def filter_log_events(self, **_: object) -> Reply:
        return {"events": []}


def test_the_metric_in_the_stacks_namespace_is_read_until_it_has_samples(aws: Account) -> None:
    logged(aws)
    stubs = stubbed(aws.clients.cloudwatch)
    for points in ([], [{"SampleCount": 8.0}]):
        expected = {
            "Namespace": "Orders",
            "MetricName": "DecisionTime",
            "Dimensions": [{"Name": "component", "Value": "authorizer"}],
            "StartTime": ANY,
            "EndTime": ANY,
            "Period": 3_600,
            "Statistics": ["SampleCount"],
        }
        stubs.add_response("get_metric_statistics", {"Datapoints": points}, expected)
    stubs.activate()
    observation = checked(aws, lines_become_metrics)
    assert observation.found is Found.YES
    assert observation.detail.startswith("8 measured decisions")


def test_a_log_that_cannot_be_read_leaves_it_in_doubt(aws: Account) -> None:
    logged(aws)
    stubbed(aws.clients.logs).add_client_error("filter_log_events", "AccessDeniedException")
    observation = checked(aws, cold_start_is_as_set)
    assert observation.found is Found.UNKNOWN
    assert not observation.beyond_reach


def test_a_stack_without_an_api_of_a_kind_cannot_show_its_cold_starts(aws: Account) -> None:
    with served_subject() as served:
        subject = Subject(served.apis, served.caches, served.clock, deployed=deployed(aws))
        assert cold_start_is_as_set(subject, ApiKind.HTTP).beyond_reach


def test_lambdas_metric_is_read_until_it_tells_of_an_error(aws: Account) -> None:
    stubs = stubbed(aws.clients.cloudwatch)
    stubs.add_response("get_metric_statistics", {"Datapoints": []})
    stubs.add_response("get_metric_statistics", {"Datapoints": [{"Sum": 3.0}]})
    stubs.activate()
    waiting = Waiting()
    metrics = ProbeMetrics(aws.clients.cloudwatch, "probe", waiting.now)
    with served_subject() as served:
        subject = Subject(served.apis, served.caches, waiting.clock(), metrics=metrics)
        observation = unauthorized_counts_as_error(subject, ApiKind.REST)
    assert observation.found is Found.YES
    assert waiting.slept == [10]


def test_an_api_that_nobody_serves_provokes_nothing(aws: Account) -> None:
    nowhere = deployed(aws, RestApiUrl="http://127.0.0.1:1/prod")
    assert nowhere.provoke_cold_starts(ApiKind.REST) == 0


def test_a_probe_api_keeps_its_token_to_itself() -> None:
    lines: list[str] = []
    with served_subject(lines=lines) as served:
        api = served.apis[ApiKind.REST]
        api.ask({"name": "first"})
    assert api.token not in "".join(lines) + repr(api)
