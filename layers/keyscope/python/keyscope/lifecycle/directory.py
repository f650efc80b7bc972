"""Accounts, service accounts, apps and their keys, and the port to their storage."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, assert_never

from keyscope.errors import Conflict, Forbidden, KeyscopeError, NotFound
from keyscope.lifecycle.caller import (
    Caller,
    Heritage,
    HeritageChanged,
    JudgedKey,
    ProvenKey,
    Standing,
)
from keyscope.model.external_ids import NO_EXTERNAL_IDS, ExternalIds
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import NO_LIMITS, KeyLimits
from keyscope.model.key_record import KeyRecord

MAX_KEYS_PER_OWNER = 10
REVOKED_RECORD_SECONDS = 30 * 24 * 3_600
"""How long a revoked key's record is kept, so that the log can distinguish it from an unknown
key."""

Members = Mapping[str, str | int | float | bool]
"""Flat JSON members."""


class OwnerNotFound(NotFound):
    """There is no such account, service account or app."""


class KeyNotFound(NotFound):
    """The owner has no such key."""


class NameTaken(Conflict):
    """Another service account of the account has this name."""


class OwnsApps(Conflict):
    """The service account still has apps that it created."""


class OwnsServiceAccounts(Conflict):
    """The account still has service accounts."""


class AccountSuspended(Conflict):
    """The operator suspended the account, so nothing is created, rotated or enabled in it."""


class TooManyApps(Conflict):
    """The creator already has `limit` apps."""

    def __init__(self, limit: int) -> None:
        """Store the limit."""
        super().__init__(str(limit))
        self.limit = limit


class TooManyKeys(Conflict):
    """The owner already has `MAX_KEYS_PER_OWNER` live keys."""


class KeyExpired(Conflict):
    """The key has expired, so a new secret would not work."""


class OverlapRunning(Conflict):
    """The key's previous secret is still accepted."""


class ChangedMeanwhile(Conflict):
    """Another caller changed the same key at the same time."""


class IdTaken(KeyscopeError):  # noqa: N818 - a state
    """A random id already exists. Nothing was written; use another id."""


class ExternalIdTaken(Conflict):
    """An account or an app has this external id, or had it before it was deleted."""


class SkipTooCostly(KeyscopeError):  # noqa: N818 - a state
    """An offset skips more stored bytes than one request may read."""


@dataclass(frozen=True, slots=True)
class Owner:
    """An account, a service account or an app. `created_at` is in seconds since the epoch.

    Only apps have `settings` and `metadata`: flat members that Keyscope stores and returns.
    `external_ids` are the account's and the app's; they never change. `key_count` is the number of
    keys that counted toward the limit of ten when the owner was read. It is a property of the keys,
    so owners that differ only in it are equal.
    """

    owner_type: OwnerType
    owner_id: str
    display_name: str
    created_at: int
    settings: Members = field(default_factory=dict)
    metadata: Members = field(default_factory=dict)
    external_ids: ExternalIds = NO_EXTERNAL_IDS
    key_count: int = field(default=0, compare=False)

    @property
    def external_id(self) -> str | None:
        """The operator's id of the account or the app itself; service accounts have none."""
        match self.owner_type:
            case OwnerType.ACCOUNT:
                return self.external_ids.account
            case OwnerType.APP:
                return self.external_ids.app
            case OwnerType.SERVICE_ACCOUNT:
                return None
            case _:
                assert_never(self.owner_type)


@dataclass(frozen=True, slots=True)
class Reservation:
    """An external id in the spelling in which it was created, and what it was created for.

    It outlives its owner, so that no later account or app gets what backends stored under the id.
    `key_id` is the key that was created in the same step, if there was one. `client_token` is what
    the request said of itself, so that its repetition is recognized.
    """

    owner_type: OwnerType
    external_id: str
    owner_id: str
    key_id: str | None = None
    client_token: str | None = None


def reservation_for(
    owner: Owner, key_id: str | None, client_token: str | None
) -> Reservation | None:
    """Return what a new owner reserves, or `None` if it has no external id."""
    if owner.external_id is None:
        return None
    return Reservation(owner.owner_type, owner.external_id, owner.owner_id, key_id, client_token)


