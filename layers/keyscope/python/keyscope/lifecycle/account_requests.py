"""The provisioning function's requests that manage accounts or change their keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from keyscope.lifecycle.account_fields import read_max_apps, shown_account, shown_listed
from keyscope.lifecycle.key_fields import Json, present, read_display_name
from keyscope.lifecycle.management import (
    DEFAULT_OVERLAP_SECONDS,
    MAX_OVERLAP_SECONDS,
    KeyChange,
)
from keyscope.lifecycle.operations import Provisioning
from keyscope.lifecycle.suspension import resume_account, set_max_apps, suspend_account
from keyscope.model.ids import is_account_id
from keyscope.model.key_limits import LIMIT_MEMBERS, read_limits

MAX_LISTED: Final = 100
"""The largest number of accounts in one response."""

Report = Callable[[str, str], None]
"""Receives an invalid member, and a text that completes a sentence after its name."""
_FIELDS: Final[Mapping[str, str]] = {
    "expiresAt": "expires_at",
    "allowedCidrs": "allowed_cidrs",
    "permissions": "permissions",
    "disabled": "disabled_at",
}
"""The fields of `KeyLimits`, by the members that change them."""
KEY_CHANGE_MEMBERS: Final = {"displayName", "disabled", *LIMIT_MEMBERS}


@dataclass(frozen=True, slots=True)
class ListAccounts:
    """List the accounts whose ids follow one, up to a number of them."""

    after: str | None
    limit: int


@dataclass(frozen=True, slots=True)
class ShowAccount:
    """Show an account."""

    account_id: str


@dataclass(frozen=True, slots=True)
class SuspendAccount:
    """Suspend an account, or continue its suspension."""

    account_id: str


@dataclass(frozen=True, slots=True)
class ResumeAccount:
    """Resume an account, or continue its resumption."""

    account_id: str


@dataclass(frozen=True, slots=True)
class DeleteAccount:
    """Delete an account without apps and service accounts, and revoke its keys."""

    account_id: str


@dataclass(frozen=True, slots=True)
class SetAccountLimits:
    """Change an account's own limit of apps; `None` is the stack's."""

    account_id: str
    max_apps: int | None


AccountOperation = (
    ListAccounts | ShowAccount | SuspendAccount | ResumeAccount | DeleteAccount | SetAccountLimits
)


@dataclass(frozen=True, slots=True)
class UpdateKey:
    """Change the name or the limits of an account's key, or disable or enable it."""

    account_id: str
    key_id: str
    change: KeyChange


@dataclass(frozen=True, slots=True)
class RotateKey:
    """Give an account's key a new secret; the old one is accepted during the overlap."""

    account_id: str
    key_id: str
    overlap_seconds: int


@dataclass(frozen=True, slots=True)
class EndOverlap:
    """Stop accepting the previous secret of an account's key."""

    account_id: str
    key_id: str


def carry_out_for_accounts(operation: AccountOperation, operations: Provisioning) -> Json:
    """Carry out an operation and return its response.

    Raises:
        OwnerNotFound: there is no such account.
        OwnsApps, OwnsServiceAccounts: it is not empty and cannot be deleted.
        Unavailable: a table cannot answer.
    """
    match operation:
        case ListAccounts(after, limit):
            page = operations.directory.list_accounts(after, limit)
            last = page.accounts[-1].owner.owner_id if page.has_more else None
            return {"accounts": [*map(shown_listed, page.accounts)], **present({"next": last})}
        case ShowAccount(account_id):
            account = operations.directory.get_account(account_id)
        case SuspendAccount(account_id):
            account = suspend_account(operations, account_id)
        case ResumeAccount(account_id):
            account = resume_account(operations, account_id)
        case SetAccountLimits(account_id, max_apps):
            account = set_max_apps(operations, account_id, max_apps)
        case DeleteAccount(account_id):
            operations.delete_account(account_id)
            return {}
        case _:
            assert_never(operation)
    return {"account": shown_account(account, operations.max_apps_per_creator)}


def read_page(members: Mapping[object, object], report: Report) -> ListAccounts:
    """Read which accounts to list."""
    after, limit = members.get("after"), members.get("limit", MAX_LISTED)
    if after is not None and not (isinstance(after, str) and is_account_id(after)):
        report("after", "must be the `next` of the previous response")
    if not _is_whole(limit, range(1, MAX_LISTED + 1)):
        report("limit", f"must be a whole number from 1 to {MAX_LISTED}")
    return ListAccounts(
        after if isinstance(after, str) else None, limit if isinstance(limit, int) else MAX_LISTED
    )


def read_account_limits(members: Mapping[object, object], report: Report) -> int | None:
    """Read an account's own limit of apps. null removes it; an absent member does not."""
    if "maxApps" not in members:
        report("maxApps", "is required")
    value = members.get("maxApps")
    if value is None:
        return None
    try:
        return read_max_apps(value)
    except ValueError as error:
        report("maxApps", str(error))
        return None


def read_overlap(members: Mapping[object, object], report: Report) -> int:
    """Read how long a rotated key's previous secret is accepted, in seconds."""
    value = members.get("overlapSeconds", DEFAULT_OVERLAP_SECONDS)
    if isinstance(value, int) and _is_whole(value, range(MAX_OVERLAP_SECONDS + 1)):
        return value
    report("overlapSeconds", f"must be a whole number from 0 to {MAX_OVERLAP_SECONDS}")
    return 0


def read_key_change(members: Mapping[object, object], now: float, report: Report) -> KeyChange:
    """Read a change to a key; a null removes a limit. `now` is in seconds since the epoch."""
    sent = members.keys() & KEY_CHANGE_MEMBERS
    if not sent:
        report("", f"must contain at least one change: {', '.join(sorted(KEY_CHANGE_MEMBERS))}")
    disabled, display_name = members.get("disabled", False), None
    if not isinstance(disabled, bool):
        report("disabled", "must be true or false")
    if "displayName" in members:
        try:
            display_name = read_display_name(members["displayName"])
        except ValueError as error:
            report("displayName", str(error))
    limits = read_limits(members, now, report)
    return KeyChange(
        display_name,
        frozenset(field for member, field in _FIELDS.items() if member in members),
        limits._replace(disabled_at=int(now) if disabled is True else None),
    )


def _is_whole(value: object, allowed: range) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in allowed
