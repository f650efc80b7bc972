"""Walks a page of docs/ as its reader does: writes its files, types its commands, sees its output.

A block whose line before ends with a file's name and a colon, such as "Create `app.py`:", is that
file. A block of `sh` is typed into one shell, from the top of the page to its end. A block of
`text` is what the commands before it print; in it, `…` stands for what differs from machine to
machine, and a line with nothing else for any number of lines.

A command that runs Keyscope stays running, as in a terminal of its own. It takes ports that are
free; the page shows those that it takes by default.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Final

from tests.support.documents import ROOT, Fence, block_of, fences
from tests.support.local_run import SERVING, STOP_SECONDS

_FILE: Final = re.compile(r"`([\w./-]+)`:$")
_STARTS_KEYSCOPE: Final = re.compile(r"^keyscope up\b", re.MULTILINE)
_ADDRESS: Final = re.compile(r"127\.0\.0\.1:(\d+)")
_FIRST_PORT: Final = 3000
_END: Final = "--end-of-commands--"
_LOG: Final = "run.log"
_POLL_SECONDS: Final = 0.1
_NOT_THE_READERS: Final = ("AWS_", "KEYSCOPE_", "MAKE", "MFLAGS")
"""Variables that the reader of a page has not set, among them those of the make that runs tests."""


class Differs(AssertionError):  # noqa: N818 - a state
    """A step of the page fails, or prints something else than the page shows."""


def walk(page: str, folder: Path) -> int:
    """Do what the text of a page says, starting in an empty folder, with `keyscope` installed.

    Returns how many outputs were compared.

    Raises:
        Differs: the first step that does not do what the page says.
    """
    compared = 0
    with _shell(folder) as shell:
        printed = ""
        for fence in fences(page):
            if (file := _FILE.search(fence.before)) is not None and fence.language != "sh":
                path = shell.folder() / file[1]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(fence.text, "utf-8")
            elif fence.language == "sh":
                printed = shell.type(fence)
            elif fence.language == "text":
                if not shows(fence.text, printed):
                    message = f"The page shows\n{fence.text}\nbut the commands print\n{printed}"
                    raise Differs(message)
                compared += 1
    return compared


def shows(expected: str, printed: str) -> bool:
    """Tell whether a page's block of text shows what was printed."""
    lines = [line.rstrip() for line in printed.strip().splitlines()]
    patterns = [
        r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".+") + r"\n"
        for line in expected.strip().splitlines()
    ]
    return re.fullmatch("".join(patterns), "".join(f"{line}\n" for line in lines)) is not None


@dataclass
class _Shell:
    """A shell that keeps its folder and its variables from block to block."""

    process: "subprocess.Popen[str]"
    log: Path
    ports: Mapping[str, str]
    """The port that each port of the page is here."""

    def type(self, fence: Fence) -> str:
        """Type the commands of a block, and return what they print.

        Raises:
            Differs: a command fails.
        """
        script = _ADDRESS.sub(
            lambda found: f"127.0.0.1:{self.ports.get(found[1], found[1])}",
            block_of(fence, "").script,
        )
        if not script.strip():
            return ""
        if _STARTS_KEYSCOPE.search(script):
            script = _STARTS_KEYSCOPE.sub("keyscope up --port 0", script)
            self.send(f"{{ {script}\n}} </dev/null >{self.log} 2>&1 &")
            return self._as_shown(self._log_once_it_serves())
        self.send(f"failed=0\n{{ {script}\n}} </dev/null 2>&1; echo; echo {_END} $failed")
        printed, status = self._answer()
        if status != "0":
            message = f"This fails with status {status}:\n{script}\n{printed}"
            raise Differs(message)
        return self._as_shown(printed)

    def folder(self) -> Path:
        """Return the folder that the shell is in."""
        self.send(f"pwd; echo {_END}")
        return Path(self._answer()[0].strip())

    def send(self, text: str) -> None:
        """Send text to the shell's standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def _answer(self) -> tuple[str, str]:
        assert self.process.stdout is not None
        printed: list[str] = []
        for line in self.process.stdout:
            if line.startswith(_END):
                return "".join(printed), line.removeprefix(_END).strip()
            printed.append(line)
        return "".join(printed), "of the shell, which ended"

    def _log_once_it_serves(self) -> str:
        log = ""
        for _ in range(int(STOP_SECONDS / _POLL_SECONDS)):
            log = self.log.read_text("utf-8") if self.log.exists() else ""
            if SERVING in log:
                found = list(dict.fromkeys(_ADDRESS.findall(log)))
                self.ports = {str(_FIRST_PORT + place): port for place, port in enumerate(found)}
                return log
            if log.startswith("Error") or "\nError" in log:
                break
            sleep(_POLL_SECONDS)
        message = f"Keyscope does not serve:\n{log}"
        raise Differs(message)

    def _as_shown(self, text: str) -> str:
        names = {here: shown for shown, here in self.ports.items()}
        return _ADDRESS.sub(lambda found: f"127.0.0.1:{names.get(found[1], found[1])}", text)


@contextmanager
def _shell(folder: Path) -> Iterator[_Shell]:
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(_NOT_THE_READERS)
    }
    with subprocess.Popen(
        ["/bin/bash"],
        cwd=folder,
        env={
            **variables,
            "PWD": str(folder),
            "PATH": f"{ROOT}/.venv/bin{os.pathsep}{os.environ['PATH']}",
            # So that two walks at a time do not meet.
            "XDG_STATE_HOME": str(folder / ".state"),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        shell = _Shell(process, folder / _LOG, {})
        shell.send("set -Eu; trap 'failed=$?' ERR")
        try:
            yield shell
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(STOP_SECONDS)
