"""Instruction counts of a cold start, by valgrind: they repeat, on a busy machine too."""

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from benchmarks.contenders import Contender, Contenders, process_environment
from benchmarks.goals import COLD_INSTRUCTIONS
from benchmarks.processes import PROBES
from benchmarks.results import Section, Table

_TOTAL = re.compile(r"I\s+refs:\s+([0-9,]+)")


def count_instructions(contenders: Contenders, endpoint_url: str) -> Section:
    """Count what the import of each handler executes, interpreter and clients included."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return Section(skipped=("Instruction counts: valgrind is not installed.",))

    def count(contender: Contender) -> int:
        done = subprocess.run(  # noqa: S603 - our own command, no shell
            [
                *(valgrind, "--tool=cachegrind", "--cache-sim=no"),
                *("--cachegrind-out-file=/dev/null", *contenders.interpreter.command),
                str(PROBES / "start.py"),
            ],
            cwd=contender.folder,
            # Hashes of a seed of their own would change the counts from run to run.
            env={**process_environment(contender, endpoint_url), "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
        found = _TOTAL.search(done.stderr)
        if found is None:
            raise ValueError(done.stderr)
        return int(found[1].replace(",", ""))

    with ThreadPoolExecutor(2) as pool:
        counts = dict(
            zip((c.name for c in contenders.all), pool.map(count, contenders.all), strict=True)
        )
    peer = counts[contenders.peer.name]
    rows = tuple(
        (name, round(counted / 1_000_000, 1), round(counted / peer, 3))
        for name, counted in counts.items()
    )
    return Section(
        tables=(
            Table(
                "instructions",
                "Cold start in instructions: process start to imported handler with its clients",
                ("contender", "million instructions", "of the typical authorizer"),
                rows,
                "valgrind --tool=cachegrind --cache-sim=no, PYTHONHASHSEED=0; one run each, "
                "because they repeat within 0.1 %.",
            ),
        ),
        targets=(COLD_INSTRUCTIONS.of(counts[contenders.keyscope.name] / peer),),
    )
