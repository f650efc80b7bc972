"""What a change says when DynamoDB's answer to its write gets lost and botocore asks again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, cast

import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session

from keyscope.aws.clients import DynamoDbClient, writing_dynamodb_client
from keyscope.lifecycle.directory import After, OwnerNotFound
from keyscope.lifecycle.external_ids import ExternalName
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.secret import hash_secret
from tests.support.builders import NOW
from tests.support.dynamodb_local import Store
from tests.support.items import app_count_of
from tests.support.operations import (
    operations_over,
    over_client,
    owner_item,
    record_of,
    usable_keys,
)

pytestmark = pytest.mark.dynamodb_local

APP: Final = OwnerType.APP


class LosesFirstAnswer:
    """Lets the first write reach DynamoDB, and its answer reach nobody."""

    def __init__(self) -> None:
        self._lost = False

    def __call__(self, request: AWSPreparedRequest, **_: object) -> None:
        if not self._lost:
            self._lost = True
            URLLib3Session().send(request)
            raise ReadTimeoutError(endpoint_url=request.url)


@pytest.fixture
def store(dynamodb_local_store: Store) -> Store:
    # moto carries a repeated transaction out once more, whatever its token.
    return dynamodb_local_store


@pytest.fixture
def operations(store: Store) -> Provisioning:
    return operations_over(store, lambda: NOW)


@pytest.fixture
def losing(operations: Provisioning, store: Store, monkeypatch: pytest.MonkeyPatch) -> Provisioning:
    """Return the operations over the functions' own client, whose first write's answer is lost."""
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    client = cast("Any", writing_dynamodb_client())
    client.meta.events.register("before-send.dynamodb.TransactWriteItems", LosesFirstAnswer())
    return over_client(operations, store, cast("DynamoDbClient", client))


@pytest.fixture
def account_id(operations: Provisioning) -> str:
    account, _ = operations.create_account("Acme", KeyRequest())
    return account.owner_id


@pytest.fixture
def app_id(operations: Provisioning, account_id: str) -> str:
    return operations.create_app(account_id, "app").owner_id


@pytest.fixture
def created(operations: Provisioning, app_id: str) -> CreatedKey:
    return operations.create_key(APP, app_id, KeyRequest())


def test_an_app_is_created_and_counted_once(
    losing: Provisioning, operations: Provisioning, account_id: str, store: Store
) -> None:
    robot = operations.create_service_account(account_id, "robot").owner_id
    app = losing.create_app(account_id, "app", robot)
    assert operations.list_apps(robot, After(), 10).owners == [app]
    item = owner_item(store, account_id, f"serviceaccount#{robot}")
    assert item is not None
    assert app_count_of(item) == 1


def test_an_account_does_not_find_its_own_external_id_taken(
    losing: Provisioning, operations: Provisioning, account_id: str
) -> None:
    name = ExternalName(f"tenant-{account_id}")
    account, created = losing.create_account("Acme", KeyRequest(), name)
    assert operations.find_owner(OwnerType.ACCOUNT, name).owner == account
    assert operations.list_keys(account.owner_id) == [created.key]


def test_a_service_account_does_not_find_its_own_name_taken(
    losing: Provisioning, operations: Provisioning, account_id: str
) -> None:
    robot = losing.create_service_account(account_id, "robot")
    assert operations.list_service_accounts(account_id, After(), 10).owners == [robot]


def test_a_renamed_service_account_does_not_find_its_own_name_taken(
    losing: Provisioning, operations: Provisioning, account_id: str
) -> None:
    robot = operations.create_service_account(account_id, "robot")
    losing.update_owner(robot.owner_id, lambda owner: replace(owner, display_name="android"))
    assert operations.get_owner(robot.owner_id).display_name == "android"


def test_a_key_is_created_once_and_its_secret_is_told(
    losing: Provisioning, app_id: str, store: Store
) -> None:
    created = losing.create_key(APP, app_id, KeyRequest())
    assert usable_keys(store, app_id) == {created.key.key_id}
    assert record_of(store, created.key.key_id).secret_hash == hash_secret(created.secret)


def test_a_key_is_rotated_once_and_both_secrets_are_kept(
    losing: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    rotated = losing.rotate_key(app_id, created.key.key_id, 60)
    record = record_of(store, created.key.key_id)
    assert record.secret_hash == hash_secret(rotated.secret)
    assert record.previous is not None
    assert record.previous.secret_hash == hash_secret(created.secret)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda to, app_id, key_id: to.revoke_key(app_id, key_id), id="revoked"),
        pytest.param(lambda to, app_id, _: to.delete_owner(app_id), id="deleted with its app"),
    ],
)
def test_a_key_is_ended_without_a_word_of_its_being_over(
    change: Callable[[Provisioning, str, str], None],
    losing: Provisioning,
    app_id: str,
    created: CreatedKey,
    store: Store,
) -> None:
    change(losing, app_id, created.key.key_id)
    assert usable_keys(store, app_id) == set()


def test_an_app_of_which_the_deletion_was_told_is_gone(
    losing: Provisioning, operations: Provisioning, app_id: str
) -> None:
    losing.delete_owner(app_id)
    with pytest.raises(OwnerNotFound):
        operations.get_owner(app_id)
