"""Simulated traffic, where the counts are known beforehand."""

from dataclasses import replace
from typing import Final

import pytest

from benchmarks.traffic import Simulation, Traffic
from keyscope.entry.settings import AuthorizerSettings, read_authorizer_settings

# Other tests measure what of the package is tested; this one simulates much with it.
pytestmark = pytest.mark.no_cover

SETTINGS: Final = replace(
    read_authorizer_settings({"KEYSCOPE_KEYS_TABLE": "keys", "KEYSCOPE_KMS_KEY_ARN": "key"}),
    key_cache_seconds=0,
)
ONE_CONTAINER: Final = Traffic(per_second=10, keys=3, containers=1)


def simulation(settings: AuthorizerSettings, api_cache_seconds: int) -> Simulation:
    return Simulation(ONE_CONTAINER, settings, api_cache_seconds)


def test_without_caches_every_request_is_an_invocation_and_a_read() -> None:
    counts = simulation(SETTINGS, 0).run(100)
    assert counts.requests == counts.invocations == counts.table_reads > 900


def test_kms_is_called_once_for_each_key_in_a_container() -> None:
    counts = simulation(SETTINGS, 0).run(100)
    assert counts.kms_calls == ONE_CONTAINER.keys


def test_the_containers_cache_saves_reads_but_no_invocations() -> None:
    counts = simulation(replace(SETTINGS, key_cache_seconds=30), 0).run(100)
    assert counts.requests == counts.invocations
    assert counts.table_reads < counts.requests / 10


def test_the_apis_cache_saves_invocations() -> None:
    counts = simulation(SETTINGS, 300).run(100)
    assert counts.table_reads == counts.invocations < counts.requests / 5


def test_a_container_that_was_idle_for_long_starts_anew() -> None:
    rare = Traffic(per_second=1 / 3_600, keys=3, containers=1)
    counts = Simulation(rare, SETTINGS, 0).run(360_000)
    assert counts.starts > counts.requests * 0.7


def test_each_key_has_one_line_about_its_use_in_five_minutes_of_a_container() -> None:
    noted: list[tuple[str, float]] = []
    counts = simulation(SETTINGS, 0).run(100, lambda key_id, now: noted.append((key_id, now)))
    assert counts.use_lines == len(noted) == ONE_CONTAINER.keys
    assert len({key_id for key_id, _ in noted}) == ONE_CONTAINER.keys
