"""The keys as the expiry sweep reads them, and ExpiryWarningsTable, its record of warnings."""

import secrets
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from keyscope.aws.dynamodb.directory_items import key_of_item
from keyscope.aws.dynamodb.key_items import (
    EXTERNAL_ID_ATTRIBUTES,
    LIMIT_ATTRIBUTES,
    AttributeReader,
    Item,
)
from keyscope.aws.dynamodb.keys import OWNER_INDEX
from keyscope.aws.dynamodb.transactions import Database
from keyscope.errors import Unavailable
from keyscope.lifecycle.key_expiry import DamagedKey, ExpiryWarning, OwnedKey
from keyscope.model.ids import is_key_id, is_owner_id, owner_type_of_key

SWEPT_ATTRIBUTES: Final = (
    "key_id",
    "owner_id",
    "integration_id",
    *EXTERNAL_ID_ATTRIBUTES,
    "display_name",
    "created_at",
    *LIMIT_ATTRIBUTES,
    "suspended_at",
    "revoked_at",
    "generation",
)
"""The attributes that a sweep reads of a key. The index contains all of them, and no secret."""

_KEPT_AFTER_EXPIRY_SECONDS: Final = 86_400
"""After this time, no sweep looks for the warnings of an expired key."""


@dataclass(frozen=True, slots=True)
class IndexedKeys:
    """The keys of KeysTable in its index, which lags milliseconds behind the table."""

    database: Database
    keys_table: str

    def expiring(self, now: int, latest: int, /) -> Iterator[Sequence[OwnedKey | DamagedKey]]:
        """Yield pages of the keys that expire after `now` and no later than `latest`."""
        pages = _scan(
            self.database,
            {
                "TableName": self.keys_table,
                "IndexName": OWNER_INDEX,
                "ProjectionExpression": ", ".join(SWEPT_ATTRIBUTES),
                # A revoked key's `expires_at` only says when DynamoDB deletes the record.
                "FilterExpression": (
                    "expires_at > :now AND expires_at <= :latest"
                    " AND attribute_not_exists(revoked_at)"
                ),
                "ExpressionAttributeValues": {
                    ":now": {"N": str(now)},
                    ":latest": {"N": str(latest)},
                },
            },
        )
        for page in pages:
            yield [_owned_key(item) for item in page]


@dataclass(frozen=True, slots=True)
class WarningsTable:
    """ExpiryWarningsTable: an item for each warning, until a day after its key's expiry.

    An item with `claimed_until` is a warning that a sweep is about to send; one without was sent.
    `sweep_id` identifies this sweep, so that it recognizes its own claim if DynamoDB's response is
    lost.
    """

    database: Database
    table: str
    sweep_id: str = field(default_factory=lambda: secrets.token_hex(16))

    def sent(self) -> AbstractSet[str]:
        """Return the ids of the warnings that were sent."""
        pages = _scan(
            self.database,
            {
                "TableName": self.table,
                "ConsistentRead": True,
                "ProjectionExpression": "warning_id",
                "FilterExpression": "attribute_not_exists(claimed_until)",
            },
        )
        return {AttributeReader(item).text("warning_id") for page in pages for item in page}

    def claim(self, warning: ExpiryWarning, now: int, until: int, /) -> bool:
        """Claim a warning; return whether no other sweep has sent or claimed it."""
        return self.database.holds(
            self.database.client.put_item,
            TableName=self.table,
            Item={
                **_item(warning),
                "claimed_until": {"N": str(until)},
                "claimed_by": {"S": self.sweep_id},
            },
            ConditionExpression=(
                "attribute_not_exists(warning_id) OR claimed_until <= :now OR claimed_by = :me"
            ),
            ExpressionAttributeValues={":now": {"N": str(now)}, ":me": {"S": self.sweep_id}},
        )

    def confirm(self, warning: ExpiryWarning, /) -> None:
        """Record that a claimed warning was sent."""
        self.database.call(self.database.client.put_item, TableName=self.table, Item=_item(warning))


def _item(warning: ExpiryWarning) -> Item:
    forget_at = warning.expires_at + _KEPT_AFTER_EXPIRY_SECONDS
    return {"warning_id": {"S": warning.warning_id}, "forget_at": {"N": str(forget_at)}}


def _owned_key(item: Item) -> OwnedKey | DamagedKey:
    reader = AttributeReader(item)
    # The index contains an item only if its own key attributes are strings.
    key_id, owner_id = reader.text("key_id"), reader.text("owner_id")
    if not is_key_id(key_id) or not is_owner_id(owner_type_of_key(key_id), owner_id):
        return DamagedKey(key_id, "attribute owner_id")
    try:
        return OwnedKey(owner_id, key_of_item(item))
    except Unavailable as damage:
        # One damaged record must not stop the warnings for other keys.
        return DamagedKey(key_id, damage.detail)


def _scan(database: Database, request: dict[str, object]) -> Iterator[Sequence[Item]]:
    start: dict[str, object] = {}
    while True:
        page = database.call(database.client.scan, **request, **start)
        yield page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
