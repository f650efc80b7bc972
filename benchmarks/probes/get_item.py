"""One client's `GetItem`: CPU time of this process for each read of a key record.

    python -m benchmarks.probes.get_item keyscope|boto3 SCENARIO CALLS

Each client is imported by itself, because each runs among other packages.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Final

WARM_UP_CALLS: Final = 30


def by_keyscope(table: str) -> Callable[[str], object]:
    """Return the authorizer's own read, up to the key record."""
    from keyscope.aws.deadline import Deadlines
    from keyscope.aws.dynamodb.key_table import KeyTable
    from keyscope.aws.lean.client import LeanClient

    return KeyTable(LeanClient(os.environ, Deadlines()), table).get


def by_boto3(table: str) -> Callable[[str], object]:
    """Return what most code does."""
    import boto3

    keys = boto3.resource("dynamodb").Table(table)
    return lambda key_id: keys.get_item(Key={"key_id": key_id}, ConsistentRead=True)["Item"]


def main(client: str, scenario: str, calls: str) -> None:
    """Measure and write JSON: microseconds of CPU for each call, on average."""
    key_ids = cycle(json.loads(Path(scenario).read_text("utf-8"))["items"])
    read = {"keyscope": by_keyscope, "boto3": by_boto3}[client](os.environ["KEYSCOPE_KEYS_TABLE"])
    for _ in range(WARM_UP_CALLS):
        read(next(key_ids))
    started = time.process_time_ns()
    for _ in range(int(calls)):
        read(next(key_ids))
    used = (time.process_time_ns() - started) / 1_000 / int(calls)
    sys.stdout.write(json.dumps({"cpu": used}))


if __name__ == "__main__":
    main(*sys.argv[1:])
