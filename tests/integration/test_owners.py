"""Apps and service accounts over real tables: lists, changes, names, deletion."""

from dataclasses import replace
from typing import Any, Final

import pytest

from keyscope.lifecycle.directory import (
    REVOKED_RECORD_SECONDS,
    After,
    Before,
    KeyState,
    NameTaken,
    Offset,
    Owner,
    OwnerNotFound,
    OwnsApps,
    Position,
)
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from tests.support.builders import NOW
from tests.support.dynamodb_local import Store
from tests.support.operations import (
    InterruptedClient,
    dynamodb_of,
    key_item,
    over_client,
    owner_item,
    record_of,
)
from tests.support.stores import SteppedClock

APP: Final = OwnerType.APP

pytestmark = pytest.mark.usefixtures("emptied")
METADATA: Final[dict[str, Any]] = {
    "text": "Grüße \U0001f511 \udcff",
    "big": 10**30,
    "small": 1e-300,
    "negative": -0.1,
    "yes": True,
    "": "empty name",
}


@pytest.fixture
def account_id(operations: Provisioning) -> str:
    account, _ = operations.create_account("Acme", KeyRequest())
    return account.owner_id


def ids(operations: Provisioning, creator_id: str, position: Position, size: int) -> list[str]:
    return [owner.owner_id for owner in operations.list_apps(creator_id, position, size).owners]


def apps(operations: Provisioning, account_id: str, number: int) -> list[str]:
    """Create apps; return their ids in the order of a list."""
    return sorted(operations.create_app(account_id, "app").owner_id for _ in range(number))


def test_settings_and_metadata_come_back_as_they_were(
    operations: Provisioning, account_id: str
) -> None:
    settings = {"useAnimalNames": False, "conversationRetentionSeconds": 2**53 - 1}
    app = operations.create_app(account_id, "app", settings=settings, metadata=METADATA)
    found = operations.get_owner(app.owner_id)
    assert (found.settings, found.metadata) == (settings, METADATA)
    assert type(found.metadata["big"]) is int


def test_an_owner_is_found_as_it_was_created(operations: Provisioning, account_id: str) -> None:
    robot = operations.create_service_account(account_id, "robot")
    assert operations.get_owner(robot.owner_id) == robot


@pytest.mark.parametrize("owner_id", ["0" * 12, "0" * 16, "0" * 24])
def test_an_owner_that_is_not_there_is_told(owner_id: str, operations: Provisioning) -> None:
    with pytest.raises(OwnerNotFound):
        operations.get_owner(owner_id)
    with pytest.raises(OwnerNotFound):
        operations.update_owner(owner_id, lambda owner: replace(owner, display_name="new"))
    with pytest.raises(OwnerNotFound):
        operations.delete_owner(owner_id)


def test_apps_are_paged_forwards_by_cursor(operations: Provisioning, account_id: str) -> None:
    all_ids = apps(operations, account_id, 5)
    first = operations.list_apps(account_id, After(), 2)
    last = operations.list_apps(account_id, After(all_ids[3]), 2)
    assert ([owner.owner_id for owner in first.owners], first.has_more) == (all_ids[:2], True)
    assert ids(operations, account_id, After(all_ids[1]), 2) == all_ids[2:4]
    assert ([owner.owner_id for owner in last.owners], last.has_more) == (all_ids[4:], False)


def test_apps_are_paged_backwards_by_cursor_in_the_same_order(
    operations: Provisioning, account_id: str
) -> None:
    all_ids = apps(operations, account_id, 5)
    page = operations.list_apps(account_id, Before(all_ids[4]), 2)
    assert ([owner.owner_id for owner in page.owners], page.has_more) == (all_ids[2:4], True)
    assert operations.list_apps(account_id, Before(all_ids[2]), 2).has_more is False
    assert ids(operations, account_id, Before(all_ids[0]), 2) == []


def test_a_page_that_holds_exactly_the_rest_is_the_last(
    operations: Provisioning, account_id: str
) -> None:
    apps(operations, account_id, 3)
    assert operations.list_apps(account_id, After(), 3).has_more is False
    assert operations.list_apps(account_id, Offset(0), 3).has_more is False


def test_a_cursor_whose_app_is_gone_still_pages(operations: Provisioning, account_id: str) -> None:
    all_ids = apps(operations, account_id, 4)
    operations.delete_owner(all_ids[1])
    assert ids(operations, account_id, After(all_ids[1]), 10) == all_ids[2:]
    assert ids(operations, account_id, Before(all_ids[1]), 10) == all_ids[:1]


