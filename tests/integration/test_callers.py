"""A change is made only by a credential that is good at that moment, whatever happens meanwhile.

On DynamoDB Local only: moto keeps no conditions under concurrency.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import pytest

from keyscope.errors import Forbidden
from keyscope.lifecycle.caller import ProvenKey
from keyscope.lifecycle.directory import ChangedMeanwhile
from keyscope.lifecycle.management import AppChange, AppRequest, KeyChange, Management
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from tests.support.builders import NOW, limited
from tests.support.copies import copies_of
from tests.support.dynamodb_local import Store
from tests.support.operations import (
    InterruptedClient,
    dynamodb_of,
    key_item,
    operations_over,
    over_client,
    owner_item,
    owner_items,
    record_of,
    usable_keys,
)

pytestmark = pytest.mark.dynamodb_local

APP: Final = OwnerType.APP
ADDRESS: Final = "192.0.2.7"
NETWORKS: Final = ("192.0.2.0/24",)


@dataclass(frozen=True)
class World:
    """An account with a robot, and an app whose key has an overlap that runs."""

    account_id: str
    own_key_id: str
    robot_id: str
    app_id: str
    key_id: str

    def principal(self) -> Principal:
        return Principal(Scope.ACCOUNT, self.own_key_id, OwnerType.ACCOUNT, self.account_id)

    def management(self, operations: Provisioning) -> Management:
        return Management(operations, self.principal(), ADDRESS)

    def proven(self) -> ProvenKey:
        return ProvenKey.of(self.principal(), ADDRESS)


Act = Callable[[Provisioning, World], object]

WRITES: Final[Mapping[str, Act]] = {
    "create app": lambda to, at: at.management(to).create_app(AppRequest("new")),
    "update app": lambda to, at: at.management(to).update_app(at.app_id, AppChange("renamed")),
    "delete app": lambda to, at: at.management(to).delete_app(at.app_id),
    "create service account": lambda to, at: at.management(to).create_service_account("new"),
    "rename service account": lambda to, at: at.management(to).rename_service_account(
        at.robot_id, "renamed"
    ),
    "delete service account": lambda to, at: at.management(to).delete_service_account(at.robot_id),
    "create key": lambda to, at: at.management(to).create_key(APP, at.app_id, KeyRequest("new")),
    "update key": lambda to, at: at.management(to).update_key(
        APP, at.app_id, at.key_id, KeyChange("renamed")
    ),
    "rotate key": lambda to, at: at.management(to).rotate_key(APP, at.app_id, at.key_id, 0),
    "end overlap": lambda to, at: at.management(to).end_overlap(APP, at.app_id, at.key_id),
    "delete key": lambda to, at: at.management(to).delete_key(APP, at.app_id, at.key_id),
}
OWN_WRITES: Final[Mapping[str, Act]] = {
    "update own key": lambda to, at: to.on_behalf_of(at.proven())[0].update_key(
        at.account_id, at.own_key_id, lambda key: replace(key, display_name="renamed by itself")
    ),
    "rotate own key": lambda to, at: to.on_behalf_of(at.proven())[0].rotate_key(
        at.account_id, at.own_key_id, 0
    ),
    "delete own key": lambda to, at: to.on_behalf_of(at.proven())[0].revoke_key(
        at.account_id, at.own_key_id
    ),
}
ENDS: Final[Mapping[str, Act]] = {
    "delete": lambda to, at: to.revoke_key(at.account_id, at.own_key_id),
    "rotate": lambda to, at: to.rotate_key(at.account_id, at.own_key_id, 0),
    "disable": lambda to, at: to.update_key(
        at.account_id, at.own_key_id, lambda key: limited(key, disabled_at=NOW)
    ),
    "narrow": lambda to, at: to.update_key(
        at.account_id, at.own_key_id, lambda key: limited(key, allowed_cidrs=("198.51.100.0/24",))
    ),
    "expire": lambda to, at: to.update_key(
        at.account_id, at.own_key_id, lambda key: limited(key, expires_at=NOW)
    ),
}
HARMLESS: Final[Mapping[str, Act]] = {
    "rename": lambda to, at: to.update_key(
        at.account_id, at.own_key_id, lambda key: replace(key, display_name="renamed")
    ),
    "rotate with an overlap": lambda to, at: to.rotate_key(at.account_id, at.own_key_id, 60),
    "prolong": lambda to, at: to.update_key(
        at.account_id, at.own_key_id, lambda key: limited(key, expires_at=NOW + 900)
    ),
    "narrow to where it is": lambda to, at: to.update_key(
        at.account_id, at.own_key_id, lambda key: limited(key, allowed_cidrs=NETWORKS)
    ),
}


@pytest.fixture(scope="module")
def store(dynamodb_local_store: Store) -> Store:
    return dynamodb_local_store


@pytest.fixture(scope="module")
def operations(store: Store) -> Provisioning:
    return operations_over(store, lambda: NOW)


@pytest.fixture(scope="module")
def new_world(operations: Provisioning, store: Store) -> Callable[[], World]:
    account, own = operations.create_account("Acme", KeyRequest("own"))
    robot = operations.create_service_account(account.owner_id, "robot")
    app = operations.create_app(account.owner_id, "app")
    # No wider than the account's own key after a harmless change, so that it may be rotated.
    limits = KeyLimits(expires_at=NOW + 600, allowed_cidrs=NETWORKS)
    key_id = operations.create_key(APP, app.owner_id, KeyRequest(limits=limits)).key.key_id
    operations.rotate_key(app.owner_id, key_id, 900)
    world = World(account.owner_id, own.key.key_id, robot.owner_id, app.owner_id, key_id)
    return copies_of(world, world.account_id, store)


@pytest.fixture
def world(new_world: Callable[[], World]) -> World:
    return new_world()


def everything(store: Store, world: World) -> dict[str, object]:
    """Return all that a write could have changed, but the caller's own record."""
    # An account's own item changes when its key is deleted.
    owners = [
        {name: value for name, value in item.items() if name != "key_ids"}
        if item["entity"]["S"] == "account"
        else item
        for item in owner_items(store, world.account_id)
    ]
    return {
        "owners": owners,
        "key": key_item(store, world.key_id),
        "keys": usable_keys(store, world.app_id),
    }


