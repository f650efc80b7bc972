"""The directory of owners and their keys, over DirectoryTable and KeysTable.

DirectoryTable holds one item per owner: partition key `account_id`, sort key `entity` (`account`,
`serviceaccount#<id>` or `app#<id>`), so that an account's apps, and a service account's, are one
range each; and one per name of a service account (`serviceaccountname#<name>`), which keeps names
unique within the account.

`key_ids` is the set of the keys that count among the owner's ten; every write that makes or ends a
key changes it in the same transaction, and that is what holds the limit when callers race, and
what lets an owner be deleted together with every key that could still be used. `app_count` of an
account or a service account does the same for the apps that it created, and holds their limit.
`revision` counts changes, so that none is lost.

A write on behalf of an API key has one more condition: the caller's record still has the revision
that was judged. When it has another, the record is judged again, so a change that decides nothing,
such as a rename, costs the caller a read and no more.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from keyscope.aws.dynamodb.directory_items import (
    KEY_ATTRIBUTES,
    Attributes,
    changeable_attributes,
    entity_of,
    item_of_key,
    item_of_owner,
    key_of_item,
    name_key,
    optional_attributes,
    owner_key,
    owner_of_item,
)
from keyscope.aws.dynamodb.key_items import AttributeReader, Item
from keyscope.aws.dynamodb.transactions import Database, Patience, Write
from keyscope.errors import Reason, Unavailable
from keyscope.lifecycle.caller import Caller, Iam, JudgedKey
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    REVOKED_RECORD_SECONDS,
    Before,
    ChangedMeanwhile,
    FoundKey,
    IdTaken,
    Key,
    KeyNotFound,
    KeyState,
    NameTaken,
    NewSecret,
    Offset,
    Owner,
    OwnerNotFound,
    OwnsApps,
    Page,
    Position,
    SkipTooCostly,
    TooManyApps,
    TooManyKeys,
    judge,
)
from keyscope.model.ids import OwnerType, account_id_of, creator_of_app
from keyscope.model.key_record import KeyRecord

OWNER_INDEX = "owner-index"
MAX_SKIP_CALLS = 4
"""Calls of `Query` that skip records. DynamoDB reads, and bills, up to 1 MB in each."""
_CALLER = "caller"
_JUDGED_REVISION = ":judged"
_JUDGED = f"revision = {_JUDGED_REVISION}"


@dataclass(frozen=True, slots=True)
class DirectoryTable:
    """DirectoryTable and KeysTable as a directory."""

    database: Database
    directory_table: str
    keys_table: str

    def add_account(self, account: Owner, key: Key, record: KeyRecord, caller: Caller, /) -> None:
        """Add an account with its first key, or raise `IdTaken`."""
        put_account = self._put_owner(account, (key.key_id,))
        writes = {"account": put_account, "key": self._put_key(key, record)}
        if self._write(writes, caller, self.database.patience()):
            raise IdTaken

    def add_service_account(self, service_account: Owner, caller: Caller, /) -> None:
        """Add a service account; raises `OwnerNotFound`, `IdTaken`, `NameTaken`."""
        account_id = account_id_of(service_account.owner_id)
        account_exists: Write = {
            "ConditionCheck": {
                "TableName": self.directory_table,
                "Key": owner_key(account_id),
                "ConditionExpression": "attribute_exists(entity)",
            }
        }
        writes = {
            "account": account_exists,
            "owner": self._put_owner(service_account),
            "name": self._take_name(service_account),
        }
        failed = self._write(writes, caller, self.database.patience())
        if "account" in failed:
            raise OwnerNotFound
        if "owner" in failed:
            raise IdTaken
        if "name" in failed:
            raise NameTaken

    def add_app(self, app: Owner, max_apps: int, caller: Caller, /) -> None:
        """Add an app; raises `OwnerNotFound`, `TooManyApps`, `IdTaken`."""
        creator_id = creator_of_app(app.owner_id)
        writes = {
            "creator": self._take_app_place(creator_id, max_apps),
            "owner": self._put_owner(app),
        }
        failed = self._write(writes, caller, self.database.patience())
        if "creator" in failed:
            self._owner_item(creator_id)
            raise TooManyApps(max_apps)
        if failed:
            raise IdTaken

    def get_owner(self, owner_id: str, /) -> Owner:
        """Return an owner; raises `OwnerNotFound`."""
        return owner_of_item(self._owner_item(owner_id))

    def list_owners(
        self, owner_type: OwnerType, creator_id: str, position: Position, size: int, /
    ) -> Page:
        """Return up to `size` owners below a creator."""
        account_id = account_id_of(creator_id)
        query: dict[str, object] = {
            "TableName": self.directory_table,
            "KeyConditionExpression": "account_id = :account AND begins_with(entity, :beginning)",
            "ExpressionAttributeValues": {
                ":account": {"S": account_id},
                ":beginning": {"S": entity_of(owner_type, creator_id)},
            },
            "ConsistentRead": True,
        }
        start: Attributes | None = None
        if isinstance(position, Offset):
            start = self._skip(query, position.skipped)
            if start is None and position.skipped:
                return Page((), has_more=False)
        elif position.owner_id is not None:
            start = owner_key(position.owner_id)
        backwards = isinstance(position, Before)
        items = self._query(query | {"ScanIndexForward": not backwards}, size + 1, start)
        owners = [owner_of_item(item) for item in items[:size]]
        return Page(owners[::-1] if backwards else owners, has_more=len(items) > size)

    def update_owner(
        self, owner_id: str, change: Callable[[Owner], Owner], caller: Caller, /
    ) -> tuple[Owner, Owner]:
        """Change an owner; return it before and after; raises `OwnerNotFound`, `NameTaken`."""
        patience = self.database.patience()
        while True:
            item = self._owner_item(owner_id)
            before = owner_of_item(item)
            after = change(before)
            if after == before:
                return before, after
            writes = {"owner": self._update_owner(item, after)}
            if (
                after.owner_type is OwnerType.SERVICE_ACCOUNT
                and after.display_name != before.display_name
            ):
                writes["name"] = self._take_name(after)
                writes["former name"] = self._free_name(before)
            failed = self._write(writes, caller, patience)
            if not failed:
                return before, after
            # An owner that changed meanwhile may have taken the name itself: look again.
            if "name" in failed and "owner" not in failed:
                raise NameTaken
            patience.pause()

    def delete_owner(
        self, owner_id: str, now: int, caller: Caller, /
    ) -> tuple[Owner, Sequence[Key]]:
        """Delete an owner and revoke its keys, all in one; raises `OwnerNotFound`, `OwnsApps`."""
        patience = self.database.patience()
        while True:
            item = self._owner_item(owner_id)
            owner = owner_of_item(item)
            if _app_count(item):
                raise OwnsApps
            keys = self._read_keys(owner_id, _key_ids(item))
            writes = {"owner": self._delete_owner(item)}
            writes |= {key.key_id: self._end_key(owner_id, key.key_id, now) for key in keys}
            if owner.owner_type is OwnerType.SERVICE_ACCOUNT:
                writes["name"] = self._free_name(owner)
            if owner.owner_type is OwnerType.APP:
                writes["creator"] = self._release_app(creator_of_app(owner_id))
            # A key was made or ended in between, or DynamoDB cleared one away: look again.
            if not self._write(writes, caller, patience):
                return owner, keys
            patience.pause()

    def add_key(self, key: Key, record: KeyRecord, caller: Caller, /) -> None:
        """Add a key; raises `OwnerNotFound`, `TooManyKeys`, `IdTaken`."""
        patience = self.database.patience()
        while True:
            try:
                self._add_key(key, record, caller, patience)
            except TooManyKeys:
                # Keys that expired, or that DynamoDB has deleted since, hold places until here.
                if not self._free_places(record.owner_id, key.created_at, caller, patience):
                    raise
            else:
                return
            patience.pause()

    def get_key(self, owner_id: str, key_id: str, /) -> Key:
        """Return a key that counts among an owner's ten; raises `OwnerNotFound`, `KeyNotFound`."""
        if key_id not in _key_ids(self._owner_item(owner_id)):
            raise KeyNotFound
        return key_of_item(self._key_item(owner_id, key_id))

    def find_key(self, key_id: str, /) -> FoundKey:
        """Return a key, unless it was revoked; raises `KeyNotFound`."""
        item = self._live_item(key_id)
        reader = AttributeReader(item)
        return FoundKey(reader.text("owner_id"), key_of_item(item), reader.number("revision"))

    def list_keys(self, owner_id: str, /) -> Sequence[Key]:
        """Return the keys that count among an owner's ten; raises `OwnerNotFound`."""
        return self._read_keys(owner_id, _key_ids(self._owner_item(owner_id)))

    def list_former_keys(self, owner_id: str, /) -> Sequence[Key]:
        """Return the keys that `list_keys` leaves out and that are still remembered."""
        held = _key_ids(self._owner_item(owner_id))
        query: dict[str, object] = {
            "TableName": self.keys_table,
            "IndexName": OWNER_INDEX,
            "KeyConditionExpression": "owner_id = :owner",
            "ExpressionAttributeValues": {":owner": {"S": owner_id}},
        }
        keys = [key_of_item(item) for item in self._query(query)]
        return _oldest_first(key for key in keys if key.key_id not in held)

    def update_key(
        self,
        owner_id: str,
        key_id: str,
        change: Callable[[Key], Key],
        secret: NewSecret | None,
        caller: Caller,
        /,
    ) -> tuple[Key, Key]:
        """Change a key; raises `KeyNotFound`, and with a new secret `ChangedMeanwhile`."""
        patience = self.database.patience()
        while True:
            item = self._key_item(owner_id, key_id)
            before = key_of_item(item)
            after = change(before)
            if after == before and secret is None:
                return before, after
            writes = {
                "key": self._update_key(item, after, secret),
                "place": self._holds_place(owner_id, key_id),
            }
            failed = self._write(writes, caller, patience)
            if not failed:
                return before, after
            if "place" in failed:
                raise KeyNotFound
            if secret is not None:
                raise ChangedMeanwhile
            patience.pause()

    def revoke_key(self, owner_id: str, key_id: str, now: int, caller: Caller, /) -> Key:
        """End a key at once and destroy its secrets; raises `KeyNotFound`."""
        free_place: Write = {
            "Update": {
                "TableName": self.directory_table,
                "Key": owner_key(owner_id),
                "UpdateExpression": "DELETE key_ids :key_id",
                "ConditionExpression": "attribute_exists(entity)",
                "ExpressionAttributeValues": {":key_id": {"SS": [key_id]}},
            }
        }
        end_key = self._end_key(owner_id, key_id, now)
        patience = self.database.patience()
        while True:
            item = self._item_of_key(key_id)
            if item is None or AttributeReader(item).text("owner_id") != owner_id:
                raise KeyNotFound
            before = key_of_item(item)
            if before.revoked_at is not None:
                return before
            failed = self._write({"key": end_key, "place": free_place}, caller, patience)
            if not failed:
                return before
            if "key" not in failed:
                raise KeyNotFound
            patience.pause()

    def _write(self, writes: Mapping[str, Write], caller: Caller, patience: Patience) -> set[str]:
        """Write all or nothing on behalf of a caller; return the names of what failed.

        Raises:
            Forbidden: the caller's credential is no longer good.
            Contended: others hindered the write for too long.
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
        key: Attributes = {"key_id": {"S": judged.proven.key_id}}
        # DynamoDB does not take a check and a write of one item in one transaction, so a write to
        # the caller's own record has the condition itself.
        own = next((name for name, it in writes.items() if self._is_to_key(it, key)), None)
        guard = _CALLER if own is None else own
        while True:
            guarded = (
                self._same_revision(key, judged.revision)
                if own is None
                else _with_condition(writes[own], judged.revision)
            )
            failed = self.database.write({**writes, guard: guarded}, patience, judged.check_time)
            if guard not in failed:
                return failed
            _, again = judge(self.find_key, judged.proven, judged.clock)
            if again.revision == judged.revision:
                return failed
            judged = again
            patience.pause()

    def _is_to_key(self, write: Write, key: Attributes) -> bool:
        (request,) = write.values()
        return (request["TableName"], request.get("Key")) == (self.keys_table, key)

    def _same_revision(self, key: Attributes, revision: int) -> Write:
        return {
            "ConditionCheck": {
                "TableName": self.keys_table,
                "Key": key,
                "ConditionExpression": _JUDGED,
                "ExpressionAttributeValues": {_JUDGED_REVISION: {"N": str(revision)}},
            }
        }

    def _add_key(self, key: Key, record: KeyRecord, caller: Caller, patience: Patience) -> None:
        take_place: Write = {
            "Update": {
                "TableName": self.directory_table,
                "Key": owner_key(record.owner_id),
                "UpdateExpression": "ADD key_ids :key_id",
                "ConditionExpression": (
                    "attribute_exists(entity)"
                    " AND (attribute_not_exists(key_ids) OR size(key_ids) < :most)"
                ),
                "ExpressionAttributeValues": {
                    ":key_id": {"SS": [key.key_id]},
                    ":most": {"N": str(MAX_KEYS_PER_OWNER)},
                },
            }
        }
        writes = {"place": take_place, "key": self._put_key(key, record)}
        failed = self._write(writes, caller, patience)
        if "place" in failed:
            self._owner_item(record.owner_id)
            raise TooManyKeys
        if failed:
            raise IdTaken

    def _free_places(self, owner_id: str, now: int, caller: Caller, patience: Patience) -> bool:
        """Take the keys that are over out of the owner's set; tell whether any was found."""
        held = _key_ids(self._owner_item(owner_id))
        keys = self._read_keys(owner_id, held)
        alive = {key.key_id for key in keys if key.state(now) is not KeyState.EXPIRED}
        dead = sorted(held - alive)
        if not dead:
            return False
        free_places: Write = {
            "Update": {
                "TableName": self.directory_table,
                "Key": owner_key(owner_id),
                "UpdateExpression": "DELETE key_ids :dead",
                # An update would make the item of an owner that was deleted meanwhile anew.
                "ConditionExpression": "attribute_exists(entity)",
                "ExpressionAttributeValues": {":dead": {"SS": dead}},
            }
        }
        # A key whose expiry is moved at this moment keeps its place.
        still_dead = {key_id: self._is_over(key_id, now) for key_id in dead}
        self._write({"places": free_places, **still_dead}, caller, patience)
        return True

    def _owner_item(self, owner_id: str) -> Item:
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

    def _key_item(self, owner_id: str, key_id: str) -> Item:
        """Return a key that counts among the owner's ten; raises `KeyNotFound`."""
        item = self._live_item(key_id)
        if AttributeReader(item).text("owner_id") != owner_id:
            raise KeyNotFound
        return item

    def _live_item(self, key_id: str) -> Item:
        """Return a key that was not revoked; raises `KeyNotFound`."""
        item = self._item_of_key(key_id)
        if item is None or "revoked_at" in item:
            raise KeyNotFound
        return item

    def _item_of_key(self, key_id: str) -> Item | None:
        response = self.database.call(
            self.database.client.get_item,
            TableName=self.keys_table,
            Key={"key_id": {"S": key_id}},
            ConsistentRead=True,
            ProjectionExpression=", ".join(KEY_ATTRIBUTES),
        )
        item: Item | None = response.get("Item")
        return item

    def _read_keys(self, owner_id: str, key_ids: set[str]) -> Sequence[Key]:
        """Return those of an owner's keys that are there and not revoked, the oldest first."""
        if not key_ids:
            return []
        response = self.database.call(
            self.database.client.batch_get_item,
            RequestItems={
                self.keys_table: {
                    "Keys": [{"key_id": {"S": key_id}} for key_id in sorted(key_ids)],
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
        # One may have been revoked since the ids were read.
        return _oldest_first(key for key in keys if key.revoked_at is None)

    def _query(
        self,
        query: dict[str, object],
        most: int | None = None,
        start: Attributes | None = None,
    ) -> list[Item]:
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

    def _skip(self, query: dict[str, object], number: int) -> Attributes | None:
        """Return where a query goes on after a number of items; nothing when it ends before.

        Raises `SkipTooCostly`.
        """
        start: Attributes | None = None
        for _ in range(MAX_SKIP_CALLS):
            if number <= 0:
                return start
            begin = {} if start is None else {"ExclusiveStartKey": start}
            counted = query | begin | {"Select": "COUNT", "Limit": number}
            page = self.database.call(self.database.client.query, **counted)
            number -= page["Count"]
            start = page.get("LastEvaluatedKey")
            if start is None:
                return None
        if number > 0:
            raise SkipTooCostly
        return start

    def _put_owner(self, owner: Owner, key_ids: tuple[str, ...] = ()) -> Write:
        return {
            "Put": {
                "TableName": self.directory_table,
                "Item": item_of_owner(owner, key_ids),
                "ConditionExpression": "attribute_not_exists(entity)",
            }
        }

    def _update_owner(self, item: Item, after: Owner) -> Write:
        attributes = changeable_attributes(after)
        settings = ", ".join(f"#{name} = :{name}" for name in attributes)
        return {
            "Update": {
                "TableName": self.directory_table,
                "Key": owner_key(after.owner_id),
                "UpdateExpression": f"SET {settings}, revision = revision + :one",
                "ConditionExpression": "revision = :seen",
                "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
                "ExpressionAttributeValues": {
                    **{f":{name}": value for name, value in attributes.items()},
                    ":one": {"N": "1"},
                    ":seen": {"N": str(AttributeReader(item).number("revision"))},
                },
            }
        }

    def _delete_owner(self, item: Item) -> Write:
        """Delete an owner whose keys and apps are those that were seen."""
        seen = {":key_ids": item["key_ids"]} if "key_ids" in item else {}
        same_keys = "key_ids = :key_ids" if seen else "attribute_not_exists(key_ids)"
        return {
            "Delete": {
                "TableName": self.directory_table,
                "Key": {name: item[name] for name in ("account_id", "entity")},
                "ConditionExpression": (
                    f"attribute_exists(entity) AND {same_keys}"
                    " AND (attribute_not_exists(app_count) OR app_count = :none)"
                ),
                "ExpressionAttributeValues": {**seen, ":none": {"N": "0"}},
            }
        }

    def _take_app_place(self, creator_id: str, max_apps: int) -> Write:
        return {
            "Update": {
                "TableName": self.directory_table,
                "Key": owner_key(creator_id),
                "UpdateExpression": "ADD app_count :one",
                "ConditionExpression": (
                    "attribute_exists(entity)"
                    " AND (attribute_not_exists(app_count) OR app_count < :most)"
                ),
                "ExpressionAttributeValues": {
                    ":one": {"N": "1"},
                    ":most": {"N": str(max_apps)},
                },
            }
        }

    def _release_app(self, creator_id: str) -> Write:
        return {
            "Update": {
                "TableName": self.directory_table,
                "Key": owner_key(creator_id),
                "UpdateExpression": "ADD app_count :minus_one",
                "ConditionExpression": "attribute_exists(entity)",
                "ExpressionAttributeValues": {":minus_one": {"N": "-1"}},
            }
        }

    def _take_name(self, service_account: Owner) -> Write:
        owner_id = {"owner_id": {"S": service_account.owner_id}}
        return {
            "Put": {
                "TableName": self.directory_table,
                "Item": name_key(service_account) | owner_id,
                "ConditionExpression": "attribute_not_exists(entity)",
            }
        }

    def _free_name(self, service_account: Owner) -> Write:
        return {
            "Delete": {
                "TableName": self.directory_table,
                "Key": name_key(service_account),
                "ConditionExpression": "owner_id = :owner",
                "ExpressionAttributeValues": {":owner": {"S": service_account.owner_id}},
            }
        }

    def _put_key(self, key: Key, record: KeyRecord) -> Write:
        return {
            "Put": {
                "TableName": self.keys_table,
                "Item": item_of_key(key, record),
                "ConditionExpression": "attribute_not_exists(key_id)",
            }
        }

    def _update_key(self, item: Item, after: Key, secret: NewSecret | None) -> Write:
        optional = optional_attributes(after)
        values = {f":{name}": value for name, value in optional.items() if value is not None}
        sets = [f"{name} = :{name}" for name, value in optional.items() if value is not None]
        removed = [name for name, value in optional.items() if value is None]
        previous = ("previous_secret_hash", "previous_secret_ciphertext")
        if after.previous_ends_at is None:
            removed += previous
        if secret is not None:
            if after.previous_ends_at is not None:
                # On the right side of SET stands what the item held before the update.
                sets += [f"{name} = {name.removeprefix('previous_')}" for name in previous]
            sets += ["secret_hash = :secret_hash", "secret_ciphertext = :secret_ciphertext"]
            values |= {
                ":secret_hash": {"B": secret.secret_hash},
                ":secret_ciphertext": {"B": secret.secret_ciphertext},
            }
        sets.append("revision = revision + :one")
        expression = f"SET {', '.join(sets)}" + (f" REMOVE {', '.join(removed)}" if removed else "")
        return {
            "Update": {
                "TableName": self.keys_table,
                "Key": {"key_id": item["key_id"]},
                "UpdateExpression": expression,
                "ConditionExpression": "revision = :seen AND attribute_not_exists(revoked_at)",
                "ExpressionAttributeValues": {
                    **values,
                    ":one": {"N": "1"},
                    ":seen": {"N": str(AttributeReader(item).number("revision"))},
                },
            }
        }

    def _holds_place(self, owner_id: str, key_id: str) -> Write:
        return {
            "ConditionCheck": {
                "TableName": self.directory_table,
                "Key": owner_key(owner_id),
                "ConditionExpression": "contains(key_ids, :key_id)",
                "ExpressionAttributeValues": {":key_id": {"S": key_id}},
            }
        }

    def _is_over(self, key_id: str, now: int) -> Write:
        return {
            "ConditionCheck": {
                "TableName": self.keys_table,
                "Key": {"key_id": {"S": key_id}},
                "ConditionExpression": (
                    "attribute_not_exists(key_id) OR attribute_exists(revoked_at)"
                    " OR expires_at <= :now"
                ),
                "ExpressionAttributeValues": {":now": {"N": str(now)}},
            }
        }

    def _end_key(self, owner_id: str, key_id: str, now: int) -> Write:
        return {
            "Update": {
                "TableName": self.keys_table,
                "Key": {"key_id": {"S": key_id}},
                "UpdateExpression": (
                    "SET revoked_at = :now, expires_at = :purge"
                    " REMOVE secret_hash, secret_ciphertext,"
                    " previous_secret_hash, previous_secret_ciphertext, previous_ends_at,"
                    " usage_identifier_key"
                    " ADD revision :one"
                ),
                "ConditionExpression": "owner_id = :owner AND attribute_not_exists(revoked_at)",
                "ExpressionAttributeValues": {
                    ":now": {"N": str(now)},
                    ":purge": {"N": str(now + REVOKED_RECORD_SECONDS)},
                    ":one": {"N": "1"},
                    ":owner": {"S": owner_id},
                },
            }
        }


def _with_condition(write: Write, revision: int) -> Write:
    """Return a write to the caller's own record that also needs the revision that was judged."""
    ((action, request),) = write.items()
    return {
        action: {
            **request,
            "ConditionExpression": f"({request['ConditionExpression']}) AND {_JUDGED}",
            "ExpressionAttributeValues": {
                **request["ExpressionAttributeValues"],
                _JUDGED_REVISION: {"N": str(revision)},
            },
        }
    }


def _app_count(item: Item) -> int:
    return AttributeReader(item).optional_number("app_count") or 0


def _key_ids(item: Item) -> set[str]:
    return {*item.get("key_ids", {}).get("SS", [])}


def _oldest_first(keys: Iterable[Key]) -> Sequence[Key]:
    return sorted(keys, key=lambda key: (key.created_at, key.key_id))
