"""Changes whose flush queue or event bus fails: what is done then, and what operators see."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from keyscope.aws.audit_trail import EventBus
from keyscope.aws.event_bus import Bus
from keyscope.aws.flush_queue import FlushQueue, QueuedFlushes
from keyscope.aws.lifecycle_telemetry import LifecycleTelemetry
from keyscope.errors import Unavailable
from keyscope.lifecycle.directory import MAX_KEYS_PER_OWNER, KeyNotFound, OwnerNotFound
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope_local.emulators.tables import local_client
from tests.support.builders import NOW, limited
from tests.support.dynamodb_local import Store
from tests.support.operations import operations_over

if TYPE_CHECKING:
    from keyscope.aws.clients import EventsClient, SqsClient

APP: Final = OwnerType.APP

pytestmark = pytest.mark.usefixtures("emptied")
THROTTLED: Final = ClientError({"Error": {"Code": "ThrottlingException"}}, "Operation")
LOST: Final = ReadTimeoutError(endpoint_url="http://aws")
EMPTY: Final[Mapping[str, object]] = {}


@dataclass
class Failing:
    """A client of AWS; a call that `faults` names gets that error, or that answer, instead."""

    client: object
    faults: Mapping[str, object]
    called: list[str] = field(default_factory=list)

    def __getattr__(self, operation: str) -> Callable[..., object]:
        def call(**request: object) -> object:
            self.called.append(operation)
            fault = self.faults.get(operation)
            if isinstance(fault, Exception):
                raise fault
            if fault is not None:
                return fault
            answer: object = getattr(self.client, operation)(**request)
            return answer

        return call


@dataclass(frozen=True)
class World:
    """An app with ten keys, and operations whose neighbors can be made to fail."""

    store: Store
    operations: Provisioning
    app_id: str
    key_ids: Sequence[str]
    output: pytest.CaptureFixture[str]

    def lines(self, member: str) -> list[dict[str, Any]]:
        """Return the lines on standard output that have a member."""
        found = [json.loads(line) for line in self.output.readouterr().out.splitlines()]
        return [line for line in found if member in line]

    def with_queue(self, **faults: object) -> Provisioning:
        client = cast("SqsClient", Failing(aws("sqs", self.store.kms_url), faults))
        queue = FlushQueue(client, self.store.flush_queue_url, 30)
        return replace(self.operations, policies=QueuedFlushes(queue, new_telemetry()))

    def with_bus(self, fault: object) -> Provisioning:
        client = Failing(aws("events", self.store.kms_url), {"put_events": fault})
        bus = EventBus(Bus(cast("EventsClient", client), "default"), new_telemetry())
        return replace(self.operations, audit_trail=bus)


@cache
def aws(service: str, url: str) -> object:
    return local_client(service, url)


def new_telemetry() -> LifecycleTelemetry:
    # A logger is kept by its name, with the output that it began with.
    return LifecycleTelemetry(f"management-{secrets.token_hex(4)}", "Keyscope")


@pytest.fixture
def world(moto_store: Store, capsys: pytest.CaptureFixture[str]) -> World:
    return world_with(1, moto_store, capsys)


@pytest.fixture
def full_world(moto_store: Store, capsys: pytest.CaptureFixture[str]) -> World:
    """A world whose app's end makes more events than the bus takes in one call."""
    return world_with(MAX_KEYS_PER_OWNER, moto_store, capsys)


def world_with(keys: int, store: Store, output: pytest.CaptureFixture[str]) -> World:
    operations = operations_over(store, lambda: NOW)
    account, _ = operations.create_account("Acme", KeyRequest())
    app_id = operations.create_app(account.owner_id, "app").owner_id
    key_ids = [operations.create_key(APP, app_id, KeyRequest()).key.key_id for _ in range(keys)]
    return World(store, operations, app_id, key_ids, output)


ENDS: Final = {
    "revoke": lambda to, at: to.revoke_key(at.app_id, at.key_ids[0]),
    "disable": lambda to, at: to.update_key(
        at.app_id, at.key_ids[0], lambda key: limited(key, disabled_at=NOW)
    ),
    "rotate": lambda to, at: to.rotate_key(at.app_id, at.key_ids[0], 0),
    "delete app": lambda to, at: to.delete_owner(at.app_id),
}
UNHEARD: Final = [
    pytest.param(THROTTLED, id="refused"),
    pytest.param(LOST, id="answer lost"),
    pytest.param(
        {"Failed": [{"Id": "now", "Code": "InternalError", "SenderFault": False}]},
        id="taken in part",
    ),
    pytest.param(EMPTY, id="empty answer"),
]
WITH_ANY_FAULT: Final = pytest.mark.parametrize(
    "fault", [THROTTLED, LOST, EMPTY], ids=["refused", "answer lost", "empty answer"]
)


@pytest.mark.parametrize("name", ENDS)
@WITH_ANY_FAULT
def test_without_a_promised_flush_no_key_changes(name: str, fault: object, world: World) -> None:
    before = world.operations.list_keys(world.app_id)
    with pytest.raises(Unavailable, match="flush_queue_unavailable"):
        ENDS[name](world.with_queue(send_message=fault), world)
    assert world.operations.list_keys(world.app_id) == before


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("fault", UNHEARD)
def test_a_key_ends_although_its_flush_is_not_taken_and_that_is_counted(
    name: str, fault: object, world: World
) -> None:
    ENDS[name](world.with_queue(send_message_batch=fault), world)
    (metric,) = world.lines("FlushRequestFailures")
    assert metric["FlushRequestFailures"] == [1.0]


def test_a_revoked_key_stays_revoked_although_its_flush_is_not_taken(world: World) -> None:
    world.with_queue(send_message_batch=THROTTLED).revoke_key(world.app_id, world.key_ids[0])
    with pytest.raises(KeyNotFound):
        world.operations.get_key(world.app_id, world.key_ids[0])


@WITH_ANY_FAULT
def test_an_app_goes_although_the_bus_fails_and_each_of_its_events_is_counted(
    fault: object, full_world: World
) -> None:
    full_world.with_bus(fault).delete_owner(full_world.app_id)
    with pytest.raises(OwnerNotFound):
        full_world.operations.get_owner(full_world.app_id)
    assert len(full_world.lines("UndeliveredAuditEvents")) == 11


@WITH_ANY_FAULT
def test_a_secret_is_told_although_the_bus_fails(fault: object, world: World) -> None:
    assert world.with_bus(fault).rotate_key(world.app_id, world.key_ids[0], 0).secret


def test_every_event_is_in_the_log_although_the_bus_fails(full_world: World) -> None:
    full_world.with_bus(THROTTLED).delete_owner(full_world.app_id)
    actions = [line["audit"]["action"] for line in full_world.lines("audit")]
    assert actions == ["key.revoked"] * 10 + ["app.deleted"]


def test_an_event_that_the_bus_did_not_take_is_named(world: World) -> None:
    taken_in_part = {"Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": ""}]}
    world.with_bus(taken_in_part).revoke_key(world.app_id, world.key_ids[0])
    audit, undelivered = world.lines("level")
    assert undelivered["audit_event_id"] == audit["audit"]["id"]
    assert undelivered["detail"] == "InternalFailure"


def test_when_all_is_well_nothing_is_counted(full_world: World) -> None:
    both = replace(full_world.with_queue(), audit_trail=full_world.with_bus(None).audit_trail)
    both.delete_owner(full_world.app_id)
    assert full_world.lines("_aws") == []
