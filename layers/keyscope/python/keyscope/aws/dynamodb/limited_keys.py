"""The keys that are limited to permissions, from the index that has no secret material."""

from collections.abc import Iterator
from typing import NamedTuple

from keyscope.aws.clients import DynamoDbClient
from keyscope.aws.dynamodb.key_items import AttributeReader
from keyscope.aws.dynamodb.keys import OWNER_INDEX


class LimitedKey(NamedTuple):
    """A key that is not revoked, and the names of its permissions as they are stored."""

    key_id: str
    permissions: tuple[str, ...]


def limited_keys(client: DynamoDbClient, keys_table: str) -> Iterator[LimitedKey]:
    """Yield all limited keys. Raises `Unavailable` (`DAMAGED_RECORD`), and botocore's errors."""
    start: dict[str, object] = {}
    while True:
        page = client.scan(
            TableName=keys_table,
            IndexName=OWNER_INDEX,
            ProjectionExpression="key_id, permission_names",
            FilterExpression=(
                "attribute_exists(permission_names) AND attribute_not_exists(revoked_at)"
            ),
            **start,
        )
        for reader in map(AttributeReader, page["Items"]):
            yield LimitedKey(reader.text("key_id"), reader.texts("permission_names"))
        if "LastEvaluatedKey" not in page:
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
