"""The wheel, installed where nothing else of the repository is."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from typing import Final
from zipfile import ZipFile

import pytest
from moto.server import ThreadedMotoServer

from keyscope_local.emulators.tables import DUMMY_CREDENTIALS, REGION
from tests.support.commands import run
from tests.support.documents import ROOT, fences
from tests.support.local_run import SERVING, STOP_SECONDS
from tests.support.moto_stacks import serverless_stacks
from tools.dist.packages import ARTIFACTS, PACKAGES, RELEASE, build_packages

pytestmark = pytest.mark.wheel

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
VERSION: Final = PROJECT["project"]["version"]
SOURCES: Final = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"]
UV: Final = str(ROOT / ".venv" / "bin" / "uv")
UV_CACHE: Final = os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
MEGABYTES: Final = 125
"""What an environment with Keyscope may take, without byte code."""


def sources_in(folder: Path, artifacts: Path) -> Path:
    """Copy what packages are built from, with artifacts that `make dist` has built."""
    for name in [*SOURCES, "pyproject.toml", ".gitignore"]:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    shutil.copytree(artifacts, folder / ARTIFACTS)
    return folder


@pytest.fixture(scope="module")
def release(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `make dist` has run, without a clone around it."""
    root = sources_in(tmp_path_factory.mktemp("release"), artifacts)
    build_packages(root)
    return root


@pytest.fixture(scope="module")
def wheel(release: Path) -> Path:
    (path,) = (release / PACKAGES).glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(release: Path) -> Path:
    (path,) = (release / PACKAGES).glob("*.tar.gz")
    return path


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, and an empty folder to call it from.

    `uvx` is the README's command, with the wheel in place of the index; it has made the
    environment.
    """

    environment: Path
    folder: Path
    uvx: tuple[str, ...]

    @property
    def program(self) -> str:
        return str(self.environment / "bin" / "keyscope")

    @property
    def variables(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "UV_CACHE_DIR": UV_CACHE}

    def keyscope(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """Run a command; return its exit status and all that it printed."""
        return self.run([self.program, *arguments], **variables)

    def run(self, command: Sequence[str], **variables: str) -> tuple[int, str]:
        """Run a program in the empty folder."""
        done = subprocess.run(  # noqa: S603 - our own command
            command,
            cwd=self.folder,
            env={**self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    @contextmanager
    def up(self) -> Iterator[Sequence[str]]:
        """Serve the local stack as the README says; yield what is printed before it waits."""
        with subprocess.Popen(  # noqa: S603 - our own command
            [*self.uvx, "keyscope", "up", "--port", "0"],
            cwd=self.folder,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                yield list(takewhile(SERVING.__ne__, process.stdout))
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(STOP_SECONDS)


@pytest.fixture(scope="module")
def installed(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("empty")
    wheel = ("--find-links", str(release / PACKAGES))
    uvx = (UV, "tool", "run", "--quiet", "--python", sys.executable, *wheel)
    prefix = ("--from", "keyscope", "python", "-c", "import sys; print(sys.prefix)")
    environment = done([*uvx, *prefix], folder, HOME=str(folder), UV_CACHE_DIR=UV_CACHE)
    # The index was asked above, with the variables that tell where it is.
    return Installed(Path(environment.strip()), folder, (*uvx, "--offline"))


def done(command: Sequence[str], folder: Path, **variables: str) -> str:
    """Run a command that must succeed; return what it printed."""
    status, said = run(command, folder, VIRTUAL_ENV="", **variables)
    assert status == 0, said
    return said


def contents_of(wheel: Path) -> dict[str, str]:
    """Return the digests of a wheel's files, but of those that name the version of the builder."""
    with ZipFile(wheel) as opened:
        return {
            name: sha256(opened.read(name)).hexdigest()
            for name in opened.namelist()
            if Path(name).name not in {"RECORD", "WHEEL"}
        }


def test_two_builds_on_two_paths_are_equal(release: Path, artifacts: Path, tmp_path: Path) -> None:
    other = sources_in(tmp_path / "elsewhere", artifacts)
    built = {path.name: path.read_bytes() for path in build_packages(other)}
    assert built == {
        path.name: path.read_bytes()
        for folder in (PACKAGES, RELEASE)
        for path in (release / folder).iterdir()
    }
    assert len(built) == 4


