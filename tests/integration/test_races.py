"""What holds when callers race. On DynamoDB Local only: moto is not honest under concurrency."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

import pytest

from keyscope.errors import KeyscopeError
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    After,
    Key,
    KeyState,
    Owner,
)
from keyscope.lifecycle.external_ids import ExternalName
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope.model.secret import hash_secret
from tests.support.builders import INTEGRATION, limited
from tests.support.dynamodb_local import Store
from tests.support.items import app_count_of
from tests.support.operations import operations_over, owner_item, record_of, usable_keys
from tests.support.profile import RACE_ROUNDS

pytestmark = pytest.mark.races

APP: Final = OwnerType.APP

_T = TypeVar("_T")


@pytest.fixture
def store(dynamodb_local_store: Store) -> Store:
    return dynamodb_local_store


@pytest.fixture
def operations(store: Store) -> Provisioning:
    return operations_over(store, time.time)


@pytest.fixture
def account_id(operations: Provisioning) -> str:
    account, _ = operations.create_account("Acme", KeyRequest())
    return account.owner_id


def race(*calls: Callable[[], _T]) -> list[_T | KeyscopeError]:
    """Start all calls at once; return what each returned or raised."""

    def outcome(call: Callable[[], _T]) -> _T | KeyscopeError:
        try:
            return call()
        except KeyscopeError as error:
            return error

    with ThreadPoolExecutor(max_workers=len(calls)) as pool:
        return list(pool.map(outcome, calls))


def kinds(outcomes: Sequence[object]) -> list[str]:
    return sorted(type(outcome).__name__ for outcome in outcomes)


def made(outcomes: Sequence[object]) -> list[CreatedKey]:
    return [outcome for outcome in outcomes if isinstance(outcome, CreatedKey)]


def test_of_twenty_keys_that_are_created_at_once_ten_come_to_be(
    operations: Provisioning, account_id: str, store: Store
) -> None:
    app_id = operations.create_app(account_id, "app").owner_id
    requests = [KeyRequest(), KeyRequest(integration_id=INTEGRATION)] * 10
    outcomes = race(*[partial(operations.create_key, APP, app_id, each) for each in requests])
    assert kinds(outcomes) == ["CreatedKey"] * 10 + ["TooManyKeys"] * 10
    assert usable_keys(store, app_id) == {created.key.key_id for created in made(outcomes)}


def test_of_service_accounts_that_take_a_name_at_once_one_has_it(
    operations: Provisioning, account_id: str
) -> None:
    for number in range(RACE_ROUNDS):
        name = f"robot {number}"
        other = operations.create_service_account(account_id, f"other {number}").owner_id

        def create(name: str = name) -> Owner:
            return operations.create_service_account(account_id, name)

        def rename(name: str = name, other: str = other) -> Owner:
            return operations.update_owner(other, lambda owner: replace(owner, display_name=name))

        outcomes = race(create, rename, create, create)
        assert kinds(outcomes) == ["NameTaken"] * 3 + ["Owner"]
    listed = operations.list_service_accounts(account_id, After(), 100).owners
    names = [owner.display_name for owner in listed]
    assert len(set(names)) == len(names)


def test_of_creations_that_take_an_external_id_at_once_one_has_it(
    operations: Provisioning, account_id: str, store: Store
) -> None:
    for number in range(RACE_ROUNDS):
        # Accounts of earlier runs keep their external ids.
        text = f"tenant-{account_id}-{number}"

        def account(spelled: str) -> Owner:
            return operations.create_account("new", KeyRequest(), ExternalName(spelled))[0]

        def app(spelled: str) -> Owner:
            name = ExternalName(spelled)
            return operations.create_named_app(account_id, "new", KeyRequest(), name)[0]

        for create, owner_type in ((account, OwnerType.ACCOUNT), (app, APP)):
            spellings = (text, text.upper(), text.title(), text)
            outcomes = race(*[partial(create, spelled) for spelled in spellings])
            assert kinds(outcomes) == ["ExternalIdTaken"] * 3 + ["Owner"]
            (owner,) = [each for each in outcomes if isinstance(each, Owner)]
            assert operations.find_owner(owner_type, ExternalName(text)).owner == owner
            assert len(usable_keys(store, owner.owner_id)) == 1


def test_a_lost_key_that_is_replaced_twice_at_once_has_the_secret_that_was_returned(
    operations: Provisioning, account_id: str, store: Store
) -> None:
    for number in range(RACE_ROUNDS):
        name = ExternalName(f"lost-{account_id}-{number}", "token")
        operations.create_account("new", KeyRequest(), name)

        def replaced(name: ExternalName = name) -> CreatedKey:
            return operations.replace_lost_key(OwnerType.ACCOUNT, name, 1)[1]

        outcomes = race(replaced, replaced, replaced)
        assert kinds(outcomes) == ["ChangedMeanwhile"] * 2 + ["CreatedKey"]
        (created,) = made(outcomes)
        assert record_of(store, created.key.key_id).secret_hash == hash_secret(created.secret)


def test_no_key_that_is_created_while_its_app_is_deleted_stays_usable(
    operations: Provisioning, account_id: str, store: Store
) -> None:
    for _ in range(RACE_ROUNDS):
        app_id = operations.create_app(account_id, "app").owner_id
        for _ in range(3):
            operations.create_key(APP, app_id, KeyRequest())

        def create(app_id: str = app_id) -> object:
            return operations.create_key(APP, app_id, KeyRequest())

        def delete(app_id: str = app_id) -> str:
            operations.delete_owner(app_id)
            return "deleted"

        *_, deleted = race(create, create, create, delete)
        assert deleted == "deleted"
        assert usable_keys(store, app_id) == set()


def test_an_app_that_is_deleted_while_keys_take_the_places_of_expired_ones_stays_deleted(
    operations: Provisioning, account_id: str, store: Store
) -> None:
    now = int(time.time())
    past = replace(operations, clock=lambda: now - 60)
    for _ in range(RACE_ROUNDS):
        app_id = operations.create_app(account_id, "app").owner_id
        for _ in range(MAX_KEYS_PER_OWNER):
            past.create_key(APP, app_id, KeyRequest(limits=KeyLimits(expires_at=now - 1)))

        def create(app_id: str = app_id) -> object:
            return operations.create_key(APP, app_id, KeyRequest())

        def delete(app_id: str = app_id) -> None:
            operations.delete_owner(app_id)

        race(create, delete, create)
        assert owner_item(store, account_id, f"app#{app_id}") is None
        keys = [record_of(store, key_id) for key_id in usable_keys(store, app_id)]
        assert all(key.limits.expires_at is not None for key in keys)


@pytest.mark.parametrize("of_service_account", [False, True])
def test_of_apps_that_are_created_and_deleted_at_once_no_more_than_the_limit_come_to_be(
    operations: Provisioning, account_id: str, *, of_service_account: bool
) -> None:
    limited = replace(operations, max_apps_per_creator=3)
    robot = limited.create_service_account(account_id, "robot").owner_id
    creator = robot if of_service_account else None

    def create() -> object:
        return limited.create_app(account_id, "app", creator)

    outcomes = race(*[create] * 8)
    assert kinds(outcomes) == ["Owner"] * 3 + ["TooManyApps"] * 5
    for _ in range(RACE_ROUNDS):
        deleted = limited.list_apps(creator or account_id, After(), 10).owners[0].owner_id

        def delete(deleted: str = deleted) -> None:
            limited.delete_owner(deleted)

        race(create, delete, create)
        left = len(limited.list_apps(creator or account_id, After(), 10).owners)
        assert left in (2, 3)
        race(*[create] * (4 - left))
        assert len(limited.list_apps(creator or account_id, After(), 10).owners) == 3


def test_no_app_outlives_the_service_account_that_creates_it(
    operations: Provisioning, account_id: str, store: Store
) -> None:
    for number in range(RACE_ROUNDS):
        robot = operations.create_service_account(account_id, f"r{number}").owner_id

        def create(robot: str = robot) -> object:
            return operations.create_app(account_id, "app", robot)

        def delete(robot: str = robot) -> None:
            operations.delete_owner(robot)

        race(create, delete, create)
        apps = operations.list_apps(robot, After(), 100).owners
        item = owner_item(store, account_id, f"serviceaccount#{robot}")
        assert (len(apps) if item is None else app_count_of(item)) == len(apps)
        assert item is not None or not apps


def test_of_rotations_at_once_with_an_overlap_one_wins_and_its_secret_works(
    operations: Provisioning, account_id: str, store: Store
) -> None:
    app_id = operations.create_app(account_id, "app").owner_id
    for _ in range(RACE_ROUNDS):
        old = operations.create_key(APP, app_id, KeyRequest())
        key_id = old.key.key_id

        def rotate(key_id: str = key_id) -> object:
            return operations.rotate_key(app_id, key_id, 60)

        outcomes = race(rotate, rotate, rotate)
        (winner,) = made(outcomes)
        assert {*kinds(outcomes)} <= {"CreatedKey", "ChangedMeanwhile", "OverlapRunning"}
        record = record_of(store, key_id)
        assert record.secret_hash == hash_secret(winner.secret)
        assert record.previous is not None
        assert record.previous.secret_hash == hash_secret(old.secret)
        operations.revoke_key(app_id, key_id)


def test_a_deleted_key_is_not_revived_by_a_change_at_the_same_time(
    operations: Provisioning, account_id: str, store: Store
) -> None:
    app_id = operations.create_app(account_id, "app").owner_id
    for _ in range(RACE_ROUNDS):
        key_id = operations.create_key(APP, app_id, KeyRequest()).key.key_id

        def enable(key: Key) -> Key:
            return limited(key, disabled_at=None, display_name="enabled")

        def update(key_id: str = key_id) -> object:
            return operations.update_key(app_id, key_id, enable)

        def rotate(key_id: str = key_id) -> object:
            return operations.rotate_key(app_id, key_id, 60)

        def revoke(key_id: str = key_id) -> str:
            operations.revoke_key(app_id, key_id)
            return "revoked"

        *_, revoked = race(update, rotate, revoke)
        assert revoked == "revoked"
        assert usable_keys(store, app_id) == set()


def test_a_key_that_is_prolonged_while_its_place_is_given_away_never_lives_without_a_place(
    operations: Provisioning, account_id: str
) -> None:
    now = int(time.time())
    past = replace(operations, clock=lambda: now - 60)

    def prolonged(key: Key) -> Key:
        return limited(key, expires_at=now + 3_600)

    for _ in range(RACE_ROUNDS):
        app_id = operations.create_app(account_id, "app").owner_id
        expired = past.create_key(
            APP, app_id, KeyRequest(limits=KeyLimits(expires_at=now - 1))
        ).key.key_id
        for _ in range(MAX_KEYS_PER_OWNER - 1):
            operations.create_key(APP, app_id, KeyRequest())

        def create(app_id: str = app_id) -> object:
            return operations.create_key(APP, app_id, KeyRequest())

        def prolong(app_id: str = app_id, key_id: str = expired) -> object:
            return operations.update_key(app_id, key_id, prolonged)

        outcomes = race(create, prolong)
        assert len({"TooManyKeys", "KeyNotFound"} & {*kinds(outcomes)}) == 1
        states = [key.state(now) for key in operations.list_keys(app_id)]
        assert states == [KeyState.ACTIVE] * MAX_KEYS_PER_OWNER


def test_changes_to_different_members_at_once_are_all_kept(
    operations: Provisioning, account_id: str
) -> None:
    app_id = operations.create_app(account_id, "app").owner_id

    def add(name: str) -> Callable[[], Owner]:
        return lambda: operations.update_owner(
            app_id, lambda app: replace(app, metadata={**app.metadata, name: True})
        )

    names = [f"m{number:02}" for number in range(20)]
    assert kinds(race(*map(add, names))) == ["Owner"] * len(names)
    assert sorted(operations.get_owner(app_id).metadata) == names


def test_whoever_pages_sees_every_app_that_was_there_all_the_time_once(
    operations: Provisioning, account_id: str
) -> None:
    lasting = {operations.create_app(account_id, "lasting").owner_id for _ in range(40)}
    stop = False

    def come_and_go() -> None:
        while not stop:
            operations.delete_owner(operations.create_app(account_id, "passing").owner_id)

    def page_through() -> list[str]:
        seen: list[str] = []
        position = After()
        while True:
            page = operations.list_apps(account_id, position, 7)
            seen += [app.owner_id for app in page.owners]
            if not page.has_more:
                return seen
            position = After(seen[-1])

    with ThreadPoolExecutor(max_workers=2) as pool:
        others = [pool.submit(come_and_go) for _ in range(2)]
        try:
            for _ in range(RACE_ROUNDS):
                seen = page_through()
                assert len(set(seen)) == len(seen)
                assert lasting <= {*seen}
        finally:
            stop = True
    assert [other.result() for other in others] == [None, None]
