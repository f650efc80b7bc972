"""The domain operations over real tables: moto, and DynamoDB Local where it runs."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import cast

import pytest
from botocore.exceptions import ClientError

from keyscope.aws.clients import DynamoDbClient
from keyscope.aws.dynamodb.directory_table import DirectoryTable
from keyscope.aws.dynamodb.key_table import KeyTable
from keyscope.aws.dynamodb.transactions import MAX_CONTENTION_SECONDS, Database
from keyscope.errors import Contended, Unavailable
from keyscope.lifecycle.caller import Iam
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    REVOKED_RECORD_SECONDS,
    After,
    IdTaken,
    Key,
    KeyNotFound,
    Owner,
    OwnerNotFound,
    TooManyApps,
    TooManyKeys,
)
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope.model.key_record import KeyRecord, Lookup, RecordSource
from keyscope.model.secret import hash_secret
from tests.support.builders import NOW, make_key
from tests.support.dynamodb_local import Store
from tests.support.operations import dynamodb_of, operations_over
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


def fill(provisioning: Provisioning, account_id: str, request: KeyRequest = NO_REQUEST) -> None:
    for _ in range(MAX_KEYS_PER_OWNER - 1):
        provisioning.create_key(OwnerType.ACCOUNT, account_id, request)


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


def test_the_limits_of_a_key_are_stored_with_it(provisioning: Provisioning, keys: KeyTable) -> None:
    request = KeyRequest(
        "limited",
        limits=KeyLimits(expires_at=NOW + 60, allowed_cidrs=("192.0.2.0/24", "2001:db8::/32")),
    )
    _, created = provisioning.create_account("Acme", request)
    record = found(keys, created.key.key_id)
    assert record.limits == request.limits


def test_no_stored_attribute_holds_the_secret(provisioning: Provisioning, store: Store) -> None:
    _, created = provisioning.create_account("Acme", NO_REQUEST)
    item = dynamodb_of(store).get_item(
        TableName=store.keys_table, Key={"key_id": {"S": created.key.key_id}}
    )
    assert created.secret not in str(item)


def test_an_unknown_key_is_no_record(keys: KeyTable) -> None:
    assert keys.get("app_" + "0" * 24) == Lookup(None, RecordSource.TABLE)


def test_a_service_account_and_its_app_nest_in_the_account(provisioning: Provisioning) -> None:
    account, _ = provisioning.create_account("Acme", NO_REQUEST)
    service_account = provisioning.create_service_account(account.owner_id, "robot")
    app = provisioning.create_app(account.owner_id, "app", service_account.owner_id)
    assert service_account.owner_id.startswith(account.owner_id)
    assert app.owner_id.startswith(service_account.owner_id)


@pytest.mark.parametrize("owner_type", list(OwnerType))
def test_each_kind_of_owner_can_have_keys(
    owner_type: OwnerType, provisioning: Provisioning, keys: KeyTable
) -> None:
    account, _ = provisioning.create_account("Acme", NO_REQUEST)
    owners = {
        OwnerType.ACCOUNT: account,
        OwnerType.SERVICE_ACCOUNT: provisioning.create_service_account(account.owner_id, "robot"),
        OwnerType.APP: provisioning.create_app(account.owner_id, "app"),
    }
    owner_id = owners[owner_type].owner_id
    created = provisioning.create_key(owner_type, owner_id, NO_REQUEST)
    record = found(keys, created.key.key_id)
    assert (record.owner_type, record.owner_id) == (owner_type, owner_id)


@pytest.mark.parametrize("owner_id", ["0" * 12, "0" * 16, "0" * 24])
def test_an_owner_that_is_not_there_gets_no_key(owner_id: str, provisioning: Provisioning) -> None:
    with pytest.raises(OwnerNotFound):
        provisioning.create_key(OwnerType.ACCOUNT, owner_id, NO_REQUEST)
    with pytest.raises(OwnerNotFound):
        provisioning.list_keys(owner_id)


def test_an_account_that_is_not_there_gets_no_app(provisioning: Provisioning) -> None:
    with pytest.raises(OwnerNotFound):
        provisioning.create_app("0" * 12, "app")


def test_a_service_account_that_is_not_there_gets_no_app(provisioning: Provisioning) -> None:
    account, _ = provisioning.create_account("Acme", NO_REQUEST)
    with pytest.raises(OwnerNotFound):
        provisioning.create_app(account.owner_id, "app", account.owner_id + "beef")


def test_keys_are_listed_the_oldest_first_and_without_secrets(
    provisioning: Provisioning, clock: SteppedClock
) -> None:
    account, first = provisioning.create_account("Acme", KeyRequest("first"))
    clock.now += 1
    second = provisioning.create_key(
        OwnerType.ACCOUNT,
        account.owner_id,
        KeyRequest(
            "second", limits=KeyLimits(expires_at=NOW + 60, allowed_cidrs=("192.0.2.0/24",))
        ),
    )
    assert provisioning.list_keys(account.owner_id) == [first.key, second.key]


def test_the_keys_of_another_account_are_not_listed(provisioning: Provisioning) -> None:
    account, first = provisioning.create_account("Acme", NO_REQUEST)
    provisioning.create_account("Other", NO_REQUEST)
    assert provisioning.list_keys(account.owner_id) == [first.key]


def test_an_eleventh_key_is_refused_and_not_written(provisioning: Provisioning) -> None:
    account, _ = provisioning.create_account("Acme", NO_REQUEST)
    fill(provisioning, account.owner_id)
    with pytest.raises(TooManyKeys):
        provisioning.create_key(OwnerType.ACCOUNT, account.owner_id, NO_REQUEST)
    assert len(provisioning.list_keys(account.owner_id)) == MAX_KEYS_PER_OWNER


def test_a_revoked_key_makes_room_for_another(provisioning: Provisioning) -> None:
    account, first = provisioning.create_account("Acme", NO_REQUEST)
    fill(provisioning, account.owner_id)
    provisioning.revoke_key(account.owner_id, first.key.key_id)
    assert provisioning.create_key(OwnerType.ACCOUNT, account.owner_id, NO_REQUEST).secret


def test_expired_keys_make_room_for_others(provisioning: Provisioning, clock: SteppedClock) -> None:
    account, _ = provisioning.create_account("Acme", NO_REQUEST)
    fill(provisioning, account.owner_id, KeyRequest(limits=KeyLimits(expires_at=NOW + 60)))
    clock.now += 60
    fill(provisioning, account.owner_id)
    with pytest.raises(TooManyKeys):
        provisioning.create_key(OwnerType.ACCOUNT, account.owner_id, NO_REQUEST)


def test_a_key_that_dynamodb_has_deleted_makes_room_for_another(
    provisioning: Provisioning, store: Store
) -> None:
    account, first = provisioning.create_account("Acme", NO_REQUEST)
    fill(provisioning, account.owner_id)
    delete = {"TableName": store.keys_table, "Key": {"key_id": {"S": first.key.key_id}}}
    dynamodb_of(store).transact_write_items(TransactItems=[{"Delete": delete}])
    assert provisioning.create_key(OwnerType.ACCOUNT, account.owner_id, NO_REQUEST).secret


def test_a_revoked_key_has_lost_its_secret_and_is_cleared_away_later(
    provisioning: Provisioning, keys: KeyTable
) -> None:
    account, created = provisioning.create_account("Acme", NO_REQUEST)
    provisioning.revoke_key(account.owner_id, created.key.key_id)
    record = found(keys, created.key.key_id)
    assert (record.secret_hash, record.secret_ciphertext) == (b"", b"")
    assert (record.revoked_at, record.limits.expires_at) == (NOW, NOW + REVOKED_RECORD_SECONDS)


def test_a_revoked_key_is_listed_among_the_former_ones(provisioning: Provisioning) -> None:
    account, created = provisioning.create_account("Acme", NO_REQUEST)
    provisioning.revoke_key(account.owner_id, created.key.key_id)
    assert provisioning.list_keys(account.owner_id) == []
    former = provisioning.list_former_keys(account.owner_id)
    assert former == [replace(created.key, revoked_at=NOW)]


def test_to_revoke_a_key_again_keeps_its_first_time(
    provisioning: Provisioning, keys: KeyTable, clock: SteppedClock
) -> None:
    account, created = provisioning.create_account("Acme", NO_REQUEST)
    provisioning.revoke_key(account.owner_id, created.key.key_id)
    clock.now += 5
    provisioning.revoke_key(account.owner_id, created.key.key_id)
    assert found(keys, created.key.key_id).revoked_at == NOW


def test_a_key_of_another_account_cannot_be_revoked(
    provisioning: Provisioning, keys: KeyTable
) -> None:
    account, _ = provisioning.create_account("Acme", NO_REQUEST)
    _, other = provisioning.create_account("Other", NO_REQUEST)
    with pytest.raises(KeyNotFound):
        provisioning.revoke_key(account.owner_id, other.key.key_id)
    assert found(keys, other.key.key_id).revoked_at is None


def test_a_taken_account_id_writes_nothing(provisioning: Provisioning, keys: KeyTable) -> None:
    account, _ = provisioning.create_account("Acme", NO_REQUEST)
    made = make_key(OwnerType.ACCOUNT, owner_id=account.owner_id)
    with pytest.raises(IdTaken):
        provisioning.directory.add_account(account, Key(made.key_id, NOW), made.record, Iam())
    assert keys.get(made.key_id).record is None


def test_a_taken_key_id_takes_no_place_of_the_owner(provisioning: Provisioning) -> None:
    account, created = provisioning.create_account("Acme", NO_REQUEST)
    _, other = provisioning.create_account("Other", NO_REQUEST)
    record = replace(make_key(OwnerType.ACCOUNT).record, key_id=other.key.key_id)
    with pytest.raises(IdTaken):
        provisioning.directory.add_key(other.key, replace(record, owner_id=account.owner_id), Iam())
    assert provisioning.list_keys(account.owner_id) == [created.key]


def test_a_taken_app_id_is_told(provisioning: Provisioning) -> None:
    account, _ = provisioning.create_account("Acme", NO_REQUEST)
    app = provisioning.create_app(account.owner_id, "app")
    with pytest.raises(IdTaken):
        provisioning.directory.add_app(app, 2, Iam())


def test_a_creator_has_no_more_apps_than_its_limit(provisioning: Provisioning) -> None:
    limited = replace(provisioning, max_apps_per_creator=2)
    account, _ = limited.create_account("Acme", NO_REQUEST)
    robot = limited.create_service_account(account.owner_id, "robot").owner_id
    for creator in (None, robot):
        apps = [limited.create_app(account.owner_id, "app", creator) for _ in range(2)]
        with pytest.raises(TooManyApps) as refused:
            limited.create_app(account.owner_id, "app", creator)
        assert refused.value.limit == 2
        limited.delete_owner(apps[0].owner_id)
        limited.create_app(account.owner_id, "app", creator)
        with pytest.raises(TooManyApps):
            limited.create_app(account.owner_id, "app", creator)


def test_a_limit_below_what_is_there_lets_apps_stay_and_none_be_added(
    provisioning: Provisioning,
) -> None:
    account, _ = provisioning.create_account("Acme", NO_REQUEST)
    apps = [provisioning.create_app(account.owner_id, "app") for _ in range(3)]
    lowered = replace(provisioning, max_apps_per_creator=1)
    with pytest.raises(TooManyApps):
        lowered.create_app(account.owner_id, "app")
    assert {app.owner_id for app in lowered.list_apps(account.owner_id, After(), 10).owners} == {
        app.owner_id for app in apps
    }
    provisioning.create_app(account.owner_id, "app")


def test_a_creator_that_is_not_there_is_not_taken_for_a_full_one(
    provisioning: Provisioning,
) -> None:
    with pytest.raises(OwnerNotFound):
        replace(provisioning, max_apps_per_creator=1).create_app("0" * 12, "app")


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
            raise CONFLICT
        return self._client.transact_write_items(**request)

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)


CONFLICT = ClientError(
    {
        "Error": {"Code": "TransactionCanceledException", "Message": ""},
        "CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}],
    },
    "TransactWriteItems",
)


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
