"""The directory of owners and their keys, over DirectoryTable and KeysTable.

DirectoryTable holds one item per owner: partition key `account_id`, sort key `entity` (`account`,
`serviceaccount#<id>` or `app#<id>`), so that an account's apps, and a service account's, are one
range each. `key_ids` is the set of the owner's live keys; every write that makes or ends a key
changes it in the same transaction, and that is what holds the limit of ten when callers race.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from keyscope.aws.clients import DynamoDbClient
from keyscope.aws.key_items import AttributeReader, Item
from keyscope.aws.key_table import error_code
from keyscope.errors import Reason, Unavailable
from keyscope.ids import (
    ACCOUNT_ID_LENGTH,
    APP_ID_LENGTH,
    OwnerType,
    account_id_of,
)
from keyscope.key_record import RECORD_FORMAT, KeyRecord
from keyscope.provisioning import (
    MAX_KEYS_PER_OWNER,
    REVOKED_RECORD_SECONDS,
    IdTaken,
    Key,
    KeyNotFound,
    Owner,
    OwnerNotFound,
    TooManyKeys,
)

OWNER_INDEX = "owner-index"

_MAX_CONFLICTS = 12
_CONFLICT_BASE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class DirectoryTable:
    """DirectoryTable and KeysTable as a directory; `sleep` waits between conflicting writes."""

    client: DynamoDbClient
    directory_table: str
    keys_table: str
    sleep: Callable[[float], None] = time.sleep

    def add_account(self, account: Owner, key: Key, record: KeyRecord, /) -> None:
        """Add an account with its first key, or raise `IdTaken`."""
        put_account = self._put_owner(account, key_ids=[key.key_id])
        reasons = self._transact([put_account, self._put_key(key, record)])
        if "ConditionalCheckFailed" in reasons:
            raise IdTaken

    def add_owner(self, owner: Owner, creator_id: str, /) -> None:
        """Add a service account or app of a creator; raises `OwnerNotFound`, `IdTaken`."""
        creator_exists = {
            "ConditionCheck": {
                "TableName": self.directory_table,
                "Key": _owner_key(creator_id),
                "ConditionExpression": "attribute_exists(entity)",
            }
        }
        creator, created = self._transact([creator_exists, self._put_owner(owner)]) or ("", "")
        if creator == "ConditionalCheckFailed":
            raise OwnerNotFound
        if created == "ConditionalCheckFailed":
            raise IdTaken

    def add_key(self, key: Key, record: KeyRecord, /) -> None:
        """Add a key; raises `OwnerNotFound`, `TooManyKeys`, `IdTaken`."""
        try:
            self._add_key(key, record)
        except TooManyKeys:
            # Keys that expired, or that DynamoDB has deleted since, hold their places until here.
            if not self._free_places(record.owner_id, key.created_at):
                raise
            self._add_key(key, record)

    def list_keys(self, owner_id: str, /) -> Sequence[Key]:
        """Return the keys of an owner, the oldest first; raises `OwnerNotFound`."""
        self._live_key_ids(owner_id)
        keys = [_key_of_item(item) for item in self._items_of_owner(owner_id)]
        return sorted(keys, key=lambda key: (key.created_at, key.key_id))

    def revoke_key(self, owner_id: str, key_id: str, now: int, /) -> None:
        """End a key at once and destroy its secret; raises `KeyNotFound`."""
        end_key = {
            "Update": {
                "TableName": self.keys_table,
                "Key": {"key_id": {"S": key_id}},
                "UpdateExpression": (
                    "SET revoked_at = if_not_exists(revoked_at, :now), expires_at = :purge"
                    " REMOVE secret_hash, secret_ciphertext"
                ),
                "ConditionExpression": "owner_id = :owner",
                "ExpressionAttributeValues": {
                    ":now": {"N": str(now)},
                    ":purge": {"N": str(now + REVOKED_RECORD_SECONDS)},
                    ":owner": {"S": owner_id},
                },
            }
        }
        free_place = {
            "Update": {
                "TableName": self.directory_table,
                "Key": _owner_key(owner_id),
                "UpdateExpression": "DELETE key_ids :key_id",
                "ConditionExpression": "attribute_exists(entity)",
                "ExpressionAttributeValues": {":key_id": {"SS": [key_id]}},
            }
        }
        if "ConditionalCheckFailed" in self._transact([end_key, free_place]):
            raise KeyNotFound

    def _add_key(self, key: Key, record: KeyRecord) -> None:
        take_place = {
            "Update": {
                "TableName": self.directory_table,
                "Key": _owner_key(record.owner_id),
                "UpdateExpression": "ADD key_ids :key_id",
                "ConditionExpression": (
                    "attribute_exists(entity)"
                    " AND (attribute_not_exists(key_ids) OR size(key_ids) < :most)"
                ),
                "ExpressionAttributeValues": {
                    ":key_id": {"SS": [key.key_id]},
                    ":most": {"N": str(MAX_KEYS_PER_OWNER)},
                },
            }
        }
        place, taken = self._transact([take_place, self._put_key(key, record)]) or ("", "")
        if place == "ConditionalCheckFailed":
            self._live_key_ids(record.owner_id)
            raise TooManyKeys
        if taken == "ConditionalCheckFailed":
            raise IdTaken

    def _free_places(self, owner_id: str, now: int) -> bool:
        """Take keys that can never be used again out of the owner's set; tell whether any was."""
        held = self._live_key_ids(owner_id)
        response = self._call(
            self.client.batch_get_item,
            RequestItems={
                self.keys_table: {
                    "Keys": [{"key_id": {"S": key_id}} for key_id in held],
                    "ConsistentRead": True,
                    "ProjectionExpression": "key_id, created_at, expires_at, revoked_at",
                }
            },
        )
        if response.get("UnprocessedKeys"):
            # An unread key must not be taken for a deleted one.
            raise Unavailable(Reason.KEY_STORE_UNAVAILABLE, "UnprocessedKeys")
        keys = [_key_of_item(item) for item in response["Responses"][self.keys_table]]
        dead = held - {key.key_id for key in keys if key.is_live(now)}
        if not dead:
            return False
        self._call(
            self.client.update_item,
            TableName=self.directory_table,
            Key=_owner_key(owner_id),
            UpdateExpression="DELETE key_ids :dead",
            ExpressionAttributeValues={":dead": {"SS": sorted(dead)}},
        )
        return True

    def _live_key_ids(self, owner_id: str) -> set[str]:
        response = self._call(
            self.client.get_item,
            TableName=self.directory_table,
            Key=_owner_key(owner_id),
            ConsistentRead=True,
        )
        if "Item" not in response:
            raise OwnerNotFound
        return {*response["Item"].get("key_ids", {}).get("SS", [])}

    def _items_of_owner(self, owner_id: str) -> list[Item]:
        query: dict[str, object] = {
            "TableName": self.keys_table,
            "IndexName": OWNER_INDEX,
            "KeyConditionExpression": "owner_id = :owner",
            "ExpressionAttributeValues": {":owner": {"S": owner_id}},
        }
        items: list[Item] = []
        while True:
            page = self._call(self.client.query, **query)
            items += page["Items"]
            if "LastEvaluatedKey" not in page:
                return items
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _put_owner(self, owner: Owner, key_ids: Sequence[str] = ()) -> dict[str, Any]:
        item: dict[str, Mapping[str, object]] = {
            **_owner_key(owner.owner_id),
            "format": {"N": str(RECORD_FORMAT)},
            "owner_id": {"S": owner.owner_id},
            "display_name": {"S": owner.display_name},
            "created_at": {"N": str(owner.created_at)},
        }
        if key_ids:
            item["key_ids"] = {"SS": list(key_ids)}
        return {
            "Put": {
                "TableName": self.directory_table,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(entity)",
            }
        }

    def _put_key(self, key: Key, record: KeyRecord) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": self.keys_table,
                "Item": _item_of_key(key, record),
                "ConditionExpression": "attribute_not_exists(key_id)",
            }
        }

    def _transact(self, writes: list[dict[str, Any]]) -> tuple[str, ...]:
        """Write all or nothing.

        Returns nothing when all was written, else the cancellation code of each write, `None` for
        those that had no part in it. A conflict with another transaction is tried again.
        """
        for attempt in range(_MAX_CONFLICTS):
            try:
                self.client.transact_write_items(TransactItems=writes)
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise _unavailable(error) from None
                codes = tuple(
                    str(reason.get("Code")) for reason in error.response["CancellationReasons"]
                )
                if "ConditionalCheckFailed" in codes:
                    return codes
                if "TransactionConflict" not in codes:
                    raise Unavailable(Reason.KEY_STORE_UNAVAILABLE, ", ".join(codes)) from None
            except BotoCoreError as error:
                raise _unavailable(error) from None
            else:
                return ()
            ceiling = _CONFLICT_BASE_SECONDS * 2 ** min(attempt, 4)
            self.sleep(random.uniform(0, ceiling))  # noqa: S311 - jitter, not a secret
        raise Unavailable(Reason.KEY_STORE_UNAVAILABLE, "TransactionConflict")

    def _call(
        self, operation: Callable[..., dict[str, Any]], **arguments: object
    ) -> dict[str, Any]:
        try:
            return operation(**arguments)
        except (BotoCoreError, ClientError) as error:
            raise _unavailable(error) from None


