"""Run one sample event through a function, as `make invoke` does.

    python -m keyscope_local.invoke RestAuthorizerFunction events/rest_request_basic_app.json

This starts and fills the embedded AWS, fills in the event's placeholders, and runs the function in
the Lambda Runtime Interface Emulator with the template's own environment. The function's log goes
to standard error, the answer as JSON to standard output. Exit status: 0 if there is an answer,
including a refusal; 1 if the function fails; 2 if the function or event does not exist.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from keyscope_local.emulators.embedded_aws import EmbeddedAws, embedded_aws
from keyscope_local.emulators.runtime_emulator import (
    DEFAULT_HANDLER,
    DEFAULT_TIMEOUT_SECONDS,
    EmulatedFunction,
    EmulatorError,
    Invocation,
    RuntimeEmulator,
    runtime_emulator,
)
from keyscope_local.project import ROOT
from keyscope_local.template.stack import (
    Stack,
    code_folder_of,
    environment_of,
    load_stack,
    physical_id_of,
)
from keyscope_local.tour.event_values import UnknownPlaceholder, fill
from keyscope_local.tour.seed import local_provisioning, seed

FUNCTION_TYPE: Final = "AWS::Lambda::Function"
PROVISIONING_FUNCTION: Final = "ProvisioningFunction"
UNAUTHORIZED: Final = "Unauthorized"
"""The error message for which API Gateway returns 401 instead of 500."""
LAYER: Final = ROOT / "layers" / "keyscope" / "python"

_DIM, _PLAIN = "\033[2m", "\033[0m"


class UsageError(Exception):
    """The named function or event does not exist; the text lists those that do."""


@contextmanager
def emulated_function(stack: Stack, logical_id: str, aws: EmbeddedAws) -> Iterator[RuntimeEmulator]:
    """Start a function of the template in the runtime emulator, against the embedded AWS.

    Raises:
        EmulatorError: the function does not start.
    """
    properties = cast("Mapping[str, object]", stack.resources[logical_id]["Properties"])
    function = EmulatedFunction(
        folder=code_folder_of(stack, logical_id),
        environment={
            **environment_of(stack, logical_id),
            **aws.environment,
            "AWS_LAMBDA_FUNCTION_NAME": physical_id_of(stack, logical_id),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(properties.get("MemorySize", 128)),
        },
        python_path=[LAYER],
        handler=str(properties.get("Handler", DEFAULT_HANDLER)),
        timeout_seconds=int(str(properties.get("Timeout", DEFAULT_TIMEOUT_SECONDS))),
    )
    with runtime_emulator(function) as running:
        yield running


def provisioning_environment(stack: Stack, aws: EmbeddedAws) -> Mapping[str, str]:
    """Return what seeding the embedded AWS needs: the tables' names, the key, the endpoints."""
    return {**environment_of(stack, PROVISIONING_FUNCTION), **aws.environment}


def invoke(stack: Stack, logical_id: str, event: object) -> Invocation:
    """Run one event through a function of the template, with a new store.

    Raises:
        UsageError: the template has no such function, or the event has an unknown placeholder.
        EmulatorError: the function does not start, or does not answer.
    """
    _check_function(stack, logical_id)
    with embedded_aws(stack) as aws:
        store = seed(local_provisioning(provisioning_environment(stack, aws)))
        try:
            filled = fill(event, store)
        except UnknownPlaceholder as unknown:
            raise UsageError(str(unknown)) from unknown
        with emulated_function(stack, logical_id, aws) as function:
            return function.invoke(filled)


def shown_answer(invocation: Invocation) -> tuple[object, int]:
    """Return what to print of an invocation, and the exit status.

    A refusal is shown as the response that API Gateway returns for it.
    """
    if not invocation.error:
        return invocation.payload, 0
    if isinstance(invocation.payload, dict):
        message = invocation.payload.get("errorMessage")
        if message == UNAUTHORIZED:
            return {"statusCode": 401, "errorMessage": message}, 0
    return invocation.payload, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m keyscope_local.invoke",
        description="Run one sample event through a function.",
    )
    parser.add_argument("function", help="its logical id, such as RestAuthorizerFunction")
    parser.add_argument("event", type=Path, help="such as events/rest_request_basic_app.json")
    options = parser.parse_args(arguments)
    try:
        event = _read_event(options.event)
        invocation = invoke(load_stack(ROOT / "template.yaml"), options.function, event)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except EmulatorError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(_dimmed(invocation.log))
    answer, status = shown_answer(invocation)
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    return status


def _check_function(stack: Stack, logical_id: str) -> None:
    functions = sorted(
        name for name, resource in stack.resources.items() if resource["Type"] == FUNCTION_TYPE
    )
    if logical_id not in functions:
        message = f"The template has no function {logical_id!r}. It has {', '.join(functions)}."
        raise UsageError(message)


def _read_event(path: Path) -> object:
    try:
        event: object = json.loads(path.read_text())
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}). The sample events are in events/."
        raise UsageError(message) from error
    except ValueError as error:
        message = f"{path} is not JSON: {error}"
        raise UsageError(message) from error
    return event


def _dimmed(log: str) -> str:
    if not sys.stderr.isatty() or "NO_COLOR" in os.environ:
        return log
    return f"{_DIM}{log}{_PLAIN}"


if __name__ == "__main__":
    sys.exit(main())
