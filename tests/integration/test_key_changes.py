"""Changes of keys over real tables, and what an authorizer reads of a key afterwards."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import pytest

from keyscope.errors import Unavailable
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    Key,
    KeyState,
    TooManyKeys,
)
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from tests.support.builders import NOW, limited
from tests.support.dynamodb_local import Store
from tests.support.operations import (
    InterruptedClient,
    dynamodb_of,
    key_item,
    over_client,
    record_of,
    remove_attribute,
)
from tests.support.stores import SteppedClock

APP: Final = OwnerType.APP
OVERLAP: Final = 60

pytestmark = pytest.mark.usefixtures("emptied")


@pytest.fixture
def app_id(operations: Provisioning) -> str:
    account, _ = operations.create_account("Acme", KeyRequest())
    return operations.create_app(account.owner_id, "app").owner_id


@pytest.fixture
def created(operations: Provisioning, app_id: str) -> CreatedKey:
    return operations.create_key(APP, app_id, KeyRequest("key"))


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda to, app_id, key_id: to.revoke_key(app_id, key_id), id="revoked"),
        pytest.param(lambda to, app_id, _: to.delete_owner(app_id), id="its app deleted"),
    ],
)
def test_a_key_that_ends_leaves_its_usage_plan_and_destroys_both_secrets(
    end: Callable[[Provisioning, str, str], None],
    operations: Provisioning,
    app_id: str,
    created: CreatedKey,
    store: Store,
) -> None:
    key_id = created.key.key_id
    operations.set_usage_identifier_key(key_id, "gold" * 5)
    operations.rotate_key(app_id, key_id, OVERLAP)
    end(operations, app_id, key_id)
    left = key_item(store, key_id)
    assert [name for name in left if "secret" in name or "usage" in name] == []


def change(key: Key) -> Key:
    return replace(key, display_name="new")


def gives_places_away(_: str, request: Mapping[str, object]) -> bool:
    return "expires_at <= :now" in str(request)


def test_a_key_that_is_prolonged_right_before_its_place_is_given_away_keeps_it(
    operations: Provisioning, app_id: str, clock: SteppedClock, store: Store
) -> None:
    key_id = operations.create_key(
        APP, app_id, KeyRequest(limits=KeyLimits(expires_at=NOW + 1))
    ).key.key_id
    for _ in range(MAX_KEYS_PER_OWNER - 1):
        operations.create_key(APP, app_id, KeyRequest())
    clock.now += 2

    def prolong() -> None:
        operations.update_key(app_id, key_id, lambda key: limited(key, expires_at=NOW + 99))

    client = InterruptedClient(dynamodb_of(store), gives_places_away, prolong)
    with pytest.raises(TooManyKeys):
        over_client(operations, store, client).create_key(APP, app_id, KeyRequest())
    assert operations.get_key(app_id, key_id).state(clock.now) is KeyState.ACTIVE
    assert len(operations.list_keys(app_id)) == MAX_KEYS_PER_OWNER


def test_an_expired_key_makes_room_although_another_one_is_prolonged_right_before(
    operations: Provisioning, app_id: str, clock: SteppedClock, store: Store
) -> None:
    request = KeyRequest(limits=KeyLimits(expires_at=NOW + 1))
    prolonged, expired = (operations.create_key(APP, app_id, request).key.key_id for _ in range(2))
    for _ in range(MAX_KEYS_PER_OWNER - 2):
        operations.create_key(APP, app_id, KeyRequest())
    clock.now += 2

    def prolong() -> None:
        operations.update_key(app_id, prolonged, lambda key: limited(key, expires_at=None))

    client = InterruptedClient(dynamodb_of(store), gives_places_away, prolong)
    created = over_client(operations, store, client).create_key(APP, app_id, KeyRequest())
    listed = {key.key_id for key in operations.list_keys(app_id)}
    assert {prolonged, created.key.key_id} <= listed
    assert expired not in listed


def test_a_key_that_is_revoked_while_keys_are_listed_is_not_listed(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    client = InterruptedClient(
        dynamodb_of(store),
        lambda operation, _: operation == "batch_get_item",
        lambda: operations.revoke_key(app_id, created.key.key_id),
    )
    assert over_client(operations, store, client).list_keys(app_id) == []


def test_a_damaged_key_is_not_changed(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    remove_attribute(store, created.key.key_id, "revision")
    with pytest.raises(Unavailable, match="damaged_record: attribute revision"):
        operations.update_key(app_id, created.key.key_id, change)
    with pytest.raises(Unavailable, match="damaged_record: attribute revision"):
        operations.rotate_key(app_id, created.key.key_id, 0)


def test_a_damaged_key_can_be_revoked(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    remove_attribute(store, created.key.key_id, "revision")
    operations.revoke_key(app_id, created.key.key_id)
    assert record_of(store, created.key.key_id).revoked_at == NOW


def test_a_damaged_key_goes_with_its_app(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    remove_attribute(store, created.key.key_id, "revision")
    operations.delete_owner(app_id)
    assert record_of(store, created.key.key_id).revoked_at == NOW


def test_no_stored_attribute_holds_a_secret_after_a_rotation(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    rotated = operations.rotate_key(app_id, created.key.key_id, OVERLAP)
    item = str(key_item(store, created.key.key_id))
    assert created.secret not in item
    assert rotated.secret not in item
