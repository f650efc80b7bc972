"""The key store of the authorizers: one strongly consistent `GetItem` per key."""

from collections.abc import Collection, Mapping

from keyscope.aws.calls import HeldUpByOthers, ItemReader, NoAnswer, error_code
from keyscope.aws.dynamodb.key_items import Item, record_of_item
from keyscope.errors import HeldUp, Hung, Reason, Unavailable
from keyscope.model.key_record import KeyRecord, Lookup, RecordSource
from keyscope.records import dataclass, replace


@dataclass(frozen=True, slots=True)
class KeyTable:
    """KeysTable as a key store.

    With `permissions`, records have only those, and share the text of their names: a container
    caches thousands of records, and callers choose the names in them.
    """

    client: ItemReader
    table_name: str
    permissions: Collection[str] | None = None

    def get(self, key_id: str, /, *, fresh: bool = False) -> Lookup:
        """Read the record of a key; every read is fresh.

        Raises:
            Unavailable: `KEY_STORE_UNAVAILABLE` or `DAMAGED_RECORD`. The former is `Hung` after a
                timeout or a broken connection, and `HeldUp` if other calls used up the time.
        """
        del fresh
        try:
            response = self.client.get_item(
                TableName=self.table_name,
                Key={"key_id": {"S": key_id}},
                # A replica that lags behind could miss a revocation.
                ConsistentRead=True,
            )
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a client meets
            raise _failure(error) from None
        item = response.get("Item")
        record = None if item is None else record_of_item(_attributes(item))
        if record is not None and record.key_id != key_id:
            raise Unavailable(Reason.DAMAGED_RECORD, "attribute key_id")
        return Lookup(None if record is None else self._known(record), RecordSource.TABLE)

    def _known(self, record: KeyRecord) -> KeyRecord:
        held = record.limits.permissions
        if held is None or self.permissions is None:
            return record
        known = tuple([name for name in self.permissions if name in held])
        return replace(record, limits=record.limits._replace(permissions=known))


def _failure(error: Exception) -> Unavailable:
    reason, code = Reason.KEY_STORE_UNAVAILABLE, error_code(error)
    match error:
        case HeldUpByOthers():
            return HeldUp(reason, code)
        case NoAnswer():
            return Hung(reason, code)
        case _:
            return Unavailable(reason, code)


def _attributes(item: object) -> Item:
    if not isinstance(item, Mapping) or not all(isinstance(it, Mapping) for it in item.values()):
        raise Unavailable(Reason.DAMAGED_RECORD, "attributes without a type")
    return item
