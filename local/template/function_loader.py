"""The stack's functions, loaded into this process as one Lambda container each."""

import importlib.util
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, cast

from local.template.function_output import FunctionOutput
from local.template.intrinsics import PSEUDO_PARAMETERS
from local.template.process_state import environment_variables, import_path_with
from local.template.stack import (
    Stack,
    code_folder_of,
    environment_of,
    physical_id_of,
    properties_of,
)

FUNCTION_TYPE: Final = "AWS::Lambda::Function"


class FunctionFailed(Exception):  # noqa: N818 - a state
    """A handler raised an exception. API Gateway reads only `error_message`."""

    def __init__(self, error_type: str, error_message: str) -> None:
        """Store what Lambda reports about the exception."""
        super().__init__(error_type)
        self.error_type = error_type
        self.error_message = error_message


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
            except Exception as error:
                raise FunctionFailed(type(error).__name__, str(error)) from error
            return answer


@contextmanager
def loaded_functions(
    stack: Stack, environment: Mapping[str, str]
) -> Iterator[Mapping[str, LocalFunction]]:
    """Load every function of a stack, by logical id.

    `environment` overrides each function's own variables. It stays set for the whole context,
    because a handler may create a client at any time. A function's own variables are set only while
    it loads, which is when a handler reads them.

    Raises:
        KeyscopeError: a function does not start, for example because a setting is wrong.
    """
    with environment_variables(environment):
        yield {
            logical_id: _load(stack, logical_id, environment)
            for logical_id, resource in stack.resources.items()
            if resource["Type"] == FUNCTION_TYPE
        }


def _load(stack: Stack, logical_id: str, environment: Mapping[str, str]) -> LocalFunction:
    properties = properties_of(stack, logical_id)
    file_name, _, handler_name = str(properties["Handler"]).partition(".")
    path = code_folder_of(stack, logical_id) / f"{file_name}.py"
    # Every function's module is named `app`, so each is loaded under a unique name.
    spec = importlib.util.spec_from_file_location(f"function_{logical_id}", path)
    if spec is None or spec.loader is None:
        message = f"{path} cannot be loaded as the code of {logical_id}"
        raise ImportError(message)
    module = importlib.util.module_from_spec(spec)
    # Lambda puts the code's folder on the import path, so a handler can import its neighbors.
    with (
        environment_variables({**environment_of(stack, logical_id), **environment}),
        import_path_with(path.parent),
    ):
        spec.loader.exec_module(module)
    name = physical_id_of(stack, logical_id)
    region, account = PSEUDO_PARAMETERS["AWS::Region"], PSEUDO_PARAMETERS["AWS::AccountId"]
    return LocalFunction(
        name=name,
        arn=f"arn:aws:lambda:{region}:{account}:function:{name}",
        memory_size=int(str(properties.get("MemorySize", 128))),
        handler=cast("Callable[[object, LocalContext], object]", getattr(module, handler_name)),
    )
