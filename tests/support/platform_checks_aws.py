"""An AWS account with a deployed stack in it, as far as moto has the services."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast
from unittest.mock import patch

from botocore.stub import Stubber
from moto import mock_aws

from keyscope_local.emulators.tables import DUMMY_CREDENTIALS, REGION
from platform_checks.aws_clients import AwsClients, aws_clients

if TYPE_CHECKING:
    from botocore.client import BaseClient

STACK: Final = "keyscope"
PROBE: Final = "keyscope-canary"
AUTHORIZERS: Final = {
    "RestAuthorizerArn": "arn:aws:lambda:us-east-1:123456789012:function:rest:live",
    "HttpAuthorizerArn": "arn:aws:lambda:us-east-1:123456789012:function:http:live",
}
PROBE_OUTPUTS: Final = {
    "RestApiId": "rest",
    "RestApiUrl": "https://rest.invalid/probe",
    "HttpApiId": "http",
    "HttpApiUrl": "https://http.invalid",
    "ProbeAuthorizerName": "probe",
}


@dataclass(frozen=True)
class Account:
    """The clients of an account, and the names of its stacks."""

    clients: AwsClients

    def stacks(self) -> list[str]:
        return [
            stack["StackName"] for stack in self.clients.cloudformation.describe_stacks()["Stacks"]
        ]

    def make_stack(self, name: str, outputs: Mapping[str, str], *tags: tuple[str, str]) -> None:
        self.clients.cloudformation.create_stack(
            StackName=name,
            TemplateBody=small_template(name, outputs),
            Tags=[{"Key": key, "Value": value} for key, value in tags],
        )


@contextmanager
def account(**environment: str) -> Iterator[Account]:
    """Yield an account that holds the deployed stack alone."""
    variables = {**DUMMY_CREDENTIALS, "AWS_DEFAULT_REGION": REGION, **environment}
    with mock_aws(), patch.dict("os.environ", variables):
        made = Account(aws_clients())
        made.make_stack(STACK, AUTHORIZERS)
        yield made


def stubbed(client: object) -> Stubber:
    """Let a client give the answers that are added, in their order, and no other."""
    return Stubber(cast("BaseClient", client))


def small_template(name: str, outputs: Mapping[str, str]) -> str:
    """Return a template that moto can make, with outputs; it takes no OpenAPI documents."""
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": f"/{name}"}}
    parameter = {"Type": "String", "Default": "", "NoEcho": True}
    return json.dumps(
        {
            "Parameters": {"ProbeToken": parameter, "UsageKey": parameter},
            "Resources": {"Logs": group},
            "Outputs": {key: {"Value": value} for key, value in outputs.items()},
        }
    )
