"""What holds when something else happens between any two calls that a change makes of DynamoDB.

Races with threads meet the narrow moments by luck; here each of them is met. Every change is made
once for each of its calls, and right before that call another change is carried out as a whole.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

import pytest

from keyscope.aws.dynamodb.directory_table import DirectoryTable
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    After,
    ChangedMeanwhile,
    KeyNotFound,
    NameTaken,
    OverlapRunning,
    OwnerNotFound,
    OwnsApps,
    TooManyKeys,
)
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.model.ids import OwnerType, creator_of_app
from keyscope.model.key_limits import KeyLimits
from keyscope.model.secret import hash_secret
from tests.support.builders import NOW, limited
from tests.support.copies import copies_of
from tests.support.dynamodb_local import Store
from tests.support.items import app_count_of
from tests.support.operations import (
    InterruptedClient,
    dynamodb_of,
    key_items,
    operations_over,
    over_client,
    owner_items,
    record_of,
)

pytestmark = pytest.mark.races

APP: Final = OwnerType.APP
ROBOT: Final = OwnerType.SERVICE_ACCOUNT
MAX_CALLS: Final = 20
REFUSALS: Final = (
    ChangedMeanwhile,
    KeyNotFound,
    NameTaken,
    OverlapRunning,
    OwnerNotFound,
    OwnsApps,
    TooManyKeys,
)
"""What a caller may be told when another one came first; a failure is not among it."""


Act = Callable[[Provisioning, "World"], object]
Directory = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class World:
    """An account whose `app` has ten keys, two of them expired, and which has two robots.

    One robot is busy: it has made an app. The other is idle.
    """

    account_id: str
    app_id: str
    key_id: str
    expired_key_id: str
    busy_id: str
    busys_app_id: str
    idle_id: str


def purge(to: Provisioning, at: World) -> None:
    """Do what DynamoDB may do at any time to an item whose time to live is over."""
    directory = to.directory
    assert isinstance(directory, DirectoryTable)
    delete = {
        "TableName": directory.keys_table,
        "Key": {"key_id": {"S": at.expired_key_id}},
        "ConditionExpression": "expires_at <= :now",
        "ExpressionAttributeValues": {":now": {"N": str(NOW)}},
    }
    database = directory.database
    database.write({"purge": {"Delete": delete}}, database.patience())


KEYS: Final[Mapping[str, Act]] = {
    "update app": lambda to, at: to.update_owner(
        at.app_id, lambda app: replace(app, metadata={"n": len(app.metadata)})
    ),
    "delete app": lambda to, at: to.delete_owner(at.app_id),
    "create key": lambda to, at: to.create_key(APP, at.app_id, KeyRequest()),
    "update key": lambda to, at: to.update_key(
        at.app_id, at.key_id, lambda key: replace(key, display_name="new")
    ),
    "prolong key": lambda to, at: to.update_key(
        at.app_id, at.expired_key_id, lambda key: limited(key, expires_at=None)
    ),
    "rotate key": lambda to, at: to.rotate_key(at.app_id, at.key_id, 60),
    "rotate key at once": lambda to, at: to.rotate_key(at.app_id, at.key_id, 0),
    "end overlap": lambda to, at: to.end_overlap(at.app_id, at.key_id),
    "revoke key": lambda to, at: to.revoke_key(at.app_id, at.key_id),
    "revoke expired key": lambda to, at: to.revoke_key(at.app_id, at.expired_key_id),
}
KEY_READS: Final[Mapping[str, Act]] = {
    "list keys": lambda to, at: to.list_keys(at.app_id),
    "list former keys": lambda to, at: to.list_former_keys(at.app_id),
    "get key": lambda to, at: to.get_key(at.app_id, at.key_id),
}
ROBOTS: Final[Mapping[str, Act]] = {
    "create robot": lambda to, at: to.create_service_account(at.account_id, "new"),
    "rename robot": lambda to, at: to.update_owner(
        at.idle_id, lambda robot: replace(robot, display_name="new")
    ),
    "delete robot": lambda to, at: to.delete_owner(at.idle_id),
    "delete busy robot": lambda to, at: to.delete_owner(at.busy_id),
    "create robot's key": lambda to, at: to.create_key(ROBOT, at.idle_id, KeyRequest()),
    "create robot's app": lambda to, at: to.create_app(at.account_id, "new", at.idle_id),
    "delete robot's app": lambda to, at: to.delete_owner(at.busys_app_id),
}
ROBOT_READS: Final[Mapping[str, Act]] = {
    "list robots": lambda to, at: to.list_service_accounts(at.account_id, After(), 100),
    "list apps": lambda to, at: to.list_apps(at.account_id, After(), 100),
}


@pytest.fixture(scope="module")
def store(dynamodb_local_store: Store) -> Store:
    return dynamodb_local_store


@pytest.fixture(scope="module")
def operations(store: Store) -> Provisioning:
    return operations_over(store, lambda: NOW)


@pytest.fixture(scope="module")
def first_world(operations: Provisioning) -> World:
    past = replace(operations, clock=lambda: NOW - 60)
    account, _ = past.create_account("Acme", KeyRequest())
    account_id = account.owner_id
    busy = past.create_service_account(account_id, "busy").owner_id
    app_id = past.create_app(account_id, "app").owner_id
    expiries = [NOW - 1] * 2 + [None] * (MAX_KEYS_PER_OWNER - 2)
    key_ids = [
        past.create_key(APP, app_id, KeyRequest(limits=KeyLimits(expires_at=expires_at))).key.key_id
        for expires_at in expiries
    ]
    return World(
        account_id=account_id,
        app_id=app_id,
        key_id=key_ids[-1],
        expired_key_id=key_ids[0],
        busy_id=busy,
        busys_app_id=past.create_app(account_id, "busy's", busy).owner_id,
        idle_id=past.create_service_account(account_id, "idle").owner_id,
    )


@pytest.fixture(scope="module")
def new_world(store: Store, first_world: World) -> Callable[[], World]:
    return copies_of(first_world, first_world.account_id, store)


def usable(key: Mapping[str, Any]) -> bool:
    expired = "expires_at" in key and int(key["expires_at"]["N"]) <= NOW
    return "revoked_at" not in key and not expired


def contradictions(store: Store, world: World) -> list[str]:
    """Return what contradicts what in the account's items, whoever wrote them."""
    items = {item["entity"]["S"]: item for item in owner_items(store, world.account_id)}
    if parts := [entity for entity, item in items.items() if "owner_id" not in item]:
        return [f"{entity} is no whole item" for entity in parts]
    return [
        *wrong_names(items),
        *wrong_app_counts(items),
        *wrong_places(store, items.get(f"app#{world.app_id}"), world.app_id),
        *wrong_places(store, items.get(f"serviceaccount#{world.idle_id}"), world.idle_id),
    ]


