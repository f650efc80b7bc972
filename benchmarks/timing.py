"""CPU time of small steps, interleaved so that a slow moment of the machine meets them all."""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import Final

Step = Callable[[], object]

WARM_UP_CALLS: Final = 50


def cpu_microseconds(
    steps: Mapping[str, Step], *, rounds: int, batch_seconds: float = 0.01
) -> dict[str, list[float]]:
    """Return the CPU time of one call of each step, once per round, each over a batch of calls."""
    sizes = {name: _calls_within(step, batch_seconds) for name, step in steps.items()}
    chooser = random.Random(1)  # noqa: S311 - an order, no secret
    samples: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name in chooser.sample(sorted(steps), len(steps)):
            samples[name].append(_cpu_of_batch(steps[name], sizes[name]))
    return samples


def wall_microseconds(step: Step, calls: int) -> list[float]:
    """Return the elapsed time of each call by itself."""
    samples = []
    for _ in range(calls):
        started = time.perf_counter_ns()
        step()
        samples.append((time.perf_counter_ns() - started) / 1_000)
    return samples


@contextmanager
def output_to_nowhere() -> Iterator[int]:
    """Send standard output to /dev/null, as costly as a pipe is, and yield the real one.

    To be entered before a handler is imported: a logger keeps the output that it began with.
    """
    real = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield real
    finally:
        os.dup2(real, 1)


def _calls_within(step: Step, seconds: float) -> int:
    for _ in range(WARM_UP_CALLS):
        step()
    once = median(_cpu_of_batch(step, 10) for _ in range(5)) / 1_000_000
    return max(1, round(seconds / max(once, 1e-8)))


def _cpu_of_batch(step: Step, calls: int) -> float:
    started = time.process_time_ns()
    for _ in range(calls):
        step()
    return (time.process_time_ns() - started) / 1_000 / calls
