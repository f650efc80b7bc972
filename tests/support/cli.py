"""The program `keyscope`: its commands in this process, and its starts in a terminal."""

import json
import os
import pty
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

from typer.main import get_command

from keyscope_cli.main import main
from tests.support.in_process import Ended, run_here
from tests.support.local_run import serving

ROOT: Final = Path(__file__).parents[2]
PROGRAM: Final = str(Path(sys.executable).with_name("keyscope"))
COLUMNS: Final = 120
END_SECONDS: Final = 300
"""How long a program may take to end. Only a hang takes this long, even on a busy machine."""
CTRL_C: Final = "\x03"
_PRESS_AGAIN_SECONDS: Final = 3
_PROMPTS: Final = (b": ", b"[y/N] ")
# Typer builds the commands again at each start, which takes longer than most of them.
_MADE_ONCE: Final = cache(get_command)
# Ctrl-C and the prompt for a secret both need a controlling terminal, which a new session lacks.
# When a script starts the tests in its background, they and their programs ignore Ctrl-C.
_IN_THIS_TERMINAL: Final = (
    "import fcntl, os, signal, sys, termios;"
    " signal.signal(signal.SIGINT, signal.SIG_DFL);"
    " fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " os.execv(sys.argv[1], sys.argv[1:])"
)


@contextmanager
def environment(**variables: str) -> Iterator[dict[str, str]]:
    """Yield an environment that holds nothing a user may have set for the program or for AWS."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KEYSCOPE_", "AWS_"))
        and name not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"}
    }
    with TemporaryDirectory() as home:
        # Without it, a command that has no credentials waits for those of an EC2 instance.
        own = {"HOME": home, "TERM": "xterm-256color", "AWS_EC2_METADATA_DISABLED": "true"}
        yield {**kept, **own, **variables}


def keyscope(*arguments: str, text: str = "", **variables: str) -> Ended:
    """Run the program's entry point in this process, without a terminal.

    Each call has its own environment, home, standard input and output, as a started program has.
    """
    with (
        environment(COLUMNS=str(COLUMNS), **variables) as own,
        chdir(ROOT),
        patch.dict(os.environ, own, clear=True),
        patch.object(sys, "argv", ["keyscope", *arguments]),
        patch("keyscope_cli.main.get_command", _MADE_ONCE),
    ):
        return run_here(_status_of_main, text)


def _status_of_main() -> int:
    try:
        main()
    except SystemExit as ended:
        match ended.code:
            case None:
                return 0
            case int(status):
                return status
    message = "main() ends with SystemExit and a number, like any program"
    raise AssertionError(message)


def into_a_broken_pipe(*arguments: str) -> Ended:
    """Start the installed program with a standard output whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    with environment() as own:
        done = subprocess.run(  # noqa: S603 - our own program
            [PROGRAM, *arguments],
            cwd=ROOT,
            env=own,
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
            timeout=END_SECONDS,
        )
    os.close(writer)
    return Ended(done.returncode, "", done.stderr.decode())


def in_a_terminal(
    *arguments: str, keys: str = "", columns: int = COLUMNS, **variables: str
) -> Ended:
    """Start the installed program in its own terminal; press the keys when it asks.

    Ctrl-C is pressed again, as a person would, until the program ends: Python does not notice a
    signal that arrives right before it starts to wait for input.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    wrapper = (sys.executable, "-I", "-S", "-c", _IN_THIS_TERMINAL)
    with (
        environment(**variables) as own,
        subprocess.Popen(  # noqa: S603 - our own program
            [*wrapper, PROGRAM, *arguments],
            cwd=ROOT,
            env=own,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as process,
    ):
        os.close(theirs)
        shown, pressed = b"", ""
        deadline = time.monotonic() + END_SECONDS
        while (piece := _read(ours)) != b"" and time.monotonic() < deadline:
            shown += piece or b""
            if keys and shown.endswith(_PROMPTS):
                keys, pressed = "", keys
                os.write(ours, pressed.encode())
            elif piece is None and pressed == CTRL_C:
                os.write(ours, CTRL_C.encode())
        if piece != b"":
            process.kill()
        status = process.wait(END_SECONDS)
    os.close(ours)
    return Ended(status, shown.decode(), "")


def _read(terminal: int) -> bytes | None:
    """Return what a program shows, nothing at its end, or `None` after a while of silence."""
    if not select([terminal], [], [], _PRESS_AGAIN_SECONDS)[0]:
        return None
    try:
        return os.read(terminal, 65_536)
    except OSError:
        # Linux reports the closed other end of a terminal as an error.
        return b""


@dataclass(frozen=True)
class LocalRun:
    """A running `keyscope up`: its session file, and what it holds."""

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
    with serving(
        folder,
        AccessMapRoutes="v2,v1.1",
        KeyCacheSeconds="0",
        AuthorizerCacheSeconds="0",
        HttpApiEnabled="false",
    ):
        yield LocalRun(folder / "session.json")
