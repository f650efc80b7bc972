"""Reads the deployed stack: its outputs, and how its authorizers start."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final, cast
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from local.gateway.api_definition import ApiKind
from platform_checks.aws_calls import AwsRefused, is_not_there, told
from platform_checks.aws_clients import AwsClients, CloudFormationClient, Reply
from platform_checks.probe_api import connection_to

AT_ONCE: Final = 8
"""The number of concurrent requests; Lambda starts a container for each one that finds none
free."""
LOOK_BACK_SECONDS: Final = 3_600
_RESTORE: Final = re.compile(r"\bRestore Duration: ([0-9.]+) ms")
_INIT: Final = re.compile(r"\bInit Duration: ([0-9.]+) ms")
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
        arn = self.outputs[_AUTHORIZERS[kind]]
        with told("read the authorizer's configuration"):
            found = self.clients.functions.get_function_configuration(FunctionName=arn)
        with told("read the authorizer's log"):
            lines = self._report_lines(str(found["LoggingConfig"]["LogGroup"]))
        return ColdStarts(
            snap_start=str(found.get("SnapStart", {}).get("OptimizationStatus", "Off")),
            restores=_durations(_RESTORE, lines),
            inits=_durations(_INIT, lines),
        )

    def _report_lines(self, log_group: str) -> list[str]:
        request: dict[str, object] = {
            "logGroupName": log_group,
            "startTime": int((self.now() - LOOK_BACK_SECONDS) * 1_000),
            # One line contains both, and each is a separate pattern.
            "filterPattern": '?"Restore Duration" ?"Init Duration"',
        }
        lines: list[str] = []
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
        message = f"The stack {stack_name} is not Keyscope's: it lacks {', '.join(missing)}"
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


def _durations(pattern: re.Pattern[str], lines: Sequence[str]) -> list[float]:
    return [float(found[1]) for line in lines if (found := pattern.search(line))]
