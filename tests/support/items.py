"""Stored items in DynamoDB's own notation, by the codec of the package.

Beside the codec's own tests, the tests write this notation here only.
"""

import base64
from collections.abc import Mapping
from typing import Any

from keyscope.aws.dynamodb.directory_items import item_of_key
from keyscope.aws.dynamodb.key_items import AttributeReader
from keyscope.lifecycle.directory import Key
from keyscope.model.key_record import KeyRecord

Item = dict[str, Mapping[str, Any]]


def item_of_record(record: KeyRecord) -> Item:
    """Return a record as KeysTable holds it once its key was rotated or revoked."""
    previous = record.previous
    key = Key(
        record.key_id,
        created_at=0,
        limits=record.limits,
        previous_ends_at=None if previous is None else previous.ends_at,
        secret_generation=record.secret_generation,
        usage_identifier_key=record.usage_identifier_key,
    )
    item = item_of_key(key, record)
    if previous is not None:
        item["previous_secret_hash"] = {"B": previous.secret_hash}
        item["previous_secret_ciphertext"] = {"B": previous.secret_ciphertext}
    if record.revoked_at is not None:
        item["revoked_at"] = {"N": str(record.revoked_at)}
    if record.suspended_at is not None:
        item["suspended_at"] = {"N": str(record.suspended_at)}
    return item


def app_count_of(owner_item: Mapping[str, Any]) -> int:
    """Return how many apps a stored owner says that it created."""
    return AttributeReader(owner_item).optional_number("app_count") or 0


def on_the_wire(item: Item) -> dict[str, object]:
    """Return an item as DynamoDB's JSON protocol sends it."""
    return {
        name: {
            kind: base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for kind, value in attribute.items()
        }
        for name, attribute in item.items()
    }
