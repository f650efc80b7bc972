"""The layer's requirements, held against the lock file."""

import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
REQUIREMENTS: Final = "layers/dependencies/requirements.txt"
SCOPE: Final = ("--no-dev", "--no-emit-project", "--prune", "botocore")
EXPORT: Final = ("export", "--locked", *SCOPE, "--no-header", "--no-annotate")


def test_the_layers_requirements_are_those_of_the_lock_file() -> None:
    uv = str(ROOT / ".venv" / "bin" / "uv")
    done = subprocess.run(  # noqa: S603 - our own command
        [uv, *EXPORT, "--quiet"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    command = f".venv/bin/uv {' '.join(EXPORT)} --output-file {REQUIREMENTS}"
    assert (ROOT / REQUIREMENTS).read_text("utf-8") == done.stdout, f"run: {command}"
