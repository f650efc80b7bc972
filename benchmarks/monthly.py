"""From simulated traffic to what a month takes and costs."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.contenders import FUNCTION, stack_of
from benchmarks.goals import MONTHS
from benchmarks.log_volume import telemetry_of
from benchmarks.prices import MILLION, MONTH_SECONDS, NOTED, Cost, Usage, monthly_cost
from benchmarks.results import Section, Table
from benchmarks.traffic import Counts, Simulation, Traffic
from keyscope.entry.settings import AuthorizerSettings, read_authorizer_settings
from keyscope.model.key_record import RecordSource
from keyscope_local.template.stack import environment_of

MEMORY_GB: Final = 0.5
"""The template's default for the authorizers, 512 MB."""
AUTHORIZERS: Final = 2
"""The stack has one for each kind of API, and a snapshot of each one's version."""
FULL_CPU_GB: Final = 1.769
"""Memory at which Lambda gives one whole CPU (Lambda developer guide, "Configure memory")."""
GET_ITEM_MS: Final = 4.0
DECRYPT_MS: Final = 8.0
RUNTIME_MS: Final = 0.5
"""Assumed: the waits for DynamoDB and KMS, and what the runtime adds to an invocation."""
START_MS: Final = 300.0
"""Assumed: what Lambda bills for the start of a container without SnapStart."""
SAMPLE: Final = 100
"""Of `LogAllowedSample`, in the table of what settings do to the bill."""
API_CACHE_SECONDS: Final = 300
FILL_SECONDS: Final = 1_800


@dataclass(frozen=True, slots=True)
class HandlerTimes:
    """CPU milliseconds of one answer on this machine: record cached, and record read."""

    cached: float = 0.25
    read: float = 1.5


VOLUMES: Final[Mapping[int, tuple[int, int]]] = {
    MILLION: (50, 2),
    100 * MILLION: (500, 4),
    10_000 * MILLION: (5_000, 8),
}
"""Requests a month, with the number of keys and of containers."""

_VARIED_VOLUME: Final = 100 * MILLION
_VARIATIONS: Final = ((300, 30), (300, 0), (3_600, 30), (0, 30), (0, 300), (0, 0))
"""Seconds of API Gateway's cache and of the containers'."""


def measure_months(simulated_requests: int, times: HandlerTimes) -> Section:
    """Simulate each volume with the default settings, and one volume with others."""
    settings = settings_of_template()

    def is_short(requests: int, cache_seconds: int) -> bool:
        return requests / MONTH_SECONDS * cache_seconds <= 20 * simulated_requests

    months = {
        requests: _month(requests, settings, API_CACHE_SECONDS, simulated_requests, times)
        for requests in VOLUMES
        if is_short(requests, API_CACHE_SECONDS)
    }
    varied = {
        (api, keys): _month(
            _VARIED_VOLUME,
            replace(settings, key_cache_seconds=keys),
            api,
            simulated_requests // 4,
            times,
        )
        for api, keys in _VARIATIONS
        if is_short(_VARIED_VOLUME, api)
    }
    skipped = (
        *(
            f"Traffic of {requests:,} requests a month: left out of a quick run."
            for requests in sorted(VOLUMES.keys() - months.keys())
        ),
        *(
            f"A cache of API Gateway of {api:,} s: left out of a quick run."
            for api in sorted({api for api, _ in _VARIATIONS} - {api for api, _ in varied})
        ),
    )
    return Section(
        tables=(
            _traffic_table(months),
            _cost_table(months),
            _options_table(months),
            _variation_table(varied),
        ),
        targets=tuple(
            MONTHS[requests].of(month.cost.authorization) for requests, month in months.items()
        ),
        skipped=skipped,
    )


@dataclass(frozen=True, slots=True)
class _Month:
    counts: Counts
    cost: Cost
    sampled_cost: Cost
    snapstart_cost: Cost
    log_bytes_each: float

    def per_million(self, number: float) -> int:
        return round(number / self.counts.requests * MILLION)


