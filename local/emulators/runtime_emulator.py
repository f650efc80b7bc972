"""Run a function's handler through AWS's own Lambda Runtime Interface Emulator, without Docker.

The emulator ships inside the aws-sam-cli wheel. It serves Lambda's Runtime API to a Python process
that runs `awslambdaric`, the very client that the Lambda runtime runs, and takes invocations by
HTTP. What differs from Lambda:

- It answers 200 for a failed invocation too; `Invocation.error` tells the two apart.
- It counts the cold start into the first invocation's time limit, which Lambda does not, so the
  limit given to it is the function's own plus the 10 s that Lambda allows for a cold start.
- A second invocation while one runs crashes it, so `RuntimeEmulator.invoke` takes turns.
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

from local.emulators.listening_program import (
    LOOPBACK,
    ProgramError,
    ProgramLog,
    cache_folder,
    free_ports,
    listening_program,
)

DEFAULT_HANDLER: Final = "app.handler"
DEFAULT_TIMEOUT_SECONDS: Final = 3
"""Lambda's own default of a function's `Timeout`."""
COLD_START_SECONDS: Final = 10
"""How long Lambda lets a function's initialization take (Lambda developer guide, "Understanding
the Lambda execution environment lifecycle")."""
START_SECONDS: Final = 15
"""How long the emulator itself may take until it listens; it needs 0.2 s."""
ANSWER_SECONDS: Final = 5
"""What an answer may take beyond the function's time limit, after which the emulator is stuck."""
INVOCATION_PATH: Final = "/2015-03-31/functions/function/invocations"

_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
_ERROR_MEMBERS = {"errorMessage", "errorType", "requestId", "stackTrace"}


class EmulatorError(Exception):
    """The runtime emulator is missing, did not start, or stopped; the text says what to do."""


@dataclass(frozen=True, slots=True)
class EmulatedFunction:
    """A function to run: the folder of its code, and its settings in Lambda.

    It sees `environment` and what Lambda itself sets, and nothing of this process's but `PATH`;
    `python_path` holds its layers' folders. `python` is the command of its interpreter, which must
    find `awslambdaric`. An invocation that takes longer than `timeout_seconds` and
    `cold_start_seconds` together fails as in Lambda.
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
    """What one invocation gave.

    `payload` is the handler's answer, or Lambda's error object when `error` is true. `log` holds
    the lines that the handler and the runtime wrote during it.
    """

    payload: object
    error: bool
    log: str


@dataclass(frozen=True, slots=True)
class RuntimeEmulator:
    """A running emulator; it serves any number of invocations, one at a time."""

    client: httpx.Client
    log: ProgramLog
    turn: Lock = field(default_factory=Lock)

    def invoke(self, event: object) -> Invocation:
        """Invoke the function with an event.

        Raises:
            EmulatorError: the emulator stopped, or does not answer.
        """
        with self.turn:
            start = self.log.size_bytes()
            try:
                response = self.client.post(INVOCATION_PATH, content=json.dumps(event).encode())
            except httpx.HTTPError as error:
                message = f"The emulator gave no answer: {error!r}. Its log:\n{self.log.since()}"
                raise EmulatorError(message) from error
            payload, failed = _read_answer(response)
            return Invocation(payload, failed, self.log.since(start))


@contextmanager
def runtime_emulator(function: EmulatedFunction) -> Iterator[RuntimeEmulator]:
    """Start the emulator for a function, and end it with all that it started.

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
        # As in Lambda's own runtime, a line is in the log before the answer is given.
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
        EmulatorError: aws-sam-cli is not installed, or holds none for this platform.
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
        message = "aws-sam-cli, which brings the emulator, is not installed: run `uv sync`."
        raise EmulatorError(message)
    program = Path(package.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{architecture}"
    if not program.is_file():
        message = f"aws-sam-cli holds no emulator at {program}: run `uv sync --reinstall`."
        raise EmulatorError(message)
    return program if os.access(program, os.X_OK) else executable_copy(program)


def executable_copy(program: Path) -> Path:
    """Return a copy that may be executed, for a wheel whose execute bits an installer dropped."""
    version = f"{program.stat().st_size}-{program.stat().st_mtime_ns}"
    copy = cache_folder() / "runtime-emulator" / version / program.name
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=copy.parent, delete=False) as partial:
            shutil.copyfile(program, partial.name)
        Path(partial.name).chmod(0o755)
        # Renamed when whole, so that a run at the same time finds either none or a complete one.
        Path(partial.name).replace(copy)
    return copy


def _read_answer(response: httpx.Response) -> tuple[object, bool]:
    try:
        payload = response.json()
    except json.JSONDecodeError:
        # The emulator tells in plain text that the time limit ran out.
        return {"errorMessage": response.text}, True
    failed = isinstance(payload, dict) and payload.keys() == _ERROR_MEMBERS
    return payload, failed or response.is_error
