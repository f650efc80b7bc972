"""The AWS clients of a run, with the operations that it uses; boto3 ships no types."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, cast

import boto3
from botocore.config import Config
from botocore.waiter import Waiter

from keyscope.aws.clients import ApiGatewayClient, ApiGatewayV2Client

ATTEMPTS: Final = 8
"""How often a call is attempted if AWS throttles it or the connection fails."""

Reply = Mapping[str, Any]
"""AWS's own JSON; the API reference documents the types of its members."""


class CloudFormationClient(Protocol):
    """The CloudFormation operations that a run uses."""

    def create_stack(self, **request: object) -> Reply:
        """Start creating a stack."""
        ...

    def delete_stack(self, **request: object) -> Reply:
        """Start deleting a stack."""
        ...

    def describe_stacks(self, **request: object) -> Reply:
        """Describe one stack."""
        ...

    def describe_stack_events(self, **request: object) -> Reply:
        """List the events of a stack, latest first."""
        ...

    def get_waiter(self, waiter_name: str) -> Waiter:
        """Return a waiter for a state of a stack."""
        ...


class LambdaClient(Protocol):
    """The Lambda operations that a run uses."""

    def get_function_configuration(self, **request: object) -> Reply:
        """Describe one version of a function."""
        ...


class LogsClient(Protocol):
    """The CloudWatch Logs operations that a run uses."""

    def filter_log_events(self, **request: object) -> Reply:
        """Search a log group."""
        ...


class CloudWatchClient(Protocol):
    """The CloudWatch operations that a run uses."""

    def get_metric_statistics(self, **request: object) -> Reply:
        """Read a metric."""
        ...


@dataclass(frozen=True, slots=True)
class AwsClients:
    """One client for each service."""

    cloudformation: CloudFormationClient
    functions: LambdaClient
    logs: LogsClient
    cloudwatch: CloudWatchClient
    rest_apis: ApiGatewayClient
    http_apis: ApiGatewayV2Client


def aws_clients() -> AwsClients:
    """Create the clients, with the credentials that boto3 finds.

    The region is AWS_REGION, which boto3 does not read, or else the one that boto3 finds.

    Raises:
        botocore.exceptions.NoRegionError: there is no region.
    """
    session = boto3.Session(region_name=os.environ.get("AWS_REGION"))
    config = Config(retries={"mode": "standard", "max_attempts": ATTEMPTS})

    make = cast("Callable[..., object]", session.client)
    client = partial(make, config=config)

    return AwsClients(
        cloudformation=cast("CloudFormationClient", client("cloudformation")),
        functions=cast("LambdaClient", client("lambda")),
        logs=cast("LogsClient", client("logs")),
        cloudwatch=cast("CloudWatchClient", client("cloudwatch")),
        rest_apis=cast("ApiGatewayClient", client("apigateway")),
        http_apis=cast("ApiGatewayV2Client", client("apigatewayv2")),
    )
