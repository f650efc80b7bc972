"""Amazon's own DynamoDB Local, which, unlike moto, is correct about racing writes.

Maven downloads it once, with its libraries, into a folder outside the tree. It requires Java 17 or
later, keeps everything in memory, and sends no telemetry. It listens on every network interface of
the machine, and has no setting for that, so use it for tests, not as a service.
"""

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from local.emulators.listening_program import LOOPBACK, cache_folder, free_ports, listening_program

VERSION: Final = "3.3.1"
DOWNLOAD_SECONDS: Final = 300
START_SECONDS: Final = 60
"""How long, in seconds, it may take until it listens; it takes 2 s on an idle machine."""

_SHORT_LIVED = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Java's best code and its concurrent collector pay off after minutes only: without them, a start
and some thousand calls take half the processor time."""
_MAIN_CLASS = "software.amazon.dynamodb.services.local.main.ServerRunner"
_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_PLATFORMS = {("Linux", "x86_64"), ("Darwin", "x86_64"), ("Windows", "AMD64")}
"""The platforms that its SQLite library is published for."""

# Since 3.0.0, its group is software.amazon.dynamodb; com.amazonaws ends with 2.6.1.
_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>keyscope</groupId>
  <artifactId>dynamodb-local</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>software.amazon.dynamodb</groupId>
      <artifactId>DynamoDBLocal</artifactId>
      <version>{VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""


class DynamoDbLocalMissing(Exception):  # noqa: N818 - a state
    """DynamoDB Local cannot run on this machine; the text says what is missing."""


class DownloadFailed(Exception):  # noqa: N818 - a state
    """Maven could not download DynamoDB Local; the text contains the end of its output."""


@contextmanager
def running_dynamodb_local() -> Iterator[str]:
    """Start DynamoDB Local on a free port, yield its endpoint URL, and stop it.

    Raises:
        DynamoDbLocalMissing: Java or Maven is missing, or the platform is not supported.
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
        message = "Java, which runs DynamoDB Local, is not installed"
        raise DynamoDbLocalMissing(message)
    if shutil.which("mvn") is None and not libraries_folder().is_dir():
        message = "Maven (mvn), which fetches DynamoDB Local, is not installed"
        raise DynamoDbLocalMissing(message)
    return java


def libraries_folder() -> Path:
    """Return the folder of DynamoDB Local and its libraries, whether or not it exists."""
    return cache_folder() / "dynamodb-local" / VERSION


def fetch() -> Path:
    """Return the folder of DynamoDB Local's libraries; download them if they are missing.

    Raises:
        DownloadFailed: with the end of Maven's output.
    """
    libraries = libraries_folder()
    if libraries.is_dir():
        return libraries
    libraries.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=libraries.parent, prefix=f"{VERSION}-") as scratch:
        (Path(scratch) / "pom.xml").write_text(_POM)
        _run_maven(Path(scratch))
        try:
            (Path(scratch) / "libraries").rename(libraries)
        except OSError:
            # Another run was faster; a folder with that name is always complete.
            if not libraries.is_dir():
                raise
    return libraries


def _run_maven(folder: Path) -> None:
    command = [
        *("mvn", "--batch-mode", "--no-transfer-progress", "--strict-checksums", _COPY_GOAL),
        *("-DincludeScope=runtime", "-DoutputDirectory=libraries"),
    ]
    try:
        maven = subprocess.run(  # noqa: S603 - our own command, no shell
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=DOWNLOAD_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"Maven did not fetch DynamoDB Local {VERSION}: {error}"
        raise DownloadFailed(message) from error
    if maven.returncode != 0:
        output = maven.stdout.decode(errors="replace")[-2_000:]
        message = f"Maven did not fetch DynamoDB Local {VERSION}:\n{output}"
        raise DownloadFailed(message)