class KeyState(StrEnum):
    """Whether a key can be used, and if not, why."""

    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"
    REVOKED = "revoked"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times are seconds since the epoch.

    Until `previous_ends_at`, the secret before the last rotation is also accepted. It is never
    after the key's own expiry.
    `secret_generation` counts the secrets that the key has had. `integration_id` is the integration
    that an app's key is bound to. Only the operator sets `usage_identifier_key`, and it is never
    shown. `external_ids` are copies of the owner's. `suspended_at` is set while the key's account
    is suspended; no change of the key itself sets or removes it.
    """

    key_id: str
    created_at: int
    display_name: str | None = None
    limits: KeyLimits = NO_LIMITS
    rotated_at: int | None = None
    previous_ends_at: int | None = None
    revoked_at: int | None = None
    secret_generation: int = 1
    integration_id: str | None = None
    usage_identifier_key: str | None = field(default=None, repr=False)
    external_ids: ExternalIds = NO_EXTERNAL_IDS
    suspended_at: int | None = None

    @property
    def standing(self) -> Standing:
        """What determines whether a credential that was proven is still valid."""
        return Standing(
            limits=self.limits,
            revoked_at=self.revoked_at,
            secret_generation=self.secret_generation,
            previous_ends_at=self.previous_ends_at,
            suspended_at=self.suspended_at,
        )

    @property
    def heritage(self) -> Heritage:
        """What decides how wide the keys may be that this key creates and changes."""
        return Heritage(self.limits, self.usage_identifier_key)

    def state(self, now: float) -> KeyState:
        """Return whether the key can be used; `now` is in seconds since the epoch."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        if self.limits.expires_at is not None and now >= self.limits.expires_at:
            return KeyState.EXPIRED
        if self.suspended_at is not None:
            return KeyState.SUSPENDED
        return KeyState.ACTIVE if self.limits.disabled_at is None else KeyState.DISABLED

    def has_overlap(self, now: float) -> bool:
        """Return whether the previous secret is still accepted."""
        return self.previous_ends_at is not None and now < self.previous_ends_at


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key as it was read, with its owner's id and the revision of its record.

    Every change to a record changes its revision.
    """

    owner_id: str
    key: Key
    revision: int


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret, hashed and encrypted for storage in a key record."""

    secret_hash: bytes = field(repr=False)
    secret_ciphertext: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """Some owners, ordered by id, and whether there are more in the direction of the request."""

    owners: Sequence[Owner]
    has_more: bool


@dataclass(frozen=True, slots=True)
class After:
    """The owners that follow an id, or the first ones if it is `None`."""

    owner_id: str | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """The owners that come directly before an id."""

    owner_id: str


@dataclass(frozen=True, slots=True)
class Offset:
    """The owners that remain after skipping some."""

    skipped: int


Position = After | Before | Offset


