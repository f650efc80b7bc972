"""The installed program `keyscope`, run as a user runs it."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
PROGRAM: Final = str(Path(sys.executable).with_name("keyscope"))
PARAMETERS: Final = (
    "AccessMapRoutes=v2,v1.1 KeyCacheSeconds=0 AuthorizerCacheSeconds=0 HttpApiEnabled=false"
)
TIMEOUT_SECONDS: Final = 120


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.out)


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without what a user may have set for the program."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KEYSCOPE_", "AWS_")) and name not in {"NO_COLOR", "FORCE_COLOR"}
    }
    return {**kept, "TERM": "xterm-256color", "COLUMNS": "120", **variables}


def keyscope(*arguments: str, text: str = "", **variables: str) -> Ended:
    """Run the program where no terminal is."""
    done = subprocess.run(  # noqa: S603 - our own program
        [PROGRAM, *arguments],
        cwd=ROOT,
        env=environment(**variables),
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def in_a_terminal(*arguments: str, typed: str = "", **variables: str) -> Ended:
    """Run the program in a terminal of its own, and type a line when it asks with a colon."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(  # noqa: S603 - our own program
        [PROGRAM, *arguments],
        cwd=ROOT,
        env=environment(**variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = b""
        while piece := _read(ours):
            shown += piece
            if typed and shown.endswith(b": "):
                os.write(ours, typed.encode() + b"\n")
                typed = ""
        status = process.wait(TIMEOUT_SECONDS)
    os.close(ours)
    return Ended(status, shown.decode(), "")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:
        # Linux's way to say that nobody has the other end any more.
        return b""


@dataclass(frozen=True)
class LocalRun:
    """A running `make run`: its session file, and what it holds."""

    file: Path

    @property
    def session(self) -> Mapping[str, Any]:
        members: Mapping[str, Any] = json.loads(self.file.read_text("utf-8"))
        return members

    def keyscope(self, *arguments: str, text: str = "", **variables: str) -> Ended:
        """Run the program with this run as the local stack."""
        given = (*arguments, "--local", "--session", str(self.file))
        return keyscope(*given, text=text, **variables)


@contextmanager
def local_run(folder: Path) -> Iterator[LocalRun]:
    """Serve the local stack, without its tour: that needs an HTTP API."""
    settings = {"PORT": "0", "STATE_FOLDER": str(folder), "PARAMETERS": PARAMETERS}
    with subprocess.Popen(
        [sys.executable, "-m", "local"],
        cwd=ROOT,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            list(takewhile("Serving until Ctrl-C.\n".__ne__, process.stdout))
            assert process.poll() is None
            yield LocalRun(folder / "session.json")
        finally:
            process.kill()
