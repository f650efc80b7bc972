"""What holds of the committed event files themselves, whatever a function makes of them."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, cast

import pytest

from keyscope_local.emulators.embedded_aws import embedded_aws
from keyscope_local.invoke import provisioning_environment
from keyscope_local.tour.event_values import PLACEHOLDER, VALUES, UnknownPlaceholder, fill
from keyscope_local.tour.events import EVENTS, EVENTS_FOLDER, SampleEvent
from keyscope_local.tour.seed import SeededStore, local_provisioning, seed
from tests.support.stacks import stack_of

ROOT: Final = Path(__file__).parents[2]
SECRET: Final = re.compile(r"ks_\w{8}|eyJ[\w-]{8}|(?i:basic) [A-Za-z0-9+/]{16}")
CREDENTIAL_PLACEHOLDER: Final = re.compile(r"\{\{(basic|secret|jwt) ")

Event = Mapping[str, object]


@pytest.fixture(scope="module")
def store() -> Iterator[SeededStore]:
    stack = stack_of()
    with embedded_aws(stack) as aws:
        yield seed(local_provisioning(provisioning_environment(stack, aws)))


def events_named(*beginnings: str) -> pytest.MarkDecorator:
    rows = [
        pytest.param(json.loads(sample.path.read_text()), id=sample.file_name)
        for sample in EVENTS
        if sample.file_name.startswith(beginnings)
    ]
    return pytest.mark.parametrize("event", rows)


def filled(sample: SampleEvent, store: SeededStore) -> str:
    return json.dumps(fill(json.loads(sample.path.read_text()), store))


def test_every_file_is_in_the_table_and_the_reverse() -> None:
    files = sorted(path.name for path in EVENTS_FOLDER.iterdir())
    assert files == sorted(sample.file_name for sample in EVENTS)


def test_every_placeholder_is_used_and_known() -> None:
    used = {name for sample in EVENTS for name in PLACEHOLDER.findall(sample.path.read_text())}
    assert used == set(VALUES)


def test_no_event_holds_a_secret() -> None:
    assert [sample for sample in EVENTS if SECRET.search(sample.path.read_text())] == []


def test_the_secret_pattern_finds_every_event_with_a_credential_once_it_is_filled(
    store: SeededStore,
) -> None:
    with_credential = [
        sample for sample in EVENTS if CREDENTIAL_PLACEHOLDER.search(sample.path.read_text())
    ]
    found = [sample for sample in EVENTS if SECRET.search(filled(sample, store))]
    assert found == with_credential


def test_no_placeholder_is_left_once_an_event_is_filled(store: SeededStore) -> None:
    assert [sample for sample in EVENTS if "{{" in filled(sample, store)] == []


def test_an_unknown_placeholder_is_named(store: SeededStore) -> None:
    with pytest.raises(UnknownPlaceholder, match=r"\{\{basic nobody\}\}"):
        fill({"headers": ["{{basic nobody}}"]}, store)


@events_named("rest_request", "websocket")
def test_each_header_is_the_last_of_its_values(event: Event) -> None:
    values = cast("Mapping[str, list[str]]", event["multiValueHeaders"])
    assert event["headers"] == {name: several[-1] for name, several in values.items()}


@events_named("rest_request")
def test_a_rest_events_arn_agrees_with_its_method_and_path(event: Event) -> None:
    context = cast("Mapping[str, str]", event["requestContext"])
    expected = f"{context['apiId']}/{context['stage']}/{event['httpMethod']}{event['path']}"
    assert str(event["methodArn"]).rpartition(":")[2] == expected
    assert context["path"] == f"/{context['stage']}{event['path']}"


@events_named("http")
def test_an_http_events_arn_agrees_with_its_method_and_path(event: Event) -> None:
    context = cast("Mapping[str, str]", event["requestContext"])
    method = cast("Mapping[str, Mapping[str, str]]", event["requestContext"])["http"]["method"]
    path = str(event["rawPath"]).removeprefix(f"/{context['stage']}")
    expected = f"{context['apiId']}/{context['stage']}/{method}{path}"
    assert str(event["routeArn"]).rpartition(":")[2] == expected


@events_named("websocket")
def test_a_websocket_events_arn_ends_with_its_route(event: Event) -> None:
    context = cast("Mapping[str, str]", event["requestContext"])
    expected = f"{context['apiId']}/{context['stage']}/{context['routeKey']}"
    assert str(event["methodArn"]).rpartition(":")[2] == expected
