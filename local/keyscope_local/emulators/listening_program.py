"""Start a program that listens on a port, wait for it, and stop it with all its children."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
STOP_SECONDS: Final = 5
"""How long a program may take to exit before it is killed, in seconds."""


class ProgramError(Exception):
    """A program did not start; the text contains its log."""


@dataclass(frozen=True, slots=True)
class ProgramLog:
    """What a program wrote to its standard output and standard error."""

    file: Path

    def size_bytes(self) -> int:
        """Return where the next line will start."""
        return self.file.stat().st_size

    def since(self, start: int = 0) -> str:
        """Return what was written after the first `start` bytes."""
        with self.file.open("rb") as log:
            log.seek(start)
            return log.read().decode(errors="replace")


@contextmanager
def listening_program(
    command: Sequence[str],
    *,
    port: int,
    folder: Path,
    environment: Mapping[str, str],
    start_seconds: float,
) -> Iterator[ProgramLog]:
    """Start a program in a folder and yield once it listens on the port of 127.0.0.1.

    Raises:
        ProgramError: it exited, or did not listen within `start_seconds`.
    """
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="keyscope-"))
        log = ProgramLog(Path(scratch) / "log")
        output = stack.enter_context(log.file.open("wb"))
        program = subprocess.Popen(  # noqa: S603 - our own command, no shell
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        stack.callback(_stop, program)
        _await_port(program, port, log, start_seconds)
        yield log


def free_ports(count: int) -> list[int]:
    """Return different ports of 127.0.0.1 that nothing listens on."""
    with ExitStack() as stack:
        # All stay bound until all are chosen, so that they differ.
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for unbound in sockets:
            unbound.bind((LOOPBACK, 0))
        return [int(bound.getsockname()[1]) for bound in sockets]


def cache_folder() -> Path:
    """Return the folder, outside the tree, for programs worth keeping between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "keyscope"


def _await_port(
    program: subprocess.Popen[bytes], port: int, log: ProgramLog, start_seconds: float
) -> None:
    deadline = time.monotonic() + start_seconds
    while program.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection((LOOPBACK, port), timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    status = program.poll()
    ending = "is not listening yet" if status is None else f"ended with status {status}"
    message = f"{program.args!r} {ending}. Its log:\n{log.since()}"
    raise ProgramError(message)


def _stop(program: subprocess.Popen[bytes]) -> None:
    program.terminate()
    try:
        program.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
    # Children outlive a program that crashed or was killed. Some are in process groups of their
    # own, but all are in the session that the program leads.
    for process_id in _processes_of_session(program.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)


def _processes_of_session(session_id: int) -> Iterator[int]:
    for process_folder in Path("/proc").glob("[0-9]*"):
        process_id = int(process_folder.name)
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(process_id) == session_id:
                yield process_id
