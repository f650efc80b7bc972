"""What a process takes of this machine while it works: memory, file descriptors, threads."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

SAMPLE_SECONDS: Final = 0.1

MAX_GROWTH_MB: Final = 2
"""From the second to the last quarter."""
MAX_STEADY_STEP_MB: Final = 0.5
"""What no process may grow by, or more, from each quarter to the next."""
MAX_MORE_HANDLES: Final = 3
"""Threads or descriptors, by their medians: the embedded AWS opens and closes some all the time."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """A process at one moment; `resident_mb` is its resident set in megabytes."""

    resident_mb: float
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Trend:
    """A process over time: the medians of each quarter."""

    quarters: Sequence[Footprint]


def footprint(process_id: int) -> Footprint:
    """Read a process's footprint from /proc."""
    folder = Path("/proc") / str(process_id)
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    return Footprint(
        resident_mb=int(status["VmRSS"].split()[0]) / 1_024,
        descriptors=len(list((folder / "fd").iterdir())),
        threads=int(status["Threads"]),
    )


@contextmanager
def sampled(process_id: int) -> Iterator[list[Footprint]]:
    """Sample a process's footprint for as long as the context lasts."""
    samples: list[Footprint] = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            samples.append(footprint(process_id))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield samples
    finally:
        ended.set()
        sampler.join()


def trend_of(samples: Sequence[Footprint]) -> Trend:
    """Return the medians of the samples' quarters."""
    size = len(samples) // 4
    return Trend([_median(samples[start * size : (start + 1) * size]) for start in range(4)])


def growth_of(trend: Trend) -> list[str]:
    """Tell what of a process grew beyond the bounds."""
    _, second, _, last = trend.quarters
    sizes = [quarter.resident_mb for quarter in trend.quarters]
    growth = {
        f"grew by {last.resident_mb - second.resident_mb:.1f} MB": (
            last.resident_mb - second.resident_mb > MAX_GROWTH_MB
        ),
        f"grew all the time: {sizes} MB": (
            min(after - before for before, after in pairwise(sizes)) > MAX_STEADY_STEP_MB
        ),
        f"opened files: {second.descriptors}, then {last.descriptors}": (
            last.descriptors > second.descriptors + MAX_MORE_HANDLES
        ),
        f"started threads: {second.threads}, then {last.threads}": (
            last.threads > second.threads + MAX_MORE_HANDLES
        ),
    }
    return [what for what, happened in growth.items() if happened]


def _median(samples: Sequence[Footprint]) -> Footprint:
    return Footprint(
        resident_mb=median(sample.resident_mb for sample in samples),
        descriptors=round(median(sample.descriptors for sample in samples)),
        threads=round(median(sample.threads for sample in samples)),
    )
