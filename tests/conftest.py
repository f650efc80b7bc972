"""What several kinds of tests share."""

import gc
import os
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from tests.support.described_aws import aws_described_once
from tests.support.kinds import KINDS, NOT_SLOW, has_none_of, mark_slow, register
from tests.support.profile import UNIT_EXAMPLES
from tools.dist.build import build

ROOT: Final = Path(__file__).parents[1]


# Times are measured in benchmarks/ and never asserted: a busy machine is no fault of the code.
settings.register_profile("keyscope", deadline=None, max_examples=UNIT_EXAMPLES)
settings.load_profile("keyscope")


def pytest_configure(config: pytest.Config) -> None:
    register(config)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # A file none of whose tests is selected is not even imported; some take seconds to load.
    return has_none_of(config.option.markexpr, collection_path) or None


# Before pytest selects by marks.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_slow(items)


# Modules and tests all stay. To search them for garbage would take a fifth of the collection, and
# some of each test that follows.
@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.config.option.markexpr == NOT_SLOW:
        terminalreporter.section("left out; `make test-rest` runs them")
        for name, why in KINDS.items():
            terminalreporter.write_line(f"{name}: {why}")


@pytest.fixture(scope="session", autouse=True)
def _aws_is_described_once() -> Iterator[None]:
    with aws_described_once():
        yield


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `sam build` makes of the template, in a folder for each function and each layer.

    `KEYSCOPE_BUILT` names the folder of a build that was just made, such as `.aws-sam/build`.
    """
    if given := os.environ.get("KEYSCOPE_BUILT"):
        return ROOT / given
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


@pytest.fixture(scope="session")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make dist` makes."""
    folder = tmp_path_factory.mktemp("artifacts")
    build(ROOT, folder)
    return folder
