"""The goals, in the order of the report's first table. Ratios are of medians of the same run."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from benchmarks.results import Target


@dataclass(frozen=True, slots=True)
class Goal:
    """What a value is at most to be, and where it should go."""

    name: str
    limit: float
    aim: float

    def of(self, value: float) -> Target:
        """Return a measured value beside the goal."""
        return Target(self.name, round(value, 3), self.limit, self.aim)


COLD_INSTRUCTIONS: Final = Goal(
    "cold start, instructions to imported handler with clients, of 'typical'", 0.30, 0.20
)
COLD_TLS: Final = Goal("cold start, CPU over TLS to the first JWT answer, of 'typical'", 0.30, 0.20)
READ: Final = Goal("a read's CPU in the client, of boto3.resource's", 0.35, 0.25)
HANDLER: Final = {
    "basic": Goal("handler, record cached, of an earlier commit's, paired: Basic", 0.65, 0.50),
    "jwt": Goal("handler, record cached, of an earlier commit's, paired: JWT", 0.70, 0.57),
}
ROUND_TRIP: Final = {
    "basic": Goal("emulator round trip, of the no-op's: Basic", 1.28, 1.22),
    "jwt": Goal("emulator round trip, of the no-op's: JWT", 1.28, 1.22),
}
MEMORY: Final = Goal("peak memory after import, of 'typical'", 0.40, 0.33)
LAYERS: Final = Goal("the authorizers' layers, zipped, MB", 1.0, 0.6)
MONTHS: Final = {
    1_000_000: Goal("$ a month at 1 M requests", 4.5, 3.2),
    100_000_000: Goal("$ a month at 100 M requests", 30, 24),
    10_000_000_000: Goal("$ a month at 10 G requests", 700, 600),
}
"""By requests a month."""

_ORDER: Final = tuple(
    goal.name
    for goal in (
        *(COLD_INSTRUCTIONS, COLD_TLS, READ, *HANDLER.values(), *ROUND_TRIP.values()),
        *(MEMORY, LAYERS, *MONTHS.values()),
    )
)


def in_order(targets: Iterable[Target]) -> list[Target]:
    """Return targets in the order of the goals, and any others after them."""
    places = {name: place for place, name in enumerate(_ORDER)}
    return sorted(targets, key=lambda target: places.get(target.name, len(places)))
