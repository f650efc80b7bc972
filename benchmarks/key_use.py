"""What recording the use of keys takes: writes and dollars, and that no use is lost.

A million lines of 5,000 keys go through the real recorder, in small batches as CloudWatch Logs
delivers them: those of one container and a few seconds, some late, some twice. Then the lines of
simulated months (`traffic.py`) do, each in a batch of its own, which costs the most.
"""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from benchmarks.log_volume import LOG_EVENT_BYTES
from benchmarks.monthly import API_CACHE_SECONDS, VOLUMES, settings_of_template
from benchmarks.prices import (
    DYNAMODB_WRITE,
    GIGABYTE,
    LAMBDA_GB_SECOND,
    LAMBDA_REQUEST,
    LOG_BYTES,
    MILLION,
    MONTH_SECONDS,
    NOTED,
)
from benchmarks.results import Section, Table, Target
from benchmarks.traffic import Simulation, Traffic
from keyscope.lifecycle.key_use import (
    WRITE_INTERVAL_SECONDS,
    KeyUse,
    LogLine,
    UseRecorder,
)
from keyscope.model.key_use import INTERVAL_SECONDS, USE_FORMAT, USE_MESSAGE

KEYS: Final = 5_000
CONTAINERS: Final = 40
DELIVERY_SECONDS: Final = 5
"""Assumed: the lines of one container that come within this time are delivered together."""
REPEATED_SHARE: Final = 0.01
LATE_SHARE: Final = 0.01
"""Assumed, of the batches: delivered twice, and delivered after the next ones."""
FUNCTION_GB: Final = 0.25
"""The template's memory for the key use function, 256 MB."""
BATCH_MS: Final = 10.0
WRITE_MS: Final = 12.0
"""Assumed, with this memory's share of a CPU: to read a batch, and for each write."""
PLATFORM_LOG_BYTES: Final = 300 + 3 * LOG_EVENT_BYTES
"""Lambda's own START, END and REPORT lines; the key use function's log is text."""
START: Final = 1_800_000_000


@dataclass(slots=True)
class CountingTable:
    """Last uses in memory, which only move forward; a write that changes nothing costs, too."""

    uses: dict[str, int] = field(default_factory=dict)
    writes: int = 0

    def record(self, use: KeyUse, /) -> bool:
        """Record a use unless a later one is recorded."""
        self.writes += 1
        if self.uses.get(use.key_id, -1) >= use.used_at:
            return False
        self.uses[use.key_id] = use.used_at
        return True


