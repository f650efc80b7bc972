"""The requirements of the layers, and of uv itself, held against the lock files."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
OPTIONS: Final = ("--locked", "--no-emit-project", "--no-header", "--no-annotate")
LAYERS: Final = ("--project", "layers", "--only-group")
EXPORTS: Final = {
    "uv-requirements.txt": ("--only-group", "bootstrap"),
    "layers/powertools/requirements.txt": (*LAYERS, "powertools"),
    # Only botocore's certificates are shipped.
    "layers/keyscope/requirements.txt": (
        *(*LAYERS, "keyscope"),
        *("--prune", "jmespath"),
        *("--prune", "python-dateutil"),
        *("--prune", "urllib3"),
    ),
    "layers/pydantic/requirements.txt": (*LAYERS, "pydantic", "--prune", "typing-extensions"),
}
"""The files, and what of which lock file each holds."""


@pytest.mark.parametrize(("requirements", "scope"), EXPORTS.items())
def test_requirements_are_those_of_their_lock_file(
    requirements: str, scope: tuple[str, ...]
) -> None:
    uv = str(ROOT / ".venv" / "bin" / "uv")
    export = ("export", *OPTIONS, *scope)
    done = subprocess.run(  # noqa: S603 - our own command
        [uv, *export, "--quiet"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    command = f".venv/bin/uv {' '.join(export)} --output-file {requirements}"
    assert (ROOT / requirements).read_text("utf-8") == done.stdout, f"run: {command}"
