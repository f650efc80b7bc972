"""Consistent reads of both tables, and writes on behalf of a caller.

A write on behalf of an API key has one more condition: the caller's record still has the revision
that was judged. If it has not, the record is judged again. So a change that does not affect the
credential, such as a rename, costs the caller one read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from keyscope.aws.dynamodb import account_writes, key_writes
from keyscope.aws.dynamodb.directory_items import (
    KEY_ATTRIBUTES,
    Attributes,
    key_of_item,
    owner_key,
)
from keyscope.aws.dynamodb.key_items import AttributeReader, Item
from keyscope.aws.dynamodb.transactions import Database, Patience, Write
from keyscope.errors import Reason, Unavailable
from keyscope.lifecycle.caller import Caller, Iam, JudgedKey
from keyscope.lifecycle.directory import (
    AccountSuspended,
    FoundKey,
    Key,
    KeyNotFound,
    OwnerNotFound,
    judge,
)
from keyscope.model.ids import account_id_of

_CALLER = "caller"
ACCOUNT = "account"
"""The name of a write to the item of an owner's account, or of a check of it."""


@dataclass(frozen=True, slots=True)
class Tables:
    """DirectoryTable and KeysTable."""

    database: Database
    directory_table: str
    keys_table: str

    def find_key(self, key_id: str, /) -> FoundKey:
        """Return a key that is not revoked; raises `KeyNotFound`."""
        item = self._live_item(key_id)
        reader = AttributeReader(item)
        return FoundKey(reader.text("owner_id"), key_of_item(item), reader.number("revision"))

    def _owner_item(self, owner_id: str) -> Item:
        """Return an owner's item; raises `OwnerNotFound`."""
        response = self.database.call(
            self.database.client.get_item,
            TableName=self.directory_table,
            Key=owner_key(owner_id),
            ConsistentRead=True,
        )
        if "Item" not in response:
            raise OwnerNotFound
        item: Item = response["Item"]
        return item

    def _is_suspended(self, owner_id: str) -> bool:
        """Return whether an owner's account is suspended; raises `OwnerNotFound`."""
        return "suspended_at" in self._owner_item(account_id_of(owner_id))

    def _check_account(self, owner_id: str) -> None:
        """Raise `AccountSuspended` if an owner's account is suspended; raises `OwnerNotFound`.

        This also follows each creation of a key, because a suspension's `Query` may miss a key that
        DynamoDB is still committing. Without a suspension here, a later one begins after the
        creation succeeded, so its consistent `Query` returns the key. Otherwise the new secret is
        not shown, so a key that was missed is of no use.
        """
        if self._is_suspended(owner_id):
            raise AccountSuspended

    def _account_accepts(self, owner_id: str) -> Mapping[str, Write]:
        """Return the check that an owner's account is not suspended.

        It is empty for an account itself, because DynamoDB rejects a transaction with two writes of
        one item; there the write to the owner's item contains the condition.
        """
        account_id = account_id_of(owner_id)
        if owner_id == account_id:
            return {}
        return {ACCOUNT: account_writes.account_accepts(self.directory_table, account_id)}

    def _item_of_key(self, key_id: str) -> Item | None:
        """Return a key's item without its secrets, revoked or not."""
        response = self.database.call(
            self.database.client.get_item,
            TableName=self.keys_table,
            Key=key_writes.record_key(key_id),
            ConsistentRead=True,
            ProjectionExpression=", ".join(KEY_ATTRIBUTES),
        )
        item: Item | None = response.get("Item")
        return item

    def _live_item(self, key_id: str) -> Item:
        """Return the item of a key that is not revoked; raises `KeyNotFound`."""
        item = self._item_of_key(key_id)
        if item is None or "revoked_at" in item:
            raise KeyNotFound
        return item

    def _read_keys(self, owner_id: str, key_ids: set[str]) -> Sequence[Key]:
        """Return those of an owner's keys that exist and are not revoked, oldest first."""
        if not key_ids:
            return []
        response = self.database.call(
            self.database.client.batch_get_item,
            RequestItems={
                self.keys_table: {
                    "Keys": [key_writes.record_key(key_id) for key_id in sorted(key_ids)],
                    "ConsistentRead": True,
                    "ProjectionExpression": ", ".join(KEY_ATTRIBUTES),
                }
            },
        )
        if response.get("UnprocessedKeys"):
            # An unread key must not be taken for a deleted one.
            raise Unavailable(Reason.KEY_STORE_UNAVAILABLE, "UnprocessedKeys")
        items: list[Item] = response["Responses"][self.keys_table]
        if any(AttributeReader(item).text("owner_id") != owner_id for item in items):
            raise Unavailable(Reason.DAMAGED_RECORD, "attribute key_ids")
        keys = (key_of_item(item) for item in items)
        # A key may have been revoked since its id was read.
        return oldest_first(key for key in keys if key.revoked_at is None)

    def _query(
        self,
        query: dict[str, object],
        most: int | None = None,
        start: Attributes | None = None,
    ) -> list[Item]:
        """Return at most `most` items of a query, after `start`."""
        items: list[Item] = []
        while most is None or len(items) < most:
            limit = {} if most is None else {"Limit": most - len(items)}
            begin = {} if start is None else {"ExclusiveStartKey": start}
            page = self.database.call(self.database.client.query, **query, **limit, **begin)
            items += page["Items"]
            start = page.get("LastEvaluatedKey")
            if start is None:
                break
        return items

    def _write(self, writes: Mapping[str, Write], caller: Caller, patience: Patience) -> set[str]:
        """Write all or nothing on behalf of a caller; return the names of what failed.

        Raises:
            Forbidden: the caller's credential is no longer valid.
            Contended: other writes conflicted with this one for too long.
        """
        match caller:
            case Iam():
                return self.database.write(writes, patience)
            case JudgedKey():
                return self._write_while_good(writes, caller, patience)
            case _:
                assert_never(caller)

    def _write_while_good(
        self, writes: Mapping[str, Write], judged: JudgedKey, patience: Patience
    ) -> set[str]:
        key_id = judged.proven.key_id
        # DynamoDB rejects a transaction with a check and a write of the same item, so a write to
        # the caller's own record contains the condition.
        own = next(
            (
                name
                for name, it in writes.items()
                if key_writes.is_write_to(it, self.keys_table, key_id)
            ),
            None,
        )
        guard = _CALLER if own is None else own
        while True:
            guarded = (
                key_writes.has_revision(self.keys_table, key_id, judged.revision)
                if own is None
                else key_writes.if_revision(writes[own], judged.revision)
            )
            failed = self.database.write({**writes, guard: guarded}, patience, judged.check_time)
            if guard not in failed:
                return failed
            _, again = judge(self.find_key, judged.proven, judged.clock)
            if again.revision == judged.revision:
                return failed
            judged = again
            patience.pause()


def oldest_first(keys: Iterable[Key]) -> Sequence[Key]:
    """Sort keys by creation time."""
    return sorted(keys, key=lambda key: (key.created_at, key.key_id))
