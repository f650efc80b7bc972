"""What holds while DynamoDB is still committing the transaction that creates a key.

In `test_interleavings.py`, DynamoDB Local commits a transaction at once. AWS documents less: a
`Query`, and several reads, may see some items of a transaction as they were (Developer Guide,
"Isolation levels for DynamoDB transactions").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import pytest

from keyscope.lifecycle.account import AccountState
from keyscope.lifecycle.directory import AccountSuspended
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.lifecycle.suspension import suspend_account
from keyscope.model.ids import OwnerType
from tests.support.builders import NOW
from tests.support.copies import copies_of
from tests.support.dynamodb_local import Store
from tests.support.operations import (
    dynamodb_of,
    key_item,
    operations_over,
    over_client,
    usable_keys,
)
from tests.support.slow_commit import Beside, Place, SlowCommit

APP: Final = OwnerType.APP
ROBOT: Final = OwnerType.SERVICE_ACCOUNT


@dataclass(frozen=True)
class World:
    """An account with a service account, an app and a key of the app."""

    account_id: str
    robot_id: str
    app_id: str
    app_key_id: str


Act = Callable[[Provisioning, World], CreatedKey | None]
NEW_SECRETS: Final[Mapping[str, Act]] = {
    "account's key": lambda to, at: to.create_key(OwnerType.ACCOUNT, at.account_id, KeyRequest()),
    "robot's key": lambda to, at: to.create_key(ROBOT, at.robot_id, KeyRequest()),
    "app's key": lambda to, at: to.create_key(APP, at.app_id, KeyRequest()),
    "app and its key": lambda to, at: to.create_named_app(at.account_id, "new", KeyRequest())[1],
    "app's key again": lambda to, at: to.rotate_key(at.app_id, at.app_key_id, 0),
}
LATE: Final[Mapping[str, Callable[[Place], bool]]] = {
    "all but the account": lambda place: place[-1] != "account",
    "the key": lambda place: len(place) == 1,
    "all": lambda _: True,
}


@pytest.fixture(scope="module")
def operations(moto_store: Store) -> Provisioning:
    return operations_over(moto_store, lambda: NOW)


@pytest.fixture(scope="module")
def new_world(moto_store: Store, operations: Provisioning) -> Callable[[], World]:
    account, _ = operations.create_account("Acme", KeyRequest())
    account_id = account.owner_id
    robot = operations.create_service_account(account_id, "robot")
    app = operations.create_app(account_id, "app")
    key = operations.create_key(APP, app.owner_id, KeyRequest()).key
    world = World(account_id, robot.owner_id, app.owner_id, key.key_id)
    return copies_of(world, account_id, moto_store)


def shown_keys(
    act: Act,
    late: str,
    meanwhile: Callable[[Provisioning], object],
    store: Store,
    world: World,
) -> list[str]:
    """Act while another caller does something; return the key's id if its secret was shown."""
    operations = operations_over(store, lambda: NOW)
    client = SlowCommit(
        dynamodb_of(store),
        LATE[late],
        lambda: meanwhile(
            over_client(operations, store, Beside(client), lambda _: client.finish())
        ),
    )
    try:
        created = act(over_client(operations, store, client), world)
    except AccountSuspended:
        return []
    assert created is not None
    return [created.key.key_id]


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("name", NEW_SECRETS)
def test_no_secret_is_shown_of_a_key_that_escapes_a_suspension_meanwhile(
    name: str,
    late: str,
    operations: Provisioning,
    moto_store: Store,
    new_world: Callable[[], World],
) -> None:
    world = new_world()
    shown = shown_keys(
        NEW_SECRETS[name],
        late,
        lambda other: suspend_account(other, world.account_id),
        moto_store,
        world,
    )
    account = operations.directory.get_account(world.account_id)
    assert account.state is AccountState.SUSPENDED
    assert [it for it in shown if "suspended_at" not in key_item(moto_store, it)] == []


@pytest.mark.parametrize("late", LATE)
def test_no_key_outlives_an_owner_that_is_deleted_during_its_creation(
    late: str, moto_store: Store, new_world: Callable[[], World]
) -> None:
    world = new_world()
    shown_keys(
        NEW_SECRETS["app's key"],
        late,
        lambda other: other.delete_owner(world.app_id),
        moto_store,
        world,
    )
    assert usable_keys(moto_store, world.app_id) == set()
