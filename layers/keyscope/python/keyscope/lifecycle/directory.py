"""Accounts, service accounts, apps and their keys, and the port to where they are stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from keyscope.errors import Conflict, Forbidden, KeyscopeError, NotFound
from keyscope.lifecycle.caller import Caller, JudgedKey, ProvenKey, Standing
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import NO_LIMITS, KeyLimits
from keyscope.model.key_record import KeyRecord

MAX_KEYS_PER_OWNER = 10
REVOKED_RECORD_SECONDS = 30 * 24 * 3_600
"""How long a revoked key's record stays, so that the log can tell its use from an unknown key."""

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


class TooManyApps(Conflict):
    """The creator already has `limit` apps."""

    def __init__(self, limit: int) -> None:
        """Carry the limit."""
        super().__init__(str(limit))
        self.limit = limit


class TooManyKeys(Conflict):
    """The owner already has `MAX_KEYS_PER_OWNER` live keys."""


class OverlapRunning(Conflict):
    """The key's previous secret is still accepted."""


class ChangedMeanwhile(Conflict):
    """Another caller changed the same key at the same time."""


class IdTaken(KeyscopeError):  # noqa: N818 - a state
    """A random id already exists. Nothing was written; use another id."""


class SkipTooCostly(KeyscopeError):  # noqa: N818 - a state
    """An offset skips more stored bytes than one request may read."""


@dataclass(frozen=True, slots=True)
class Owner:
    """An account, a service account or an app. `created_at` is in seconds since the epoch.

    Only apps have `settings` and `metadata`: flat members that Keyscope keeps and hands out.
    """

    owner_type: OwnerType
    owner_id: str
    display_name: str
    created_at: int
    settings: Members = field(default_factory=dict)
    metadata: Members = field(default_factory=dict)


class KeyState(StrEnum):
    """Whether a key can be used, and why not."""

    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times are seconds since the epoch.

    Until `previous_ends_at` the secret before the last rotation is accepted as well;
    `secret_generation` counts the secrets that the key has had.
    `usage_identifier_key` is the operator's affair: it is never shown.
    """

    key_id: str
    created_at: int
    display_name: str | None = None
    limits: KeyLimits = NO_LIMITS
    rotated_at: int | None = None
    previous_ends_at: int | None = None
    revoked_at: int | None = None
    secret_generation: int = 1
    usage_identifier_key: str | None = field(default=None, repr=False)

    @property
    def standing(self) -> Standing:
        """What decides whether a credential that was proven is still good."""
        return Standing(
            limits=self.limits,
            revoked_at=self.revoked_at,
            secret_generation=self.secret_generation,
            previous_ends_at=self.previous_ends_at,
        )

    def state(self, now: float) -> KeyState:
        """Tell whether the key can be used; `now` is in seconds since the epoch."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        if self.limits.expires_at is not None and now >= self.limits.expires_at:
            return KeyState.EXPIRED
        return KeyState.ACTIVE if self.limits.disabled_at is None else KeyState.DISABLED

    def has_overlap(self, now: float) -> bool:
        """Tell whether the previous secret is still accepted."""
        return self.previous_ends_at is not None and now < self.previous_ends_at


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A key as it was read, with its owner's id and its record's revision.

    Every change to a key's record gives it another revision.
    """

    owner_id: str
    key: Key
    revision: int


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret hashed and sealed, as a key record keeps it."""

    secret_hash: bytes = field(repr=False)
    secret_ciphertext: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """Some owners, ordered by id, and whether there are more in the direction of reading."""

    owners: Sequence[Owner]
    has_more: bool


@dataclass(frozen=True, slots=True)
class After:
    """The owners that follow this id, or the first ones."""

    owner_id: str | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """The owners that precede this id, the nearest ones."""

    owner_id: str


@dataclass(frozen=True, slots=True)
class Offset:
    """The owners that follow after this number of others."""

    skipped: int


Position = After | Before | Offset


