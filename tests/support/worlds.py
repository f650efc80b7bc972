"""Directories to hold to their contract, each with its keys' records as authorizers read them."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest

from keyscope.aws.dynamodb.directory_table import DirectoryTable
from keyscope.aws.dynamodb.key_table import KeyTable
from keyscope.aws.dynamodb.transactions import Database
from keyscope.lifecycle.account import OperatorsDirectory
from keyscope.lifecycle.caller import Iam, JudgedKey, ProvenKey
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    IdTaken,
    Key,
    NewSecret,
    Owner,
    Page,
    Position,
    judge,
)
from keyscope.model.ids import (
    OwnerType,
    account_id_of,
    new_account_id,
    new_app_id,
    new_service_account_id,
)
from keyscope.model.key_record import KeyRecord, KeyStore
from tests.support.builders import NOW, limited, make_integration_key, make_key
from tests.support.directories import MAX_APPS, MemoryDirectory
from tests.support.dynamodb_local import Store
from tests.support.operations import clear_away, dynamodb_of

APP: Final = OwnerType.APP
IAM: Final = Iam()


@dataclass(frozen=True)
class World:
    """A directory, and the records of its keys as authorizers read them.

    `clear_away` deletes a key's record, as a store does once it has expired.
    """

    directory: OperatorsDirectory
    records: KeyStore
    clear_away: Callable[[str], None]

    def account(self) -> Owner:
        """Add an account and its first key."""
        account = Owner(OwnerType.ACCOUNT, new_account_id(), "Acme", NOW)
        key, record = new_key(account)
        self.directory.add_account(account, key, record, IAM)
        return account

    def service_account(self, account: Owner, name: str = "robot") -> Owner:
        """Add a service account, whose id of four characters another one may have."""
        while True:
            robot = new_service_account(account, name)
            with suppress(IdTaken):
                self.directory.add_service_account(robot, IAM)
                return robot

    def app(self, creator: Owner, limit: int = MAX_APPS) -> Owner:
        """Add an app of an account or of a service account."""
        app = new_app(creator)
        self.directory.add_app(app, limit, IAM)
        return app

    def apps(self, creator: Owner, number: int) -> list[str]:
        """Add apps; return their ids in the order of a list."""
        return sorted(self.app(creator).owner_id for _ in range(number))

    def key(self, owner: Owner, **members: Any) -> Key:  # noqa: ANN401 - any member of a key
        """Add a key; `created_at`, a name or a limit may be chosen."""
        key, record = new_key(owner, **members)
        self.directory.add_key(key, record, IAM)
        return key

    def fill(self, owner: Owner, **members: Any) -> list[Key]:  # noqa: ANN401 - any member of a key
        """Add keys until the owner has ten."""
        number = MAX_KEYS_PER_OWNER - len(self.directory.list_keys(owner.owner_id))
        return [self.key(owner, **members) for _ in range(number)]

    def change(self, key: Key, owner: Owner, **members: Any) -> Key:  # noqa: ANN401 - any member of a key
        """Change members of a key, and nothing of its secrets."""
        _, after = self.directory.update_key(
            owner.owner_id, key.key_id, lambda seen: limited(seen, **members), None, IAM
        )
        return after

    def rotate(self, key: Key, owner: Owner, secret: NewSecret, ends_at: int | None) -> Key:
        """Give a key another secret."""
        _, after = self.directory.update_key(
            owner.owner_id, key.key_id, lambda seen: next_generation(seen, ends_at), secret, IAM
        )
        return after

    def judged(self, key: Key) -> JudgedKey:
        """Return a caller by a key, judged as it is now."""
        proven = ProvenKey(key.key_id, key.secret_generation, None)
        return judge(self.directory.find_key, proven, lambda: NOW)[1]

    def interrupted(self, account: Owner, happens: Callable[[], object]) -> JudgedKey:
        """Return a caller right before whose write something happens once."""
        interruptions = [happens]

        def clock() -> float:
            if interruptions:
                interruptions.pop()()
            return NOW

        # A directory asks right before it writes whether the caller's key is good by then.
        return replace(self.judged(self.key(account)), clock=clock)

    def record(self, key: Key) -> KeyRecord:
        """Return a key's record."""
        record = self.records.get(key.key_id, fresh=True).record
        assert record is not None
        return record

    def list_apps(self, creator: Owner, position: Position, size: int = 10) -> list[str]:
        """Return the ids of a page of apps."""
        return ids(self.directory.list_owners(APP, creator.owner_id, position, size))


def new_service_account(account: Owner, name: str) -> Owner:
    owner_id = new_service_account_id(account.owner_id)
    return Owner(OwnerType.SERVICE_ACCOUNT, owner_id, name, NOW)


def new_app(creator: Owner) -> Owner:
    by_robot = creator.owner_type is OwnerType.SERVICE_ACCOUNT
    robot_id = creator.owner_id if by_robot else None
    return Owner(APP, new_app_id(account_id_of(creator.owner_id), robot_id), "Shop", NOW)


def new_key(owner: Owner, **members: Any) -> tuple[Key, KeyRecord]:  # noqa: ANN401 - any member of a key
    integration_id = members.get("integration_id")
    if integration_id is None:
        record = make_key(owner.owner_type, owner_id=owner.owner_id).record
    else:
        record = make_integration_key(integration_id, owner.owner_id).record
    key = limited(Key(record.key_id, NOW), **members)
    return key, replace(record, limits=key.limits)


def next_generation(key: Key, ends_at: int | None) -> Key:
    generation = key.secret_generation + 1
    return replace(key, rotated_at=NOW, previous_ends_at=ends_at, secret_generation=generation)


def ids(page: Page) -> list[str]:
    return [owner.owner_id for owner in page.owners]


def memory() -> World:
    directory = MemoryDirectory()
    return World(directory, directory.records, directory.clear_away)


def tables(store: Store) -> World:
    client = dynamodb_of(store)
    database = Database(client, lambda _: None)
    return World(
        DirectoryTable(database, store.directory_table, store.keys_table),
        KeyTable(client, store.keys_table),
        lambda key_id: clear_away(store, key_id),
    )


def requested_world(request: pytest.FixtureRequest) -> World:
    """Return the world that a fixture's parameter names: memory, or the fixture of a store."""
    if request.param == "memory":
        return memory()
    if request.param == "moto_store":
        request.getfixturevalue("emptied")
    return tables(request.getfixturevalue(request.param))
