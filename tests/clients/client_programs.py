"""The programs that call the API with a client, each unmodified from its registry.

A program reads one document: the URL, ids to call with, and credentials. It tries the same calls
with each credential and writes a line of JSON for each call:

    {"credential": "app with JWT", "call": "GET /v2/apps/{appId}", "answer": {...}}
    {"credential": "app with JWT", "call": "GET /v2/apps", "raised":
        {"type": "ForbiddenException", "status": 403, "code": "forbidden", "title": "..."}}

A call is a row of the published tables, and perhaps a circumstance of `expected.CIRCUMSTANCES`.
Calls of circumstances are made only with a credential that could create an app, except those of
another account or user, which every credential tries.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.clients.expected import Call, Refusal

HERE: Final = Path(__file__).parent
PROGRAMS: Final = HERE / "programs"
NODE_MODULES: Final = HERE / "node_modules"
JAVA_LIBRARIES: Final = HERE.parents[1] / ".venv" / "java"
OTHERWISE: Final = 0
"""For every status without a type of its own."""
STOP_SECONDS: Final = 300
"""Only a hang takes this long, even on a busy machine."""


@dataclass(frozen=True)
class Program:
    """A client's program, and what has to be there to run it.

    `errors` names the type that the client raises for a status, or `OTHERWISE`. `lacks` lists what
    of `expected.left_out` the client has no method for.
    """

    name: str
    command: Sequence[str]
    needs: Sequence[Path | str]
    errors: Mapping[int, str]
    lacks: Sequence[str] = ()

    def missing(self) -> str | None:
        """Say what is not installed, if anything."""
        for needed in self.needs:
            if isinstance(needed, str) and shutil.which(needed) is None:
                return f"needs {needed}"
            if isinstance(needed, Path) and not needed.exists():
                return f"needs {needed.name}: run `make .venv/clients`"
        return None


PYTHON: Final = Program(
    "PyPI sunshine-conversations-client",
    [sys.executable, str(PROGRAMS / "sunshine_client.py")],
    [],
    {
        400: "BadRequestException",
        401: "UnauthorizedException",
        403: "ForbiddenException",
        404: "NotFoundException",
        409: "ConflictException",
        OTHERWISE: "ApiException",
    },
)
JAVASCRIPT: Final = Program(
    "npm sunshine-conversations-client",
    ["node", str(PROGRAMS / "sunshine_client.mjs")],
    ["node", NODE_MODULES / "sunshine-conversations-client"],
    {OTHERWISE: "Error"},
)
JAVA_COMMAND: Final = [
    # It runs for seconds, so that compiling it well would take longer than it saves.
    *("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
    *("-classpath", f"{JAVA_LIBRARIES}/*"),
]
JAVA: Final = Program(
    "Maven sunshine-conversations-client",
    [*JAVA_COMMAND, str(PROGRAMS / "SunshineClient.java")],
    ["javac", JAVA_LIBRARIES],
    {OTHERWISE: "ApiException"},
    lacks=["read Devices"],
)
ALL: Final = [PYTHON, JAVASCRIPT, JAVA]


@dataclass(frozen=True)
class Outcome:
    """How a call with a credential ended: by an answer, or by an error of a type."""

    credential: str
    call: Call
    answer: object
    refusal: Refusal | None
    error_type: str | None

    def __str__(self) -> str:
        """Say what happened in one line."""
        ended = self.refusal or json.dumps(self.answer)
        return f"{self.credential}: {self.call.text}: {ended} {self.error_type or ''}"


def run(program: Program, document: Mapping[str, object]) -> list[Outcome]:
    """Run a program to its end and return what it wrote."""
    done = subprocess.run(  # noqa: S603 - our own program
        program.command,
        cwd=HERE,
        input=json.dumps(document),
        capture_output=True,
        text=True,
        timeout=STOP_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout[-500:]
    return [_outcome(json.loads(line)) for line in done.stdout.splitlines()]


def of(outcomes: Iterable[Outcome], credential: str) -> dict[Call, Outcome]:
    """Return the outcomes of a credential, by call."""
    return {each.call: each for each in outcomes if each.credential == credential}


def _outcome(line: Mapping[str, object]) -> Outcome:
    raised = line.get("raised")
    refusal, error_type = None, None
    if isinstance(raised, dict):
        refusal = Refusal(raised["status"], raised["code"], raised["title"])
        error_type = raised["type"]
    call = Call.read(str(line["call"]))
    return Outcome(str(line["credential"]), call, line.get("answer"), refusal, error_type)