def interrupted(
    operations: Provisioning, store: Store, happens: Callable[[], object]
) -> Provisioning:
    """Return operations in which something happens after the judgment, right before the write."""
    client = InterruptedClient(
        dynamodb_of(store), lambda operation, _: operation == "transact_write_items", happens
    )
    return over_client(operations, store, client)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_written_when_the_key_ends_between_judgment_and_write(
    end: str, write: str, operations: Provisioning, world: World, store: Store
) -> None:
    before = everything(store, world)
    over = interrupted(operations, store, lambda: ENDS[end](operations, world))
    with pytest.raises(Forbidden):
        WRITES[write](over, world)
    assert everything(store, world) == before


@pytest.mark.parametrize("write", OWN_WRITES)
@pytest.mark.parametrize("end", ENDS)
def test_a_key_that_ends_meanwhile_does_not_change_itself(
    end: str, write: str, operations: Provisioning, world: World, store: Store
) -> None:
    ended: list[object] = []

    def end_it() -> None:
        ENDS[end](operations, world)
        ended.append(key_item(store, world.own_key_id))

    with pytest.raises(Forbidden):
        OWN_WRITES[write](interrupted(operations, store, end_it), world)
    assert [key_item(store, world.own_key_id)] == ended


@pytest.mark.parametrize("write", [*WRITES, "update own key", "delete own key"])
@pytest.mark.parametrize("change", HARMLESS)
def test_a_change_of_the_key_that_leaves_the_credential_good_locks_nobody_out(
    change: str, write: str, operations: Provisioning, world: World, store: Store
) -> None:
    over = interrupted(operations, store, lambda: HARMLESS[change](operations, world))
    {**WRITES, **OWN_WRITES}[write](over, world)


