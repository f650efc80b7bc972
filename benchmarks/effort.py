"""How much is measured: enough for a figure, or just enough to see that the programs work."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Effort:
    """Rounds and sizes; each round starts or asks every contender once, in random order."""

    start_rounds: int
    emulator_rounds: int
    round_trips: int
    warm_rounds: int
    batches: int
    calls: int
    largest_count: int
    simulated_requests: int
    use_lines: int
    instructions: bool


FULL: Final = Effort(
    start_rounds=15,
    emulator_rounds=7,
    round_trips=400,
    warm_rounds=5,
    batches=15,
    calls=300,
    largest_count=1_000_000,
    simulated_requests=400_000,
    use_lines=1_000_000,
    instructions=True,
)
QUICK: Final = Effort(
    start_rounds=1,
    emulator_rounds=1,
    round_trips=5,
    warm_rounds=1,
    batches=3,
    calls=20,
    largest_count=1_000,
    simulated_requests=5_000,
    use_lines=2_000,
    instructions=False,
)