def line_of(key_id: str, used_at: int) -> str:
    """Return a line as the authorizers write it."""
    members = {
        "level": "INFO",
        "message": USE_MESSAGE,
        "timestamp": "2026-11-28T12:00:00.000Z",
        "service": "rest_authorizer",
        "format": USE_FORMAT,
        "key_id": key_id,
        "used_at": used_at,
    }
    return json.dumps(members, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of the lines: batches, writes, and the keys whose use was lost."""

    lines: int
    batches: int
    writes: int
    lost: int


def replay(lines: int, draw: random.Random) -> Replayed:
    """Send lines of 5,000 keys through the recorder.

    Each container has a line of each key in every `INTERVAL_SECONDS`, at a time of its own.
    """
    latest: dict[str, int] = {}
    table = CountingTable()
    recorder = UseRecorder(table, lambda: START + 10**9)
    batches = 0
    for batch in _delivered(lines, draw, latest):
        batches += 1
        recorder.record([LogLine("", line) for line in batch])
    lost = sum(
        not 0 <= used_at - table.uses.get(key_id, -(10**9)) < WRITE_INTERVAL_SECONDS
        for key_id, used_at in latest.items()
    )
    return Replayed(lines, batches, table.writes, lost)


def _delivered(lines: int, draw: random.Random, latest: dict[str, int]) -> Iterator[list[str]]:
    """Yield batches in the order of their delivery; note each key's latest use."""
    phases = [[draw.randrange(INTERVAL_SECONDS) for _ in range(KEYS)] for _ in range(CONTAINERS)]
    in_slot: dict[tuple[int, int], list[int]] = {}
    for container, phase in enumerate(phases):
        for key, second in enumerate(phase):
            in_slot.setdefault((second // DELIVERY_SECONDS, container), []).append(key)
    order = sorted(in_slot)
    late: list[list[str]] = []
    sent = turn = 0
    while sent < lines:
        for slot, container in order:
            keys = in_slot[slot, container][: lines - sent]
            if not keys:
                break
            sent += len(keys)
            batch = []
            for key in keys:
                used_at = START + turn * INTERVAL_SECONDS + phases[container][key]
                key_id = f"app_{key:024x}"
                latest[key_id] = max(used_at, latest.get(key_id, 0))
                batch.append(line_of(key_id, used_at))
            if draw.random() < LATE_SHARE:
                late.append(batch)
                continue
            yield batch
            if draw.random() < REPEATED_SHARE:
                yield batch
            if late and draw.random() < LATE_SHARE:
                yield late.pop()
        turn += 1
    yield from late


def dollars(lines: float, batches: float, writes: float) -> float:
    """Return what lines, their batches and writes cost, in US dollars of the first tier."""
    line_bytes = len(line_of("app_" + "0" * 24, START)) + LOG_EVENT_BYTES
    gb_seconds = (batches * BATCH_MS + writes * WRITE_MS) / 1_000 * FUNCTION_GB
    return (
        (lines * line_bytes + batches * PLATFORM_LOG_BYTES) * LOG_BYTES[0][1]
        + batches * LAMBDA_REQUEST
        + gb_seconds * LAMBDA_GB_SECOND
        + writes * DYNAMODB_WRITE
    )


def measure_key_use(lines: int, simulated_requests: int) -> Section:
    """Measure both; `lines` is how many are replayed."""
    replayed = replay(lines, random.Random(1))  # noqa: S311 - a repeatable draw, no secret
    months = {
        requests: _month(requests, simulated_requests)
        for requests in VOLUMES
        if requests / MONTH_SECONDS * API_CACHE_SECONDS <= 20 * simulated_requests
    }
    return Section(
        tables=(_replay_table(replayed), _months_table(months)),
        targets=(Target("keys whose last use was lost", float(replayed.lost), limit=0),),
    )


@dataclass(frozen=True, slots=True)
class _Month:
    """Numbers for each million requests."""

    lines: float
    writes: float


def _month(requests: int, simulated_requests: int) -> _Month:
    keys, containers = VOLUMES[requests]
    per_second = requests / MONTH_SECONDS
    traffic = Traffic(per_second, keys, containers)
    simulation = Simulation(traffic, settings_of_template(), API_CACHE_SECONDS)
    simulation.run(max(INTERVAL_SECONDS, simulated_requests / per_second / 2))
    table = CountingTable()
    recorder = UseRecorder(table, simulation.now)
    counts = simulation.run(
        max(INTERVAL_SECONDS, simulated_requests / per_second),
        lambda key_id, now: recorder.record([LogLine("", line_of(key_id, int(now)))]),
    )
    scale = MILLION / counts.requests
    return _Month(counts.use_lines * scale, table.writes * scale)


def _replay_table(replayed: Replayed) -> Table:
    each = dollars(replayed.lines, replayed.batches, replayed.writes)
    return Table(
        "use",
        f"Recording the use of {KEYS:,} keys in {CONTAINERS} containers",
        ("lines", "batches", "writes", "keys whose use was lost", "US dollars"),
        ((replayed.lines, replayed.batches, replayed.writes, replayed.lost, round(each, 2)),),
        f"A use is lost if the recorded one is {WRITE_INTERVAL_SECONDS} s or more before it, or"
        f" after it. {REPEATED_SHARE:.0%} of the batches came twice, {LATE_SHARE:.0%} late.",
    )


def _months_table(months: Mapping[int, _Month]) -> Table:
    return Table(
        "use of months",
        "What recording uses takes for each million requests",
        ("requests a month", "lines", "writes", "US dollars"),
        tuple(
            (
                *(requests, round(month.lines), round(month.writes)),
                round(dollars(month.lines, month.lines, month.writes), 3),
            )
            for requests, month in months.items()
        ),
        f"Each line in a batch of its own, which costs the most. Prices noted on {NOTED}; logs at "
        f"{LOG_BYTES[0][1] * GIGABYTE:.2f} a GB.",
    )
