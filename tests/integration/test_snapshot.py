"""SnapStart: what an authorizer does before the snapshot, and what the snapshot must not hold."""

import gc
import json
from collections.abc import Callable, Iterator
from typing import Final

import pytest
import snapshot_restore_py

from keyscope.authorize.answer import Answer
from keyscope.authorize.event import read_rest_event
from keyscope.entry.authorizer import authorizer_handler
from keyscope_local.emulators.embedded_aws import EmbeddedAws
from keyscope_local.invoke import provisioning_environment
from keyscope_local.template.stack import Stack
from keyscope_local.tour.event_values import bearer
from keyscope_local.tour.seed import SeededStore, local_provisioning, seed
from tests.integration.test_authorizer_handlers import Context, decisions
from tests.support.builders import rest_request_event

SNAP_START: Final = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}

Handler = Callable[[object, Context], Answer]


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], None]]]:
    registered: list[Callable[[], None]] = []
    monkeypatch.setattr(snapshot_restore_py, "register_before_snapshot", registered.append)
    monkeypatch.setattr(snapshot_restore_py, "register_after_restore", lambda _: None)
    yield registered
    gc.unfreeze()


@pytest.fixture
def environment(stack: Stack, moto: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    return {**provisioning_environment(stack, moto), **SNAP_START}


@pytest.fixture
def seeded(environment: dict[str, str]) -> SeededStore:
    return seed(local_provisioning(environment))


def handler_of(environment: dict[str, str]) -> Handler:
    return authorizer_handler("rest_authorizer", read_rest_event, environment)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_only_a_container_that_becomes_a_snapshot_prepares_for_it(
    environment: dict[str, str], hooks: list[Callable[[], None]]
) -> None:
    handler_of({**environment, "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"})
    assert hooks == []


def test_preparing_writes_nothing_when_aws_answers(
    environment: dict[str, str],
    hooks: list[Callable[[], None]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler_of(environment)
    hooks[0]()
    assert lines(capsys) == []


def test_the_snapshot_holds_no_record_and_no_secret(
    environment: dict[str, str],
    seeded: SeededStore,
    hooks: list[Callable[[], None]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = handler_of(environment)
    hooks[0]()
    handler(rest_request_event(bearer(seeded.app_key, {"scope": "app"})), Context())
    (line,) = decisions(capsys)
    assert (line["record_source"], line["secret_from_cache"]) == ("table", False)


def test_a_call_that_fails_is_told_and_the_snapshot_is_taken_all_the_same(
    environment: dict[str, str],
    hooks: list[Callable[[], None]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1")
    handler_of({**environment, "KEYSCOPE_KEYS_TABLE": "absent"})
    hooks[0]()
    told = [(line["level"], line["message"], line["detail"]) for line in lines(capsys)]
    assert told == [
        ("WARNING", "unprepared", "dynamodb: ResourceNotFoundException"),
        ("WARNING", "unprepared", "kms: EndpointConnectionError"),
    ]
