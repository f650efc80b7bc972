"""Accounts in DirectoryTable as the operator sees them, and the marks of their keys.

Each page of marks is one transaction with the account's progress. The keys of a page are read after
the account's item, while the account accepts no new ones, and the transaction holds only while that
item has the same `marking_revision`. A `Query` can still miss a key that DynamoDB is committing;
`Tables._check_account` then keeps its secret from being shown. So no key that works is passed over.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from keyscope.aws.dynamodb import account_writes
from keyscope.aws.dynamodb.directory_items import ACCOUNTS, entity_of, key_ids_of, owner_key
from keyscope.aws.dynamodb.key_items import AttributeReader, Item, external_ids_of
from keyscope.aws.dynamodb.tables import ACCOUNT, Tables
from keyscope.aws.dynamodb.transactions import Write
from keyscope.errors import Reason, Unavailable
from keyscope.lifecycle.account import (
    Account,
    AccountPage,
    ListedAccount,
    Marking,
    Suspension,
    begun,
)
from keyscope.lifecycle.directory import Owner
from keyscope.model.ids import OwnerType, owner_type_of_id

ACCOUNT_INDEX: Final = "account-index"

MAX_MARKS: Final = 90
"""The largest number of keys that one step marks. DynamoDB takes 100 writes per transaction."""
_OWNERS_READ: Final = 100
"""How many owners one step looks at; most have few keys, and some none."""
_AFTER_THE_ACCOUNT: Final = (OwnerType.SERVICE_ACCOUNT, OwnerType.APP)
"""Whose keys follow those of the account."""


@dataclass(frozen=True, slots=True)
class Accounts(Tables):
    """The accounts of a directory."""

    def get_account(self, account_id: str, /) -> Account:
        """Return an account; raises `OwnerNotFound`."""
        return _account_of_item(self._owner_item(account_id))

    def list_accounts(self, after: str | None, size: int, /) -> AccountPage:
        """Return up to `size` accounts whose ids follow an id."""
        query: dict[str, object] = {
            "TableName": self.directory_table,
            "IndexName": ACCOUNT_INDEX,
            "KeyConditionExpression": "listed_as = :accounts AND account_id > :after",
            "ExpressionAttributeValues": {
                ":accounts": {"S": ACCOUNTS},
                # Every id follows a space.
                ":after": {"S": after or " "},
            },
        }
        items = self._query(query, size + 1)
        accounts = [ListedAccount(_owner_of(item), _suspension_of(item)) for item in items[:size]]
        return AccountPage(accounts, has_more=len(items) > size)

    def begin_marking(
        self, account_id: str, marking: Marking, now: int, /
    ) -> tuple[Account, Account]:
        """Begin to suspend or to resume an account; raises `OwnerNotFound`."""
        patience = self.database.patience()
        while True:
            item = self._owner_item(account_id)
            before = _account_of_item(item)
            after = begun(before, marking, now)
            if after.suspension is None or after == before:
                return before, before
            begin = account_writes.begin_marking(
                self.directory_table, item, after.suspension, marking
            )
            if not self.database.write({ACCOUNT: begin}, patience):
                return before, after
            patience.pause()

    def mark_next_keys(self, account_id: str, /) -> Account:
        """Mark the next keys of an account, or remove their marks; raises `OwnerNotFound`."""
        item = self._owner_item(account_id)
        suspension = _suspension_of(item)
        if suspension is None or suspension.marking is None:
            return _account_of_item(item)
        owners = self._next_owners(item)
        if owners:
            self._mark(item, suspension, suspension.marking, owners)
        else:
            end = account_writes.end_marking(self.directory_table, item, suspension.marking)
            self.database.write({ACCOUNT: end}, self.database.patience())
        # If another function went on meanwhile, the write failed, and its progress counts.
        return self.get_account(account_id)

    def set_max_apps(self, account_id: str, max_apps: int | None, /) -> tuple[Account, Account]:
        """Change an account's own limit of apps; raises `OwnerNotFound`."""
        patience = self.database.patience()
        while True:
            item = self._owner_item(account_id)
            before = _account_of_item(item)
            if before.max_apps == max_apps:
                return before, before
            change = account_writes.set_max_apps(self.directory_table, item, max_apps)
            if not self.database.write({ACCOUNT: change}, patience):
                return before, replace(before, max_apps=max_apps)
            patience.pause()

    def _mark(
        self, item: Item, suspension: Suspension, marking: Marking, owners: Sequence[Item]
    ) -> None:
        """Mark the keys of some owners, or remove their marks, with the account's progress."""
        key_ids = [key_id for owner in owners for key_id in sorted(key_ids_of(owner))]
        marks = {key_id: self._mark_of(key_id, suspension, marking) for key_id in key_ids}
        through = AttributeReader(owners[-1]).text("owner_id")
        patience = self.database.patience()
        while True:
            progress = account_writes.advance_marking(
                self.directory_table, item, through, len(marks)
            )
            failed = self.database.write({ACCOUNT: progress, **marks}, patience)
            if not failed or ACCOUNT in failed:
                return
            # These keys have been revoked or deleted, or are marked already.
            marks = {key_id: mark for key_id, mark in marks.items() if key_id not in failed}

    def _mark_of(self, key_id: str, suspension: Suspension, marking: Marking) -> Write:
        match marking:
            case Marking.SUSPENDING:
                at = suspension.suspended_at
                return account_writes.suspend_key(self.keys_table, key_id, at)
            case Marking.RESUMING:
                return account_writes.resume_key(self.keys_table, key_id)
            case _:
                assert_never(marking)

    def _next_owners(self, item: Item) -> Sequence[Item]:
        """Return the next owners whose keys are to be marked, at most `MAX_MARKS` keys in all.

        They are empty when no owner is left. Each owner has ten keys at most, so there is always
        room for one.
        """
        reader = AttributeReader(item)
        through = reader.optional_text("marked_through")
        if through is None:
            return [item]
        reached = owner_type_of_id(through)
        kinds = _AFTER_THE_ACCOUNT[1:] if reached is OwnerType.APP else _AFTER_THE_ACCOUNT
        for owner_type in kinds:
            start = owner_key(through) if owner_type is reached else None
            query: dict[str, object] = {
                "TableName": self.directory_table,
                "KeyConditionExpression": (
                    "account_id = :account AND begins_with(entity, :beginning)"
                ),
                "ExpressionAttributeValues": {
                    ":account": {"S": reader.text("owner_id")},
                    ":beginning": {"S": entity_of(owner_type, "")},
                },
                "ProjectionExpression": "account_id, entity, owner_id, key_ids",
                "ConsistentRead": True,
            }
            if owners := self._query(query, _OWNERS_READ, start):
                return [*_with_few_keys(owners)]
        return []


