"""The stack's functions as one Lambda container each.

The functions of template.yaml are loaded into this process: they read their variables while they
load. Those of an attached template, which are not ours, run in a process each.
"""

import importlib.util
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final, cast

from keyscope.errors import KeyscopeError
from keyscope_local.template.function_failure import FunctionFailed, FunctionNotLoaded
from keyscope_local.template.function_output import FunctionOutput
from keyscope_local.template.function_process import FunctionCode, FunctionProcess
from keyscope_local.template.intrinsics import PSEUDO_PARAMETERS, whole_number
from keyscope_local.template.process_state import environment_variables, import_path_with
from keyscope_local.template.stack import (
    Stack,
    code_folder_of,
    environment_of,
    physical_id_of,
    properties_of,
)

FUNCTION_TYPE: Final = "AWS::Lambda::Function"
DEFAULT_TIMEOUT_SECONDS: Final = 3
"""Lambda's default for a function's `Timeout`, in seconds."""
DEFAULT_MEMORY_MB: Final = 128


@dataclass(frozen=True, slots=True)
class LocalContext:
    """The context that Lambda passes to a handler."""

    function_name: str
    memory_limit_in_mb: int
    invoked_function_arn: str
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class LocalFunction:
    """A loaded function. Like a container, it serves one invocation at a time."""

    name: str
    arn: str
    memory_size: int
    handler: Callable[[object, LocalContext], object]
    turn: Lock = field(default_factory=Lock)
    output: FunctionOutput = field(default_factory=FunctionOutput)

    def invoke(self, event: object) -> object:
        """Return the handler's result. Event and result pass through JSON, as on Lambda.

        Raises:
            FunctionFailed: the handler raised an exception, or its result is not JSON.
        """
        context = LocalContext(self.name, self.memory_size, self.arn)
        with self.turn, self.output.passed_on():
            try:
                answer: object = json.loads(
                    json.dumps(self.handler(json.loads(json.dumps(event)), context))
                )
            except FunctionFailed:
                raise
            except Exception as error:
                raise FunctionFailed(type(error).__name__, str(error)) from error
            return answer


@contextmanager
def loaded_functions(
    stack: Stack, environment: Mapping[str, str]
) -> Iterator[Mapping[str, LocalFunction]]:
    """Load every function of a stack, by logical id.

    `environment` overrides each function's own variables. In this process it stays set for the
    whole context, because a handler may create a client at any time.

    Raises:
        KeyscopeError: a function of ours does not start, for example because a setting is wrong.
        FunctionNotLoaded: any other reason why a function cannot run.
        TemplateError: a function's properties say nothing that can run here.
    """
    with environment_variables(environment), ExitStack() as running:
        yield {
            logical_id: (
                _started(stack, logical_id, environment, running)
                if logical_id in stack.attached
                else _load(stack, logical_id, environment)
            )
            for logical_id, resource in stack.resources.items()
            if resource["Type"] == FUNCTION_TYPE
        }


def _load(stack: Stack, logical_id: str, environment: Mapping[str, str]) -> LocalFunction:
    file_name, _, handler_name = _handler_of(stack, logical_id).rpartition(".")
    path = _folder_of(stack, logical_id) / f"{file_name}.py"
    # Every function's module is named `app`, so each is loaded under a unique name.
    spec = importlib.util.spec_from_file_location(f"function_{logical_id}", path)
    if spec is None or spec.loader is None:
        raise FunctionNotLoaded(logical_id, f"{path} is not a module")
    module = importlib.util.module_from_spec(spec)
    # Lambda puts the code's folder on the import path, so a handler can import its neighbors.
    with (
        environment_variables({**environment_of(stack, logical_id), **environment}),
        import_path_with(path.parent),
    ):
        try:
            spec.loader.exec_module(module)
            handler = getattr(module, handler_name)
        except KeyscopeError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise FunctionNotLoaded(logical_id, reason) from error
    return _function(stack, logical_id, cast("Callable[[object, LocalContext], object]", handler))


def _started(
    stack: Stack, logical_id: str, environment: Mapping[str, str], running: ExitStack
) -> LocalFunction:
    properties = properties_of(stack, logical_id)
    timeout = properties.get("Timeout", DEFAULT_TIMEOUT_SECONDS)
    output = FunctionOutput()
    folder = _folder_of(stack, logical_id)
    handler = _handler_of(stack, logical_id)
    code = FunctionCode(
        logical_id=logical_id,
        runtime=str(properties.get("Runtime")),
        folder=folder,
        handler=handler,
        environment={
            **environment_of(stack, logical_id),
            **_set_by_lambda(stack, logical_id, folder, handler),
            **environment,
        },
        timeout_seconds=whole_number(timeout, f"{logical_id}: Timeout"),
    )
    process = FunctionProcess(code, output)
    running.callback(process.stop)
    process.start()

    def invoke(event: object, context: LocalContext) -> object:
        return process.invoke(event, _members_of(context))

    return _function(stack, logical_id, invoke, output)


def _set_by_lambda(stack: Stack, logical_id: str, folder: Path, handler: str) -> Mapping[str, str]:
    """Return the variables that Lambda sets ("Defined runtime environment variables")."""
    return {
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(_memory_of(stack, logical_id)),
        "AWS_LAMBDA_FUNCTION_NAME": physical_id_of(stack, logical_id),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "LAMBDA_TASK_ROOT": str(folder),
        "PYTHONUNBUFFERED": "1",
        "TZ": ":UTC",
        "_HANDLER": handler,
    }


def _members_of(context: LocalContext) -> Mapping[str, object]:
    return {
        "functionName": context.function_name,
        "memoryLimitInMB": context.memory_limit_in_mb,
        "invokedFunctionArn": context.invoked_function_arn,
        "awsRequestId": context.aws_request_id,
    }


def _function(
    stack: Stack,
    logical_id: str,
    handler: Callable[[object, LocalContext], object],
    output: FunctionOutput | None = None,
) -> LocalFunction:
    name = physical_id_of(stack, logical_id)
    region, account = PSEUDO_PARAMETERS["AWS::Region"], PSEUDO_PARAMETERS["AWS::AccountId"]
    return LocalFunction(
        name=name,
        arn=f"arn:aws:lambda:{region}:{account}:function:{name}",
        memory_size=_memory_of(stack, logical_id),
        handler=handler,
        output=output or FunctionOutput(),
    )


def _memory_of(stack: Stack, logical_id: str) -> int:
    memory = properties_of(stack, logical_id).get("MemorySize", DEFAULT_MEMORY_MB)
    return whole_number(memory, f"{logical_id}: MemorySize")


def _handler_of(stack: Stack, logical_id: str) -> str:
    handler = properties_of(stack, logical_id).get("Handler")
    if not isinstance(handler, str) or "." not in handler:
        raise FunctionNotLoaded(logical_id, f"Handler is {handler!r}; it must be FILE.FUNCTION")
    return handler


def _folder_of(stack: Stack, logical_id: str) -> Path:
    folder = code_folder_of(stack, logical_id)
    if not folder.is_dir():
        there = "is not a folder" if folder.exists() else "does not exist"
        raise FunctionNotLoaded(logical_id, f"CodeUri names {folder}, which {there}")
    return folder
