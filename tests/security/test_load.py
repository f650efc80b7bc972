"""Every decision stays right under load, and the serving process does not grow.

`make run`'s gateway serves from a process of its own, with its own functions; requests of every
kind of caller come over several connections, and each answer is held against what it must be.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import httpx
import pytest

from keyscope_local.tour.seed import IssuedKey
from tests.support.ended_uses import KeyOwner, Use, end_keys
from tests.support.footprint import growth_of, sampled, trend_of
from tests.support.load import Call, load
from tests.support.load_figures import figures
from tests.support.local_run import LocalRun, local_run
from tests.support.mixed_calls import mixed_calls
from tests.support.patience import PATIENCE_SECONDS
from tests.support.profile import FULL, LOAD_SECONDS
from tests.support.report import Report

pytestmark = pytest.mark.load

CONNECTIONS: Final = 8
WARM_UP_SECONDS: Final = max(LOAD_SECONDS / 3, 5)
KEY_CACHE_SECONDS: Final = 30 if FULL else 1
KEY_CACHE_ENTRIES: Final = 30
"""So few that unknown keys fill the containers' memories while warming up."""

REFUSED_WITHIN_SECONDS: Final = 13 if FULL else PATIENCE_SECONDS
"""When an ended key is refused everywhere, beyond `KeyCacheSeconds`: the queue's margin of 2 s, its
batching window of 1 s, and 10 s for a machine that is busy with the load, and with nothing else."""


@dataclass(frozen=True)
class Target:
    """A gateway under load: its settings, and every kind of request to it."""

    policies_cached: int
    keys_cached: int
    run: LocalRun
    calls: list[Call]


@pytest.fixture(
    scope="module",
    params=[
        (300, KEY_CACHE_SECONDS),
        *([(300, 0), (0, KEY_CACHE_SECONDS), (0, 0)] if FULL else []),
    ],
    ids="policies cached {0[0]} s, keys {0[1]} s".format,
)
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    policies, keys = request.param
    settings = {
        "AuthorizerCacheSeconds": str(policies),
        "KeyCacheSeconds": str(keys),
        "KeyCacheEntries": str(KEY_CACHE_ENTRIES),
    }
    with local_run(tmp_path_factory.mktemp("run"), **settings) as run:
        yield Target(policies, keys, run, mixed_calls(run, create_local_key(run)))


def test_every_decision_is_right_under_load_and_nothing_leaks(
    target: Target, report: Report
) -> None:
    warm_up = load(target.calls, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
    with sampled(target.run.process_id) as samples:
        done = load(target.calls, connections=CONNECTIONS, seconds=LOAD_SECONDS)
    trend = trend_of(samples)
    report.row("Load on the gateway", **settings_of(target), **figures(done, trend, LOAD_SECONDS))
    assert (warm_up.wrong, done.wrong) == ([], [])
    assert growth_of(trend) == []


def test_an_ended_key_is_refused_everywhere_within_its_time_under_load(
    target: Target, report: Report
) -> None:
    bound = target.keys_cached + REFUSED_WITHIN_SECONDS
    seconds = bound if FULL else LOAD_SECONDS
    with ThreadPoolExecutor(1) as background, KeyOwner.of(target.run) as owner:
        loading = background.submit(load, target.calls, connections=CONNECTIONS, seconds=seconds)
        uses = end_keys(owner)
        accepted_for = watch(owner.client, uses, bound)
        done = loading.result()
        statuses = {use.status(owner.client) for use in uses}
    slowest = max(accepted_for.values())
    report.row(
        "Keys ended under load",
        **settings_of(target),
        keys=len({use.key_id for use in uses}),
        credentials=len(uses),
        last_accepted_after_s=round(slowest, 1),
        bound_s=bound,
        requests_meanwhile=done.counts.total(),
        wrong=len(done.wrong),
    )
    assert (done.wrong, statuses) == ([], {401})
    assert slowest <= bound


def create_local_key(run: LocalRun) -> IssuedKey:
    key = run.store.account_key
    answer = httpx.post(
        f"{run.rest_url}/v2/apps/{run.store.app_id}/keys",
        json={"displayName": "Here only", "allowedCidrs": ["127.0.0.0/8"]},
        auth=(key.key_id, key.secret),
        trust_env=False,
    )
    created = answer.raise_for_status().json()["key"]
    return IssuedKey(created["id"], created["secret"])


def watch(client: httpx.Client, uses: list[Use], bound: float) -> dict[Use, float]:
    """Use ended credentials until all are refused, or the bound is over for each.

    Return for how many seconds after its end each was accepted.
    """
    accepted = dict.fromkeys(uses, 0.0)
    pending = set(uses)
    while pending:
        for use in list(pending):
            asked = time.monotonic() - use.ended_at
            refused = use.status(client) == 401
            accepted[use] = accepted[use] if refused else asked
            if refused or asked > bound:
                pending.discard(use)
    return accepted


def settings_of(target: Target) -> dict[str, object]:
    return {"policies_cached_s": target.policies_cached, "keys_cached_s": target.keys_cached}
