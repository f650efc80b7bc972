"""What holds when an account is suspended or resumed between any two calls of another change.

And the other way around: each change happens right before each call that a suspension makes. As in
`test_interleavings.py`, a change is made once for each of its calls of DynamoDB. Afterwards the
suspension or the resumption is brought to its end, and no key may have escaped it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

import pytest

from keyscope.errors import Conflict, KeyscopeError, NotFound
from keyscope.lifecycle.account import Account, AccountState, Marking
from keyscope.lifecycle.directory import AccountSuspended
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.lifecycle.suspension import resume_account, suspend_account
from keyscope.model.ids import OwnerType, creator_of_app, owner_type_of_id
from tests.support.builders import NOW, limited
from tests.support.copies import copies_of
from tests.support.dynamodb_local import Store
from tests.support.operations import (
    InterruptedClient,
    dynamodb_of,
    key_item,
    operations_over,
    over_client,
    owner_items,
)

pytestmark = pytest.mark.races

APP: Final = OwnerType.APP
ROBOT: Final = OwnerType.SERVICE_ACCOUNT
MAX_CALLS: Final = 40


@dataclass(frozen=True)
class World:
    """An account with a service account, an app, an app to delete, and a disabled key of each."""

    account_id: str
    robot_id: str
    app_id: str
    other_app_id: str
    account_key_id: str
    robot_key_id: str
    app_key_id: str


Act = Callable[[Provisioning, World], object]

CREATIONS: Final[Mapping[str, Act]] = {
    "create account's key": lambda to, at: to.create_key(
        OwnerType.ACCOUNT, at.account_id, KeyRequest()
    ),
    "create robot": lambda to, at: to.create_service_account(at.account_id, "new"),
    "create robot's key": lambda to, at: to.create_key(ROBOT, at.robot_id, KeyRequest()),
    "create app": lambda to, at: to.create_app(at.account_id, "new"),
    "create robot's app": lambda to, at: to.create_app(at.account_id, "new", at.robot_id),
    "create app's key": lambda to, at: to.create_key(APP, at.app_id, KeyRequest()),
}
REVIVALS: Final[Mapping[str, Act]] = {
    "enable account's key": lambda to, at: to.update_key(
        at.account_id, at.account_key_id, lambda key: limited(key, disabled_at=None)
    ),
    "enable app's key": lambda to, at: to.update_key(
        at.app_id, at.app_key_id, lambda key: limited(key, disabled_at=None)
    ),
    "rotate account's key": lambda to, at: to.rotate_key(at.account_id, at.account_key_id, 0),
    "rotate robot's key": lambda to, at: to.rotate_key(at.robot_id, at.robot_key_id, 60),
}
OTHERS: Final[Mapping[str, Act]] = {
    "rename app's key": lambda to, at: to.update_key(
        at.app_id, at.app_key_id, lambda key: replace(key, display_name="new")
    ),
    "revoke app's key": lambda to, at: to.revoke_key(at.app_id, at.app_key_id),
    "delete app": lambda to, at: to.delete_owner(at.other_app_id),
}
REFUSED: Final = {**CREATIONS, **REVIVALS}
CHANGES: Final = {**REFUSED, **OTHERS}
SUSPEND: Final[Mapping[str, Act]] = {"suspend": lambda to, at: suspend_account(to, at.account_id)}
STOP: Final[Mapping[str, Act]] = {
    # What is left of a suspension whose function is cut off.
    "begin to suspend": lambda to, at: to.directory.begin_marking(
        at.account_id, Marking.SUSPENDING, NOW
    ),
}
RESUME: Final[Mapping[str, Act]] = {"resume": lambda to, at: resume_account(to, at.account_id)}


@pytest.fixture(scope="module")
def store(dynamodb_local_store: Store) -> Store:
    return dynamodb_local_store


@pytest.fixture(scope="module")
def operations(store: Store) -> Provisioning:
    return operations_over(store, lambda: NOW)


@pytest.fixture(scope="module")
def first_world(operations: Provisioning) -> World:
    account, first = operations.create_account("Acme", KeyRequest())
    account_id = account.owner_id
    robot_id = operations.create_service_account(account_id, "robot").owner_id
    app_id, other_app_id = (
        operations.create_app(account_id, name).owner_id for name in ("app", "other")
    )
    robot_key = operations.create_key(ROBOT, robot_id, KeyRequest()).key
    app_key = operations.create_key(APP, app_id, KeyRequest()).key
    operations.create_key(APP, other_app_id, KeyRequest())
    for owner_id, key_id in ((account_id, first.key.key_id), (app_id, app_key.key_id)):
        operations.update_key(owner_id, key_id, lambda key: limited(key, disabled_at=NOW))
    return World(
        account_id,
        robot_id,
        app_id,
        other_app_id,
        first.key.key_id,
        robot_key.key_id,
        app_key.key_id,
    )


@pytest.fixture(scope="module")
def active(store: Store, first_world: World) -> Callable[[], World]:
    return copies_of(first_world, first_world.account_id, store)


@pytest.fixture(scope="module")
def suspended(
    store: Store, operations: Provisioning, active: Callable[[], World]
) -> Callable[[], World]:
    world = active()
    suspend_account(operations, world.account_id)
    return copies_of(world, world.account_id, store)


def outcome(act: Act, operations: Provisioning, world: World) -> object:
    try:
        return act(operations, world)
    except (Conflict, NotFound) as refusal:
        return refusal


def interleaved(
    act: Act, event: Act, operations: Provisioning, store: Store, new_world: Callable[[], World]
) -> Iterator[World]:
    """Let the event happen right before each call of the act in turn; yield what came of it."""
    for number in range(1, MAX_CALLS):
        world = new_world()
        calls = count(1)

        def is_call(_: str, __: object, calls: Iterator[int] = calls, number: int = number) -> bool:
            return next(calls) == number

        def happens(world: World = world) -> None:
            outcome(event, operations, world)

        client = InterruptedClient(dynamodb_of(store), is_call, happens)
        outcome(act, over_client(operations, store, client), world)
        if not client.happened:
            assert number > 1
            return
        yield world
    pytest.fail("the change never came to its end")


def brought_to_its_end(operations: Provisioning, world: World) -> Account:
    """Go on with what was begun, as the operator does by repeating the call."""
    account = operations.directory.get_account(world.account_id)
    match account.state:
        case AccountState.SUSPENDING:
            return suspend_account(operations, world.account_id)
        case AccountState.RESUMING:
            return resume_account(operations, world.account_id)
        case _:
            return account


def contradictions(store: Store, world: World, account: Account) -> Iterator[str]:
    """Return what contradicts an account's state, or its counters, in its items."""
    since = None if account.suspension is None else account.suspension.suspended_at
    items = [item for item in owner_items(store, world.account_id) if "created_at" in item]
    held = {key_id for item in items for key_id in item.get("key_ids", {}).get("SS", [])}
    for key_id in held | {world.account_key_id, world.robot_key_id, world.app_key_id}:
        key = key_item(store, key_id)
        marked = int(key["suspended_at"]["N"]) if "suspended_at" in key else None
        if "revoked_at" not in key and marked != since:
            yield f"{key_id} is marked {marked} in an account that is {account.state}"
    kinds = [owner_type_of_id(item["owner_id"]["S"]) for item in items]
    if account.service_account_count != kinds.count(ROBOT):
        yield f"{account.service_account_count} service accounts are counted"
    own = [
        item
        for item, kind in zip(items, kinds, strict=True)
        if kind is APP and creator_of_app(item["owner_id"]["S"]) == world.account_id
    ]
    if account.app_count != len(own):
        yield f"{account.app_count} apps are counted"


