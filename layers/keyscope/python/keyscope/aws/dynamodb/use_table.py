"""UseTable: when each key was last used, and nothing else.

An item has the key's id, `last_used_at` and, for DynamoDB's time to live, `expires_at`. Times are
in seconds since the epoch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from keyscope.aws.calls import error_code
from keyscope.aws.clients import DynamoDbClient
from keyscope.aws.dynamodb.key_items import AttributeReader, Item
from keyscope.errors import Reason, Unavailable
from keyscope.lifecycle.key_use import REMEMBERED_SECONDS, KeyUse
from keyscope.model.times import LAST_SECOND

MAX_BATCH: Final = 100
"""The most items in one call (DynamoDB API reference, BatchGetItem)."""


@dataclass(frozen=True, slots=True)
class UseTable:
    """The table as a `UseWriter` and a `UseReader`."""

    client: DynamoDbClient
    table: str

    def record(self, use: KeyUse, /) -> bool:
        """Record a use unless a later one is recorded; return whether it was recorded.

        Raises:
            Unavailable: `USE_TABLE_UNAVAILABLE`.
        """
        try:
            self.client.update_item(
                TableName=self.table,
                Key=_key(use.key_id),
                UpdateExpression="SET last_used_at = :used_at, expires_at = :expires_at",
                ConditionExpression="attribute_not_exists(key_id) OR last_used_at < :used_at",
                ExpressionAttributeValues={
                    ":used_at": {"N": str(use.used_at)},
                    ":expires_at": {"N": str(use.used_at + REMEMBERED_SECONDS)},
                },
            )
        except Exception as error:  # noqa: BLE001 - botocore's parsers raise what they meet
            code = error_code(error)
            if isinstance(error, ClientError) and code == "ConditionalCheckFailedException":
                return False
            raise Unavailable(Reason.USE_TABLE_UNAVAILABLE, code) from None
        return True

    def last_uses(self, key_ids: Sequence[str], /) -> Mapping[str, int]:
        """Return the recorded uses of these keys, in seconds since the epoch.

        Raises:
            Unavailable: `USE_TABLE_UNAVAILABLE` or `DAMAGED_RECORD`.
        """
        batches = (
            key_ids[start : start + MAX_BATCH] for start in range(0, len(key_ids), MAX_BATCH)
        )
        readers = [AttributeReader(item) for batch in batches for item in self._read(batch)]
        return {reader.text("key_id"): _time_of(reader) for reader in readers}

    def _read(self, key_ids: Sequence[str]) -> Sequence[Item]:
        try:
            response = self.client.batch_get_item(
                RequestItems={self.table: {"Keys": [_key(key_id) for key_id in key_ids]}}
            )
            items: Sequence[Item] = response["Responses"][self.table]
        except Exception as error:  # noqa: BLE001 - botocore's parsers raise what they meet
            raise Unavailable(Reason.USE_TABLE_UNAVAILABLE, error_code(error)) from None
        if response.get("UnprocessedKeys"):
            # An unread use must not be taken for no use.
            raise Unavailable(Reason.USE_TABLE_UNAVAILABLE, "UnprocessedKeys")
        return items


def _time_of(reader: AttributeReader) -> int:
    used_at = reader.number("last_used_at")
    if not 0 <= used_at <= LAST_SECOND:
        raise Unavailable(Reason.DAMAGED_RECORD, "attribute last_used_at")
    return used_at


def _key(key_id: str) -> Mapping[str, Mapping[str, Any]]:
    return {"key_id": {"S": key_id}}
