"""Contenders inside AWS's Lambda Runtime Interface Emulator, and the CPU time that they take."""

import http.client
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.contenders import Contender, Interpreter, function_environment
from keyscope_local.emulators.runtime_emulator import (
    INVOCATION_PATH,
    EmulatedFunction,
    runtime_emulator,
)

_MARK: Final = "KEYSCOPE_MEASURED"
_PROCESS_CLOCK: Final = 2
"""The kernel's number for a process's CPU time in a clock id (clock_getcpuclockid(3))."""


@dataclass(slots=True)
class Emulated:
    """A contender that answers events; its connection stays open."""

    connection: http.client.HTTPConnection
    mark: bytes
    process_id: int = 0

    def invoke(self, body: bytes) -> float:
        """Return the seconds that one answer took, as its caller sees it.

        Raises:
            RuntimeError: the handler failed; then a measurement means nothing.
        """
        started = time.perf_counter()
        self.connection.request("POST", INVOCATION_PATH, body)
        answered = self.connection.getresponse().read()
        elapsed = time.perf_counter() - started
        if b'"policyDocument"' not in answered:
            message = f"no policy was answered: {answered!r}"
            raise RuntimeError(message)
        return elapsed

    def cpu_seconds(self) -> float:
        """Return the CPU time of the runtime's process since it began, all its threads."""
        if not self.process_id:
            self.process_id = _process_marked(self.mark)
        return time.clock_gettime((~self.process_id << 3) | _PROCESS_CLOCK)


@contextmanager
def emulated(
    interpreter: Interpreter, contender: Contender, endpoint_url: str
) -> Iterator[Emulated]:
    """Start a contender in an emulator of its own; its cold start comes with its first event."""
    mark = str(uuid.uuid4())
    environment = function_environment(endpoint_url, contender.root)
    del environment["LAMBDA_TASK_ROOT"]  # the emulator sets it
    function = EmulatedFunction(
        folder=contender.folder,
        environment={**environment, _MARK: mark},
        python_path=(contender.folder, *contender.packages),
        timeout_seconds=60,
        python=interpreter.command,
    )
    with runtime_emulator(function) as running:
        address = running.client.base_url
        connection = http.client.HTTPConnection(address.host, address.port, timeout=90)
        try:
            yield Emulated(connection, f"{_MARK}={mark}".encode())
        finally:
            connection.close()


def event_body(scenario: Path, event_name: str) -> bytes:
    """Return an event of the scenario as it is sent."""
    return json.dumps(json.loads(scenario.read_text("utf-8"))["events"][event_name]).encode()


def _process_marked(mark: bytes) -> int:
    """Return the id of the Python process that carries the mark; the emulator carries it, too."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            program = (folder / "cmdline").read_bytes().split(b"\0")[0]
            marked = mark in (folder / "environ").read_bytes()
        except OSError:
            continue
        if marked and b"aws-lambda-rie" not in program:
            return int(folder.name)
    message = "the runtime's process was not found"
    raise ProcessLookupError(message)