def _month(
    requests: int,
    settings: AuthorizerSettings,
    api_cache_seconds: int,
    simulated_requests: int,
    times: HandlerTimes,
) -> _Month:
    keys, containers = VOLUMES[requests]
    per_second = requests / MONTH_SECONDS
    simulation = Simulation(Traffic(per_second, keys, containers), settings, api_cache_seconds)
    # A whole turn of each cache fills them, a whole one at least is counted. Opened secrets are
    # remembered for as long as a container lives, so calls of KMS are still a little too many.
    turn = max(api_cache_seconds, settings.key_cache_seconds, 60)
    simulation.run(max(turn, min(FILL_SECONDS, simulated_requests / per_second / 2)))
    counts = simulation.run(max(turn, simulated_requests / per_second))
    scale = requests / counts.requests
    each, metrics = telemetry_of(counts)
    sampled_each, _ = telemetry_of(counts, SAMPLE)
    started = counts.starts * MEMORY_GB * scale
    usage = Usage(
        requests=requests,
        invocations=counts.invocations * scale,
        gb_seconds=_billed_ms(counts, times) / 1_000 * MEMORY_GB * scale
        + started * START_MS / 1_000,
        restored_gb=0,
        cached_gb=0,
        table_reads=counts.table_reads * scale,
        kms_calls=counts.kms_calls * scale,
        log_bytes=each * counts.invocations * scale,
        metrics=metrics,
    )
    sampled = replace(usage, log_bytes=sampled_each * counts.invocations * scale)
    snapstart = replace(
        usage,
        gb_seconds=usage.gb_seconds - started * START_MS / 1_000,
        restored_gb=started,
        cached_gb=MEMORY_GB * AUTHORIZERS,
    )
    return _Month(counts, monthly_cost(usage), monthly_cost(sampled), monthly_cost(snapstart), each)


def _billed_ms(counts: Counts, times: HandlerTimes) -> float:
    """Return the billed time: whole milliseconds each, with the memory's share of a CPU."""
    share = min(1.0, MEMORY_GB / FULL_CPU_GB)
    total = 0
    for (_, _, _, source, secret_from_cache), number in counts.decisions.items():
        read = source is RecordSource.TABLE
        busy = (times.read if read else times.cached) / share
        waits = GET_ITEM_MS * read + DECRYPT_MS * (secret_from_cache is False)
        total += math.ceil(busy + waits + RUNTIME_MS) * number
    return total


def _traffic_table(months: Mapping[int, _Month]) -> Table:
    return Table(
        "traffic",
        "What a million requests take, by the size of the month",
        (
            *("requests a month", "keys", "containers", "authorizer invocations"),
            *("DynamoDB reads", "KMS calls", "container starts", "log bytes an invocation"),
        ),
        tuple(
            (
                *(requests, *VOLUMES[requests]),
                *(month.per_million(month.counts.invocations),),
                *(month.per_million(month.counts.table_reads),),
                *(month.per_million(month.counts.kms_calls),),
                *(month.per_million(month.counts.starts), round(month.log_bytes_each)),
            )
            for requests, month in months.items()
        ),
        "Simulated from the real caches and the real pipeline: Zipf over the keys, 20 tokens and "
        "one Basic credential for each, 0.5 % wrong secrets; API Gateway's cache 300 s, the "
        "container's 30 s.",
    )


def _cost_table(months: Mapping[int, _Month]) -> Table:
    return Table(
        "cost",
        "What a month costs, US dollars, us-east-1",
        (
            *("requests a month", "authorization", "of it Lambda", "DynamoDB"),
            *("KMS", "logs", "metrics", "REST API's own", "HTTP API's own"),
        ),
        tuple(
            (
                requests,
                *(
                    round(amount, 2)
                    for amount in (
                        *(month.cost.authorization, month.cost.compute),
                        *(month.cost.table, month.cost.kms, month.cost.logs),
                        *(month.cost.metrics, month.cost.rest_api, month.cost.http_api),
                    )
                ),
            )
            for requests, month in months.items()
        ),
        f"List prices noted on {NOTED} (benchmarks/prices.py names each page), no free tier. "
        "Storage, backups, alarms and data transfer are not in it.",
    )


def _options_table(months: Mapping[int, _Month]) -> Table:
    return Table(
        "options",
        "What options do to authorization's bill, US dollars a month",
        (
            *("requests a month", "by default", f"LogAllowedSample={SAMPLE}"),
            "SnapStartEnabled=true",
        ),
        tuple(
            (
                requests,
                *(
                    round(cost.authorization, 2)
                    for cost in (month.cost, month.sampled_cost, month.snapstart_cost)
                ),
            )
            for requests, month in months.items()
        ),
        "SnapStart keeps one version of each of the two authorizers.",
    )


def _variation_table(varied: Mapping[tuple[int, int], _Month]) -> Table:
    return Table(
        "settings",
        f"What the caches' settings do, {_VARIED_VOLUME:,} requests a month",
        (
            *("API Gateway's cache s", "container's cache s", "invocations a million"),
            *("DynamoDB reads a million", "KMS calls a million", "authorization $ a month"),
        ),
        tuple(
            (
                *(api, keys),
                *(month.per_million(month.counts.invocations),),
                *(month.per_million(month.counts.table_reads),),
                *(month.per_million(month.counts.kms_calls),),
                round(month.cost.authorization, 2),
            )
            for (api, keys), month in varied.items()
        ),
    )


def settings_of_template() -> AuthorizerSettings:
    """Return the authorizers' settings, with the template's defaults."""
    variables = environment_of(stack_of(), FUNCTION)
    return read_authorizer_settings({**os.environ, **variables, "KEYSCOPE_KMS_KEY_ARN": "measured"})