@pytest.mark.parametrize(
    ("skipped", "expected"), [(0, slice(0, 2)), (3, slice(3, 5)), (4, slice(4, 5))]
)
def test_apps_are_paged_by_offset(
    skipped: int, expected: slice, operations: Provisioning, account_id: str
) -> None:
    all_ids = apps(operations, account_id, 5)
    assert ids(operations, account_id, Offset(skipped), 2) == all_ids[expected]


@pytest.mark.parametrize("skipped", [5, 6, 10_000])
def test_nothing_is_left_after_the_last_offset(
    skipped: int, operations: Provisioning, account_id: str
) -> None:
    apps(operations, account_id, 5)
    assert ids(operations, account_id, Offset(skipped), 2) == []


def test_a_service_accounts_apps_are_those_that_it_created(
    operations: Provisioning, account_id: str
) -> None:
    robot = operations.create_service_account(account_id, "robot").owner_id
    other = operations.create_service_account(account_id, "other").owner_id
    own = operations.create_app(account_id, "own", robot).owner_id
    everybodys = sorted([own, *apps(operations, account_id, 1)])
    assert ids(operations, robot, After(), 10) == [own]
    assert ids(operations, other, After(), 10) == []
    assert ids(operations, account_id, After(), 10) == everybodys


def test_another_accounts_apps_are_not_listed(operations: Provisioning, account_id: str) -> None:
    stranger, _ = operations.create_account("Other", KeyRequest())
    apps(operations, stranger.owner_id, 2)
    assert ids(operations, account_id, After(), 10) == []


def test_names_of_service_accounts_are_not_taken_for_service_accounts(
    operations: Provisioning, account_id: str
) -> None:
    robot = operations.create_service_account(account_id, "robot")
    assert operations.list_service_accounts(account_id, After(), 10).owners == [robot]


def test_a_change_that_changes_nothing_writes_nothing(
    operations: Provisioning, account_id: str, store: Store
) -> None:
    app = operations.create_app(account_id, "app")
    operations.update_owner(app.owner_id, lambda owner: owner)
    item = owner_item(store, account_id, f"app#{app.owner_id}")
    assert item is not None
    assert item["revision"] == {"N": "0"}


def test_a_change_keeps_what_it_does_not_name(operations: Provisioning, account_id: str) -> None:
    app = operations.create_app(account_id, "app", metadata={"plan": "gold"})
    key = operations.create_key(APP, app.owner_id, KeyRequest()).key
    operations.update_owner(app.owner_id, lambda owner: replace(owner, display_name="new"))
    assert operations.get_owner(app.owner_id) == replace(app, display_name="new")
    assert operations.list_keys(app.owner_id) == [key]


@pytest.mark.parametrize("name", ["robot", "Röbot", "#", "robot#1", "x" * 100, "\U0001f916" * 100])
def test_a_service_accounts_name_is_taken_once_in_an_account(
    name: str, operations: Provisioning, account_id: str
) -> None:
    operations.create_service_account(account_id, name)
    with pytest.raises(NameTaken):
        operations.create_service_account(account_id, name)


def test_another_account_may_use_the_same_name(operations: Provisioning, account_id: str) -> None:
    stranger, _ = operations.create_account("Other", KeyRequest())
    operations.create_service_account(account_id, "robot")
    assert operations.create_service_account(stranger.owner_id, "robot").display_name == "robot"


def test_a_refused_name_leaves_no_service_account(
    operations: Provisioning, account_id: str
) -> None:
    robot = operations.create_service_account(account_id, "robot")
    with pytest.raises(NameTaken):
        operations.create_service_account(account_id, "robot")
    assert operations.list_service_accounts(account_id, After(), 10).owners == [robot]


def renamed(operations: Provisioning, owner: Owner, name: str) -> Owner:
    return operations.update_owner(owner.owner_id, lambda old: replace(old, display_name=name))


def test_a_new_name_frees_the_old_one(operations: Provisioning, account_id: str) -> None:
    robot = operations.create_service_account(account_id, "robot")
    renamed(operations, robot, "android")
    assert operations.create_service_account(account_id, "robot").display_name == "robot"
    with pytest.raises(NameTaken):
        operations.create_service_account(account_id, "android")


