"""Writes to items of DirectoryTable, each with the condition that it needs.

`key_ids` is the set of an owner's live keys, at most ten. `app_count` counts the apps that an
account or a service account created, and `service_account_count` the service accounts of an
account. `revision` counts changes. Nothing is created in an account's item that has `suspended_at`.
"""

from collections.abc import Iterable

from keyscope.aws.dynamodb.account_writes import ACCEPTS
from keyscope.aws.dynamodb.directory_items import (
    changeable_attributes,
    item_of_owner,
    name_key,
    owner_key,
)
from keyscope.aws.dynamodb.key_items import AttributeReader, Item
from keyscope.aws.dynamodb.transactions import Write
from keyscope.lifecycle.directory import MAX_KEYS_PER_OWNER, Owner


def put_owner(table: str, owner: Owner, key_ids: tuple[str, ...] = ()) -> Write:
    """Add an owner with its first keys, unless its id is taken."""
    return {
        "Put": {
            "TableName": table,
            "Item": item_of_owner(owner, key_ids),
            "ConditionExpression": "attribute_not_exists(entity)",
        }
    }


def count_service_account(table: str, account_id: str) -> Write:
    """Count another service account of an account that is not suspended."""
    return {
        "Update": {
            "TableName": table,
            "Key": owner_key(account_id),
            "UpdateExpression": "ADD service_account_count :one",
            "ConditionExpression": f"attribute_exists(entity) AND {ACCEPTS}",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }


def release_service_account(table: str, account_id: str) -> Write:
    """Count one service account less of an account."""
    return {
        "Update": {
            "TableName": table,
            "Key": owner_key(account_id),
            "UpdateExpression": "ADD service_account_count :minus_one",
            "ConditionExpression": "attribute_exists(entity)",
            "ExpressionAttributeValues": {":minus_one": {"N": "-1"}},
        }
    }


def update_owner(table: str, item: Item, after: Owner) -> Write:
    """Change an owner, unless it has changed since its item was read."""
    attributes = changeable_attributes(after)
    settings = ", ".join(f"#{name} = :{name}" for name in attributes)
    return {
        "Update": {
            "TableName": table,
            "Key": owner_key(after.owner_id),
            "UpdateExpression": f"SET {settings}, revision = revision + :one",
            "ConditionExpression": "revision = :seen",
            "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
            "ExpressionAttributeValues": {
                **{f":{name}": value for name, value in attributes.items()},
                ":one": {"N": "1"},
                ":seen": {"N": str(AttributeReader(item).number("revision"))},
            },
        }
    }


def delete_owner(table: str, item: Item) -> Write:
    """Delete an owner without apps and service accounts.

    It must have exactly the keys that its item had when it was read.
    """
    seen = {":key_ids": item["key_ids"]} if "key_ids" in item else {}
    same_keys = "key_ids = :key_ids" if seen else "attribute_not_exists(key_ids)"
    return {
        "Delete": {
            "TableName": table,
            "Key": {name: item[name] for name in ("account_id", "entity")},
            "ConditionExpression": (
                f"attribute_exists(entity) AND {same_keys}"
                " AND (attribute_not_exists(app_count) OR app_count = :none)"
                " AND (attribute_not_exists(service_account_count)"
                " OR service_account_count = :none)"
            ),
            "ExpressionAttributeValues": {**seen, ":none": {"N": "0"}},
        }
    }


def take_app_place(table: str, creator_id: str, max_apps: int) -> Write:
    """Count another app of a creator that has fewer than `max_apps` and is not suspended."""
    return {
        "Update": {
            "TableName": table,
            "Key": owner_key(creator_id),
            "UpdateExpression": "ADD app_count :one",
            "ConditionExpression": (
                f"attribute_exists(entity) AND {ACCEPTS}"
                " AND (attribute_not_exists(app_count) OR app_count < :most)"
            ),
            "ExpressionAttributeValues": {
                ":one": {"N": "1"},
                ":most": {"N": str(max_apps)},
            },
        }
    }


def release_app(table: str, creator_id: str) -> Write:
    """Count one app less of a creator."""
    return {
        "Update": {
            "TableName": table,
            "Key": owner_key(creator_id),
            "UpdateExpression": "ADD app_count :minus_one",
            "ConditionExpression": "attribute_exists(entity)",
            "ExpressionAttributeValues": {":minus_one": {"N": "-1"}},
        }
    }


def take_name(table: str, service_account: Owner) -> Write:
    """Reserve a service account's name, unless another one has it."""
    owner_id = {"owner_id": {"S": service_account.owner_id}}
    return {
        "Put": {
            "TableName": table,
            "Item": name_key(service_account) | owner_id,
            "ConditionExpression": "attribute_not_exists(entity)",
        }
    }


def free_name(table: str, service_account: Owner) -> Write:
    """Release the name of a service account."""
    return {
        "Delete": {
            "TableName": table,
            "Key": name_key(service_account),
            "ConditionExpression": "owner_id = :owner",
            "ExpressionAttributeValues": {":owner": {"S": service_account.owner_id}},
        }
    }


def take_key_place(table: str, owner_id: str, key_id: str) -> Write:
    """Add a key to an owner that has fewer than `MAX_KEYS_PER_OWNER` and is not suspended."""
    return {
        "Update": {
            "TableName": table,
            "Key": owner_key(owner_id),
            "UpdateExpression": "ADD key_ids :key_id",
            "ConditionExpression": (
                f"attribute_exists(entity) AND {ACCEPTS}"
                " AND (attribute_not_exists(key_ids) OR size(key_ids) < :most)"
            ),
            "ExpressionAttributeValues": {
                ":key_id": {"SS": [key_id]},
                ":most": {"N": str(MAX_KEYS_PER_OWNER)},
            },
        }
    }


def free_key_places(table: str, owner_id: str, key_ids: Iterable[str]) -> Write:
    """Remove keys from an owner's set."""
    return {
        "Update": {
            "TableName": table,
            "Key": owner_key(owner_id),
            "UpdateExpression": "DELETE key_ids :key_ids",
            # Without the condition, the update would recreate the item of a deleted owner.
            "ConditionExpression": "attribute_exists(entity)",
            "ExpressionAttributeValues": {":key_ids": {"SS": list(key_ids)}},
        }
    }


def holds_key_place(table: str, owner_id: str, key_id: str, *, accepts: bool) -> Write:
    """Check that a key is in its owner's set; with `accepts`, also that this is not suspended."""
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": owner_key(owner_id),
            "ConditionExpression": "contains(key_ids, :key_id)"
            + (f" AND {ACCEPTS}" if accepts else ""),
            "ExpressionAttributeValues": {":key_id": {"S": key_id}},
        }
    }
