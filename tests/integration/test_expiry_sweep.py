"""The expiry sweep's handler over the template's tables and moto's EventBridge."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

import jsonschema_rs
import pytest

from keyscope.aws.clients import DynamoDbClient
from keyscope.aws.dynamodb.key_expiry import IndexedKeys, WarningsTable
from keyscope.aws.dynamodb.transactions import Database
from keyscope.aws.event_bus import EVENT_SOURCE
from keyscope.aws.expiry_events import DETAIL_TYPE
from keyscope.entry import expiry_sweep
from keyscope.entry.expiry_sweep import ExpirySweepHandler, expiry_sweep_handler
from keyscope.errors import Unavailable
from keyscope.lifecycle.directory import Key
from keyscope.lifecycle.external_ids import ExternalName
from keyscope.lifecycle.key_expiry import (
    CLAIM_SECONDS,
    DamagedKey,
    ExpiryWarning,
    OwnedKey,
    due_warning,
)
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope_local.emulators.embedded_aws import EmbeddedAws
from keyscope_local.emulators.tables import local_client
from tests.support.builders import APP, NOW, limited
from tests.support.dynamodb_local import Store
from tests.support.handlers import Context
from tests.support.logs import functions_log_here
from tests.support.operations import dynamodb_of, key_item, operations_over
from tests.support.stores import SteppedClock

DOCS: Final = Path(__file__).parents[2] / "docs"
SCHEMA: Final = json.loads(
    (DOCS / "reference" / "key-expiring-event.schema.json").read_text("utf-8")
)
DAY: Final = 86_400
pytestmark = pytest.mark.usefixtures("emptied")


@dataclass
class World:
    """An app with keys, a bus that is listened to, and a clock for operations and sweeps."""

    store: Store
    operations: Provisioning
    clock: SteppedClock
    app_id: str
    bus: str
    received: Callable[[], list[Any]]
    output: pytest.CaptureFixture[str]
    handlers: dict[str, ExpirySweepHandler] = field(default_factory=dict)

    def key(self, days: float, name: str = "Server") -> str:
        """Create a key that expires in some days; return its id."""
        limits = KeyLimits(expires_at=int(self.clock.now + days * DAY))
        created = self.operations.create_key(
            OwnerType.APP, self.app_id, KeyRequest(name, limits=limits)
        )
        return created.key.key_id

    def sweep(self) -> list[dict[str, Any]]:
        """Run the function; return what it wrote."""
        settings = {
            "KEYSCOPE_KEYS_TABLE": self.store.keys_table,
            "KEYSCOPE_EXPIRY_WARNINGS_TABLE": self.store.expiry_warnings_table,
            "KEYSCOPE_EVENT_BUS": self.bus,
        }
        if self.bus not in self.handlers:
            self.handlers[self.bus] = expiry_sweep_handler(settings, self.clock)
        self.output.readouterr()
        with functions_log_here("expiry_sweep"):
            self.handlers[self.bus]({}, Context())
        return [json.loads(line) for line in self.output.readouterr().out.splitlines()]

    def warned(self) -> list[tuple[str, int]]:
        """Return the keys and days of the events that arrived since."""
        details = [event["detail"] for event in self.received()]
        return [(each["resource"]["id"], each["daysBefore"]) for each in details]


@pytest.fixture
def world(
    moto: EmbeddedAws,
    moto_store: Store,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    for name, value in moto_store.environment.items():
        monkeypatch.setenv(name, value)
    client = cast("Any", local_client("events", moto.endpoint_url))
    # One that waits longer: on a busy machine the function's own sends an event a second time.
    monkeypatch.setattr(expiry_sweep, "events_client", lambda: client)
    queues = cast("Any", local_client("sqs", moto.endpoint_url))
    name = f"warnings-{secrets.token_hex(4)}"
    client.create_event_bus(Name=name)
    url = queues.create_queue(QueueName=name)["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    pattern = json.dumps({"source": [EVENT_SOURCE], "detail-type": [DETAIL_TYPE]})
    client.put_rule(Name=name, EventBusName=name, EventPattern=pattern)
    target = {"Id": "queue", "Arn": arn["QueueArn"]}
    client.put_targets(Rule=name, EventBusName=name, Targets=[target])

    def received() -> list[Any]:
        found: list[Any] = []
        while messages := queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            found += [json.loads(message["Body"]) for message in messages]
        return found

    clock = SteppedClock(NOW)
    operations = operations_over(moto_store, clock)
    account, _ = operations.create_account("Acme", KeyRequest("first"))
    app_id = operations.create_app(account.owner_id, "Shop").owner_id
    yield World(moto_store, operations, clock, app_id, name, received, capsys)
    queues.delete_queue(QueueUrl=url)


def test_a_key_gets_three_warnings_in_its_life_and_each_once(world: World) -> None:
    key_id = world.key(40)
    for days in (8, 9, 10, 32, 33, 37, 38, 39, 40, 41):
        world.clock.now = NOW + days * DAY
        world.sweep()
        world.sweep()
    assert world.warned() == [(key_id, 30), (key_id, 7), (key_id, 1)]


def test_disabled_revoked_and_unlimited_keys_get_none(world: World) -> None:
    disabled, revoked = world.key(40), world.key(40)
    world.operations.create_key(OwnerType.APP, world.app_id, KeyRequest("unlimited"))
    world.operations.update_key(
        world.app_id, disabled, lambda key: limited(key, disabled_at=int(world.clock.now))
    )
    world.operations.revoke_key(world.app_id, revoked)
    world.clock.now += 39 * DAY
    world.sweep()
    assert world.warned() == []


def test_a_revoked_key_stays_revoked(world: World) -> None:
    key_id = world.key(40)
    world.clock.now += 39 * DAY
    world.operations.revoke_key(world.app_id, key_id)
    before = key_item(world.store, key_id)
    world.sweep()
    assert key_item(world.store, key_id) == before


def test_an_event_fits_its_schema_and_is_logged_as_it_is_sent(world: World) -> None:
    world.key(40)
    world.clock.now += 39 * DAY
    logged = [line["event"] for line in world.sweep() if line.get("message") == "key expiring"]
    (event,) = world.received()
    assert [event["detail"]] == logged
    assert (event["source"], event["detail-type"]) == (EVENT_SOURCE, DETAIL_TYPE)
    validator = jsonschema_rs.validator_for(SCHEMA)
    assert [str(error) for error in validator.iter_errors(event["detail"])] == []


def test_an_event_has_the_operators_ids(world: World) -> None:
    account, _ = world.operations.create_account("Acme", KeyRequest(), ExternalName("acme"))
    limits = KeyLimits(expires_at=NOW + 40 * DAY)
    world.operations.create_named_app(
        account.owner_id, "Shop", KeyRequest(limits=limits), ExternalName("acme-shop")
    )
    world.clock.now += 39 * DAY
    world.sweep()
    (event,) = world.received()
    jsonschema_rs.validator_for(SCHEMA).validate(event["detail"])
    names = ("accountExternalId", "appExternalId")
    assert [event["detail"].get(name) for name in names] == ["acme", "acme-shop"]


def test_the_documented_example_fits_the_schema() -> None:
    text = (
        (DOCS / "reference" / "audit-events.md")
        .read_text("utf-8")
        .partition("## Keys about to expire")[2]
    )
    example = json.loads(text.partition("```json\n")[2].partition("```")[0])
    jsonschema_rs.validator_for(SCHEMA).validate(example)


def test_a_sweep_writes_what_it_did(world: World) -> None:
    world.key(40)
    world.clock.now += 39 * DAY
    *_, metrics, swept = world.sweep()
    assert (metrics["ExpiryWarnings"], metrics["ExpirySweepFailures"]) == ([1.0], [0.0])
    assert (swept["message"], swept["sent"], swept["failures"]) == ("swept", 1, 0)
    assert swept["invocation_id"] == "invocation-1"


def test_a_bus_that_is_gone_fails_the_sweep_and_the_retry_makes_up_for_it(world: World) -> None:
    key_id = world.key(40)
    world.clock.now += 39 * DAY
    bus, world.bus = world.bus, "gone"
    with pytest.raises(Unavailable, match="expiry_warnings_not_sent"):
        world.sweep()
    lines = [json.loads(line) for line in world.output.readouterr().out.splitlines()]
    assert [line["key_id"] for line in lines if "detail" in line] == [key_id]
    assert [line["ExpirySweepFailures"] for line in lines if "_aws" in line] == [[1.0]]
    world.bus = bus
    world.clock.now += 60
    world.sweep()
    assert world.warned() == [(key_id, 1)]


def test_a_damaged_record_fails_the_sweep_after_all_others_are_warned_of(world: World) -> None:
    damaged, key_id = world.key(40), world.key(40)
    item = {**key_item(world.store, damaged), "created_at": {"S": "yesterday"}}
    put(world.store, item)
    world.clock.now += 39 * DAY
    with pytest.raises(Unavailable):
        world.sweep()
    assert world.warned() == [(key_id, 1)]
    put(world.store, {**item, "created_at": {"N": str(NOW)}, "owner_id": {"S": "nobody"}})
    assert keys_of(world.store) == [DamagedKey(damaged, "attribute owner_id")]


def put(store: Store, item: Mapping[str, Any]) -> None:
    dynamodb_of(store).put_item(TableName=store.keys_table, Item=item)


def keys_of(store: Store) -> list[DamagedKey]:
    pages = IndexedKeys(Database(dynamodb_of(store)), store.keys_table).expiring(NOW, 2 * NOW)
    return [found for page in pages for found in page if isinstance(found, DamagedKey)]


@dataclass(frozen=True)
class Recording:
    """A DynamoDB client whose scans return one item a page; it notes what it read."""

    client: DynamoDbClient
    read: list[Mapping[str, Any]] = field(default_factory=list)

    def scan(self, **request: object) -> Mapping[str, Any]:
        page = self.client.scan(**request, Limit=1)
        self.read.extend(page["Items"])
        return page


def test_a_sweep_reads_every_page_and_no_secret(world: World) -> None:
    key_ids = {world.key(40) for _ in range(5)}
    client = Recording(dynamodb_of(world.store))
    database = Database(cast("DynamoDbClient", client))
    pages = [*IndexedKeys(database, world.store.keys_table).expiring(NOW, NOW + 40 * DAY)]
    keys = [found.key for page in pages for found in page if isinstance(found, OwnedKey)]
    assert {key.key_id for key in keys} == key_ids
    assert len(pages) >= len(keys)
    assert [name for item in client.read for name in item if "secret" in name] == []


def test_a_sweep_reads_the_keys_that_expire_up_to_a_time(world: World) -> None:
    world.key(40)
    keys = IndexedKeys(Database(dynamodb_of(world.store)), world.store.keys_table)
    end = NOW + 40 * DAY
    found = [any(keys.expiring(NOW, latest)) for latest in (end - 1, end, end + 1)]
    assert found == [False, True, True]


def a_warning(expires_at: int) -> ExpiryWarning:
    key = limited(Key("app_" + secrets.token_hex(12), 0), expires_at=expires_at)
    warning = due_warning(OwnedKey(APP, key), expires_at - DAY)
    assert warning is not None
    return warning


@dataclass
class Log:
    """The notes of sweeps over one store."""

    store: Store

    def sweep(self) -> WarningsTable:
        return WarningsTable(Database(dynamodb_of(self.store)), self.store.expiry_warnings_table)


@pytest.fixture
def log(store: Store) -> Log:
    return Log(store)


def test_of_two_sweeps_one_may_send_a_warning(log: Log) -> None:
    warning, one, other = a_warning(NOW), log.sweep(), log.sweep()
    assert one.claim(warning, NOW, NOW + CLAIM_SECONDS)
    assert not other.claim(warning, NOW + CLAIM_SECONDS - 1, NOW + 2 * CLAIM_SECONDS)
    assert warning.warning_id not in one.sent()


def test_a_claim_may_be_taken_over_once_it_has_ended(log: Log) -> None:
    warning = a_warning(NOW)
    assert log.sweep().claim(warning, NOW, NOW + CLAIM_SECONDS)
    assert log.sweep().claim(warning, NOW + CLAIM_SECONDS, NOW + 2 * CLAIM_SECONDS)


def test_a_sweep_recognizes_its_own_claim_when_an_answer_was_lost(log: Log) -> None:
    warning, sweep = a_warning(NOW), log.sweep()
    assert sweep.claim(warning, NOW, NOW + CLAIM_SECONDS)
    assert sweep.claim(warning, NOW, NOW + CLAIM_SECONDS)


def test_what_was_sent_is_never_claimed_again(log: Log) -> None:
    warning, sweep = a_warning(NOW), log.sweep()
    sweep.claim(warning, NOW, NOW + CLAIM_SECONDS)
    sweep.confirm(warning)
    late = NOW + DAY
    assert not sweep.claim(warning, late, late + CLAIM_SECONDS)
    assert not log.sweep().claim(warning, late, late + CLAIM_SECONDS)
    assert warning.warning_id in log.sweep().sent()


def test_a_note_is_deleted_after_its_key_expired(log: Log) -> None:
    warning, sweep = a_warning(NOW), log.sweep()
    sweep.confirm(warning)
    (item,) = dynamodb_of(log.store).scan(
        TableName=log.store.expiry_warnings_table,
        FilterExpression="warning_id = :id",
        ExpressionAttributeValues={":id": {"S": warning.warning_id}},
    )["Items"]
    assert int(item["forget_at"]["N"]) == warning.expires_at + DAY
    assert {*item} == {"warning_id", "forget_at"}


def test_a_table_that_does_not_answer_is_unavailable(log: Log) -> None:
    gone = replace(log.sweep(), table="gone")
    with pytest.raises(Unavailable, match="ResourceNotFoundException"):
        gone.claim(a_warning(NOW), NOW, NOW + CLAIM_SECONDS)
    with pytest.raises(Unavailable, match="ResourceNotFoundException"):
        gone.sent()
