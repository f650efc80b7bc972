"""What several kinds of tests share."""

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

ROOT: Final = Path(__file__).parents[1]


# Times are measured in benchmarks/ and never asserted: a busy machine is no fault of the code.
settings.register_profile("keyscope", deadline=None)
settings.load_profile("keyscope")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `sam build` makes of the template, in a folder for each function and each layer."""
    folder = tmp_path_factory.mktemp("build")
    binaries = ROOT / ".venv" / "bin"
    environment = {
        **os.environ,
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    done = subprocess.run(  # noqa: S603 - our own command
        [str(binaries / "sam"), "build", "--build-dir", str(folder / "build")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "build"
