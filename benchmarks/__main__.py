"""Measure, print the tables, write results.json and results.svg below `.local/bench`.

python -m benchmarks           everything, under ten minutes on two cores
ONLY=cold,hot,growth,use       some parts; the others stay as they were measured last
QUICK=1                        just enough to see that it works; into quick.json
BEFORE=<commit>                also the warm handler of an earlier commit, beside today's
"""

import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.canned_aws import canned_aws
from benchmarks.cold_start import measure_cold_start
from benchmarks.contenders import LAMBDA_PYTHON, Contenders, make_contenders
from benchmarks.effort import FULL, QUICK, Effort
from benchmarks.growth import measure_growth
from benchmarks.hot_path import measure_hot_path
from benchmarks.key_use import measure_key_use
from benchmarks.plot import plot
from benchmarks.report import plain
from benchmarks.results import FOLDER, ROOT, Section, joined, read_results, write_results
from benchmarks.scenario import make_scenario, write_scenario

PARTS: Final = ("cold", "hot", "growth", "use")
PACKAGES: Final = ("botocore", "boto3", "aws-lambda-powertools", "pyjwt", "awslambdaric")


def main() -> None:
    """Measure what was asked for."""
    quick = bool(os.environ.get("QUICK"))
    parts = [name for name in os.environ.get("ONLY", "").split(",") if name] or list(PARTS)
    unknown = set(parts) - set(PARTS)
    if unknown:
        sys.exit(f"ONLY does not support {', '.join(sorted(unknown))}. Use {', '.join(PARTS)}")
    effort = QUICK if quick else FULL
    results = FOLDER / ("quick.json" if quick else "results.json")
    started = time.monotonic()

    def say(what: str) -> None:
        sys.stderr.write(f"[{time.monotonic() - started:4.0f} s] {what}\n")

    say("building the contenders")
    contenders = make_contenders(os.environ.get("BEFORE", ""))
    scenario = FOLDER / "scenario.json"
    write_scenario(make_scenario(), scenario)
    measured: dict[str, Section] = {}
    with canned_aws(scenario) as endpoint_url:
        for part in (name for name in PARTS if name in parts):
            say(f"measuring: {part}")
            section = _measure(part, Run(contenders, scenario, endpoint_url, effort), measured)
            measured[part] = joined([section, Section(environment=_environment(contenders))])
            # At once, so that a run which is ended early keeps what it has.
            write_results(results, measured)
    say("done")
    everything = read_results(results)
    picture = results.with_suffix(".svg")
    picture.write_text(plot(everything), "utf-8")
    sys.stdout.write(plain({part: everything[part] for part in measured}))
    sys.stdout.write(f"\nWritten: {_shown(results)}, {_shown(picture)}\n")


@dataclass(frozen=True, slots=True)
class Run:
    """What every part is measured with."""

    contenders: Contenders
    scenario: Path
    endpoint_url: str
    effort: Effort


def _measure(part: str, run: Run, measured: Mapping[str, Section]) -> Section:
    given = (run.contenders, run.scenario, run.endpoint_url, run.effort)
    match part:
        case "cold":
            return measure_cold_start(*given)
        case "hot":
            return measure_hot_path(*given)
        case "use":
            return measure_key_use(run.effort.use_lines, run.effort.simulated_requests)
        case _:
            return measure_growth(*given, measured.get("hot"))


def _environment(contenders: Contenders) -> dict[str, str]:
    interpreter = contenders.interpreter
    same = interpreter.version.startswith(LAMBDA_PYTHON)
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
        "load": ", ".join(f"{load:.1f}" for load in os.getloadavg()),
        "Python": interpreter.version
        + (", as on Lambda" if same else f"; Lambda runs {LAMBDA_PYTHON}, which is not here"),
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({platform.machine()})" if names else platform.machine()


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
