"""Reads the deployed stack: its outputs, and how its authorizers start."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Final, cast
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from keyscope_local.gateway.api_definition import ApiKind
from platform_checks.aws_calls import AwsRefused, is_not_there, told
from platform_checks.aws_clients import AwsClients, CloudFormationClient, Reply
from platform_checks.probe_api import connection_to

AT_ONCE: Final = 8
"""The number of concurrent requests; Lambda starts a container for each one that finds none
free."""
LOOK_BACK_SECONDS: Final = 3_600
_REPORT: Final = '{ $.type = "platform.report" }'
_DECISION: Final = '{ $.message = "decision" }'
_URLS: Final = {ApiKind.REST: "RestApiUrl", ApiKind.HTTP: "HttpApiUrl"}
_AUTHORIZERS: Final = {ApiKind.REST: "RestAuthorizerArn", ApiKind.HTTP: "HttpAuthorizerArn"}


@dataclass(frozen=True, slots=True)
class ColdStarts:
    """How long recent container starts took, in milliseconds, and whether SnapStart is on."""

    snap_start: str
    restores: Sequence[float]
    inits: Sequence[float]


@dataclass(frozen=True, slots=True)
class DeployedStack:
    """A stack of the template. `now` returns seconds since the epoch."""

    clients: AwsClients
    outputs: Mapping[str, str]
    now: Callable[[], float]

    def provoke_cold_starts(self, kind: ApiKind) -> int:
        """Send concurrent requests with unknown keys; return how many got a response.

        Sends none if the stack has no API of this kind.
        """
        url = self.outputs.get(_URLS[kind])
        if url is None:
            return 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return sum(pool.map(_is_answered, [url] * AT_ONCE))

    def cold_starts(self, kind: ApiKind) -> ColdStarts:
        """Return what Lambda logged about the authorizer's cold starts in the last hour.

        Raises:
            AwsRefused: a call failed.
        """
        found = self._configuration(kind)
        lines = self._logged(found, _REPORT)
        return ColdStarts(
            snap_start=str(found.get("SnapStart", {}).get("OptimizationStatus", "Off")),
            restores=_durations("restoreDurationMs", lines),
            inits=_durations("initDurationMs", lines),
        )

    def failed_reports(self, kind: ApiKind) -> int:
        """Return how many failed invocations Lambda reported in the authorizer's log.

        Raises:
            AwsRefused: a call failed.
        """
        reports = self._logged(self._configuration(kind), _REPORT)
        return sum(json.loads(line)["record"]["status"] == "error" for line in reports)

    def decisions(self, kind: ApiKind) -> list[str]:
        """Return the lines of the authorizer's decisions as its log has them.

        Raises:
            AwsRefused: a call failed.
        """
        return self._logged(self._configuration(kind), _DECISION)

    def measured_decisions(self, kind: ApiKind) -> int:
        """Return how many samples the metric `DecisionTime` has.

        Raises:
            AwsRefused: a call failed.
        """
        variables = self._configuration(kind)["Environment"]["Variables"]
        now = self.now()
        with told("read the metric DecisionTime"):
            answer = self.clients.cloudwatch.get_metric_statistics(
                Namespace=variables["KEYSCOPE_METRICS_NAMESPACE"],
                MetricName="DecisionTime",
                Dimensions=[{"Name": "component", "Value": "authorizer"}],
                StartTime=datetime.fromtimestamp(now - LOOK_BACK_SECONDS, UTC),
                EndTime=datetime.fromtimestamp(now + 60, UTC),
                Period=LOOK_BACK_SECONDS,
                Statistics=["SampleCount"],
            )
        return int(sum(point["SampleCount"] for point in answer["Datapoints"]))

    def _configuration(self, kind: ApiKind) -> Reply:
        with told("read the authorizer's configuration"):
            return self.clients.functions.get_function_configuration(
                FunctionName=self.outputs[_AUTHORIZERS[kind]]
            )

    def _logged(self, configuration: Reply, pattern: str) -> list[str]:
        """Return the lines of the last hour that a filter pattern finds."""
        request: dict[str, object] = {
            "logGroupName": str(configuration["LoggingConfig"]["LogGroup"]),
            "startTime": int((self.now() - LOOK_BACK_SECONDS) * 1_000),
            "filterPattern": pattern,
        }
        lines: list[str] = []
        with told("read the authorizer's log"):
            while True:
                page = self.clients.logs.filter_log_events(**request)
                lines += [str(event["message"]) for event in page["events"]]
                if "nextToken" not in page:
                    return lines
                request["nextToken"] = page["nextToken"]


def find_deployed_stack(
    clients: AwsClients, stack_name: str, now: Callable[[], float]
) -> DeployedStack:
    """Find a stack of the template by its name.

    Raises:
        AwsRefused: there is none, it belongs to another template, or the call failed.
    """
    with told(f"look at the stack {stack_name}"):
        found = describe(clients.cloudformation, stack_name)
    if found is None:
        message = f"There is no stack {stack_name} in this account and region"
        raise AwsRefused(message)
    outputs = outputs_of(found)
    missing = [name for name in _AUTHORIZERS.values() if name not in outputs]
    if missing:
        message = f"The stack {stack_name} is not a Keyscope stack: it lacks {', '.join(missing)}"
        raise AwsRefused(message)
    return DeployedStack(clients, outputs, now)


def describe(cloudformation: CloudFormationClient, stack_name: str) -> Reply | None:
    """Return CloudFormation's description of a stack, or `None` if there is no such stack."""
    try:
        return cast("Reply", cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0])
    except ClientError as error:
        if is_not_there(error):
            return None
        raise


def outputs_of(stack: Reply) -> dict[str, str]:
    """Return a described stack's outputs by name."""
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def _is_answered(url: str) -> bool:
    connection = connection_to(url)
    try:
        # A new made-up token each time, so that no cached result serves it.
        connection.request(
            "GET",
            f"{urlsplit(url).path}/v2/apps",
            headers={"Authorization": f"Bearer {secrets.token_hex(12)}"},
        )
        connection.getresponse().read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True


def _durations(name: str, reports: Sequence[str]) -> list[float]:
    metrics = [json.loads(line)["record"]["metrics"] for line in reports]
    return [float(each[name]) for each in metrics if name in each]