def _unavailable(error: BotoCoreError | ClientError) -> Unavailable:
    return Unavailable(Reason.KEY_STORE_UNAVAILABLE, error_code(error))


def _owner_key(owner_id: str) -> dict[str, Mapping[str, object]]:
    match len(owner_id):
        case length if length == ACCOUNT_ID_LENGTH:
            entity = "account"
        case length if length == APP_ID_LENGTH:
            entity = f"app#{owner_id}"
        case _:
            entity = f"serviceaccount#{owner_id}"
    return {"account_id": {"S": account_id_of(owner_id)}, "entity": {"S": entity}}


def _item_of_key(key: Key, record: KeyRecord) -> Item:
    """Return the item to store; it holds the secret hashed and sealed, never in clear text."""
    owner = record.owner_id
    optional: dict[str, Mapping[str, Any] | None] = {
        "app_id": {"S": owner} if record.owner_type is OwnerType.APP else None,
        "service_account_id": (
            {"S": owner} if record.owner_type is OwnerType.SERVICE_ACCOUNT else None
        ),
        "display_name": {"S": key.display_name} if key.display_name is not None else None,
        "expires_at": {"N": str(key.expires_at)} if key.expires_at is not None else None,
        "allowed_cidrs": (
            {"L": [{"S": cidr} for cidr in key.allowed_cidrs]} if key.allowed_cidrs else None
        ),
    }
    return {
        "key_id": {"S": record.key_id},
        "format": {"N": str(RECORD_FORMAT)},
        "owner_type": {"S": record.owner_type.value},
        "owner_id": {"S": owner},
        "account_id": {"S": account_id_of(owner)},
        "secret_hash": {"B": record.secret_hash},
        "secret_ciphertext": {"B": record.secret_ciphertext},
        "created_at": {"N": str(key.created_at)},
        **{name: value for name, value in optional.items() if value is not None},
    }


def _key_of_item(item: Item) -> Key:
    """Read what may be shown of a stored key.

    Raises:
        Unavailable: `DAMAGED_RECORD`, naming the attribute.
    """
    reader = AttributeReader(item)
    revoked_at = reader.optional_number("revoked_at")
    return Key(
        key_id=reader.text("key_id"),
        created_at=reader.number("created_at"),
        display_name=reader.text("display_name") if "display_name" in item else None,
        # A revoked key's record only expires to be cleared away.
        expires_at=None if revoked_at is not None else reader.optional_number("expires_at"),
        allowed_cidrs=reader.texts("allowed_cidrs"),
        revoked_at=revoked_at,
    )