def _with_few_keys(owners: Sequence[Item]) -> Iterator[Item]:
    keys = 0
    for owner in owners:
        keys += len(key_ids_of(owner))
        if keys > MAX_MARKS:
            return
        yield owner


def _account_of_item(item: Item) -> Account:
    """Read an account's item.

    Raises:
        Unavailable: `DAMAGED_RECORD`, with the name of the attribute.
    """
    reader = AttributeReader(item)
    return Account(
        owner=_owner_of(item),
        suspension=_suspension_of(item),
        max_apps=reader.optional_number("max_apps"),
        app_count=reader.optional_number("app_count") or 0,
        service_account_count=reader.optional_number("service_account_count") or 0,
    )


def _owner_of(item: Item) -> Owner:
    reader = AttributeReader(item)
    return Owner(
        OwnerType.ACCOUNT,
        reader.text("account_id"),
        reader.text("display_name"),
        reader.number("created_at"),
        external_ids=external_ids_of(reader),
    )


def _suspension_of(item: Item) -> Suspension | None:
    reader = AttributeReader(item)
    suspended_at, marking = reader.optional_number("suspended_at"), reader.optional_text("marking")
    if suspended_at is None:
        return None
    try:
        return Suspension(
            suspended_at,
            None if marking is None else Marking(marking),
            reader.optional_number("marked_keys") or 0,
        )
    except ValueError:
        raise Unavailable(Reason.DAMAGED_RECORD, "attribute marking") from None
