"""Accounts as the operator sees them: whether they are suspended, and what they may create.

A suspension marks the account first, and from then on nothing of the account is created, rotated or
enabled. Its keys are marked after that, in pages: those of the account, then those of its service
accounts, then those of its apps. To resume the account, the marks are removed in the same order,
and the account's own comes last. So an interrupted suspension or resumption refuses too much rather
than too little, and can be continued.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol, assert_never

from keyscope.lifecycle.directory import Directory, Owner
from keyscope.model.external_ids import ExternalIds


class Marking(StrEnum):
    """What is being done with the marks of an account's keys."""

    SUSPENDING = "suspending"
    RESUMING = "resuming"


class AccountState(StrEnum):
    """Whether an account is suspended. Only an active account can create, rotate and enable."""

    ACTIVE = "active"
    SUSPENDING = "suspending"
    SUSPENDED = "suspended"
    RESUMING = "resuming"


@dataclass(frozen=True, slots=True)
class Suspension:
    """That an account is suspended, since a time in seconds since the epoch.

    With `marking`, its keys are not all marked yet, or not all without a mark yet. `marked_keys`
    counts those that are done.
    """

    suspended_at: int
    marking: Marking | None = None
    marked_keys: int = 0


@dataclass(frozen=True, slots=True)
class ListedAccount:
    """An account as a list shows it, which may lag briefly."""

    owner: Owner
    suspension: Suspension | None = None

    @property
    def state(self) -> AccountState:
        """Whether the account is suspended."""
        return state_of(self.suspension)


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it is now.

    It and each of its service accounts may create `max_apps` apps; `None` is the stack's limit.
    `app_count` does not include the apps that service accounts created.
    """

    owner: Owner
    suspension: Suspension | None = None
    max_apps: int | None = None
    app_count: int = 0
    service_account_count: int = 0

    @property
    def state(self) -> AccountState:
        """Whether the account is suspended."""
        return state_of(self.suspension)

    @property
    def external_ids(self) -> ExternalIds:
        """The operator's id of the account."""
        return self.owner.external_ids


def state_of(suspension: Suspension | None) -> AccountState:
    """Return the state of an account with this suspension."""
    if suspension is None:
        return AccountState.ACTIVE
    match suspension.marking:
        case None:
            return AccountState.SUSPENDED
        case Marking.SUSPENDING:
            return AccountState.SUSPENDING
        case Marking.RESUMING:
            return AccountState.RESUMING
        case _:
            assert_never(suspension.marking)


def begun(account: Account, marking: Marking, now: int) -> Account:
    """Return the account once it begins to be suspended or resumed.

    Nothing changes if the account is already in that state, or on the way to it. Otherwise marking
    starts from the first key. An account that is suspended again before it is resumed counts as
    suspended throughout.
    """
    match marking:
        case Marking.SUSPENDING:
            done = {AccountState.SUSPENDING, AccountState.SUSPENDED}
        case Marking.RESUMING:
            done = {AccountState.RESUMING, AccountState.ACTIVE}
        case _:
            assert_never(marking)
    if account.state in done:
        return account
    since = now if account.suspension is None else account.suspension.suspended_at
    return replace(account, suspension=Suspension(since, marking))


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Some accounts, ordered by id, and whether there are more."""

    accounts: Sequence[ListedAccount]
    has_more: bool


class OperatorsDirectory(Directory, Protocol):
    """A directory with what only the operator does with accounts.

    Each call writes everything or nothing, and raises `Unavailable` if the result is unknown,
    `OwnerNotFound` if there is no such account, and `Contended` if other writes block it for too
    long.
    """

    def get_account(self, account_id: str, /) -> Account:
        """Return an account."""
        ...

    def list_accounts(self, after: str | None, size: int, /) -> AccountPage:
        """Return up to `size` accounts whose ids follow an id. The list may lag briefly."""
        ...

    def begin_marking(
        self, account_id: str, marking: Marking, now: int, /
    ) -> tuple[Account, Account]:
        """Begin to suspend or to resume an account, as `begun` says; return it before and after.

        From the return until the account is active, every creation, rotation and enabling in the
        account raises `AccountSuspended`.
        """
        ...

    def mark_next_keys(self, account_id: str, /) -> Account:
        """Mark the next keys of an account, or remove their marks; return the account after it.

        The keys and the account's progress change in one step. Nothing happens if nothing is left
        to do. Revoked keys and keys that have no place among their owner's ten get no mark.
        """
        ...

    def set_max_apps(self, account_id: str, max_apps: int | None, /) -> tuple[Account, Account]:
        """Change an account's own limit of apps; return the account before and after."""
        ...
