"""How the canary reads Lambda's reports and metrics."""

from collections.abc import Iterator
from typing import Final

import pytest
from botocore.stub import ANY

from local.gateway.api_definition import ApiKind
from platform_checks.aws_only_checks import cold_start_is_restore, unauthorized_counts_as_error
from platform_checks.deployed_stack import ColdStarts, DeployedStack
from platform_checks.facts import Found, Observation
from platform_checks.probe_metrics import ProbeMetrics
from platform_checks.subject import Subject
from tests.support.platform_checks import Waiting, served_subject
from tests.support.platform_checks_aws import AUTHORIZERS, Account, account, stubbed

pytestmark = pytest.mark.canary

RESTORED: Final = (
    "REPORT RequestId: 1 Duration: 9.10 ms Billed Duration: 400 ms Memory Size: 512 MB"
    " Max Memory Used: 90 MB Restore Duration: 412.50 ms Billed Restore Duration: 380 ms"
)
STARTED: Final = "REPORT RequestId: 2 Duration: 9.10 ms Init Duration: 901.25 ms"
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
    }
    functions.add_response("get_function_configuration", configuration, {"FunctionName": REST_ARN})
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


def checked(aws: Account) -> Observation:
    """Check the cold starts of a stack whose REST API is the local gateway's."""
    with served_subject() as served:
        url = served.apis[ApiKind.REST].url
        stack = deployed(aws, RestApiUrl=url)
        subject = Subject(served.apis, served.caches, served.clock, deployed=stack)
        return cold_start_is_restore(subject, ApiKind.REST)


def test_restores_and_inits_are_read_from_every_page_of_the_log(aws: Account) -> None:
    logged(aws, [RESTORED], [STARTED, RESTORED])
    starts = deployed(aws).cold_starts(ApiKind.REST)
    assert starts == ColdStarts("On", restores=[412.5, 412.5], inits=[901.25])


def test_restores_alone_prove_that_a_cold_start_is_one(aws: Account) -> None:
    logged(aws, [RESTORED, RESTORED])
    observation = checked(aws)
    assert observation.found is Found.YES
    assert observation.detail == "restores: 2, median 412 ms, longest 412 ms; inits: none"


def test_an_init_disproves_it(aws: Account) -> None:
    logged(aws, [RESTORED, STARTED], snap_start="Off")
    assert checked(aws).found is Found.NO


def test_a_log_that_cannot_be_read_leaves_it_in_doubt(aws: Account) -> None:
    logged(aws)
    stubbed(aws.clients.logs).add_client_error("filter_log_events", "AccessDeniedException")
    observation = checked(aws)
    assert observation.found is Found.UNKNOWN
    assert not observation.beyond_reach


def test_a_stack_without_an_api_of_a_kind_cannot_show_its_cold_starts(aws: Account) -> None:
    with served_subject() as served:
        subject = Subject(served.apis, served.caches, served.clock, deployed=deployed(aws))
        assert cold_start_is_restore(subject, ApiKind.HTTP).beyond_reach


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
