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
from benchmarks.goals import HANDLER, ROUND_TRIP
from benchmarks.miss import measure_misses
from benchmarks.processes import run_probe
from benchmarks.results import Cell, Section, Table, joined
from benchmarks.spread import interquartile, paired_ratio
from keyscope_local.emulators.runtime_emulator import EmulatorError, find_emulator

EVENTS: Final = {"basic": "Basic", "jwt": "JWT"}
CACHED: Final = "record cached"
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
    measured = [*_compiled(contenders), *([contenders.before] if contenders.before else [])]
    cases = [
        *((contender, CACHED, {}) for contender in measured),
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
    handlers = Section(
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
    )
    return joined([handlers, _since(contenders, cpu)])


def _since(contenders: Contenders, cpu: Mapping[tuple[str, str, str], list[float]]) -> Section:
    """Compare with the earlier commit; both are measured in each round."""
    before, now = contenders.before, contenders.keyscope
    if before is None:
        missing = "The handler of an earlier commit: `make bench BEFORE=<commit>` measures it, too."
        return Section(skipped=(missing,))
    ratios = {
        event: paired_ratio(cpu[now.name, CACHED, event], cpu[before.name, CACHED, event])
        for event in EVENTS
    }
    return Section(
        tables=(
            Table(
                "since",
                f"In the warm handler, record cached, of commit {before.name}",
                ("credential", "CPU us then", "CPU us now", "of then"),
                tuple(
                    (
                        EVENTS[event],
                        round(median(cpu[before.name, CACHED, event]), 1),
                        round(median(cpu[now.name, CACHED, event]), 1),
                        str(ratio),
                    )
                    for event, ratio in ratios.items()
                ),
                "The earlier authorizer runs with its own layers and settings, in the same rounds.",
            ),
        ),
        targets=tuple(HANDLER[event].of(ratio.value) for event, ratio in ratios.items()),
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
            ROUND_TRIP[event].of(median(elapsed[ours, event]) / median(elapsed[noop, event]))
            for event in EVENTS
        ),
    )


def _compiled(contenders: Contenders) -> Sequence[Contender]:
    """Return all that differ once they are warm."""
    return contenders.noop, contenders.keyscope, contenders.peer


def _shuffled(pairs: Sequence[tuple[str, str]], rounds: int) -> Iterator[tuple[str, str]]:
    chooser = random.Random(1)  # noqa: S311 - an order, no secret
    for _ in range(rounds):
        yield from chooser.sample(pairs, len(pairs))
