"""What several kinds of tests share."""

import os
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import pytest
from hypothesis import settings

from tests.support.kinds import count_kinds, mark_slow, register, summary

ROOT: Final = Path(__file__).parents[1]
LEFT_OUT: Final = pytest.StashKey[Counter[str]]()


# Times are measured in benchmarks/ and never asserted: a busy machine is no fault of the code.
settings.register_profile("keyscope", deadline=None)
settings.load_profile("keyscope")


class _Worker(Protocol):
    """A process of pytest-xdist, as the process that started it sees it."""

    config: pytest.Config


def pytest_configure(config: pytest.Config) -> None:
    register(config)
    config.stash[LEFT_OUT] = Counter()


# Before pytest selects by marks.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_slow(items)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    if items:
        items[0].config.stash[LEFT_OUT].update(count_kinds(items))


def pytest_sessionfinish(session: pytest.Session) -> None:
    output: dict[str, object] = getattr(session.config, "workeroutput", {})
    left_out = session.config.stash[LEFT_OUT]
    output["left_out"] = dict(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: _Worker) -> None:
    # Every worker collects all tests, so the counts are the run's. A worker that crashed has none.
    if output := getattr(node, "workeroutput", None):
        node.config.stash[LEFT_OUT] = Counter[str](output["left_out"])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    config = terminalreporter.config
    if config.option.markexpr == "not slow" and (left_out := config.stash[LEFT_OUT]):
        terminalreporter.section(f"left out: {left_out.total()} tests; `make test-rest` runs them")
        for line in summary(left_out):
            terminalreporter.write_line(line)


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
