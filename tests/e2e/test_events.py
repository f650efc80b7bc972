"""Every sample event through the function it is for, in the Lambda Runtime Interface Emulator."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, cast

import pytest

from keyscope_local.emulators.embedded_aws import embedded_aws
from keyscope_local.emulators.runtime_emulator import Invocation, RuntimeEmulator
from keyscope_local.invoke import emulated_function, provisioning_environment
from keyscope_local.tour.event_values import fill
from keyscope_local.tour.events import (
    EVENTS,
    Allowed,
    Answered,
    Invalid,
    Responded,
    SampleEvent,
    Unauthorized,
)
from keyscope_local.tour.seed import SeededStore, local_provisioning, seed
from tests.support.stacks import stack_of

pytestmark = pytest.mark.processes

ROOT: Final = Path(__file__).parents[2]

Json = Mapping[str, object]


class Functions:
    """The template's functions, each started once, when its first event comes."""

    def __init__(self, running: ExitStack) -> None:
        self._running = running
        self._stack = stack_of({"HttpApiEnabled": "true"})
        self._aws = running.enter_context(embedded_aws(self._stack))
        self._emulators: dict[str, RuntimeEmulator] = {}
        environment = provisioning_environment(self._stack, self._aws)
        self.store: SeededStore = seed(local_provisioning(environment))

    def invoke(self, sample: SampleEvent) -> tuple[Json, Invocation]:
        """Return the filled event and what its function made of it."""
        if sample.function not in self._emulators:
            emulator = emulated_function(self._stack, sample.function, self._aws)
            self._emulators[sample.function] = self._running.enter_context(emulator)
        event = cast("Json", fill(committed(sample), self.store))
        return event, self._emulators[sample.function].invoke(event)


@pytest.fixture(scope="module")
def functions() -> Iterator[Functions]:
    with ExitStack() as running:
        yield Functions(running)


def committed(sample: SampleEvent) -> Json:
    return cast("Json", json.loads(sample.path.read_text()))


def expecting(kind: type) -> pytest.MarkDecorator:
    rows = [
        pytest.param(sample, id=sample.file_name)
        for sample in EVENTS
        if isinstance(sample.expected, kind)
    ]
    return pytest.mark.parametrize("sample", rows)


def asked_arn(event: Json) -> str:
    return str(event.get("methodArn") or event.get("routeArn"))


def allowed_resources(payload: Json) -> list[str]:
    document = cast("Mapping[str, list[Mapping[str, object]]]", payload["policyDocument"])
    return [
        resource
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for resource in cast("list[str]", statement["Resource"])
    ]


def decision_of(invocation: Invocation) -> Json:
    (line,) = [line for line in invocation.log.splitlines() if '"message":"decision"' in line]
    return cast("Json", json.loads(line))


@expecting(Allowed)
def test_an_allowed_event_gives_a_policy_of_its_scope(
    sample: SampleEvent, functions: Functions
) -> None:
    _, invocation = functions.invoke(sample)
    expected = cast("Allowed", sample.expected)
    assert not invocation.error, invocation.payload
    assert cast("Mapping[str, Json]", invocation.payload)["context"]["scope"] == expected.scope


@expecting(Allowed)
def test_the_policy_covers_what_the_event_asks_for(
    sample: SampleEvent, functions: Functions
) -> None:
    event, invocation = functions.invoke(sample)
    resources = allowed_resources(cast("Json", invocation.payload))
    assert any(fnmatchcase(asked_arn(event), resource) for resource in resources)


@expecting(Unauthorized)
def test_a_refused_event_raises_exactly_unauthorized(
    sample: SampleEvent, functions: Functions
) -> None:
    _, invocation = functions.invoke(sample)
    assert invocation.error
    assert cast("Json", invocation.payload)["errorMessage"] == "Unauthorized"


@expecting(Unauthorized)
def test_a_refused_events_log_tells_the_reason(sample: SampleEvent, functions: Functions) -> None:
    _, invocation = functions.invoke(sample)
    decision = decision_of(invocation)
    assert decision["outcome"] == "refused"
    assert decision["reason"] == cast("Unauthorized", sample.expected).reason


@expecting(Answered)
def test_a_provisioning_event_is_answered(sample: SampleEvent, functions: Functions) -> None:
    _, invocation = functions.invoke(sample)
    expected = cast("Answered", sample.expected)
    assert not invocation.error, invocation.payload
    assert cast("Json", invocation.payload).keys() == expected.members


@expecting(Responded)
def test_a_management_event_is_answered_with_its_status(
    sample: SampleEvent, functions: Functions
) -> None:
    _, invocation = functions.invoke(sample)
    expected = cast("Responded", sample.expected)
    assert not invocation.error, invocation.payload
    assert cast("Json", invocation.payload)["statusCode"] == expected.status


@expecting(Invalid)
def test_an_invalid_provisioning_event_is_told_every_fault(
    sample: SampleEvent, functions: Functions
) -> None:
    _, invocation = functions.invoke(sample)
    expected = cast("Invalid", sample.expected)
    assert not invocation.error, invocation.payload
    errors = cast("Mapping[str, list[Json]]", invocation.payload)["errors"]
    assert {error["field"] for error in errors} == expected.fields
