"""What a stranger, who has no secret, could tell apart by the time that a refusal takes.

    python -m benchmarks.side_channels [--repeats 300]

Each case is a credential that is refused. All cases of a table are asked in random order, one
after the other, so that what the machine does meanwhile falls on all of them alike. The REST
authorizer's handler runs in this process over an embedded AWS, reached over HTTP. CPU time is that
of the handler's thread. Intervals are those of the median, by order statistics, 95 %. The last
column is the difference to the unknown key's median wall time, with the sum of both half widths.
The embedded AWS needs longer itself for a key that it finds, and shares this process: in what is
read each time, CPU time tells more of Keyscope than wall time. The last case needs the secret.
"""

import argparse
import gc
import io
import random
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from math import sqrt
from statistics import median
from typing import Final

from keyscope.authorize.answer import AuthorizerFailed, Unauthorized
from keyscope.authorize.event import read_rest_event
from keyscope.entry.authorizer import AuthorizerHandler, authorizer_handler
from keyscope.lifecycle.operations import KeyRequest
from keyscope.model.ids import OwnerType, new_key_id
from keyscope.model.secret import new_secret
from tests.support.builders import basic, rest_request_event, token
from tests.support.seeded_aws import Context, SeededAws, seeded_aws

ROUNDS_BEFORE: Final = 5
UNKNOWN: Final = "unknown key"
ROUNDS_BETWEEN_COLLECTIONS: Final = 100


@dataclass
class Times:
    """Microseconds of one case."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)


def main() -> None:
    """Measure and print a table for each scheme, with and without the container's cache."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=300, help="measured runs of each case")
    repeats: int = parser.parse_args().repeats
    with seeded_aws() as aws:
        keys = _keys(aws)
        for seconds, memory in ((0, "records read each time"), (300, "records remembered")):
            variables = {**aws.variables, "KEYSCOPE_KEY_CACHE_SECONDS": str(seconds)}
            for scheme in ("Basic", "JWT"):
                with redirect_stdout(io.StringIO()):
                    handler = authorizer_handler("bench_channels", read_rest_event, variables)
                    times = _measured(handler, _events(scheme, keys), repeats)
                _print_table(f"{scheme}, {memory}, {repeats} runs each", times)


def _keys(aws: SeededAws) -> Mapping[str, tuple[str, str]]:
    """Return a key id and a secret to send with it for each case."""
    operations, app_id = aws.operations, aws.keys.app_id
    rotated = operations.create_key(OwnerType.APP, app_id, KeyRequest()).key.key_id
    operations.rotate_key(app_id, rotated, 3_600)
    expired = aws.keys.expired_key
    known, revoked = aws.keys.app_key.key_id, aws.keys.revoked_key.key_id
    unknown = new_key_id(OwnerType.APP)
    return {
        UNKNOWN: (unknown, new_secret(unknown)),
        "wrong secret": (known, new_secret(known)),
        "expired key, wrong secret": (expired.key_id, new_secret(expired.key_id)),
        "rotated key, wrong secret": (rotated, new_secret(rotated)),
        "revoked key": (revoked, new_secret(revoked)),
        "expired key, its own secret": (expired.key_id, expired.secret),
    }


def _events(scheme: str, keys: Mapping[str, tuple[str, str]]) -> Mapping[str, object]:
    values = {
        name: basic(*key) if scheme == "Basic" else f"Bearer {token(*key, {'scope': 'app'})}"
        for name, key in keys.items()
    }
    return {name: rest_request_event(value) for name, value in values.items()}


def _measured(
    handler: AuthorizerHandler, events: Mapping[str, object], repeats: int
) -> Mapping[str, Times]:
    times = {name: Times() for name in events}
    gc.disable()
    for round_number in range(ROUNDS_BEFORE + repeats):
        for name in random.sample(list(events), len(events)):
            cpu, wall = _one(handler, events[name])
            if round_number >= ROUNDS_BEFORE:
                times[name].cpu.append(cpu)
                times[name].wall.append(wall)
        if round_number % ROUNDS_BETWEEN_COLLECTIONS == 0:
            gc.collect()
    gc.enable()
    return times


def _one(handler: AuthorizerHandler, event: object) -> tuple[float, float]:
    cpu, wall = time.thread_time(), time.perf_counter()
    with suppress(Unauthorized, AuthorizerFailed):
        handler(event, Context())
    return (time.thread_time() - cpu) * 1e6, (time.perf_counter() - wall) * 1e6


def _half_width(values: Sequence[float]) -> float:
    """Return half the width of the 95 % interval of the median (order statistics)."""
    ordered = sorted(values)
    reach = int(0.98 * sqrt(len(ordered)))
    middle = len(ordered) // 2
    return (ordered[min(middle + reach, len(ordered) - 1)] - ordered[max(middle - reach, 0)]) / 2


def _print_table(title: str, times: Mapping[str, Times]) -> None:
    write = sys.stdout.write
    write(f"\n{title}\n")
    write(f"{'refused':28} {'CPU us':>16} {'wall us':>16} {'to unknown':>16}\n")
    base = times[UNKNOWN].wall
    for name, measured in times.items():
        cells = [
            f"{median(values):8.0f} +-{_half_width(values):5.0f}"
            for values in (measured.cpu, measured.wall)
        ]
        difference = median(measured.wall) - median(base)
        within = _half_width(measured.wall) + _half_width(base)
        write(f"{name:28} {cells[0]:>16} {cells[1]:>16} {difference:+8.0f} +-{within:5.0f}\n")


if __name__ == "__main__":
    main()