class Directory(Protocol):
    """Stores owners and their keys.

    Each call writes everything or nothing, and raises `Unavailable` if the result is unknown. Each
    write names its caller. If the caller is an API key, the write succeeds only while that key is
    valid, and raises `Forbidden` otherwise. A write that other writes block for too long raises
    `Contended`. What adds an owner or a key, gives a key a new secret or enables it raises
    `AccountSuspended` while the account is suspended; suspending and these writes exclude each
    other. If the suspension begins while a key is being created, the key may be stored although
    this is raised, and may lack the mark. The caller must not show its secret.
    """

    def add_account(
        self,
        account: Owner,
        key: Key,
        record: KeyRecord,
        caller: Caller,
        /,
        client_token: str | None = None,
    ) -> None:
        """Add an account with its first key, and reserve its external id.

        Raises `ExternalIdTaken`, `IdTaken`.
        """
        ...

    def add_service_account(self, service_account: Owner, caller: Caller, /) -> None:
        """Add a service account.

        Raises `OwnerNotFound` (the account), `IdTaken`, `NameTaken`.
        """
        ...

    def add_app(
        self,
        app: Owner,
        max_apps: int,
        caller: Caller,
        /,
        first_key: tuple[Key, KeyRecord] | None = None,
        client_token: str | None = None,
    ) -> None:
        """Add an app and reserve its external id, unless its creator has as many as it may have.

        That is the account's own limit, or `max_apps` if the account has none.
        Raises `OwnerNotFound` (the creator), `TooManyApps`, `ExternalIdTaken`, `IdTaken`.
        """
        ...

    def find_external_id(self, owner_type: OwnerType, external_id: str, /) -> Reservation:
        """Return what reserves an external id, in any case of its letters.

        Raises `OwnerNotFound`. The owner itself may have been deleted since.
        """
        ...

    def get_owner(self, owner_id: str, /) -> Owner:
        """Return an owner; raises `OwnerNotFound`."""
        ...

    def list_owners(
        self, owner_type: OwnerType, creator_id: str, position: Position, size: int, /
    ) -> Page:
        """Return up to `size` apps or service accounts of an account or service account.

        Raises `SkipTooCostly` for an offset.
        """
        ...

    def update_owner(
        self, owner_id: str, change: Callable[[Owner], Owner], caller: Caller, /
    ) -> tuple[Owner, Owner]:
        """Change an owner; return it before and after.

        `change` is called again if another caller's change came first. Raises `OwnerNotFound`,
        `NameTaken`.
        """
        ...

    def delete_owner(
        self, owner_id: str, now: int, caller: Caller, /
    ) -> tuple[Owner, Sequence[Key]]:
        """Delete an owner and revoke its keys, all in one step.

        Returns the deleted owner, and its keys as they were. Raises `OwnerNotFound`, `OwnsApps`,
        `OwnsServiceAccounts`.
        """
        ...

    def add_key(self, key: Key, record: KeyRecord, caller: Caller, /) -> None:
        """Add a key; raises `OwnerNotFound`, `TooManyKeys`, `IdTaken`."""
        ...

    def get_key(self, owner_id: str, key_id: str, /) -> Key:
        """Return a key that counts toward an owner's limit of ten.

        Raises `OwnerNotFound`, `KeyNotFound`.
        """
        ...

    def find_key(self, key_id: str, /) -> FoundKey:
        """Return the current state of any key that exists and is not revoked.

        Raises `KeyNotFound`.
        """
        ...

    def list_keys(self, owner_id: str, /) -> Sequence[Key]:
        """Return the keys that count toward an owner's limit of ten, oldest first.

        Raises `OwnerNotFound`.
        """
        ...

    def list_former_keys(self, owner_id: str, /) -> Sequence[Key]:
        """Return the keys that `list_keys` omits but that are still stored.

        They were revoked, or they expired and made room for others. The list may lag briefly.
        """
        ...

    def update_key(
        self,
        owner_id: str,
        key_id: str,
        change: Callable[[Key], Key],
        secret: NewSecret | None,
        caller: Caller,
        /,
    ) -> tuple[Key, Key]:
        """Change a key that counts toward an owner's limit of ten; return it before and after.

        A new secret replaces the current one, which becomes the previous secret if `change` sets
        `previous_ends_at`. If `change` does not set it, any previous secret is destroyed.

        Without a new secret, `change` is called again if another caller's change came first. With a
        new secret, that raises `ChangedMeanwhile`. Also raises `KeyNotFound`.
        """
        ...

    def revoke_key(self, owner_id: str, key_id: str, now: int, caller: Caller, /) -> Key:
        """Revoke a key and destroy its secrets; return it as it was. Raises `KeyNotFound`.

        The record is kept for `REVOKED_RECORD_SECONDS`. Revoking a key again changes nothing.
        """
        ...


def judge(
    find_key: Callable[[str], FoundKey], proven: ProvenKey, clock: Callable[[], float]
) -> tuple[Key, JudgedKey]:
    """Read the key that a caller proved, and check that its credential is valid now.

    Raises:
        Forbidden: when it is not.
        HeritageChanged: when the heritage is no longer the one that decided the change.
        Unavailable: when the key cannot be read.
    """
    try:
        found = find_key(proven.key_id)
    except KeyNotFound:
        raise Forbidden from None
    judged = JudgedKey(proven, found.key.standing, found.revision, clock)
    judged.check_time()
    if proven.heritage not in (None, found.key.heritage):
        raise HeritageChanged
    return found.key, judged
