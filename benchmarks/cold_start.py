"""Cold start: CPU of importing the handler, first answers, and the whole of it in the emulator."""

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.contenders import Contender, Contenders, process_environment, zipped_bytes
from benchmarks.effort import Effort
from benchmarks.emulated import emulated, event_body
from benchmarks.goals import COLD_TLS, LAYERS, MEMORY
from benchmarks.instructions import count_instructions
from benchmarks.processes import run_start
from benchmarks.results import Section, Table, joined
from benchmarks.spread import interquartile, paired_ratio
from benchmarks.tls import SecureAws, secure_aws
from keyscope_local.emulators.runtime_emulator import EmulatorError, find_emulator

EVENTS: Final = ("basic", "jwt")
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
    layers = _layers(contenders)
    with secure_aws(scenario, contenders) as aws:
        imports = _imports(contenders, scenario, aws, effort.start_rounds)
    return joined(
        [
            layers,
            imports,
            counted,
            _in_the_emulator(contenders, scenario, endpoint_url, effort.emulator_rounds),
        ]
    )


def _layers(contenders: Contenders) -> Section:
    folders = list(contenders.layers.values())
    sizes = {name: zipped_bytes(folder) for name, folder in contenders.layers.items()}
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
        targets=(LAYERS.of(sum(sizes.values()) / 1e6),),
    )


def _imports(contenders: Contenders, scenario: Path, aws: SecureAws, rounds: int) -> Section:
    samples: dict[tuple[str, str], list[float]] = {}
    peaks: dict[str, list[float]] = {}
    for contender, event in _in_random_order(contenders.all, rounds):
        found = run_start(
            contenders.interpreter,
            contender,
            {**process_environment(contender, aws.endpoint_url), **aws.trust_of(contender)},
            *(str(scenario), event),
        )
        peaks.setdefault(contender.name, []).append(found["peak"])
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
    times = Section(
        tables=(
            Table(
                "cold_cpu",
                "Cold start in CPU time: from the start of the process, with AWS over TLS",
                ("contender", "until", "CPU ms", "middle half", *_PEERS),
                _rows(contenders, samples, kinds),
                "User and system time of fresh processes in random order, median; the ratio with "
                "its 95 % bootstrap interval. The first JWT connects to DynamoDB and to KMS, and "
                "each contender trusts all of botocore's roots. "
                "'typical' has valid .pyc files, better than `sam build` ships it: its builder "
                "unpacks wheels and compiles nothing, which is the other one.",
            ),
        ),
        targets=(COLD_TLS.of(_ratio(contenders.keyscope, contenders.peer, samples, "jwt")),),
    )
    return joined([times, _memory(contenders, peaks)])


def _memory(contenders: Contenders, peaks: Mapping[str, list[float]]) -> Section:
    if not all(all(found) for found in peaks.values()):
        return Section(skipped=("Peak memory: this system has no /proc.",))
    middles = {name: median(found) for name, found in peaks.items()}
    peer = middles[contenders.peer.name]
    return Section(
        tables=(
            Table(
                "memory",
                "Peak memory of a process after the import",
                ("contender", "MB", "middle half", "of typical"),
                tuple(
                    (
                        *(contender.name, round(middles[contender.name] / 1e6, 1)),
                        interquartile(peaks[contender.name], 1e-6),
                        round(middles[contender.name] / peer, 3),
                    )
                    for contender in contenders.all
                ),
                "The largest resident set (VmHWM), of the same fresh processes.",
            ),
        ),
        targets=(MEMORY.of(middles[contenders.keyscope.name] / peer),),
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
                "CPU time of the runtime's process. Elapsed time includes the network to a canned "
                "AWS on this machine, without TLS, and whatever else the machine did.",
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
