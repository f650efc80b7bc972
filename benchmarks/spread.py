"""Medians with their spread."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Final

RESAMPLES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of medians, and the interval that holds 95 % of its bootstrap resamples."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Show it with its interval."""
        return f"{self.value:.2f} ({self.low:.2f}..{self.high:.2f})"


def paired_ratio(over: Sequence[float], under: Sequence[float]) -> Ratio:
    """Return the ratio of two medians; samples at one index were taken in one round.

    Whole rounds are resampled, so that a machine which was slow for a while does not count as
    spread of the ratio.
    """
    rounds = list(zip(over, under, strict=True))
    chooser = random.Random(1)  # noqa: S311 - a repeatable draw, no secret
    drawn = sorted(
        median(a for a, _ in sample) / median(b for _, b in sample)
        for sample in (chooser.choices(rounds, k=len(rounds)) for _ in range(RESAMPLES))
    )
    low, high = drawn[int(RESAMPLES * 0.025)], drawn[int(RESAMPLES * 0.975)]
    return Ratio(median(over) / median(under), low, high)


def quartiles(samples: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile."""
    if len(samples) == 1:
        return samples[0], samples[0], samples[0]
    low, middle, high = quantiles(samples, n=4, method="inclusive")
    return low, middle, high


def interquartile(samples: Sequence[float], scale: float = 1.0) -> str:
    """Show the middle half of the samples."""
    low, _, high = quartiles(samples)
    return f"{low * scale:.1f}..{high * scale:.1f}"
