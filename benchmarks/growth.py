"""Growth: what the handler's work and the bill do as apps, keys and requests become many."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.contenders import Contenders, process_environment
from benchmarks.effort import Effort
from benchmarks.monthly import HandlerTimes, measure_months
from benchmarks.processes import run_probe
from benchmarks.results import Section, Table, Target, joined
from benchmarks.spread import interquartile

CONSTANT: Final = 1.0
"""A policy's size does not depend on the number of apps."""


def measure_growth(
    contenders: Contenders,
    scenario: Path,
    endpoint_url: str,
    effort: Effort,
    hot_path: Section | None,
) -> Section:
    """Measure all of it; the handler's times come from the hot path where that was measured."""
    measured: Mapping[str, list[list[Any]]] = run_probe(
        contenders.interpreter,
        contenders.keyscope,
        process_environment(contenders.keyscope, endpoint_url),
        *("counts", str(scenario), str(effort.largest_count), str(effort.batches)),
    )
    times = HandlerTimes() if hot_path is None else _handler_times(hot_path)
    return joined([_counts(measured), measure_months(effort.simulated_requests, times)])


def _counts(measured: Mapping[str, list[list[Any]]]) -> Section:
    policies = [row[1] for row in measured["apps"]]
    return Section(
        tables=(
            Table(
                "apps",
                "Apps in an account, for its key",
                (
                    *("apps", "policy bytes", "bytes if it named each app", "decide, CPU us"),
                    *("middle half", "apps reached"),
                ),
                tuple(
                    (
                        count,
                        size,
                        listing,
                        round(median(samples), 1),
                        interquartile(samples),
                        reached,
                    )
                    for count, size, listing, samples, reached in measured["apps"]
                ),
            ),
            Table(
                "keys",
                "Keys of one owner, used in turn",
                ("keys", "look-up, CPU us", "middle half"),
                tuple(
                    (count, round(median(samples), 2), interquartile(samples))
                    for count, samples in measured["keys"]
                ),
                "An owner has at most ten keys.",
            ),
            Table(
                "remembered",
                "Keys that a container remembers",
                ("bound", "keys seen", "MB", "bytes each kept", "hit, CPU us"),
                tuple(
                    (
                        *(bound, count, round(memory / 1e6, 2)),
                        round(memory / min(bound, count)),
                        round(median(samples), 2),
                    )
                    for bound, count, memory, samples in measured["remembered"]
                ),
                "Memory as tracemalloc counts it, with records whose sealed secret is 192 bytes.",
            ),
        ),
        targets=(
            Target(
                f"policy bytes for {measured['apps'][-1][0]:,} apps, of those for one",
                round(policies[-1] / policies[0], 3),
                limit=CONSTANT,
            ),
        ),
    )


def _handler_times(hot_path: Section) -> HandlerTimes:
    (handler,) = [table for table in hot_path.tables if table.name == "handler"]
    found = {
        (row[0], row[1], row[2]): float(row[3]) / 1_000
        for row in handler.rows
        if isinstance(row[3], int | float)
    }
    return HandlerTimes(
        cached=found["Keyscope", "JWT", "record cached"],
        read=found["Keyscope", "JWT", "record read each time"],
    )
