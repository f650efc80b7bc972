"""Amazon's own DynamoDB Local, which, unlike moto, is correct about racing writes.

    python -m keyscope_local.emulators.dynamodb_local

downloads it.

It is downloaded once, with its libraries, into a folder outside the tree. It requires Java 17 or
later, keeps everything in memory, and sends no telemetry. It listens on every network interface of
the machine, and has no setting for that, so use it for tests, not as a service.
"""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from keyscope_local.emulators.listening_program import (
    LOOPBACK,
    cache_folder,
    free_ports,
    listening_program,
)
from keyscope_local.emulators.maven_central import WrongHash, fill, repository

VERSION: Final = "3.3.1"
LOCK: Final = Path(__file__).with_name("dynamodb_local.sha256")
START_SECONDS: Final = 60
"""How long, in seconds, it may take until it listens; it takes 2 s on an idle machine."""

_SHORT_LIVED = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Java's best code and its concurrent collector pay off after minutes only: without them, a start
and some thousand calls take half the processor time."""
_MAIN_CLASS = "software.amazon.dynamodb.services.local.main.ServerRunner"
_PLATFORMS = {("Linux", "x86_64"), ("Darwin", "x86_64"), ("Windows", "AMD64")}
"""The platforms that its SQLite library is published for."""


class DynamoDbLocalMissing(Exception):  # noqa: N818 - a state
    """DynamoDB Local cannot run on this machine; the text says what is missing."""


class DownloadFailed(Exception):  # noqa: N818 - a state
    """DynamoDB Local could not be downloaded; the text says why."""


@contextmanager
def running_dynamodb_local() -> Iterator[str]:
    """Start DynamoDB Local on a free port, yield its endpoint URL, and stop it.

    Raises:
        DynamoDbLocalMissing: Java is missing, or the platform is not supported.
        DownloadFailed: it is not in the cache and cannot be downloaded.
        ProgramError: it does not start.
    """
    java = check_machine()
    libraries = fetch()
    (port,) = free_ports(1)
    command = [
        *(java, *_SHORT_LIVED, f"-Djava.library.path={libraries}"),
        *("-classpath", f"{libraries}{os.sep}*", _MAIN_CLASS),
        *("-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)),
    ]
    program = listening_program(
        command,
        port=port,
        folder=libraries,
        environment={**os.environ, "DDB_LOCAL_TELEMETRY": "0"},
        start_seconds=START_SECONDS,
    )
    with program:
        yield f"http://{LOOPBACK}:{port}"


def check_machine() -> str:
    """Return the Java program, after checking everything else that DynamoDB Local needs.

    Raises:
        DynamoDbLocalMissing: with the name of what is missing.
    """
    machine = (platform.system(), platform.machine())
    if machine not in _PLATFORMS:
        message = f"DynamoDB Local has no SQLite library for {' on '.join(machine)}"
        raise DynamoDbLocalMissing(message)
    java = shutil.which("java")
    if java is None:
        message = "DynamoDB Local requires Java, which is not installed"
        raise DynamoDbLocalMissing(message)
    return java


def libraries_folder() -> Path:
    """Return the folder of DynamoDB Local and its libraries, whether or not it exists."""
    return cache_folder() / "dynamodb-local" / VERSION


def fetch() -> Path:
    """Return the folder of DynamoDB Local's libraries; download them if they are missing.

    Raises:
        DownloadFailed: it could not be reached, or sent another file than was pinned.
    """
    libraries = libraries_folder()
    if libraries.is_dir():
        return libraries
    libraries.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=libraries.parent, prefix=f"{VERSION}-") as scratch:
        complete = Path(scratch) / "libraries"
        try:
            with repository() as maven_central:
                fill(complete, LOCK.read_text("utf-8"), maven_central)
        except (httpx.HTTPError, WrongHash) as error:
            message = f"cannot download DynamoDB Local {VERSION}: {error!r}"
            raise DownloadFailed(message) from error
        try:
            complete.rename(libraries)
        except OSError:
            # Another run was faster; a folder with that name is always complete.
            if not libraries.is_dir():
                raise
    return libraries


if __name__ == "__main__":
    fetch()
