"""The folder with the files of one local run."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SESSION_FILE_NAME: Final = "session.json"


class FolderInUse(Exception):  # noqa: N818 - a state
    """Another run uses the state folder; the text says how to use another one."""


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of a run that names none, where `keyscope --local` looks for it.

    It is the user's folder for state ("XDG Base Directory Specification"), so that `--local` finds
    the run from any folder.
    """
    base = Path(environment.get("XDG_STATE_HOME", ""))
    # The specification has relative paths ignored.
    return (base if base.is_absolute() else Path.home() / ".local" / "state") / "keyscope"


@contextmanager
def held_folder(folder: Path) -> Iterator[None]:
    """Create the state folder, and keep every other run out of it while the context lasts.

    The lock ends with the process, however it ends.

    Raises:
        FolderInUse: another run keeps this one out.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = (
                f"Another run (process {lock.read()}) is using {folder}. Stop it, or use another"
                f" folder and port: keyscope up --state-folder {folder}-2 --port 3100"
            )
            raise FolderInUse(message) from None
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        yield