class Directory(Protocol):
    """Where owners and their keys are kept.

    Each call writes all or nothing, and raises `Unavailable` when it cannot tell. Each write names
    its caller: that of an API key is done only while the caller's key is good, else it raises
    `Forbidden`. One that others hinder for too long raises `Contended`.
    """

    def add_account(self, account: Owner, key: Key, record: KeyRecord, caller: Caller, /) -> None:
        """Add an account with its first key, or raise `IdTaken`."""
        ...

    def add_service_account(self, service_account: Owner, caller: Caller, /) -> None:
        """Add a service account.

        Raises `OwnerNotFound` (the account), `IdTaken`, `NameTaken`.
        """
        ...

    def add_app(self, app: Owner, max_apps: int, caller: Caller, /) -> None:
        """Add an app, unless its creator has `max_apps` or more already.

        Raises `OwnerNotFound` (the creator), `TooManyApps`, `IdTaken`.
        """
        ...

    def get_owner(self, owner_id: str, /) -> Owner:
        """Return an owner; raises `OwnerNotFound`."""
        ...

    def list_owners(
        self, owner_type: OwnerType, creator_id: str, position: Position, size: int, /
    ) -> Page:
        """Return up to `size` apps or service accounts below an account or service account.

        Raises `SkipTooCostly` for an offset.
        """
        ...

    def update_owner(
        self, owner_id: str, change: Callable[[Owner], Owner], caller: Caller, /
    ) -> tuple[Owner, Owner]:
        """Change an owner; return it before and after.

        `change` is called again when another caller's change came first. Raises `OwnerNotFound`,
        `NameTaken`.
        """
        ...

    def delete_owner(
        self, owner_id: str, now: int, caller: Caller, /
    ) -> tuple[Owner, Sequence[Key]]:
        """Delete an app or a service account and revoke its keys, all in one.

        Returns what was deleted, and its keys as they were. Raises `OwnerNotFound`, `OwnsApps`.
        """
        ...

    def add_key(self, key: Key, record: KeyRecord, caller: Caller, /) -> None:
        """Add a key; raises `OwnerNotFound`, `TooManyKeys`, `IdTaken`."""
        ...

    def get_key(self, owner_id: str, key_id: str, /) -> Key:
        """Return a key that counts among an owner's ten.

        Raises `OwnerNotFound`, `KeyNotFound`.
        """
        ...

    def find_key(self, key_id: str, /) -> FoundKey:
        """Return any key that exists and is not revoked, as it is at this moment.

        Raises `KeyNotFound`.
        """
        ...

    def list_keys(self, owner_id: str, /) -> Sequence[Key]:
        """Return the keys that count among an owner's ten, the oldest first.

        Raises `OwnerNotFound`.
        """
        ...

    def list_former_keys(self, owner_id: str, /) -> Sequence[Key]:
        """Return the keys that `list_keys` leaves out and that are still remembered.

        They were revoked, or expired and made room for others. The list may lag by a moment.
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
        """Change a key that counts among an owner's ten; return it before and after.

        A new secret takes the place of the one that the key had, which becomes the previous one
        where `change` sets `previous_ends_at`; where it sets none, a previous secret is destroyed.

        Without a new secret, `change` is called again when another caller's change came first;
        with one, that raises `ChangedMeanwhile`. Raises `KeyNotFound`, too.
        """
        ...

    def revoke_key(self, owner_id: str, key_id: str, now: int, caller: Caller, /) -> Key:
        """End a key at once and destroy its secrets; return it as it was. Raises `KeyNotFound`.

        The record stays for `REVOKED_RECORD_SECONDS`. To revoke a key again changes nothing.
        """
        ...


def judge(
    find_key: Callable[[str], FoundKey], proven: ProvenKey, clock: Callable[[], float]
) -> tuple[Key, JudgedKey]:
    """Read the key that a caller proved, and check that its credential is good at this moment.

    Raises:
        Forbidden: it is not.
        Unavailable: when the key cannot be read.
    """
    try:
        found = find_key(proven.key_id)
    except KeyNotFound:
        raise Forbidden from None
    judged = JudgedKey(proven, found.key.standing, found.revision, clock)
    judged.check_time()
    return found.key, judged
