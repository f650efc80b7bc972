"""Audit events on moto's EventBridge, received through a rule, and when the bus takes them not."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from keyscope.aws.audit_trail import DETAIL_TYPE, EventBus
from keyscope.aws.clients import EventsClient
from keyscope.aws.event_bus import EVENT_SOURCE, Bus
from keyscope.aws.lifecycle_telemetry import LifecycleTelemetry
from keyscope.lifecycle.audit import Action, Actor, AuditEvent, Change
from keyscope.lifecycle.directory import Owner
from keyscope.model.ids import OwnerType
from keyscope_local.emulators.embedded_aws import EmbeddedAws
from keyscope_local.emulators.tables import local_client
from tests.support.builders import ACCOUNT, NOW

OWNER: Final = Owner(OwnerType.ACCOUNT, ACCOUNT, "Acme", NOW)


class Telemetry(LifecycleTelemetry):
    """Notes what operators are told."""

    def __init__(self) -> None:
        self.logged: list[AuditEvent] = []
        self.lost: list[tuple[AuditEvent, str]] = []

    def audited(self, event: AuditEvent) -> None:
        self.logged.append(event)

    def undelivered(self, event: AuditEvent, code: str) -> None:
        self.lost.append((event, code))


@dataclass
class FailingEvents:
    """An EventBridge whose answer to each call is told beforehand."""

    answers: list[object]
    sizes: list[int] = field(default_factory=list)

    def put_events(self, **request: object) -> object:
        self.sizes.append(len(cast("Sequence[object]", request["Entries"])))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def events(number: int) -> list[AuditEvent]:
    change = Change(Action.ACCOUNT_CREATED, ACCOUNT, after=OWNER)
    return [AuditEvent(change, Actor("request-1"), NOW) for _ in range(number)]


def trail(client: object, bus_name: str, telemetry: Telemetry) -> EventBus:
    return EventBus(Bus(cast("EventsClient", client), bus_name), telemetry)


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest.fixture
def bus(moto: EmbeddedAws) -> Iterator[tuple[EventsClient, str, Callable[[], list[Any]]]]:
    """A bus with a rule that sends what carries our source to a queue."""
    client = cast("Any", local_client("events", moto.endpoint_url))
    queues = cast("Any", local_client("sqs", moto.endpoint_url))
    name = f"audit-{secrets.token_hex(4)}"
    client.create_event_bus(Name=name)
    url = queues.create_queue(QueueName=name)["QueueUrl"]
    attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    pattern = json.dumps({"source": [EVENT_SOURCE], "detail-type": [DETAIL_TYPE]})
    client.put_rule(Name=name, EventBusName=name, EventPattern=pattern)
    target = {"Id": "queue", "Arn": attributes["Attributes"]["QueueArn"]}
    client.put_targets(Rule=name, EventBusName=name, Targets=[target])

    def received() -> list[Any]:
        found: list[Any] = []
        while messages := queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            found += [json.loads(message["Body"]) for message in messages]
        return found

    yield client, name, received
    queues.delete_queue(QueueUrl=url)


def test_any_number_of_events_arrives_whole(
    bus: tuple[EventsClient, str, Callable[[], list[Any]]], telemetry: Telemetry
) -> None:
    client, name, received = bus
    sent = events(23)
    trail(client, name, telemetry).record(sent)
    arrived: Mapping[str, Any] = {one["detail"]["id"]: one["detail"] for one in received()}
    assert arrived == {event.event_id: event.detail() for event in sent}
    assert (telemetry.logged, telemetry.lost) == (sent, [])


def test_no_events_make_no_call(telemetry: Telemetry) -> None:
    client = FailingEvents([])
    trail(client, "bus", telemetry).record([])
    assert client.sizes == []


def test_a_bus_that_is_not_there_loses_no_log_line(moto: EmbeddedAws, telemetry: Telemetry) -> None:
    client = local_client("events", moto.endpoint_url)
    sent = events(2)
    trail(client, "absent", telemetry).record(sent)
    assert telemetry.logged == sent


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (
            ClientError({"Error": {"Code": "ThrottlingException"}}, "PutEvents"),
            "ThrottlingException",
        ),
        (EndpointConnectionError(endpoint_url="http://events"), "EndpointConnectionError"),
        (AttributeError("of botocore's parser"), "AttributeError"),
    ],
)
def test_events_that_a_failing_bus_does_not_take_are_each_told(
    error: Exception, code: str, telemetry: Telemetry
) -> None:
    sent = events(2)
    trail(FailingEvents([error]), "bus", telemetry).record(sent)
    assert telemetry.logged == sent
    assert telemetry.lost == [(event, code) for event in sent]


def test_only_the_events_that_were_not_taken_are_told(telemetry: Telemetry) -> None:
    sent = events(3)
    answer = {"Entries": [{"EventId": "1"}, {"ErrorCode": "InternalFailure"}, {"EventId": "3"}]}
    trail(FailingEvents([answer]), "bus", telemetry).record(sent)
    assert telemetry.lost == [(sent[1], "InternalFailure")]


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        pytest.param({}, 0, id="empty"),
        pytest.param({"Entries": []}, 0, id="no entries"),
        pytest.param({"Entries": [{"EventId": "1"}]}, 1, id="an entry for the first only"),
        pytest.param({"Entries": [{"EventId": "1"}, None, {}]}, 1, id="entries that say nothing"),
    ],
)
def test_events_of_which_the_answer_says_nothing_are_told_as_undelivered(
    answer: Mapping[str, object], taken: int, telemetry: Telemetry
) -> None:
    sent = events(3)
    trail(FailingEvents([answer]), "bus", telemetry).record(sent)
    assert telemetry.lost == [(event, "UnreadableAnswer") for event in sent[taken:]]


def test_a_failed_batch_does_not_hold_up_the_next(telemetry: Telemetry) -> None:
    sent = events(13)
    error = ClientError({"Error": {"Code": "ThrottlingException"}}, "PutEvents")
    client = FailingEvents([error, {"Entries": [{"EventId": "x"}] * 3}])
    trail(client, "bus", telemetry).record(sent)
    assert client.sizes == [10, 3]
    assert [event for event, _ in telemetry.lost] == sent[:10]
