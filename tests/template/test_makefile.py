"""What the Makefile says before it does what takes long."""

import os
import re
import shutil
import subprocess
from inspect import signature
from pathlib import Path
from typing import Final

import pytest

from keyscope_cli.up import up

ROOT: Final = Path(__file__).parents[2]
INPUTS: Final = ("Makefile", "uv.lock", "pyproject.toml", "uv-requirements.txt")

ENVIRONMENT: Final = {
    name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
}
"""The environment of a make that no other make has started."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in INPUTS:
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def made(checkout: Path, *arguments: str) -> tuple[str, str]:
    done = subprocess.run(  # noqa: S603 - our own targets
        ["make", *arguments],  # noqa: S607
        cwd=checkout,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize("target", ["run", "test", ".venv/sam/bin/sam"])
def test_it_says_that_it_installs_before_it_does(target: str, checkout: Path) -> None:
    # Nothing is installed: the first program that would is `false`.
    out, told = made(checkout, target, "PYTHON=false")
    assert told.startswith("Installing what uv.lock pins")
    # What a target prints for another program stays clean.
    assert "Installing" not in out


def test_a_run_says_that_it_starts_before_it_does(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "installed").touch()
    out, told = made(checkout, "run", "PYTHON=false", "PORT=none")
    assert out.startswith("Starting...\n")
    assert "Installing" not in told


def test_a_run_takes_every_option_of_keyscope_up(checkout: Path) -> None:
    options = [name for name in signature(up).parameters if name != "once"]
    assert {"port", "attach", "attach_parameters"} <= set(options)
    settings = [f"{name.upper()}=of-{name}" for name in options]
    planned, _ = made(checkout, "--dry-run", "run", *settings, "ONCE=1")
    for name in options:
        assert f'--{name.replace("_", "-")} "of-{name}"' in planned
    assert "--once" in planned


def test_a_run_without_settings_gives_no_option(checkout: Path) -> None:
    planned, _ = made(checkout, "--dry-run", "run", "ONCE=0")
    assert re.search(r"keyscope up *$", planned, re.MULTILINE)


def test_relative_paths_of_a_run_start_in_the_folder_where_it_is_called(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("caller")
    done = subprocess.run(  # noqa: S603 - our own target
        ["/bin/sh", "-c", f"make --dry-run -C {checkout} run ATTACH=template.yaml"],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f'cd "{folder}" && keyscope up' in done.stdout
