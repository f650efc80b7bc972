"""A function in a process of its own, which sees only its own variables and modules.

The functions of an attached template run so, as in a Lambda container: their variables are set
whenever they run, and two functions can have modules of the same name.
"""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Final, cast

from keyscope_local.template.function_failure import FunctionFailed, FunctionNotLoaded
from keyscope_local.template.function_output import FunctionOutput

LOAD_SECONDS: Final = 60
"""How long a function may take to load, in seconds: longer than on Lambda, for busy machines."""
STOP_SECONDS: Final = 5
"""How long a function that is no longer needed may go on, in seconds, before it is killed."""
_HERE: Final = Path(__file__).parent
_NOT_LOADED: Final = "Runtime.ImportModuleError"
_PASSED_ON: Final = "PATH"
"""The only variable of this process that a function sees, as in `emulators/runtime_emulator.py`."""


@dataclass(frozen=True, slots=True)
class FunctionCode:
    """What to run: a function's logical id, its settings, and the folder with its code."""

    logical_id: str
    runtime: str
    folder: Path
    handler: str
    environment: Mapping[str, str]
    timeout_seconds: int


class FunctionProcess:
    """The process of one function. It restarts after it ended, as on Lambda."""

    def __init__(self, code: FunctionCode, output: FunctionOutput) -> None:
        """Prepare to run `code`; `output` receives what it logs.

        Raises:
            FunctionNotLoaded: no such runtime is supported here, or it is not installed.
        """
        self._code = code
        self._output = output
        self._command = _command(code)
        self._running: _Running | None = None

    def start(self) -> "_Running":
        """Start the process and load the handler.

        Raises:
            FunctionNotLoaded: the handler cannot be imported.
        """
        running = _Running(self._command, self._code, self._output)
        try:
            message = running.next_message(LOAD_SECONDS)
        except (_Ended, _TooLate) as error:
            running.kill()
            raise FunctionNotLoaded(self._code.logical_id, str(error)) from None
        if "loaded" not in message:
            running.kill()
            error_type, text = _error_of(message)
            raise FunctionNotLoaded(self._code.logical_id, f"{error_type}: {text}")
        self._running = running
        return running

    def invoke(self, event: object, context: Mapping[str, object]) -> object:
        """Return the handler's answer to an event.

        Raises:
            FunctionFailed: the handler raised an exception, took too long, or ended the process.
        """
        running = self._running or self._restarted()
        seconds = self._code.timeout_seconds
        try:
            running.send({"event": event, "context": {**context, "timeoutSeconds": seconds}})
            message = running.next_message(seconds)
        except (_Ended, _TooLate) as error:
            running.kill()
            self._running = None
            raise FunctionFailed(error.error_type, str(error)) from None
        if "answer" in message:
            return message["answer"]
        raise FunctionFailed(*_error_of(message))

    def _restarted(self) -> "_Running":
        try:
            return self.start()
        except FunctionNotLoaded as error:
            raise FunctionFailed(_NOT_LOADED, str(error)) from None

    def stop(self) -> None:
        """End the process, if it runs."""
        if self._running is not None:
            self._running.stop()
            self._running = None


class _Ended(Exception):  # noqa: N818 - a state
    """The process has ended."""

    error_type = "Runtime.ExitError"


class _TooLate(Exception):  # noqa: N818 - a state
    """The process did not answer in time."""

    error_type = "Sandbox.Timedout"


class _Running:
    """A started process, with a pipe each way."""

    def __init__(self, command: Sequence[str], code: FunctionCode, output: FunctionOutput) -> None:
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        self._answered = select.poll()
        self._answered.register(self._answers, select.POLLIN)
        self._unread = b""
        self._process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [*command, str(requests), str(answers), code.handler],
            cwd=code.folder,
            env={_PASSED_ON: os.environ.get(_PASSED_ON, os.defpath), **code.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(requests, answers),
            # Ctrl-C is for the run, which then ends its functions.
            start_new_session=True,
        )
        os.close(requests)
        os.close(answers)
        logged = cast("IO[bytes]", self._process.stdout)
        self._log = Thread(target=_pass_on, args=(logged, output), daemon=True)
        self._log.start()

    def send(self, message: object) -> None:
        rest = json.dumps(message).encode() + b"\n"
        try:
            while rest:
                rest = rest[os.write(self._requests, rest) :]
        except BrokenPipeError:
            raise self._ended() from None

    def next_message(self, seconds: float) -> Mapping[str, object]:
        ends_at = time.monotonic() + seconds
        while b"\n" not in self._unread:
            left = max(0.0, ends_at - time.monotonic())
            if not self._answered.poll(left * 1_000):
                message = f"Task timed out after {seconds:.2f} seconds"
                raise _TooLate(message)
            received = os.read(self._answers, 2**16)
            if not received:
                raise self._ended()
            self._unread += received
        line, _, self._unread = self._unread.partition(b"\n")
        return cast("Mapping[str, object]", json.loads(line))

    def stop(self) -> None:
        """Let the process end what it does; kill it if that takes long."""
        os.close(self._requests)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._clear()

    def kill(self) -> None:
        os.close(self._requests)
        self._process.kill()
        self._clear()

    def _clear(self) -> None:
        self._process.wait()
        os.close(self._answers)
        self._log.join(STOP_SECONDS)

    def _ended(self) -> _Ended:
        status = self._process.wait()
        return _Ended(f"Runtime exited with status {status}")


def _pass_on(logged: IO[bytes], output: FunctionOutput) -> None:
    with logged:
        for line in logged:
            text = line.decode(errors="replace")
            sys.stdout.write(text)
            output.tell(text)


def _command(code: FunctionCode) -> Sequence[str]:
    if code.runtime.startswith("python"):
        # The same folder for byte code as this process, so that nothing is left beside the code.
        cache = ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else ["-B"]
        return [sys.executable, "-P", *cache, str(_HERE / "python_worker.py")]
    if code.runtime.startswith("nodejs"):
        node = shutil.which("node")
        if node is None:
            reason = f"{code.runtime} requires Node.js, but `node` is not on the PATH"
            raise FunctionNotLoaded(code.logical_id, reason)
        return [node, str(_HERE / "node_worker.mjs")]
    reason = f"the runtime {code.runtime} is not supported here; use python* or nodejs*"
    raise FunctionNotLoaded(code.logical_id, reason)


def _error_of(message: Mapping[str, object]) -> tuple[str, str]:
    error = cast("Mapping[str, str]", message["error"])
    return error["type"], error["message"]