def of_kind(items: Directory, kind: str) -> Directory:
    """Return the items of a kind by their owner's id."""
    found = [item for entity, item in items.items() if entity.startswith(f"{kind}#")]
    return {item["owner_id"]["S"]: item for item in found}


def wrong_names(items: Directory) -> Iterator[str]:
    robots, names = of_kind(items, "serviceaccount"), of_kind(items, "serviceaccountname")
    shown = {robot_id: item["display_name"]["S"] for robot_id, item in robots.items()}
    kept = {robot_id: item["entity"]["S"].partition("#")[2] for robot_id, item in names.items()}
    if shown != kept:
        yield f"{shown} are shown, and {kept} kept for them alone"


def wrong_app_counts(items: Directory) -> Iterator[str]:
    apps = Counter(map(creator_of_app, of_kind(items, "app")))
    creators = [items["account"], *of_kind(items, "serviceaccount").values()]
    counted = {item["owner_id"]["S"]: app_count_of(item) for item in creators}
    there = {creator_id: apps.get(creator_id, 0) for creator_id in {*counted, *apps}}
    if counted != there:
        yield f"{counted} apps are counted, and {there} are there"


def wrong_places(store: Store, owner: Mapping[str, Any] | None, owner_id: str) -> Iterator[str]:
    held = {*(owner or {}).get("key_ids", {}).get("SS", [])}
    if len(held) > MAX_KEYS_PER_OWNER:
        yield f"{owner_id} has {len(held)} keys"
    alive = {key["key_id"]["S"] for key in key_items(store, owner_id) if usable(key)}
    if not alive <= held:
        yield f"{alive - held} live without a place of {owner_id}"


def outcome(act: Act, operations: Provisioning, world: World) -> object:
    try:
        return act(operations, world)
    except REFUSALS as refusal:
        return refusal


def interleaved(
    act: Act,
    event: Act,
    operations: Provisioning,
    store: Store,
    new_world: Callable[[], World],
) -> Iterator[tuple[World, object]]:
    """Let the event happen right before each call of the act in turn; yield what came of it."""
    for number in range(1, MAX_CALLS):
        world = new_world()
        calls = count(1)

        def is_call(_: str, __: object, calls: Iterator[int] = calls, number: int = number) -> bool:
            return next(calls) == number

        def happens(world: World = world) -> None:
            outcome(event, operations, world)

        client = InterruptedClient(dynamodb_of(store), is_call, happens)
        came_of_it = outcome(act, over_client(operations, store, client), world)
        if not client.happened:
            assert number > 1
            return
        yield world, came_of_it
    pytest.fail("the change never came to its end")


def pairs(acts: Mapping[str, Act], events: Mapping[str, Act]) -> list[Any]:
    return [
        pytest.param(act, event, id=f"{event_name} during {act_name}")
        for act_name, act in acts.items()
        for event_name, event in events.items()
    ]


SUBSUMED: Final = {"update key", "rotate key at once"}
"""Changes that another one stands for, as an event."""
KEY_EVENTS: Final[Mapping[str, Act]] = {
    **{name: event for name, event in KEYS.items() if name not in SUBSUMED},
    "purge": purge,
}
PAIRS: Final = [
    *pairs({**KEYS, **KEY_READS}, KEY_EVENTS),
    *pairs({**ROBOTS, **ROBOT_READS}, ROBOTS),
]


@pytest.mark.parametrize(("act", "event"), PAIRS)
def test_whatever_happens_meanwhile_no_item_contradicts_another(
    act: Act,
    event: Act,
    operations: Provisioning,
    store: Store,
    new_world: Callable[[], World],
) -> None:
    for world, came_of_it in interleaved(act, event, operations, store, new_world):
        assert contradictions(store, world) == []
        if isinstance(came_of_it, CreatedKey):
            record = record_of(store, came_of_it.key.key_id)
            # A deleted owner's key has no secret; the owner may go once the key is stored.
            left = {hash_secret(came_of_it.secret)} if record.revoked_at is None else {b""}
            assert record.secret_hash in left