ROTATE: Final = "rotate with an overlap"


@pytest.mark.parametrize("change", [change for change in HARMLESS if change != ROTATE])
def test_a_key_that_changes_meanwhile_ends_itself_all_the_same(
    change: str, operations: Provisioning, world: World, store: Store
) -> None:
    over = interrupted(operations, store, lambda: HARMLESS[change](operations, world))
    world.management(over).end_own_key()
    assert record_of(store, world.own_key_id).revoked_at is not None


def test_a_key_that_is_rotated_meanwhile_ends_the_overlap_alone(
    operations: Provisioning, world: World, store: Store
) -> None:
    over = interrupted(operations, store, lambda: HARMLESS[ROTATE](operations, world))
    world.management(over).end_own_key()
    key = operations.directory.find_key(world.own_key_id).key
    assert (key.secret_generation, key.previous_ends_at) == (2, None)


@pytest.mark.parametrize("end", ["delete", "rotate"])
def test_a_secret_that_is_ended_meanwhile_has_nothing_more_to_end(
    end: str, operations: Provisioning, world: World, store: Store
) -> None:
    ended: list[object] = []

    def end_it() -> None:
        ENDS[end](operations, world)
        ended.append(key_item(store, world.own_key_id))

    world.management(interrupted(operations, store, end_it)).end_own_key()
    assert [key_item(store, world.own_key_id)] == ended


def test_a_rotation_of_the_own_key_is_for_the_very_key_that_was_seen(
    operations: Provisioning, world: World, store: Store
) -> None:
    over = interrupted(operations, store, lambda: HARMLESS["rename"](operations, world))
    with pytest.raises(ChangedMeanwhile):
        OWN_WRITES["rotate own key"](over, world)


@pytest.mark.parametrize("write", [*WRITES, *OWN_WRITES])
def test_every_write_is_done_by_a_key_that_is_good(
    write: str, operations: Provisioning, world: World, store: Store
) -> None:
    before = (everything(store, world), key_item(store, world.own_key_id))
    {**WRITES, **OWN_WRITES}[write](operations, world)
    assert (everything(store, world), key_item(store, world.own_key_id)) != before


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("end", ENDS)
def test_in_a_race_a_write_is_done_whole_or_refused_and_none_comes_after_the_end(
    end: str, write: str, operations: Provisioning, world: World, store: Store
) -> None:
    before = everything(store, world)

    def attempt() -> bool:
        try:
            WRITES[write](operations, world)
        except Forbidden:
            return False
        return True

    with ThreadPoolExecutor(max_workers=2) as pool:
        writing = pool.submit(attempt)
        pool.submit(ENDS[end], operations, world).result()
        done = writing.result()
    after = everything(store, world)
    assert (after != before) is done
    with pytest.raises(Forbidden):
        WRITES[write](operations, world)
    assert everything(store, world) == after


def test_a_service_accounts_key_that_ends_with_its_owner_creates_nothing(
    operations: Provisioning, world: World, store: Store
) -> None:
    own = operations.create_key(OwnerType.SERVICE_ACCOUNT, world.robot_id, KeyRequest())
    principal = Principal(
        Scope.ACCOUNT,
        own.key.key_id,
        OwnerType.SERVICE_ACCOUNT,
        world.robot_id,
    )
    over = interrupted(operations, store, lambda: operations.delete_owner(world.robot_id))
    with pytest.raises(Forbidden):
        Management(over, principal, ADDRESS).create_app(AppRequest("new"))
    assert owner_item(store, world.account_id, f"serviceaccount#{world.robot_id}") is None
    assert record_of(store, own.key.key_id).revoked_at is not None
