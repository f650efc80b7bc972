"""What each hostile credential costs an authorizer: CPU time of the handler's thread.

    python -m benchmarks.hostile_input [--repeats 30]

The REST authorizer's handler runs in this process over an embedded AWS in threads of its own,
whose CPU time does not count. Every key record is read each time (no container cache). What writes
the log is part of the cost; what it writes is thrown away. Exit status 0, whatever the times.
"""

import argparse
import gc
import io
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from statistics import median
from typing import Final

from keyscope.authorize.answer import AuthorizerFailed, Unauthorized
from keyscope.authorize.event import read_rest_event
from keyscope.entry.authorizer import authorizer_handler
from tests.support.attacks import Attack, basic_attacks, bearer_secret_attacks, header_attacks
from tests.support.seeded_aws import Context, SeededAws, seeded_aws
from tests.support.token_attacks import token_attacks

LIMIT_MICROSECONDS: Final = 5_000
ROUNDS_BEFORE: Final = 3
"""Runs that are not measured: the first ones open connections and make clients."""


def main() -> None:
    """Measure every attack and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=30, help="measured runs of each attack")
    repeats: int = parser.parse_args().repeats
    with seeded_aws() as aws:
        rows = [(attack, times) for attack, times in _measured(aws, repeats)]
    _print_table(rows, repeats)


def _measured(aws: SeededAws, repeats: int) -> Iterator[tuple[Attack, Sequence[float]]]:
    key = aws.keys.app_key
    uncached = {**aws.variables, "KEYSCOPE_KEY_CACHE_SECONDS": "0"}
    with _quiet():
        handler = authorizer_handler("bench_hostile", read_rest_event, uncached)
        for attacks in (header_attacks, basic_attacks, bearer_secret_attacks, token_attacks):
            for attack in attacks(key.key_id, key.secret):
                event = attack.rest_request()
                yield attack, _times(partial(handler, event, Context()), repeats)


def _times(ask: Callable[[], object], repeats: int) -> Sequence[float]:
    """Return microseconds of CPU, each run on its own; the garbage collector waits."""
    times = []
    gc.disable()
    for _ in range(ROUNDS_BEFORE + repeats):
        started = time.thread_time()
        try:
            ask()
        except (Unauthorized, AuthorizerFailed):
            times.append((time.thread_time() - started) * 1_000_000)
    gc.enable()
    return times[ROUNDS_BEFORE:]


@contextmanager
def _quiet() -> Iterator[None]:
    with redirect_stdout(io.StringIO()):
        yield


def _print_table(rows: Sequence[tuple[Attack, Sequence[float]]], repeats: int) -> None:
    slowest = sorted(rows, key=lambda row: median(row[1]), reverse=True)
    write = sys.stdout.write
    write(f"{'attack':62} {'reason':28} {'median us':>10} {'max us':>10}\n")
    for attack, times in slowest:
        over = "  over 5 ms" if max(times) > LIMIT_MICROSECONDS else ""
        name = attack.name.encode("ascii", "replace").decode()[:62]
        write(f"{name:62} {attack.reason:28} {median(times):10.0f} {max(times):10.0f}{over}\n")
    medians = [median(times) for _, times in rows]
    too_slow = sum(max(times) > LIMIT_MICROSECONDS for _, times in rows)
    write(f"\n{len(rows)} attacks, {repeats} runs each: median {median(medians):.0f} us, ")
    write(f"slowest median {max(medians):.0f} us; over 5 ms in any run: {too_slow}\n")


if __name__ == "__main__":
    main()
