"""The probe stack comes and goes; the deployed stack is only looked at."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast
from unittest.mock import Mock

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from platform_checks.aws_calls import AwsRefused, told
from platform_checks.deployed_stack import find_deployed_stack
from platform_checks.probe_stack import TAG, CleanUpFailed, probe_stack, remove_probe_stack
from tests.support.platform_checks_aws import (
    AUTHORIZERS,
    PROBE,
    PROBE_OUTPUTS,
    STACK,
    Account,
    account,
    small_template,
    stubbed,
)

if TYPE_CHECKING:
    from botocore.client import BaseClient

pytestmark = pytest.mark.canary


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    template = small_template("probe", PROBE_OUTPUTS)
    monkeypatch.setattr("platform_checks.probe_stack.probe_template", lambda: template)
    with account() as made:
        yield made


def test_a_run_asks_the_region_that_aws_region_names() -> None:
    with account(AWS_REGION="eu-west-1") as made:
        assert cast("BaseClient", made.clients.functions).meta.region_name == "eu-west-1"


def probe(status: str) -> dict[str, object]:
    return {
        "StackId": PROBE,
        "StackName": PROBE,
        "CreationTime": 0,
        "StackStatus": status,
        "Tags": [{"Key": TAG, "Value": STACK}],
    }


def events(status: str) -> list[dict[str, object]]:
    """Return what CloudFormation tells of a stack that broke, latest first."""
    return [
        {
            "StackId": PROBE,
            "StackName": PROBE,
            "EventId": reason,
            "Timestamp": 0,
            "LogicalResourceId": "ProbeRole",
            "ResourceStatus": status,
            "ResourceStatusReason": reason,
        }
        for reason in ("what followed", "the first reason")
    ]


def test_the_probe_stack_stands_for_a_run_and_no_longer(aws: Account) -> None:
    with probe_stack(aws.clients, STACK) as stack:
        assert stack.outputs == PROBE_OUTPUTS
        assert sorted(aws.stacks()) == [STACK, PROBE]
    assert aws.stacks() == [STACK]


def test_the_probe_stacks_token_is_not_shown(aws: Account) -> None:
    with probe_stack(aws.clients, STACK) as stack:
        assert stack.token not in repr(stack)


@pytest.mark.parametrize("end", [KeyboardInterrupt, RuntimeError])
def test_a_run_that_breaks_leaves_no_probe_stack(end: type[BaseException], aws: Account) -> None:
    with pytest.raises(end), probe_stack(aws.clients, STACK):
        raise end
    assert aws.stacks() == [STACK]


def test_what_an_earlier_run_left_is_replaced(aws: Account) -> None:
    aws.make_stack(PROBE, {"Left": "behind"}, (TAG, STACK))
    with probe_stack(aws.clients, STACK) as stack:
        assert stack.outputs == PROBE_OUTPUTS


def test_what_an_earlier_run_left_can_be_removed_alone(aws: Account) -> None:
    aws.make_stack(PROBE, {"Left": "behind"}, (TAG, STACK))
    removals = [remove_probe_stack(aws.clients.cloudformation, STACK) for _ in range(2)]
    assert removals == [True, False]
    assert aws.stacks() == [STACK]


@pytest.mark.parametrize("tags", [[], [(TAG, "another")]], ids=["none", "another's"])
def test_a_stack_that_the_canary_did_not_make_is_left_alone(
    tags: list[tuple[str, str]], aws: Account
) -> None:
    aws.make_stack(PROBE, {"Some": "thing"}, *tags)
    with pytest.raises(CleanUpFailed, match="The canary did not create"):
        remove_probe_stack(aws.clients.cloudformation, STACK)
    assert PROBE in aws.stacks()


def test_a_probe_stack_that_cannot_be_made_is_told_with_its_reason_and_removed(
    aws: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = Mock()
    monkeypatch.setattr("platform_checks.probe_stack.remove_probe_stack", removed)
    with stubbed(aws.clients.cloudformation) as stubs:
        stubs.add_response("create_stack", {"StackId": PROBE})
        stubs.add_response("describe_stacks", {"Stacks": [probe("CREATE_FAILED")]})
        stubs.add_response("describe_stack_events", {"StackEvents": events("CREATE_FAILED")})
        with (
            pytest.raises(AwsRefused, match="ProbeRole: the first reason"),
            probe_stack(aws.clients, STACK),
        ):
            pass
    assert removed.call_count == 2


def test_a_probe_stack_that_cannot_be_removed_is_told_with_the_reason(aws: Account) -> None:
    with stubbed(aws.clients.cloudformation) as stubs:
        stubs.add_response("describe_stacks", {"Stacks": [probe("CREATE_COMPLETE")]})
        stubs.add_response("delete_stack", {}, {"StackName": PROBE})
        stubs.add_response("describe_stacks", {"Stacks": [probe("DELETE_FAILED")]})
        stubs.add_response("describe_stack_events", {"StackEvents": events("DELETE_FAILED")})
        with pytest.raises(CleanUpFailed, match="still exists: ProbeRole: the first reason"):
            remove_probe_stack(aws.clients.cloudformation, STACK)


def test_a_missing_permission_is_told_in_a_sentence(aws: Account) -> None:
    with stubbed(aws.clients.cloudformation) as stubs:
        stubs.add_client_error("describe_stacks", "AccessDenied", "secret words")
        with pytest.raises(AwsRefused) as refused:
            find_deployed_stack(aws.clients, STACK, float)
    assert str(refused.value) == (
        "Cannot look at the stack keyscope: DescribeStacks is not allowed;"
        " docs/reference/platform-facts.md lists the permissions"
    )


def test_a_stack_that_is_not_there_is_told(aws: Account) -> None:
    with pytest.raises(AwsRefused, match="There is no stack other in this account and region"):
        find_deployed_stack(aws.clients, "other", float)


def test_a_stack_of_another_template_is_told(aws: Account) -> None:
    aws.make_stack("other", {"Some": "thing"})
    with pytest.raises(AwsRefused, match="lacks RestAuthorizerArn, HttpAuthorizerArn"):
        find_deployed_stack(aws.clients, "other", float)


def test_the_deployed_stack_is_found_with_its_outputs(aws: Account) -> None:
    assert find_deployed_stack(aws.clients, STACK, float).outputs == AUTHORIZERS


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            NoCredentialsError(),
            "Cannot look: no AWS credentials were found. Set AWS_PROFILE, for example",
        ),
        (EndpointConnectionError(endpoint_url="x"), "Cannot look: EndpointConnectionError"),
    ],
    ids=["no credentials", "no network"],
)
def test_what_keeps_a_call_from_being_made_is_told(error: Exception, sentence: str) -> None:
    with pytest.raises(AwsRefused) as refused, told("look"):
        raise error
    assert str(refused.value) == sentence
