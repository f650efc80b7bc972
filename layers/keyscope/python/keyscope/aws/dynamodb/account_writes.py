"""Writes to the items of accounts and their keys that suspend, resume and limit an account.

In an account's item, `suspended_at` blocks every creation, rotation and enabling. While keys are
being marked, `marking` says whether marks are set or removed, and `marked_through` is the last
owner whose keys are done. `marking_revision` counts these changes, so a function that was delayed
cannot continue a marking that another one has replaced.
"""

from typing import Final

from keyscope.aws.dynamodb.directory_items import Attributes, owner_key
from keyscope.aws.dynamodb.key_items import AttributeReader, Item
from keyscope.aws.dynamodb.key_writes import record_key
from keyscope.aws.dynamodb.transactions import Write
from keyscope.lifecycle.account import Marking, Suspension

ACCEPTS: Final = "attribute_not_exists(suspended_at)"
"""The condition that an account's item meets unless it is suspended; other owners' always do."""


def account_accepts(table: str, account_id: str) -> Write:
    """Check that an account exists and is not suspended."""
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": owner_key(account_id),
            "ConditionExpression": f"attribute_exists(entity) AND {ACCEPTS}",
        }
    }


def begin_marking(table: str, item: Item, suspension: Suspension, marking: Marking) -> Write:
    """Begin a marking from the first key, unless one began or went on since the item was read."""
    return _marking_update(
        table,
        item,
        "SET suspended_at = :suspended_at, marking = :marking, marked_keys = :none"
        " REMOVE marked_through",
        {
            ":suspended_at": {"N": str(suspension.suspended_at)},
            ":marking": {"S": marking.value},
            ":none": {"N": "0"},
        },
    )


def advance_marking(table: str, item: Item, through: str, keys: int) -> Write:
    """Record that the keys of all owners through one are done, `keys` of them in this step."""
    return _marking_update(
        table,
        item,
        "SET marked_through = :through, marked_keys = marked_keys + :keys",
        {":through": {"S": through}, ":keys": {"N": str(keys)}},
    )


def end_marking(table: str, item: Item, marking: Marking) -> Write:
    """Record that all keys are done; this is what makes a resumed account active."""
    lifted = ", suspended_at, marked_keys" if marking is Marking.RESUMING else ""
    return _marking_update(table, item, f"REMOVE marking, marked_through{lifted}", {})


def set_max_apps(table: str, item: Item, max_apps: int | None) -> Write:
    """Set an account's own limit of apps, unless its item has changed since it was read."""
    change = "REMOVE max_apps" if max_apps is None else "SET max_apps = :most"
    chosen: Attributes = {} if max_apps is None else {":most": {"N": str(max_apps)}}
    return {
        "Update": {
            "TableName": table,
            "Key": _key_of(item),
            "UpdateExpression": f"{change} ADD revision :one",
            "ConditionExpression": "revision = :seen",
            "ExpressionAttributeValues": {
                **chosen,
                ":one": {"N": "1"},
                ":seen": {"N": str(AttributeReader(item).number("revision"))},
            },
        }
    }


def suspend_key(table: str, key_id: str, suspended_at: int) -> Write:
    """Mark a key, unless it is marked, revoked or deleted."""
    return {
        "Update": {
            "TableName": table,
            "Key": record_key(key_id),
            "UpdateExpression": "SET suspended_at = :suspended_at ADD revision :one",
            "ConditionExpression": (
                "attribute_exists(key_id) AND attribute_not_exists(revoked_at)"
                " AND attribute_not_exists(suspended_at)"
            ),
            "ExpressionAttributeValues": {
                ":suspended_at": {"N": str(suspended_at)},
                ":one": {"N": "1"},
            },
        }
    }


def resume_key(table: str, key_id: str) -> Write:
    """Remove a key's mark, unless it has none."""
    return {
        "Update": {
            "TableName": table,
            "Key": record_key(key_id),
            "UpdateExpression": "REMOVE suspended_at ADD revision :one",
            "ConditionExpression": "attribute_exists(suspended_at)",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }


def _marking_update(table: str, item: Item, change: str, values: Attributes) -> Write:
    seen = AttributeReader(item).optional_number("marking_revision")
    unchanged = "attribute_not_exists(marking_revision)"
    if seen is not None:
        unchanged, values = "marking_revision = :seen", {**values, ":seen": {"N": str(seen)}}
    return {
        "Update": {
            "TableName": table,
            "Key": _key_of(item),
            "UpdateExpression": f"{change} ADD marking_revision :one",
            "ConditionExpression": f"attribute_exists(entity) AND {unchanged}",
            "ExpressionAttributeValues": {**values, ":one": {"N": "1"}},
        }
    }


def _key_of(item: Item) -> Attributes:
    return {name: item[name] for name in ("account_id", "entity")}
