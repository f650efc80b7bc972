"""Accounts, service accounts and apps in DirectoryTable.

The table has one item for each owner: partition key `account_id`, sort key `entity` (`account`,
`serviceaccount#<id>` or `app#<id>`). So an account's apps are one range, and so are a service
account's. The table also has one item for each service account's name
(`serviceaccountname#<name>`), which keeps names unique within the account. `external_ids` has the
items that reserve the operator's ids.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keyscope.aws.dynamodb import external_ids, key_writes, owner_writes
from keyscope.aws.dynamodb.accounts import Accounts
from keyscope.aws.dynamodb.directory_items import (
    Attributes,
    entity_of,
    key_ids_of,
    owner_key,
    owner_of_item,
)
from keyscope.aws.dynamodb.key_items import AttributeReader, Item
from keyscope.aws.dynamodb.tables import ACCOUNT
from keyscope.aws.dynamodb.transactions import Write
from keyscope.lifecycle.caller import Caller
from keyscope.lifecycle.directory import (
    Before,
    ExternalIdTaken,
    IdTaken,
    Key,
    NameTaken,
    Offset,
    Owner,
    OwnerNotFound,
    OwnsApps,
    OwnsServiceAccounts,
    Page,
    Position,
    Reservation,
    SkipTooCostly,
    TooManyApps,
    reservation_for,
)
from keyscope.model.ids import OwnerType, account_id_of, creator_of_app
from keyscope.model.key_record import KeyRecord

MAX_SKIP_CALLS = 4
"""The most `Query` calls that skip records. DynamoDB reads, and bills, up to 1 MB in each."""
_EXTERNAL_ID = "external id"


@dataclass(frozen=True, slots=True)
class Owners(Accounts):
    """The owners of a directory."""

    def add_account(
        self,
        account: Owner,
        key: Key,
        record: KeyRecord,
        caller: Caller,
        /,
        client_token: str | None = None,
    ) -> None:
        """Add an account with its first key; raises `ExternalIdTaken`, `IdTaken`."""
        put_account = owner_writes.put_owner(self.directory_table, account, (key.key_id,))
        writes = {
            "account": put_account,
            "key": key_writes.put_key(self.keys_table, key, record),
            **self._reserve(reservation_for(account, key.key_id, client_token)),
        }
        _refuse_taken_ids(self._write(writes, caller, self.database.patience()))

    def add_service_account(self, service_account: Owner, caller: Caller, /) -> None:
        """Add a service account.

        Raises `OwnerNotFound`, `AccountSuspended`, `IdTaken`, `NameTaken`.
        """
        account_id = account_id_of(service_account.owner_id)
        writes = {
            ACCOUNT: owner_writes.count_service_account(self.directory_table, account_id),
            "owner": owner_writes.put_owner(self.directory_table, service_account),
            "name": owner_writes.take_name(self.directory_table, service_account),
        }
        patience = self.database.patience()
        while ACCOUNT in (failed := self._write(writes, caller, patience)):
            self._check_account(account_id)
            # It has been resumed meanwhile.
            patience.pause()
        if "owner" in failed:
            raise IdTaken
        if "name" in failed:
            raise NameTaken

    def add_app(
        self,
        app: Owner,
        max_apps: int,
        caller: Caller,
        /,
        first_key: tuple[Key, KeyRecord] | None = None,
        client_token: str | None = None,
    ) -> None:
        """Add an app.

        Raises `OwnerNotFound`, `AccountSuspended`, `TooManyApps`, `ExternalIdTaken`, `IdTaken`.
        """
        creator_id = creator_of_app(app.owner_id)
        key_id = None if first_key is None else first_key[0].key_id
        added = {
            "owner": owner_writes.put_owner(
                self.directory_table, app, () if key_id is None else (key_id,)
            ),
            **self._reserve(reservation_for(app, key_id, client_token)),
        }
        if first_key is not None:
            added["key"] = key_writes.put_key(self.keys_table, *first_key)
        patience = self.database.patience()
        while True:
            account = self.get_account(account_id_of(creator_id))
            most = max_apps if account.max_apps is None else account.max_apps
            writes = {
                "creator": owner_writes.take_app_place(self.directory_table, creator_id, most),
                **added,
                **self._account_accepts(creator_id),
            }
            failed = self._write(writes, caller, patience)
            if not failed:
                break
            if not failed & {"creator", ACCOUNT}:
                _refuse_taken_ids(failed)
            self._check_account(creator_id)
            if _count(self._owner_item(creator_id), "app_count") >= most:
                raise TooManyApps(most)
            # The account has been resumed meanwhile, or an app was deleted.
            patience.pause()
        if first_key is not None:
            self._check_account(creator_id)

    def find_external_id(self, owner_type: OwnerType, external_id: str, /) -> Reservation:
        """Return what reserves an external id; raises `OwnerNotFound`."""
        response = self.database.call(
            self.database.client.get_item,
            TableName=self.directory_table,
            Key=external_ids.reservation_key(owner_type, external_id),
            ConsistentRead=True,
        )
        if "Item" not in response:
            raise OwnerNotFound
        return external_ids.reservation_of_item(owner_type, response["Item"])

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
            writes = {"owner": owner_writes.update_owner(self.directory_table, item, after)}
            if (
                after.owner_type is OwnerType.SERVICE_ACCOUNT
                and after.display_name != before.display_name
            ):
                writes["name"] = owner_writes.take_name(self.directory_table, after)
                writes["former name"] = owner_writes.free_name(self.directory_table, before)
            failed = self._write(writes, caller, patience)
            if not failed:
                return before, after
            # If the owner has changed as well, that change may have taken the name: read it again.
            if "name" in failed and "owner" not in failed:
                raise NameTaken
            patience.pause()

    def delete_owner(
        self, owner_id: str, now: int, caller: Caller, /
    ) -> tuple[Owner, Sequence[Key]]:
        """Delete an owner and revoke its keys.

        Raises `OwnerNotFound`, `OwnsApps`, `OwnsServiceAccounts`.
        """
        patience = self.database.patience()
        while True:
            item = self._owner_item(owner_id)
            owner = owner_of_item(item)
            if _count(item, "app_count"):
                raise OwnsApps
            if _count(item, "service_account_count"):
                raise OwnsServiceAccounts
            key_ids = key_ids_of(item)
            keys = self._read_keys(owner_id, key_ids)
            # A key that was not read may be one that DynamoDB is still committing.
            unread = key_ids - {key.key_id for key in keys}
            writes = {"owner": owner_writes.delete_owner(self.directory_table, item)}
            writes |= {
                key_id: key_writes.is_over(self.keys_table, key_id, now) for key_id in unread
            }
            writes |= {
                key.key_id: key_writes.end_key(self.keys_table, owner_id, key.key_id, now)
                for key in keys
            }
            if owner.owner_type is OwnerType.SERVICE_ACCOUNT:
                writes["name"] = owner_writes.free_name(self.directory_table, owner)
                writes[ACCOUNT] = owner_writes.release_service_account(
                    self.directory_table, account_id_of(owner_id)
                )
            if owner.owner_type is OwnerType.APP:
                writes["creator"] = owner_writes.release_app(
                    self.directory_table, creator_of_app(owner_id)
                )
            # A key was created, revoked or cleared by DynamoDB since the read: read again.
            if not self._write(writes, caller, patience):
                return owner, keys
            patience.pause()

    def _reserve(self, reservation: Reservation | None) -> dict[str, Write]:
        if reservation is None:
            return {}
        return {_EXTERNAL_ID: external_ids.reserve(self.directory_table, reservation)}

    def _skip(self, query: dict[str, object], number: int) -> Attributes | None:
        """Return where a query continues after this many items, or `None` if it has no more.

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


def _refuse_taken_ids(failed: set[str]) -> None:
    """Raise `ExternalIdTaken` or `IdTaken` if one of these writes failed."""
    if _EXTERNAL_ID in failed:
        raise ExternalIdTaken
    if failed:
        raise IdTaken


def _count(item: Item, name: str) -> int:
    return AttributeReader(item).optional_number(name) or 0
