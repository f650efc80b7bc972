"""Which release this is: its version, and the commit that it was built from."""

import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

_BUILT: Final = Path(__file__).with_name("commit.txt")
"""What a built package has, written by its build."""
_CLONE: Final = Path(__file__).parents[2]
_UNKNOWN: Final = "unknown"
_DIGITS: Final = 12


def told_release() -> str:
    """Return the version and the commit, such as `0.2.0 (commit 0123456789ab)`."""
    commit, _, changed = _commit().partition("-")
    return f"{version('keyscope')} (commit {commit[:_DIGITS]}{', changed' if changed else ''})"


def _commit() -> str:
    if _BUILT.is_file():
        return _BUILT.read_text("utf-8").strip()
    if not (_CLONE / ".git").exists():
        return _UNKNOWN
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"],  # noqa: S607 - git made the clone
            cwd=_CLONE,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return _UNKNOWN
