"""Writes to items of KeysTable, each with the condition that it needs."""

from keyscope.aws.dynamodb.directory_items import Attributes, item_of_key, optional_attributes
from keyscope.aws.dynamodb.key_items import AttributeReader, Item
from keyscope.aws.dynamodb.transactions import Write
from keyscope.lifecycle.directory import REVOKED_RECORD_SECONDS, Key, NewSecret
from keyscope.model.key_record import KeyRecord

_JUDGED_REVISION = ":judged"
_JUDGED = f"revision = {_JUDGED_REVISION}"


def record_key(key_id: str) -> Attributes:
    """Return the primary key of a key's item."""
    return {"key_id": {"S": key_id}}


def put_key(table: str, key: Key, record: KeyRecord) -> Write:
    """Add a key, unless its id is taken."""
    return {
        "Put": {
            "TableName": table,
            "Item": item_of_key(key, record),
            "ConditionExpression": "attribute_not_exists(key_id)",
        }
    }


def update_key(table: str, item: Item, after: Key, secret: NewSecret | None) -> Write:
    """Change a key, unless it has changed since its item was read or is revoked."""
    optional = optional_attributes(after)
    values = {f":{name}": value for name, value in optional.items() if value is not None}
    sets = [f"{name} = :{name}" for name, value in optional.items() if value is not None]
    removed = [name for name, value in optional.items() if value is None]
    previous = ("previous_secret_hash", "previous_secret_ciphertext")
    if after.previous_ends_at is None:
        removed += previous
    if secret is not None:
        if after.previous_ends_at is not None:
            # The right side of SET is the item before the update.
            sets += [f"{name} = {name.removeprefix('previous_')}" for name in previous]
        sets += ["secret_hash = :secret_hash", "secret_ciphertext = :secret_ciphertext"]
        values |= {
            ":secret_hash": {"B": secret.secret_hash},
            ":secret_ciphertext": {"B": secret.secret_ciphertext},
        }
    sets.append("revision = revision + :one")
    expression = f"SET {', '.join(sets)}" + (f" REMOVE {', '.join(removed)}" if removed else "")
    return {
        "Update": {
            "TableName": table,
            "Key": {"key_id": item["key_id"]},
            "UpdateExpression": expression,
            "ConditionExpression": "revision = :seen AND attribute_not_exists(revoked_at)",
            "ExpressionAttributeValues": {
                **values,
                ":one": {"N": "1"},
                ":seen": {"N": str(AttributeReader(item).number("revision"))},
            },
        }
    }


def is_over(table: str, key_id: str, now: int) -> Write:
    """Check that a key is deleted, revoked or expired."""
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": record_key(key_id),
            "ConditionExpression": (
                "attribute_not_exists(key_id) OR attribute_exists(revoked_at) OR expires_at <= :now"
            ),
            "ExpressionAttributeValues": {":now": {"N": str(now)}},
        }
    }


def end_key(table: str, owner_id: str, key_id: str, now: int) -> Write:
    """Revoke an owner's key and delete its secrets, unless it is already revoked."""
    return {
        "Update": {
            "TableName": table,
            "Key": record_key(key_id),
            "UpdateExpression": (
                "SET revoked_at = :now, expires_at = :purge"
                " REMOVE secret_hash, secret_ciphertext,"
                " previous_secret_hash, previous_secret_ciphertext, previous_ends_at,"
                " usage_identifier_key"
                " ADD revision :one"
            ),
            "ConditionExpression": "owner_id = :owner AND attribute_not_exists(revoked_at)",
            "ExpressionAttributeValues": {
                ":now": {"N": str(now)},
                ":purge": {"N": str(now + REVOKED_RECORD_SECONDS)},
                ":one": {"N": "1"},
                ":owner": {"S": owner_id},
            },
        }
    }


def has_revision(table: str, key_id: str, revision: int) -> Write:
    """Check that a key has not changed since it was judged."""
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": record_key(key_id),
            "ConditionExpression": _JUDGED,
            "ExpressionAttributeValues": {_JUDGED_REVISION: {"N": str(revision)}},
        }
    }


def if_revision(write: Write, revision: int) -> Write:
    """Add the condition of `has_revision` to a write to the key's own item."""
    ((action, request),) = write.items()
    return {
        action: {
            **request,
            "ConditionExpression": f"({request['ConditionExpression']}) AND {_JUDGED}",
            "ExpressionAttributeValues": {
                **request["ExpressionAttributeValues"],
                _JUDGED_REVISION: {"N": str(revision)},
            },
        }
    }


def is_write_to(write: Write, table: str, key_id: str) -> bool:
    """Return whether a write changes this key's item; one that adds an item does not count."""
    (request,) = write.values()
    return (request["TableName"], request.get("Key")) == (table, record_key(key_id))
