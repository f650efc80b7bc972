"""Cold start: CPU of importing the handler, first answers, and the whole of it in the emulator."""

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.contenders import (
    FORBIDDEN_PACKAGES,
    Contender,
    Contenders,
    has_package,
    zipped_bytes,
)
from benchmarks.effort import Effort
from benchmarks.emulated import emulated, event_body
from benchmarks.instructions import count_instructions
from benchmarks.processes import run_start
from benchmarks.results import Section, Table, Target, joined
from benchmarks.spread import interquartile, paired_ratio
from local.emulators.runtime_emulator import EmulatorError, find_emulator

EVENTS: Final = ("basic", "jwt")
LAYER_LIMIT_MEGABYTES: Final = 3.0
_PEERS: Final = ("of typical", "of typical, no .pyc")
Samples = Mapping[tuple[str, str], list[float]]


def measure_cold_start(
    contenders: Contenders, scenario: Path, endpoint_url: str, effort: Effort
) -> Section:
    """Measure all of it."""
    counted = (
        count_instructions(contenders, endpoint_url)
        if effort.instructions
        else Section(skipped=("Instruction counts: left out of a quick run.",))
    )
    return joined(
        [
            _layers(contenders),
            _imports(contenders, scenario, endpoint_url, effort.start_rounds),
            counted,
            _in_the_emulator(contenders, scenario, endpoint_url, effort.emulator_rounds),
        ]
    )


def _layers(contenders: Contenders) -> Section:
    folders = list(contenders.layers.values())
    sizes = {name: zipped_bytes(folder) for name, folder in contenders.layers.items()}
    total = sum(sizes.values())
    unwanted = [name for name in FORBIDDEN_PACKAGES if has_package(folders, name)]
    return Section(
        tables=(
            Table(
                "layers",
                "The authorizers' layers",
                ("layer", "zipped bytes", "files", ".pyc files"),
                tuple(
                    (name, size, _files(folder, "*"), _files(folder, "*.pyc"))
                    for (name, size), folder in zip(sizes.items(), folders, strict=True)
                ),
            ),
        ),
        targets=(
            Target("all layers zipped, MB", round(total / 1e6, 3), limit=LAYER_LIMIT_MEGABYTES),
            Target(f"of {' and '.join(FORBIDDEN_PACKAGES)} in a layer", len(unwanted), limit=0),
        ),
    )


def _imports(contenders: Contenders, scenario: Path, endpoint_url: str, rounds: int) -> Section:
    samples: dict[tuple[str, str], list[float]] = {}
    for contender, event in _in_random_order(contenders.all, rounds):
        found = run_start(contenders.interpreter, contender, endpoint_url, str(scenario), event)
        samples.setdefault((contender.name, f"import {event}"), []).append(found["import"])
        samples.setdefault((contender.name, event), []).append(found["import"] + found["answer"])
    for contender in contenders.all:
        # One import was measured before each kind of answer; together they are the rounds' own.
        samples[contender.name, "import"] = [
            (a + b) / 2
            for a, b in zip(
                samples[contender.name, "import basic"],
                samples[contender.name, "import jwt"],
                strict=True,
            )
        ]
    kinds = {
        "import": "imported, clients made",
        "basic": "first answer, Basic",
        "jwt": "first answer, JWT",
    }
    return Section(
        tables=(
            Table(
                "cold_cpu",
                "Cold start in CPU time: from the start of the process",
                ("contender", "until", "CPU ms", "middle half", *_PEERS),
                _rows(contenders, samples, kinds),
                "User and system time of fresh processes in random order, median; the ratio with "
                "its 95 % bootstrap interval. Keyscope makes its KMS client with the first JWT. "
                "'typical' has valid .pyc files, better than `sam build` ships it: its builder "
                "unpacks wheels and compiles nothing, which is the other one.",
            ),
        ),
        targets=tuple(
            Target(
                f"cold start CPU, {kinds[kind]}, of '{peer.name}'",
                round(_ratio(contenders.keyscope, peer, samples, kind), 3),
                limit=0.45,
                aim=0.30,
            )
            for peer in (contenders.peer, contenders.uncompiled_peer)
            for kind in kinds
        ),
    )


def _in_the_emulator(
    contenders: Contenders, scenario: Path, endpoint_url: str, rounds: int
) -> Section:
    try:
        find_emulator()
    except EmulatorError as missing:
        return Section(skipped=(f"Cold starts in the emulator: {missing}",))
    bodies = {event: event_body(scenario, event) for event in EVENTS}
    elapsed: dict[tuple[str, str], list[float]] = {}
    used: dict[tuple[str, str], list[float]] = {}
    for contender, event in _in_random_order(contenders.all, rounds):
        with ExitStack() as stack:
            running = stack.enter_context(emulated(contenders.interpreter, contender, endpoint_url))
            elapsed.setdefault((contender.name, event), []).append(running.invoke(bodies[event]))
            used.setdefault((contender.name, event), []).append(running.cpu_seconds())
    kinds = {"basic": "Basic", "jwt": "JWT"}
    elapsed_rows = _rows(contenders, elapsed, kinds)
    used_rows = _rows(contenders, used, kinds)
    return Section(
        tables=(
            Table(
                "cold_emulator",
                "Cold start in the Lambda runtime emulator: process start to first answer",
                (
                    *("contender", "credential", "CPU ms", "middle half"),
                    *(*_PEERS, "elapsed ms", "middle half"),
                ),
                tuple(
                    (*cpu, *wall[2:4]) for cpu, wall in zip(used_rows, elapsed_rows, strict=True)
                ),
                "CPU time of the runtime's process; elapsed time holds the network to a canned "
                "AWS on this machine and whatever else it was doing.",
            ),
        ),
        targets=(
            Target(
                "cold start in the emulator, CPU to first Basic answer, of 'typical'",
                round(_ratio(contenders.keyscope, contenders.peer, used, "basic"), 3),
                limit=0.45,
                aim=0.30,
            ),
        ),
    )


def _in_random_order(
    contenders: Sequence[Contender], rounds: int
) -> Sequence[tuple[Contender, str]]:
    chooser = random.Random(1)  # noqa: S311 - an order, no secret
    pairs = [(contender, event) for contender in contenders for event in EVENTS]
    return [pair for _ in range(rounds) for pair in chooser.sample(pairs, len(pairs))]


def _rows(
    contenders: Contenders, samples: Samples, kinds: Mapping[str, str]
) -> tuple[tuple[str | float, ...], ...]:
    return tuple(
        (
            contender.name,
            shown,
            round(median(samples[contender.name, kind]) * 1_000, 1),
            interquartile(samples[contender.name, kind], 1_000),
            *(
                str(paired_ratio(samples[contender.name, kind], samples[peer.name, kind]))
                for peer in (contenders.peer, contenders.uncompiled_peer)
            ),
        )
        for kind, shown in kinds.items()
        for contender in contenders.all
    )


def _ratio(over: Contender, under: Contender, samples: Samples, kind: str) -> float:
    return median(samples[over.name, kind]) / median(samples[under.name, kind])


def _files(folder: Path, pattern: str) -> int:
    return sum(path.is_file() for path in folder.rglob(pattern))