def pairs(acts: Mapping[str, Act], events: Mapping[str, Act]) -> list[Any]:
    return [
        pytest.param(act, event, id=f"{event_name} during {act_name}")
        for act_name, act in acts.items()
        for event_name, event in events.items()
    ]


@pytest.mark.parametrize(
    ("act", "event"),
    [
        *pairs(CHANGES, {**SUSPEND, **STOP}),
        *pairs(SUSPEND, {**CHANGES, **SUSPEND, **STOP, **RESUME}),
    ],
)
def test_no_key_of_an_active_account_escapes_its_suspension(
    act: Act,
    event: Act,
    operations: Provisioning,
    store: Store,
    active: Callable[[], World],
) -> None:
    for world in interleaved(act, event, operations, store, active):
        account = brought_to_its_end(operations, world)
        assert [*contradictions(store, world, account)] == []


@pytest.mark.parametrize(
    ("act", "event"),
    [*pairs(CHANGES, RESUME), *pairs(RESUME, {**SUSPEND, **STOP, **RESUME, **CHANGES})],
)
def test_no_key_stays_suspended_in_an_account_that_is_active_again(
    act: Act,
    event: Act,
    operations: Provisioning,
    store: Store,
    suspended: Callable[[], World],
) -> None:
    for world in interleaved(act, event, operations, store, suspended):
        account = brought_to_its_end(operations, world)
        assert [*contradictions(store, world, account)] == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_suspension_overtakes_is_refused_with_its_own_reason(
    name: str,
    operations: Provisioning,
    store: Store,
    active: Callable[[], World],
) -> None:
    world = active()

    def is_write(operation: str, _: object) -> bool:
        return operation == "transact_write_items"

    client = InterruptedClient(
        dynamodb_of(store), is_write, lambda: suspend_account(operations, world.account_id)
    )
    with pytest.raises(KeyscopeError) as refused:
        REFUSED[name](over_client(operations, store, client), world)
    assert type(refused.value) is AccountSuspended
