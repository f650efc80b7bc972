"""All keys of the table and what they are limited to, from the index without secret material."""

from collections.abc import Iterator
from typing import NamedTuple

from keyscope.aws.clients import DynamoDbClient
from keyscope.aws.dynamodb.key_items import AttributeReader
from keyscope.aws.dynamodb.keys import OWNER_INDEX

_NOT_REVOKED = "attribute_not_exists(revoked_at)"


class LimitedKey(NamedTuple):
    """A key that is not revoked, and the names of its permissions as they are stored."""

    key_id: str
    permissions: tuple[str, ...]


def limited_keys(client: DynamoDbClient, keys_table: str) -> Iterator[LimitedKey]:
    """Yield all limited keys. Raises `Unavailable` (`DAMAGED_RECORD`), and botocore's errors."""
    return _keys(client, keys_table, f"attribute_exists(permission_names) AND {_NOT_REVOKED}")


def all_keys(client: DynamoDbClient, keys_table: str) -> Iterator[LimitedKey]:
    """Yield all keys that are not revoked; one without permissions is not limited to any.

    Raises what `limited_keys` does.
    """
    return _keys(client, keys_table, _NOT_REVOKED)


def _keys(client: DynamoDbClient, keys_table: str, wanted: str) -> Iterator[LimitedKey]:
    start: dict[str, object] = {}
    while True:
        page = client.scan(
            TableName=keys_table,
            IndexName=OWNER_INDEX,
            ProjectionExpression="key_id, permission_names",
            FilterExpression=wanted,
            **start,
        )
        for reader in map(AttributeReader, page["Items"]):
            yield LimitedKey(reader.text("key_id"), reader.texts("permission_names"))
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
