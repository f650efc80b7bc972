"""The local gateway as `keyscope up` starts it, in a process of its own, for load from outside."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

from keyscope_local.tour.seed import IssuedKey, SeededStore

ROOT: Final = Path(__file__).parents[2]
KEYSCOPE: Final = Path(sys.executable).with_name("keyscope")
SERVING: Final = "Running. Press Ctrl-C to stop.\n"
STOP_SECONDS: Final = 300
"""Only a hang takes this long, even on a busy machine."""


@dataclass(frozen=True)
class LocalRun:
    """A run that serves: its process, its APIs' URLs, and what it has provisioned.

    `environment` is the provisioning function's.
    """

    process_id: int
    rest_url: str
    http_url: str
    store: SeededStore
    strangers_app_id: str
    environment: Mapping[str, str]


@contextmanager
def serving(folder: Path, **parameters: str) -> Iterator[int]:
    """Start a run with the template's parameters; yield its process id once it serves; stop it.

    Its files go to the folder.
    """
    texts = (f"{name}={value}" for name, value in parameters.items())
    options = [part for text in texts for part in ("--parameters", text)]
    with (
        TemporaryFile("w+", encoding="utf-8") as errors,
        subprocess.Popen(  # noqa: S603 - our own command
            [str(KEYSCOPE), "up", "--port", "0", "--state-folder", str(folder), *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            assert SERVING in process.stdout, _all_of(errors)
            yield process.pid
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


@contextmanager
def local_run(folder: Path, **parameters: str) -> Iterator[LocalRun]:
    """Serve both APIs with the template's parameters; its files go to the folder."""
    with serving(folder, **parameters) as process_id:
        yield _run_of(process_id, json.loads((folder / "session.json").read_text()))


def _all_of(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _run_of(process_id: int, session: Mapping[str, Any]) -> LocalRun:
    names = SeededStore.__dataclass_fields__
    members = {name: _member(session[name]) for name in names}
    return LocalRun(
        process_id=process_id,
        rest_url=session["rest_api"],
        http_url=session["http_api"],
        store=SeededStore(**members),
        strangers_app_id=session["strangers_app_id"],
        environment=session["environment"],
    )


def _member(value: Any) -> Any:  # noqa: ANN401 - JSON
    return IssuedKey(**value) if isinstance(value, dict) else value