def test_the_sums_name_every_file_of_the_release(release: Path, tmp_path: Path) -> None:
    for folder in (ARTIFACTS, PACKAGES, RELEASE):
        for path in (release / folder).iterdir():
            shutil.copyfile(path, tmp_path / path.name)
    sums = f"keyscope-{VERSION}.sha256"
    said = done(["sha256sum", "--check", "--strict", sums], tmp_path)
    names = {line.partition(": ")[0] for line in said.splitlines()}
    assert names == {path.name for path in tmp_path.iterdir()} - {sums}


def test_plain_pip_builds_the_same_wheel_from_the_source_distribution(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "venv"
    done([UV, "venv", "--quiet", "--seed", "--python", sys.executable, str(environment)], tmp_path)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    done([*pip, "wheel", "--quiet", "--no-deps", str(sdist)], tmp_path)
    (built,) = tmp_path.glob("*.whl")
    assert contents_of(built) == contents_of(wheel)


def test_the_wheel_names_its_version_and_commit(installed: Installed) -> None:
    # The copy that it was built from is no clone.
    assert installed.keyscope("--version") == (0, f"keyscope {VERSION} (commit unknown)\n")


def test_a_wheel_that_a_clone_builds_names_the_clones_commit(release: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(release, clone)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "a"]):
        done([*git, *command], clone)
    commit = done(["git", "rev-parse", "HEAD"], clone).strip()
    build_packages(clone)
    (built,) = (clone / PACKAGES).glob("*.whl")
    with ZipFile(built) as opened:
        assert opened.read("keyscope_cli/commit.txt").decode().strip() == commit


def test_an_environment_with_everything_is_small(installed: Installed) -> None:
    size = sum(
        path.stat().st_size
        for path in installed.environment.rglob("*")
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts
    )
    names = {path.name for path in installed.environment.glob("lib/*/site-packages/*")}
    assert size < MEGABYTES * 1_000_000
    assert {"samcli", "cfnlint", "sympy", "numpy"} & names == set()


def test_it_serves_the_stack_after_a_tour_and_other_commands_find_it(installed: Installed) -> None:
    with installed.up() as printed:
        (tour,) = [line for line in printed if "responses were as expected" in line]
        apps, answer = installed.keyscope("app", "list", "--local", "--json")
        explained, steps = installed.keyscope(
            *("explain", "GET", "/v2/apps", "--local", "--json"),
            KEYSCOPE_AUTHORIZATION="Basic YTpi",
        )
    assert tour.split()[0] == tour.split()[2]
    assert (apps, '"apps"' in answer) == (0, True), answer
    assert (explained, "reason" in steps) == (1, True), steps


def test_it_checks_the_packaged_access_map(installed: Installed) -> None:
    status, said = installed.keyscope("access", "check", "--routes", "v2")
    assert status == 0, said


def test_it_deploys_the_artifacts_that_it_carries(installed: Installed) -> None:
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        with serverless_stacks(url):
            status, said = installed.run(
                [*installed.uvx, "keyscope", "deploy", "--dry-run", "--yes", "--region", REGION],
                AWS_ENDPOINT_URL=url,
                **DUMMY_CREDENTIALS,
            )
    finally:
        server.stop()
    assert status == 0, said
    assert re.search(r"^Add +KeysTable\b", said, re.MULTILINE), said


def test_completion_installs(installed: Installed) -> None:
    command = f"{installed.program} --install-completion"
    said = done(["bash", "-c", f"{command}; true"], installed.folder, HOME=str(installed.folder))
    assert "completion installed" in said
    (script,) = (installed.folder / ".bash_completions").iterdir()
    assert "_KEYSCOPE_COMPLETE" in script.read_text("utf-8")


def test_the_install_lines_of_the_readme_are_those_that_ran_here(installed: Installed) -> None:
    text = "\n".join(fence.text for fence in fences((ROOT / "README.md").read_text("utf-8")))
    # `Installed.up` and the deployment of the artifacts above run them.
    assert re.findall(r"^uvx keyscope (.+)$", text, re.MULTILINE) == ["up", "deploy"]
    status, version = installed.run([*installed.uvx, "keyscope", "--version"])
    assert (status, version) == installed.keyscope("--version")
