"""Contenders' processes: started, measured and read."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.contenders import Contender, Interpreter
from benchmarks.results import ROOT

PROBES: Final = Path(__file__).parent / "probes"


class ProbeFailed(Exception):  # noqa: N818 - a state
    """A contender did not do what it is measured for; the text is what it wrote."""


def run_start(
    interpreter: Interpreter,
    contender: Contender,
    environment: Mapping[str, str],
    *arguments: str,
) -> dict[str, float]:
    """Run one cold start: seconds of CPU of `import` and `answer`, bytes at the import's `peak`."""
    command = [*interpreter.command, str(PROBES / "start.py"), *arguments]
    output = _output(command, environment, contender.folder)
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


def run_probe(
    interpreter: Interpreter,
    contender: Contender,
    environment: Mapping[str, str],
    *module_and_arguments: str,
) -> Any:  # noqa: ANN401 - each probe's own JSON
    """Run a module of `benchmarks.probes` among a contender's packages; returns its JSON."""
    module, *arguments = module_and_arguments
    command = [*interpreter.command, "-m", f"benchmarks.probes.{module}", *arguments]
    path = os.pathsep.join([contender.python_path, str(ROOT)])
    output = _output(command, {**environment, "PYTHONPATH": path}, contender.folder)
    return json.loads(output)


def _output(command: list[str], environment: Mapping[str, str], folder: Path) -> str:
    done = subprocess.run(  # noqa: S603 - our own programs, no shell
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        message = f"{command}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
        raise ProbeFailed(message)
    return done.stdout
