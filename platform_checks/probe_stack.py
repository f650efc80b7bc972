"""The probe stack on AWS: created for one run, and always removed."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from botocore.exceptions import WaiterError

from keyscope_local.gateway.api_definition import ApiKind
from platform_checks.aws_calls import AwsRefused, told
from platform_checks.aws_clients import AwsClients, CloudFormationClient, Reply
from platform_checks.deployed_stack import describe, outputs_of
from platform_checks.evidence import Evidence
from platform_checks.probe_api import ProbeApi
from platform_checks.probe_template import probe_template
from platform_checks.subject import Clock

TAG: Final = "keyscope:canary"
"""Names the deployed stack; only a stack with this tag is ever removed."""
READY_WITHIN_SECONDS: Final = 90
STAGE: Final = "probe"
_OK: Final = 200
_READY_IN_A_ROW: Final = 3
_FAILED: Final = ("CREATE_FAILED", "DELETE_FAILED")


class CleanUpFailed(Exception):  # noqa: N818 - a state
    """Part of the probe stack is left; the text says what, and what to do."""


@dataclass(frozen=True, slots=True)
class ProbeStack:
    """A probe stack that exists. `token` gives access to its authorizer."""

    outputs: Mapping[str, str]
    token: str = field(repr=False)

    def apis(self, evidence: Evidence) -> dict[ApiKind, ProbeApi]:
        """Return the two APIs."""
        return {
            ApiKind.REST: ProbeApi(self.outputs["RestApiUrl"], self.token, evidence),
            ApiKind.HTTP: ProbeApi(self.outputs["HttpApiUrl"], self.token, evidence),
        }


@dataclass(frozen=True, slots=True)
class StageCaches:
    """The result caches of the probe APIs' stages, through API Gateway's control plane."""

    clients: AwsClients
    rest_api_id: str
    http_api_id: str

    def flush(self, kind: ApiKind, /) -> None:
        """Flush one API's stage.

        Raises:
            AwsRefused: the call failed.
        """
        with told("flush the authorizer cache"):
            if kind is ApiKind.REST:
                self.clients.rest_apis.flush_stage_authorizers_cache(
                    restApiId=self.rest_api_id, stageName=STAGE
                )
            else:
                self.clients.http_apis.reset_authorizers_cache(
                    ApiId=self.http_api_id, StageName="$default"
                )


def probe_stack_name(stack_name: str) -> str:
    """Return the probe stack's name: one for each deployed stack, so that a later run finds it."""
    return f"{stack_name}-canary"


@contextmanager
def probe_stack(clients: AwsClients, stack_name: str) -> Iterator[ProbeStack]:
    """Create the probe stack, and remove it afterwards; first remove what a failed run left behind.

    Raises:
        AwsRefused: it cannot be created.
        CleanUpFailed: it, or what a failed run left behind, cannot be removed.
    """
    remove_probe_stack(clients.cloudformation, stack_name)
    try:
        yield _create(clients.cloudformation, stack_name)
    finally:
        remove_probe_stack(clients.cloudformation, stack_name)


def remove_probe_stack(cloudformation: CloudFormationClient, stack_name: str) -> bool:
    """Remove the probe stack of a deployed stack and wait; return whether there was one.

    If the wait is interrupted, the removal continues.

    Raises:
        CleanUpFailed: the stack exists, and cannot be removed.
    """
    name = probe_stack_name(stack_name)
    try:
        with told(f"remove the stack {name}"):
            found = describe(cloudformation, name)
            if found is None:
                return False
            _check_tag(found, name, stack_name)
            cloudformation.delete_stack(StackName=name)
            cloudformation.get_waiter("stack_delete_complete").wait(StackName=found["StackId"])
    except WaiterError as error:
        message = f"The stack {name} still exists: {_why(cloudformation, name)}"
        raise CleanUpFailed(message) from error
    except AwsRefused as refused:
        raise CleanUpFailed(str(refused)) from refused
    return True


def wait_until_ready(apis: Mapping[ApiKind, ProbeApi], clock: Clock) -> None:
    """Wait until both APIs respond, which takes a while after their creation.

    Raises:
        AwsRefused: one does not respond as it should.
        Unanswered: one cannot be reached.
    """
    for kind, api in apis.items():
        until, in_a_row = clock.now() + READY_WITHIN_SECONDS, 0
        while in_a_row < _READY_IN_A_ROW:
            answer = api.ask({"name": "ready"})
            in_a_row = in_a_row + 1 if answer.status == _OK else 0
            if clock.now() > until:
                message = f"The {kind} API of the probe stack answers {answer.status}, not 200"
                raise AwsRefused(message)
            clock.sleep(1)


def _check_tag(found: Reply, name: str, stack_name: str) -> None:
    if {"Key": TAG, "Value": stack_name} not in found.get("Tags", []):
        message = f"The canary did not create the stack {name}. Rename or delete it"
        raise AwsRefused(message)


def new_token() -> str:
    """Return a random token for one run."""
    return secrets.token_hex(32)


def _create(cloudformation: CloudFormationClient, stack_name: str) -> ProbeStack:
    name, token = probe_stack_name(stack_name), new_token()
    parameters = {"ProbeToken": token, "UsageKey": new_token()}
    try:
        with told(f"create the stack {name}"):
            cloudformation.create_stack(
                StackName=name,
                TemplateBody=probe_template(),
                Parameters=[
                    {"ParameterKey": key, "ParameterValue": value}
                    for key, value in parameters.items()
                ],
                Capabilities=["CAPABILITY_IAM"],
                Tags=[{"Key": TAG, "Value": stack_name}],
                OnFailure="DO_NOTHING",
                TimeoutInMinutes=15,
            )
            cloudformation.get_waiter("stack_create_complete").wait(StackName=name)
            made = describe(cloudformation, name)
    except WaiterError as error:
        message = f"Cannot create the stack {name}: {_why(cloudformation, name)}"
        raise AwsRefused(message) from error
    return ProbeStack(outputs_of(made or {}), token)


def _why(cloudformation: CloudFormationClient, name: str) -> str:
    with told(f"read the events of the stack {name}"):
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    reasons = [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        for event in events
        if event["ResourceStatus"] in _FAILED
    ]
    return reasons[-1] if reasons else "CloudFormation gives no reason. See its console"
