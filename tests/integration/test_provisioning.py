"""The domain operations over real tables: moto, and DynamoDB Local where it runs."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import cast

import pytest

from keyscope.aws.clients import DynamoDbClient
from keyscope.aws.dynamodb.directory_table import DirectoryTable
from keyscope.aws.dynamodb.key_table import KeyTable
from keyscope.aws.dynamodb.transactions import MAX_CONTENTION_SECONDS, Database
from keyscope.errors import Contended, Unavailable
from keyscope.lifecycle.caller import Iam
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    Key,
    Owner,
    TooManyKeys,
)
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_record import KeyRecord, Lookup, RecordSource
from keyscope.model.secret import hash_secret
from tests.support.builders import NOW, make_key
from tests.support.contention import conflict_at
from tests.support.dynamodb_local import Store
from tests.support.operations import dynamodb_of, key_item, operations_over
from tests.support.stores import SteppedClock

NO_REQUEST = KeyRequest()

pytestmark = pytest.mark.usefixtures("emptied")


@pytest.fixture
def provisioning(operations: Provisioning) -> Provisioning:
    return operations


@pytest.fixture
def keys(store: Store) -> KeyTable:
    return KeyTable(dynamodb_of(store), store.keys_table)


def found(keys: KeyTable, key_id: str) -> KeyRecord:
    record = keys.get(key_id).record
    assert record is not None
    return record


def test_an_account_is_created_with_a_key_that_an_authorizer_can_read(
    provisioning: Provisioning, keys: KeyTable
) -> None:
    account, created = provisioning.create_account("Acme", KeyRequest("first"))
    assert keys.get(created.key.key_id) == Lookup(
        KeyRecord(
            key_id=created.key.key_id,
            owner_type=OwnerType.ACCOUNT,
            owner_id=account.owner_id,
            secret_hash=hash_secret(created.secret),
            secret_ciphertext=found(keys, created.key.key_id).secret_ciphertext,
        ),
        RecordSource.TABLE,
    )


def test_no_stored_attribute_holds_the_secret(provisioning: Provisioning, store: Store) -> None:
    _, created = provisioning.create_account("Acme", NO_REQUEST)
    assert created.secret not in str(key_item(store, created.key.key_id))


def test_a_service_account_and_its_app_nest_in_the_account(provisioning: Provisioning) -> None:
    account, _ = provisioning.create_account("Acme", NO_REQUEST)
    service_account = provisioning.create_service_account(account.owner_id, "robot")
    app = provisioning.create_app(account.owner_id, "app", service_account.owner_id)
    assert service_account.owner_id.startswith(account.owner_id)
    assert app.owner_id.startswith(service_account.owner_id)


def test_when_kms_fails_nothing_is_written(store: Store, clock: SteppedClock) -> None:
    broken = operations_over(replace(store, kms_key_arn="alias/absent"), clock)
    provisioning = operations_over(store, clock)
    account, created = provisioning.create_account("Acme", NO_REQUEST)
    with pytest.raises(Unavailable):
        broken.create_key(OwnerType.ACCOUNT, account.owner_id, NO_REQUEST)
    assert provisioning.list_keys(account.owner_id) == [created.key]


def test_of_many_callers_that_race_exactly_ten_keys_come_to_be(
    dynamodb_local_store: Store, clock: SteppedClock
) -> None:
    provisioning = operations_over(dynamodb_local_store, clock)
    account, _ = provisioning.create_account("Acme", NO_REQUEST)

    def create(_: int) -> CreatedKey | None:
        try:
            return provisioning.create_key(OwnerType.ACCOUNT, account.owner_id, NO_REQUEST)
        except TooManyKeys:
            return None

    with ThreadPoolExecutor(max_workers=10) as pool:
        created = [key for key in pool.map(create, range(20)) if key is not None]
    assert len(created) == MAX_KEYS_PER_OWNER - 1
    assert len(provisioning.list_keys(account.owner_id)) == MAX_KEYS_PER_OWNER


class ConflictingClient:
    """A DynamoDB client whose transactions meet another one a number of times."""

    def __init__(self, client: DynamoDbClient, conflicts: int) -> None:
        self._client = client
        self._conflicts = conflicts

    def transact_write_items(self, **request: object) -> Mapping[str, object]:
        if self._conflicts > 0:
            self._conflicts -= 1
            raise conflict_at([True, False])
        return self._client.transact_write_items(**request)

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)


def conflicting(store: Store, conflicts: int, waits: list[float]) -> DirectoryTable:
    client = cast("DynamoDbClient", ConflictingClient(dynamodb_of(store), conflicts))
    database = Database(client, waits.append, lambda: sum(waits))
    return DirectoryTable(database, store.directory_table, store.keys_table)


def test_a_conflict_with_another_transaction_is_tried_again(moto_store: Store) -> None:
    made = make_key(OwnerType.ACCOUNT, owner_id="c0ffee000001")
    account = Owner(OwnerType.ACCOUNT, "c0ffee000001", "Acme", NOW)
    waits: list[float] = []
    directory = conflicting(moto_store, 2, waits)
    directory.add_account(account, Key(made.key_id, NOW), made.record, Iam())
    assert directory.list_keys(account.owner_id) == [Key(made.key_id, NOW)]
    assert len(waits) == 2


def test_conflicts_without_end_are_told_after_twenty_seconds(moto_store: Store) -> None:
    made = make_key(OwnerType.ACCOUNT, owner_id="c0ffee000002")
    account = Owner(OwnerType.ACCOUNT, "c0ffee000002", "Acme", NOW)
    waits: list[float] = []
    directory = conflicting(moto_store, 10**6, waits)
    with pytest.raises(Contended):
        directory.add_account(account, Key(made.key_id, NOW), made.record, Iam())
    assert MAX_CONTENTION_SECONDS - max(waits) - 2 < sum(waits) < MAX_CONTENTION_SECONDS
