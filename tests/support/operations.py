"""The operations over a store of the integration tests, and what the store holds afterwards."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, cast

from keyscope.aws.clients import DynamoDbClient
from keyscope.aws.dynamodb.directory_table import DirectoryTable
from keyscope.aws.dynamodb.key_table import KeyTable
from keyscope.aws.dynamodb.key_writes import record_key
from keyscope.aws.dynamodb.keys import OWNER_INDEX
from keyscope.aws.dynamodb.transactions import Database
from keyscope.aws.dynamodb.use_table import UseTable
from keyscope.lifecycle.operations import Provisioning
from keyscope.model.key_record import KeyRecord
from keyscope_local.emulators.tables import local_client
from keyscope_local.tour.seed import local_provisioning
from tests.support.dynamodb_local import Store
from tests.support.items import item_of_record


def operations_over(store: Store, clock: Callable[[], float]) -> Provisioning:
    """Return the operations; nothing is cached and nobody audits."""
    environment = {
        **store.environment,
        "KEYSCOPE_KEYS_TABLE": store.keys_table,
        "KEYSCOPE_DIRECTORY_TABLE": store.directory_table,
        "KEYSCOPE_KMS_KEY_ARN": store.kms_key_arn,
    }
    return replace(_operations_in(frozenset(environment.items())), clock=clock)


@cache
def _operations_in(environment: frozenset[tuple[str, str]]) -> Provisioning:
    # To make clients costs more than most tests.
    return local_provisioning(dict(environment))


def over_client(
    operations: Provisioning,
    store: Store,
    client: object,
    sleep: Callable[[float], None] = lambda _: None,
) -> Provisioning:
    """Return the same operations over another client; they pause by `sleep`, or not at all."""
    database = Database(cast("DynamoDbClient", client), sleep)
    directory = DirectoryTable(database, store.directory_table, store.keys_table)
    return replace(operations, directory=directory)


@dataclass
class InterruptedClient:
    """A DynamoDB client that lets something happen once, right before the call that is named."""

    client: DynamoDbClient
    is_call: Callable[[str, Mapping[str, object]], bool]
    happens: Callable[[], object]
    happened: bool = False

    def __getattr__(self, operation: str) -> Callable[..., object]:
        def call(**request: object) -> object:
            if not self.happened and self.is_call(operation, request):
                self.happened = True
                self.happens()
            answer: object = getattr(self.client, operation)(**request)
            return answer

        return call


def dynamodb_of(store: Store) -> DynamoDbClient:
    return _dynamodb_at(store.dynamodb_url)


@cache
def _dynamodb_at(url: str) -> DynamoDbClient:
    return cast("DynamoDbClient", local_client("dynamodb", url))


def uses_of(store: Store) -> UseTable:
    """Return the table of last uses."""
    return UseTable(dynamodb_of(store), store.use_table)


def record_of(store: Store, key_id: str) -> KeyRecord:
    """Return a key's record as an authorizer reads it."""
    record = KeyTable(dynamodb_of(store), store.keys_table).get(key_id).record
    assert record is not None
    return record


def hold_record(store: Store, record: KeyRecord) -> None:
    """Store a record, in place of another one of the same key."""
    _put_key(store, item_of_record(record))


def damage_key(store: Store, key_id: str) -> None:
    """Leave nothing of a key's record but its id."""
    _put_key(store, record_key(key_id))


def clear_away(store: Store, key_id: str) -> None:
    """Delete a key's record, as DynamoDB does once it has expired."""
    delete = {"TableName": store.keys_table, "Key": record_key(key_id)}
    dynamodb_of(store).transact_write_items(TransactItems=[{"Delete": delete}])


def remove_attribute(store: Store, key_id: str, name: str) -> None:
    """Remove an attribute of a key's record."""
    update = {
        "TableName": store.keys_table,
        "Key": record_key(key_id),
        "UpdateExpression": f"REMOVE {name}",
    }
    dynamodb_of(store).transact_write_items(TransactItems=[{"Update": update}])


def _put_key(store: Store, item: Mapping[str, object]) -> None:
    put_items(store, [], [item])


def put_items(
    store: Store, owners: Iterable[Mapping[str, object]], keys: Iterable[Mapping[str, object]]
) -> None:
    """Store items of DirectoryTable and of KeysTable as they are."""
    items = [
        *((store.directory_table, item) for item in owners),
        *((store.keys_table, item) for item in keys),
    ]
    puts = [{"Put": {"TableName": table, "Item": item}} for table, item in items]
    dynamodb_of(store).transact_write_items(TransactItems=puts)


def all_keys(store: Store, account_id: str) -> dict[str, Mapping[str, Any]]:
    """Return, by their ids, the items of KeysTable of all owners in an account."""
    owner_ids = {item["owner_id"]["S"] for item in owner_items(store, account_id)}
    key_ids = [item["key_id"]["S"] for owner_id in owner_ids for item in key_items(store, owner_id)]
    return {key_id: key_item(store, key_id) for key_id in key_ids}


def usable_keys(store: Store, owner_id: str) -> set[str]:
    """Return the ids of an owner's keys whose records still hold a secret, by reading them all."""
    key_ids = [str(item["key_id"]["S"]) for item in key_items(store, owner_id)]
    return {key_id for key_id in key_ids if record_of(store, key_id).secret_hash}


def key_items(store: Store, owner_id: str) -> list[Mapping[str, Any]]:
    """Return an owner's items of KeysTable as its index has them."""
    query = {
        "TableName": store.keys_table,
        "IndexName": OWNER_INDEX,
        "KeyConditionExpression": "owner_id = :owner",
        "ExpressionAttributeValues": {":owner": {"S": owner_id}},
    }
    items: list[Mapping[str, Any]] = dynamodb_of(store).query(**query)["Items"]
    return items


def owner_items(store: Store, account_id: str) -> list[Mapping[str, Any]]:
    """Return an account's items of DirectoryTable as they are stored."""
    query = {
        "TableName": store.directory_table,
        "KeyConditionExpression": "account_id = :account",
        "ExpressionAttributeValues": {":account": {"S": account_id}},
        "ConsistentRead": True,
    }
    items: list[Mapping[str, Any]] = dynamodb_of(store).query(**query)["Items"]
    return items


def owner_item(store: Store, account_id: str, entity: str) -> Mapping[str, Any] | None:
    """Return an item of DirectoryTable as it is stored."""
    response = dynamodb_of(store).get_item(
        TableName=store.directory_table,
        Key={"account_id": {"S": account_id}, "entity": {"S": entity}},
        ConsistentRead=True,
    )
    item: Mapping[str, Any] | None = response.get("Item")
    return item


def key_item(store: Store, key_id: str) -> Mapping[str, Any]:
    """Return an item of KeysTable as it is stored."""
    response = dynamodb_of(store).get_item(
        TableName=store.keys_table, Key=record_key(key_id), ConsistentRead=True
    )
    item: Mapping[str, Any] = response["Item"]
    return item
