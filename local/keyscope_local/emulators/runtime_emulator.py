"""Runs a function's handler through AWS's Lambda Runtime Interface Emulator, without Docker.

The emulator ships inside the aws-sam-cli wheel. It serves Lambda's Runtime API to a Python process
that runs `awslambdaric`, the same client as in the Lambda runtime, and accepts invocations over
HTTP. It differs from Lambda in three ways:

- It returns 200 for a failed invocation, too; `Invocation.error` distinguishes the two.
- It counts the cold start toward the first invocation's time limit, which Lambda does not. So the
  limit passed to it is the function's own plus the 10 s that Lambda allows for a cold start.
- A second invocation during another one crashes it, so `RuntimeEmulator.invoke` takes turns.
"""

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Final

import httpx

from keyscope_local.emulators.listening_program import (
    LOOPBACK,
    ProgramError,
    ProgramLog,
    cache_folder,
    free_ports,
    listening_program,
)

DEFAULT_HANDLER: Final = "app.handler"
DEFAULT_TIMEOUT_SECONDS: Final = 3
"""Lambda's default for a function's `Timeout`, in seconds."""
COLD_START_SECONDS: Final = 10
"""How long a function may take to initialize in Lambda, in seconds (Lambda developer guide,
"Understanding the Lambda execution environment lifecycle")."""
START_SECONDS: Final = 15
"""How long the emulator itself may take until it listens, in seconds; it takes 0.2 s."""
ANSWER_SECONDS: Final = 5
"""How long past the function's time limit a response may take, in seconds, before the emulator
counts as stuck."""
INVOCATION_PATH: Final = "/2015-03-31/functions/function/invocations"

_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
_ERROR_MEMBERS = {"errorMessage", "errorType", "requestId", "stackTrace"}


class EmulatorError(Exception):
    """The runtime emulator is missing, did not start, or stopped; the text says what to do."""


@dataclass(frozen=True, slots=True)
class EmulatedFunction:
    """A function to run: the folder of its code, and its settings in Lambda.

    The function sees `environment`, the variables that Lambda sets, and this process's `PATH`, but
    no other variables of this process. `python_path` contains the folders of its layers. `python`
    is the command of its interpreter, which must find `awslambdaric`. An invocation that takes
    longer than `timeout_seconds` and `cold_start_seconds` together fails as in Lambda.
    """

    folder: Path
    environment: Mapping[str, str]
    python_path: Sequence[Path] = ()
    handler: str = DEFAULT_HANDLER
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS
    cold_start_seconds: int = COLD_START_SECONDS
    python: Sequence[str] = (sys.executable,)


@dataclass(frozen=True, slots=True)
class Invocation:
    """The result of one invocation.

    `payload` is the handler's answer, or Lambda's error object if `error` is true. `log` contains
    the lines that the handler and the runtime wrote during the invocation.
    """

    payload: object
    error: bool
    log: str


@dataclass(frozen=True, slots=True)
class RuntimeEmulator:
    """A running emulator, which serves any number of invocations, one at a time."""

    client: httpx.Client
    log: ProgramLog
    turn: Lock = field(default_factory=Lock)

    def invoke(self, event: object) -> Invocation:
        """Invoke the function with an event.

        Raises:
            EmulatorError: the emulator stopped, or does not respond.
        """
        with self.turn:
            start = self.log.size_bytes()
            try:
                response = self.client.post(INVOCATION_PATH, content=json.dumps(event).encode())
            except httpx.HTTPError as error:
                message = f"The emulator did not respond: {error!r}. Its log:\n{self.log.since()}"
                raise EmulatorError(message) from error
            payload, failed = _read_answer(response)
            return Invocation(payload, failed, self.log.since(start))


@contextmanager
def runtime_emulator(function: EmulatedFunction) -> Iterator[RuntimeEmulator]:
    """Start the emulator for a function, and stop it with all its children.

    Raises:
        EmulatorError: there is no emulator for this platform, or it does not start.
    """
    runtime_port, emulator_port = free_ports(2)
    limit_seconds = function.timeout_seconds + function.cold_start_seconds
    command = [
        *(str(find_emulator()), "--log-level", "error"),
        *("--runtime-api-address", f"{LOOPBACK}:{runtime_port}"),
        *("--runtime-interface-emulator-address", f"{LOOPBACK}:{emulator_port}"),
        *(*function.python, "-m", "awslambdaric", function.handler),
    ]
    lambda_environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        # As in Lambda's own runtime, each line is in the log before the answer is returned.
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join(str(path.resolve()) for path in function.python_path),
        "LAMBDA_TASK_ROOT": str(function.folder.resolve()),
        **function.environment,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(limit_seconds),
    }
    with ExitStack() as stack:
        try:
            program = listening_program(
                command,
                port=emulator_port,
                folder=function.folder,
                environment=lambda_environment,
                start_seconds=START_SECONDS,
            )
            log = stack.enter_context(program)
        except ProgramError as error:
            message = f"The Lambda Runtime Interface Emulator did not start: {error}"
            raise EmulatorError(message) from error
        client = httpx.Client(
            base_url=f"http://{LOOPBACK}:{emulator_port}",
            timeout=limit_seconds + ANSWER_SECONDS,
            trust_env=False,
        )
        yield RuntimeEmulator(stack.enter_context(client), log)


def find_emulator() -> Path:
    """Return the emulator's program for this machine.

    Raises:
        EmulatorError: aws-sam-cli is not installed, or does not contain one for this platform.
    """
    machine = platform.machine().lower()
    architecture = _ARCHITECTURES.get(machine)
    if platform.system() != "Linux" or architecture is None:
        message = (
            "The Lambda Runtime Interface Emulator runs on Linux (x86_64 or arm64) only; this is "
            f"{platform.system()} on {machine}. `sam local invoke` works here, and needs Docker."
        )
        raise EmulatorError(message)
    package = find_spec("samcli")
    if package is None or package.origin is None:
        message = "aws-sam-cli, which contains the emulator, is not installed. Run `uv sync`."
        raise EmulatorError(message)
    program = Path(package.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{architecture}"
    if not program.is_file():
        message = f"aws-sam-cli has no emulator at {program}. Run `uv sync --reinstall`."
        raise EmulatorError(message)
    return program if os.access(program, os.X_OK) else executable_copy(program)


def executable_copy(program: Path) -> Path:
    """Return an executable copy, for a wheel whose execute bits an installer dropped."""
    version = f"{program.stat().st_size}-{program.stat().st_mtime_ns}"
    copy = cache_folder() / "runtime-emulator" / version / program.name
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=copy.parent, delete=False) as partial:
            shutil.copyfile(program, partial.name)
        Path(partial.name).chmod(0o755)
        # Renamed when complete, so that a concurrent run finds either no copy or a complete one.
        Path(partial.name).replace(copy)
    return copy


def _read_answer(response: httpx.Response) -> tuple[object, bool]:
    try:
        payload = response.json()
    except json.JSONDecodeError:
        # The emulator reports in plain text that the time limit was exceeded.
        return {"errorMessage": response.text}, True
    failed = isinstance(payload, dict) and payload.keys() == _ERROR_MEMBERS
    return payload, failed or response.is_error