def test_a_name_that_is_taken_cannot_be_given(operations: Provisioning, account_id: str) -> None:
    operations.create_service_account(account_id, "android")
    robot = operations.create_service_account(account_id, "robot")
    with pytest.raises(NameTaken):
        renamed(operations, robot, "android")
    assert operations.get_owner(robot.owner_id) == robot


def test_a_service_account_may_keep_its_name(operations: Provisioning, account_id: str) -> None:
    robot = operations.create_service_account(account_id, "robot")
    assert renamed(operations, robot, "robot") == robot


def test_a_name_that_another_caller_gives_the_same_service_account_is_not_called_taken(
    operations: Provisioning, account_id: str, store: Store
) -> None:
    robot = operations.create_service_account(account_id, "robot")
    client = InterruptedClient(
        dynamodb_of(store),
        lambda operation, _: operation == "transact_write_items",
        lambda: renamed(operations, robot, "android"),
    )
    after = renamed(over_client(operations, store, client), robot, "android")
    assert after.display_name == "android"


def test_an_account_is_neither_changed_nor_deleted(
    operations: Provisioning, account_id: str
) -> None:
    before = operations.get_owner(account_id)
    with pytest.raises(OwnerNotFound):
        renamed(operations, before, "new")
    with pytest.raises(OwnerNotFound):
        operations.delete_owner(account_id)
    assert operations.get_owner(account_id) == before


def test_a_deleted_app_takes_its_keys_with_it(
    operations: Provisioning, account_id: str, store: Store
) -> None:
    app_id = operations.create_app(account_id, "app").owner_id
    key_ids = [operations.create_key(APP, app_id, KeyRequest()).key.key_id for _ in range(3)]
    operations.rotate_key(app_id, key_ids[0], 60)
    operations.delete_owner(app_id)
    for key_id in key_ids:
        record = record_of(store, key_id)
        assert (record.revoked_at, record.secret_hash, record.previous) == (NOW, b"", None)
        assert record.limits.expires_at == NOW + REVOKED_RECORD_SECONDS
        assert [name for name in key_item(store, key_id) if "secret" in name] == []
    with pytest.raises(OwnerNotFound):
        operations.get_owner(app_id)


def test_a_deleted_app_gets_no_key(operations: Provisioning, account_id: str) -> None:
    app_id = operations.create_app(account_id, "app").owner_id
    operations.delete_owner(app_id)
    with pytest.raises(OwnerNotFound):
        operations.create_key(APP, app_id, KeyRequest())


def test_a_service_account_with_apps_cannot_be_deleted(
    operations: Provisioning, account_id: str
) -> None:
    robot = operations.create_service_account(account_id, "robot").owner_id
    key = operations.create_key(OwnerType.SERVICE_ACCOUNT, robot, KeyRequest()).key
    operations.create_app(account_id, "app", robot)
    with pytest.raises(OwnsApps):
        operations.delete_owner(robot)
    assert operations.get_key(robot, key.key_id).state(NOW) is KeyState.ACTIVE


def test_a_service_account_can_be_deleted_once_its_apps_are(
    operations: Provisioning, account_id: str, store: Store
) -> None:
    robot = operations.create_service_account(account_id, "robot").owner_id
    key = operations.create_key(OwnerType.SERVICE_ACCOUNT, robot, KeyRequest()).key
    for app_id in [operations.create_app(account_id, "app", robot).owner_id for _ in range(2)]:
        operations.delete_owner(app_id)
    operations.delete_owner(robot)
    assert record_of(store, key.key_id).revoked_at == NOW
    assert operations.create_service_account(account_id, "robot").owner_id != robot
    with pytest.raises(OwnerNotFound):
        operations.create_app(account_id, "app", robot)


def test_a_key_that_dynamodb_has_cleared_away_does_not_hinder_a_deletion(
    operations: Provisioning, account_id: str, clock: SteppedClock, store: Store
) -> None:
    app_id = operations.create_app(account_id, "app").owner_id
    key_id = operations.create_key(
        APP, app_id, KeyRequest(limits=KeyLimits(expires_at=NOW + 1))
    ).key.key_id
    clock.now += 2
    delete = {"TableName": store.keys_table, "Key": {"key_id": {"S": key_id}}}
    dynamodb_of(store).transact_write_items(TransactItems=[{"Delete": delete}])
    operations.delete_owner(app_id)
    with pytest.raises(OwnerNotFound):
        operations.get_owner(app_id)
