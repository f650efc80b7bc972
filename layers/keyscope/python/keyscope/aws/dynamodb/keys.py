"""Keys in KeysTable, and the set of each owner's live keys in DirectoryTable.

Every write that creates or revokes a key changes the set in the same transaction. So callers that
race cannot exceed the limit of keys, and an owner is deleted together with every key that still
works.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keyscope.aws.dynamodb import key_writes, owner_writes
from keyscope.aws.dynamodb.directory_items import key_ids_of, key_of_item
from keyscope.aws.dynamodb.key_items import AttributeReader, Item
from keyscope.aws.dynamodb.tables import ACCOUNT, Tables, oldest_first
from keyscope.aws.dynamodb.transactions import Patience
from keyscope.lifecycle.caller import Caller
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    AccountSuspended,
    ChangedMeanwhile,
    IdTaken,
    Key,
    KeyNotFound,
    KeyState,
    NewSecret,
    OwnerNotFound,
    TooManyKeys,
)
from keyscope.model.key_record import KeyRecord

OWNER_INDEX = "owner-index"


@dataclass(frozen=True, slots=True)
class Keys(Tables):
    """The keys of a directory."""

    def add_key(self, key: Key, record: KeyRecord, caller: Caller, /) -> None:
        """Add a key; raises `OwnerNotFound`, `AccountSuspended`, `TooManyKeys`, `IdTaken`."""
        patience = self.database.patience()
        while True:
            try:
                if self._add_key(key, record, caller, patience):
                    self._check_account(record.owner_id)
                    return
            except TooManyKeys:
                # Expired keys, and those that DynamoDB has deleted since, still count.
                if not self._free_places(record.owner_id, key.created_at, caller, patience):
                    raise
            patience.pause()

    def get_key(self, owner_id: str, key_id: str, /) -> Key:
        """Return one of an owner's live keys; raises `OwnerNotFound`, `KeyNotFound`."""
        if key_id not in key_ids_of(self._owner_item(owner_id)):
            raise KeyNotFound
        return key_of_item(self._key_item(owner_id, key_id))

    def list_keys(self, owner_id: str, /) -> Sequence[Key]:
        """Return an owner's live keys; raises `OwnerNotFound`."""
        return self._read_keys(owner_id, key_ids_of(self._owner_item(owner_id)))

    def list_former_keys(self, owner_id: str, /) -> Sequence[Key]:
        """Return the stored keys that `list_keys` omits."""
        held = key_ids_of(self._owner_item(owner_id))
        query: dict[str, object] = {
            "TableName": self.keys_table,
            "IndexName": OWNER_INDEX,
            "KeyConditionExpression": "owner_id = :owner",
            "ExpressionAttributeValues": {":owner": {"S": owner_id}},
        }
        keys = [key_of_item(item) for item in self._query(query)]
        return oldest_first(key for key in keys if key.key_id not in held)

    def update_key(
        self,
        owner_id: str,
        key_id: str,
        change: Callable[[Key], Key],
        secret: NewSecret | None,
        caller: Caller,
        /,
    ) -> tuple[Key, Key]:
        """Change a key.

        Raises `KeyNotFound`, `AccountSuspended`, and with a new secret `ChangedMeanwhile`.
        """
        patience = self.database.patience()
        while True:
            item = self._key_item(owner_id, key_id)
            before = key_of_item(item)
            after = change(before)
            if after == before and secret is None:
                return before, after
            revives = secret is not None or _is_enabled(before, after)
            writes = {
                "key": key_writes.update_key(self.keys_table, item, after, secret),
                "place": owner_writes.holds_key_place(
                    self.directory_table, owner_id, key_id, accepts=revives
                ),
                **(self._account_accepts(owner_id) if revives else {}),
            }
            failed = self._write(writes, caller, patience)
            if not failed:
                return before, after
            if failed & {"place", ACCOUNT}:
                self._check_place(owner_id, key_id, revives=revives)
            if secret is not None:
                raise ChangedMeanwhile
            patience.pause()

    def revoke_key(self, owner_id: str, key_id: str, now: int, caller: Caller, /) -> Key:
        """Revoke a key and delete its secrets; raises `KeyNotFound`."""
        writes = {
            "key": key_writes.end_key(self.keys_table, owner_id, key_id, now),
            "place": owner_writes.free_key_places(self.directory_table, owner_id, [key_id]),
        }
        patience = self.database.patience()
        while True:
            item = self._item_of_key(key_id)
            if item is None or AttributeReader(item).text("owner_id") != owner_id:
                raise KeyNotFound
            before = key_of_item(item)
            if before.revoked_at is not None:
                return before
            failed = self._write(writes, caller, patience)
            if not failed:
                return before
            if "key" not in failed:
                raise KeyNotFound
            patience.pause()

    def _check_place(self, owner_id: str, key_id: str, *, revives: bool) -> None:
        """Raise the reason why a key could not be changed, unless it no longer applies.

        Raises `KeyNotFound`, and for a change that revives the key `AccountSuspended`.
        """
        try:
            held = key_ids_of(self._owner_item(owner_id))
            is_suspended = revives and self._is_suspended(owner_id)
        except OwnerNotFound:
            raise KeyNotFound from None
        if key_id not in held:
            raise KeyNotFound
        if is_suspended:
            raise AccountSuspended

    def _add_key(self, key: Key, record: KeyRecord, caller: Caller, patience: Patience) -> bool:
        """Add a key; return `False` if what ruled it out has passed meanwhile."""
        writes = {
            "place": owner_writes.take_key_place(self.directory_table, record.owner_id, key.key_id),
            "key": key_writes.put_key(self.keys_table, key, record),
            **self._account_accepts(record.owner_id),
        }
        failed = self._write(writes, caller, patience)
        if failed & {"place", ACCOUNT}:
            held = key_ids_of(self._owner_item(record.owner_id))
            self._check_account(record.owner_id)
            if len(held) >= MAX_KEYS_PER_OWNER:
                raise TooManyKeys
            return False
        if failed:
            raise IdTaken
        return True

    def _free_places(self, owner_id: str, now: int, caller: Caller, patience: Patience) -> bool:
        """Remove dead keys from the owner's set; return whether there were any."""
        held = key_ids_of(self._owner_item(owner_id))
        keys = self._read_keys(owner_id, held)
        alive = {key.key_id for key in keys if key.state(now) is not KeyState.EXPIRED}
        dead = sorted(held - alive)
        if not dead:
            return False
        places = owner_writes.free_key_places(self.directory_table, owner_id, dead)
        # A key whose expiry changes at this moment keeps its place.
        still_dead = {key_id: key_writes.is_over(self.keys_table, key_id, now) for key_id in dead}
        self._write({"places": places, **still_dead}, caller, patience)
        return True

    def _key_item(self, owner_id: str, key_id: str) -> Item:
        """Return the item of an owner's unrevoked key; raises `KeyNotFound`."""
        item = self._live_item(key_id)
        if AttributeReader(item).text("owner_id") != owner_id:
            raise KeyNotFound
        return item


def _is_enabled(before: Key, after: Key) -> bool:
    return before.limits.disabled_at is not None and after.limits.disabled_at is None
