"""The key store of the authorizers: one strongly consistent `GetItem` per key."""

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from keyscope.aws.clients import DynamoDbClient
from keyscope.aws.key_items import record_of_item
from keyscope.errors import Reason, Unavailable
from keyscope.key_record import Lookup, RecordSource


@dataclass(frozen=True, slots=True)
class KeyTable:
    """KeysTable as a key store."""

    client: DynamoDbClient
    table_name: str

    def get(self, key_id: str, /) -> Lookup:
        """Read the record of a key.

        Raises:
            Unavailable: `KEY_STORE_UNAVAILABLE` or `DAMAGED_RECORD`.
        """
        try:
            response = self.client.get_item(
                TableName=self.table_name,
                Key={"key_id": {"S": key_id}},
                # A revocation must not be missed by a replica that lags behind.
                ConsistentRead=True,
            )
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(Reason.KEY_STORE_UNAVAILABLE, error_code(error)) from None
        item = response.get("Item")
        record = None if item is None else record_of_item(item)
        if record is not None and record.key_id != key_id:
            raise Unavailable(Reason.DAMAGED_RECORD, "attribute key_id")
        return Lookup(record, RecordSource.TABLE)


def error_code(error: BotoCoreError | ClientError) -> str:
    """Return AWS's code of an error, for the operator; the text may quote the request."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return type(error).__name__
