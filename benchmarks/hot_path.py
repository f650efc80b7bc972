"""The hot path: the warm handler whole and in steps, a read of the table, and the round trip."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from benchmarks.contenders import Contender, Contenders, process_environment
from benchmarks.effort import Effort
from benchmarks.emulated import emulated, event_body
from benchmarks.miss import measure_misses
from benchmarks.processes import run_probe
from benchmarks.results import Cell, Section, Table, Target, joined
from benchmarks.spread import interquartile, paired_ratio
from local.emulators.runtime_emulator import EmulatorError, find_emulator

EVENTS: Final = {"basic": "Basic", "jwt": "JWT"}
HANDLER_LIMITS: Final = {"basic": 100.0, "jwt": 150.0}
"""Microseconds, median."""
ROUND_TRIP_LIMITS: Final = {"basic": 1.15, "jwt": 1.20}
"""Of the no-op handler's."""
NO_CACHE: Final = {"KEYSCOPE_KEY_CACHE_SECONDS": "0"}


def measure_hot_path(
    contenders: Contenders, scenario: Path, endpoint_url: str, effort: Effort
) -> Section:
    """Measure all of it."""
    return joined(
        [
            _handlers(contenders, scenario, endpoint_url, effort),
            _steps(contenders, scenario, endpoint_url, effort.batches),
            measure_misses(contenders, scenario, endpoint_url, effort),
            _round_trips(contenders, scenario, endpoint_url, effort.round_trips),
        ]
    )


def _handlers(contenders: Contenders, scenario: Path, endpoint_url: str, effort: Effort) -> Section:
    cases = [
        *((contender, "record cached", {}) for contender in _compiled(contenders)),
        (contenders.keyscope, "record read each time", NO_CACHE),
    ]
    asked = [(*case, event) for case in cases for event in EVENTS]
    chooser = random.Random(1)  # noqa: S311 - an order, no secret
    cpu: dict[tuple[str, str, str], list[float]] = {}
    wall: dict[tuple[str, str, str], list[float]] = {}
    for _ in range(effort.warm_rounds):
        for contender, case, settings, event in chooser.sample(asked, len(asked)):
            found = run_probe(
                contenders.interpreter,
                contender,
                {**process_environment(contender, endpoint_url), **settings},
                *("warm", str(scenario), event, str(effort.batches), str(effort.calls)),
            )
            cpu.setdefault((contender.name, case, event), []).extend(found["cpu"])
            wall.setdefault((contender.name, case, event), []).extend(found["wall"])
    rows = tuple(
        (
            *(name, EVENTS[event], case),
            round(median(cpu[name, case, event]), 1),
            interquartile(cpu[name, case, event]),
            round(median(wall[name, case, event]), 1),
            round(quantiles(wall[name, case, event], n=100)[98], 1),
        )
        for name, case, event in sorted(cpu, key=lambda key: (key[1], key[2], key[0]))
    )
    ours = contenders.keyscope.name
    return Section(
        tables=(
            Table(
                "handler",
                "In the warm handler, microseconds for one answer, logging and metrics on",
                (
                    *("contender", "credential", "case", "CPU median", "middle half"),
                    *("elapsed median", "elapsed p99"),
                ),
                rows,
                "CPU time over batches of calls, in several processes; elapsed time call by call. "
                "Output goes to /dev/null, unbuffered as on Lambda.",
            ),
        ),
        targets=tuple(
            Target(
                f"in the handler, record cached, {EVENTS[event]}, CPU us",
                round(median(cpu[ours, "record cached", event]), 1),
                limit=limit,
            )
            for event, limit in HANDLER_LIMITS.items()
        ),
    )


def _steps(contenders: Contenders, scenario: Path, endpoint_url: str, batches: int) -> Section:
    measured: Mapping[str, Mapping[str, list[float]]] = run_probe(
        contenders.interpreter,
        contenders.keyscope,
        process_environment(contenders.keyscope, endpoint_url),
        *("steps", str(scenario), str(batches)),
    )
    rows: list[tuple[Cell, ...]] = []
    for step in measured["basic"]:
        cells: list[Cell] = [step]
        for event in EVENTS:
            samples = measured[event][step]
            cells += [round(median(samples), 1), interquartile(samples)]
        rows.append(tuple(cells))
    return Section(
        tables=(
            Table(
                "steps",
                "Keyscope's steps, CPU microseconds",
                ("step", "Basic", "middle half", "JWT", "middle half"),
                tuple(rows),
                "Each by itself, interleaved, record and secret remembered. A log line costs what "
                "'log and metrics' costs beyond 'metrics alone'.",
            ),
        )
    )


def _round_trips(contenders: Contenders, scenario: Path, endpoint_url: str, number: int) -> Section:
    try:
        find_emulator()
    except EmulatorError as missing:
        return Section(skipped=(f"Round trips through the emulator: {missing}",))
    bodies = {event: event_body(scenario, event) for event in EVENTS}
    with ExitStack() as stack:
        running = {
            contender.name: stack.enter_context(
                emulated(contenders.interpreter, contender, endpoint_url)
            )
            for contender in _compiled(contenders)
        }
        pairs = [(name, event) for name in running for event in EVENTS]
        for name, event in pairs * 5:
            running[name].invoke(bodies[event])
        elapsed: dict[tuple[str, str], list[float]] = {pair: [] for pair in pairs}
        used: dict[tuple[str, str], list[float]] = {pair: [] for pair in pairs}
        for name, event in _shuffled(pairs, number):
            before = running[name].cpu_seconds()
            elapsed[name, event].append(running[name].invoke(bodies[event]))
            used[name, event].append(running[name].cpu_seconds() - before)
    noop = contenders.noop.name
    ours = contenders.keyscope.name
    return Section(
        tables=(
            Table(
                "round_trip",
                "Round trip through the Lambda runtime emulator, warm, record cached",
                (
                    *("contender", "credential", "elapsed ms", "middle half", "of the no-op"),
                    "CPU of the runtime, us",
                ),
                tuple(
                    (
                        *(name, EVENTS[event]),
                        round(median(elapsed[name, event]) * 1_000, 3),
                        interquartile(elapsed[name, event], 1_000),
                        str(paired_ratio(elapsed[name, event], elapsed[noop, event])),
                        round(median(used[name, event]) * 1_000_000),
                    )
                    for name, event in pairs
                ),
                "Each emulator runs all the time, one is asked at a time, in random order. "
                "Differences under 0.2 ms are noise on a busy machine.",
            ),
        ),
        targets=tuple(
            Target(
                f"emulator round trip, {EVENTS[event]}, of the no-op's",
                round(median(elapsed[ours, event]) / median(elapsed[noop, event]), 3),
                limit=limit,
            )
            for event, limit in ROUND_TRIP_LIMITS.items()
        ),
    )


def _compiled(contenders: Contenders) -> Sequence[Contender]:
    """Return all that differ once they are warm."""
    return contenders.noop, contenders.keyscope, contenders.peer


def _shuffled(pairs: Sequence[tuple[str, str]], rounds: int) -> Iterator[tuple[str, str]]:
    chooser = random.Random(1)  # noqa: S311 - an order, no secret
    for _ in range(rounds):
        yield from chooser.sample(pairs, len(pairs))
