"""How the handler's work grows with what there is: apps, keys of an owner, remembered keys.

    python -m benchmarks.probes.counts SCENARIO LARGEST BATCHES

Each time is of the real code; only the store behind the cache is made up.
"""

import json
import sys
import time
import tracemalloc
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.probes.steps import CannedClients, make_authorizer
from benchmarks.timing import cpu_microseconds
from keyscope.access.policy import PolicyDocument, size_in_bytes
from keyscope.authorize.event import read_rest_event
from keyscope.authorize.key_cache import KeyCache
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.model.ids import ACCOUNT_ID_LENGTH, APP_ID_LENGTH, OwnerType, account_id_of
from keyscope.model.key_record import KeyRecord, Lookup, RecordSource

KEYS_PER_OWNER = (1, 2, 5, 10)
"""An owner has at most ten keys."""
REMEMBERED = (100, 1_000, 10_000, 100_000)
"""The largest is the most that the setting takes."""
BOUND = 10_000
"""The setting's default."""
APP_COUNTS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class NumberedKeys:
    """A store of any number of keys, each made when it is asked for."""

    owner_id: str

    def get(self, key_id: str, /, *, fresh: bool = False) -> Lookup:
        """Return a record of its own for each key."""
        del fresh
        octets = bytes.fromhex(key_id[4:])
        record = KeyRecord(key_id, OwnerType.APP, self.owner_id, octets * 2 + bytes(8), octets * 16)
        return Lookup(record, RecordSource.TABLE)


def by_apps(authorizer: Authorizer, event: object, largest: int, batches: int) -> list[list[Any]]:
    """Return, for each number of apps in the account, bytes of the policy, time, apps reached.

    The policy is matched against the first and the last app's paths: its one pattern holds all.
    """
    decision = authorize(event, read_rest_event, authorizer)
    if decision.principal is None:
        message = "the account's key was refused"
        raise RuntimeError(message)
    account_id = decision.principal.account_id
    rows = []
    for count in (number for number in APP_COUNTS if number <= largest):
        apps = [f"{account_id}0000{number:08x}" for number in range(count)]
        samples = cpu_microseconds(
            {"handler": lambda: authorize(event, read_rest_event, authorizer)}, rounds=batches
        )["handler"]
        policy = authorize(event, read_rest_event, authorizer).policy
        if policy is None:
            message = "no policy was made"
            raise RuntimeError(message)
        reached = sum(_reaches(policy, app) for app in apps)
        rows.append([count, size_in_bytes(policy), _listing_bytes(policy, apps), samples, reached])
    return rows


def by_keys(store: NumberedKeys, batches: int) -> list[list[Any]]:
    """Return, for each number of keys that one owner uses in turn, the time of a look-up."""
    rows = []
    for count in KEYS_PER_OWNER:
        cache = KeyCache(store, time.time, fresh_seconds=300, stale_seconds=900, max_entries=BOUND)
        key_ids = cycle([f"app_{number:024x}" for number in range(count)])
        samples = cpu_microseconds({"look-up": lambda: cache.get(next(key_ids))}, rounds=batches)  # noqa: B023 - used at once
        rows.append([count, samples["look-up"]])
    return rows


def by_remembered(store: NumberedKeys, largest: int, batches: int) -> list[list[Any]]:
    """Return, for each number of keys seen and each bound, the memory and the time of a hit."""
    rows = []
    for bound in (BOUND, REMEMBERED[-1]):
        for count in (number for number in REMEMBERED if number <= max(largest, REMEMBERED[0])):
            key_ids = [f"app_{number:024x}" for number in range(count)]
            tracemalloc.start()
            cache = KeyCache(
                store, time.time, fresh_seconds=300, stale_seconds=900, max_entries=bound
            )
            for key_id in key_ids:
                cache.get(key_id)
            memory, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            last = cycle(key_ids[-100:])
            samples = cpu_microseconds({"hit": lambda: cache.get(next(last))}, rounds=batches)  # noqa: B023 - used at once
            rows.append([bound, count, memory, samples["hit"]])
    return rows


def main(path: str, largest: str, batches: str) -> None:
    """Measure and write JSON."""
    scenario = json.loads(Path(path).read_text("utf-8"))
    authorizer = make_authorizer(CannedClients(scenario))
    event = scenario["events"]["basic_account"]
    decision = authorize(event, read_rest_event, authorizer)
    account_id = account_id_of(decision.principal.account_id if decision.principal else "")
    store = NumberedKeys(f"{account_id}0000{1:08x}")
    measured = {
        "apps": by_apps(authorizer, event, int(largest), int(batches)),
        "keys": by_keys(store, int(batches)),
        "remembered": by_remembered(store, int(largest), int(batches)),
    }
    sys.stdout.write(json.dumps(measured))


def _reaches(policy: PolicyDocument, app_id: str) -> bool:
    """Match a path of the app as IAM does: a star stands only at the end of a resource."""
    resources = policy["Statement"][0]["Resource"]
    asked = resources[0].split("/GET/")[0] + f"/GET/v2/apps/{app_id}/conversations"
    return any(
        asked.startswith(resource[:-1]) if resource.endswith("*") else asked == resource
        for resource in resources
    )


def _listing_bytes(policy: PolicyDocument, apps: list[str]) -> int:
    """Return the size of the same policy, had it named each app: one resource a method and app."""
    patterns = [r for r in policy["Statement"][0]["Resource"] if r.endswith("*")]
    separator = len('", "')
    named = sum(
        len(pattern) - 1 + APP_ID_LENGTH - ACCOUNT_ID_LENGTH + len("/*") + separator
        for pattern in patterns
    )
    return size_in_bytes(policy) + named * len(apps)


if __name__ == "__main__":
    main(*sys.argv[1:])
