"""Accounts, service accounts, apps and their keys: the operations that create and end them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from keyscope.errors import KeyscopeError, Reason, Unavailable
from keyscope.ids import (
    OwnerType,
    new_account_id,
    new_app_id,
    new_key_id,
    new_service_account_id,
)
from keyscope.key_record import KeyRecord
from keyscope.secret import hash_secret, new_secret

MAX_KEYS_PER_OWNER = 10
REVOKED_RECORD_SECONDS = 30 * 24 * 3_600
"""How long a revoked key's record stays, so that the log can tell its use from an unknown key."""

_MAX_ID_COLLISIONS = 5
_T = TypeVar("_T")


class IdTaken(KeyscopeError):  # noqa: N818 - a state
    """A random id exists already; nothing was written."""


class OwnerNotFound(KeyscopeError):  # noqa: N818 - a state
    """There is no such account, service account or app; nothing was written."""


class KeyNotFound(KeyscopeError):  # noqa: N818 - a state
    """The owner has no such key; nothing was written."""


class TooManyKeys(KeyscopeError):  # noqa: N818 - a state
    """The owner has `MAX_KEYS_PER_OWNER` live keys; nothing was written."""


@dataclass(frozen=True, slots=True)
class Owner:
    """An account, a service account or an app. `created_at` is in seconds since the epoch."""

    owner_type: OwnerType
    owner_id: str
    display_name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What may be chosen of a new key. `expires_at` is in seconds since the epoch."""

    display_name: str | None = None
    expires_at: int | None = None
    allowed_cidrs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret. Times are seconds since the epoch."""

    key_id: str
    created_at: int
    display_name: str | None = None
    expires_at: int | None = None
    allowed_cidrs: tuple[str, ...] = ()
    revoked_at: int | None = None

    def is_live(self, now: float) -> bool:
        """Tell whether the key can still be used; `now` is in seconds since the epoch."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A key with its secret, which is known here and never again."""

    key: Key
    secret: str = field(repr=False)


class Directory(Protocol):
    """Where owners and their keys are kept. Each call writes all or nothing."""

    def add_account(self, account: Owner, key: Key, record: KeyRecord, /) -> None:
        """Add an account with its first key, or raise `IdTaken`."""
        ...

    def add_owner(self, owner: Owner, creator_id: str, /) -> None:
        """Add a service account or app of a creator; raises `OwnerNotFound`, `IdTaken`."""
        ...

    def add_key(self, key: Key, record: KeyRecord, /) -> None:
        """Add a key; raises `OwnerNotFound`, `TooManyKeys`, `IdTaken`."""
        ...

    def list_keys(self, owner_id: str, /) -> Sequence[Key]:
        """Return the keys of an owner, the oldest first; raises `OwnerNotFound`."""
        ...

    def revoke_key(self, owner_id: str, key_id: str, now: int, /) -> None:
        """End a key at once and destroy its secret; raises `KeyNotFound`.

        The record stays for `REVOKED_RECORD_SECONDS`. To revoke a key again changes nothing.
        """
        ...


class SecretSealer(Protocol):
    """What seals secrets for storage."""

    def seal(self, key_id: str, secret: str, /) -> bytes:
        """Return the secret sealed for this key; raises `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Provisioning:
    """The operations. `clock` gives seconds since the epoch."""

    directory: Directory
    sealer: SecretSealer
    clock: Callable[[], float]

    def create_account(self, display_name: str, request: KeyRequest) -> tuple[Owner, CreatedKey]:
        """Create an account and its first key, both or neither."""

        def attempt() -> tuple[Owner, CreatedKey]:
            account = Owner(OwnerType.ACCOUNT, new_account_id(), display_name, self._now())
            created, record = self._new_key(OwnerType.ACCOUNT, account.owner_id, request)
            self.directory.add_account(account, created.key, record)
            return account, created

        return _with_free_id(attempt)

    def create_service_account(self, account_id: str, display_name: str) -> Owner:
        """Create a service account; raises `OwnerNotFound`."""

        def attempt() -> Owner:
            owner_id = new_service_account_id(account_id)
            owner = Owner(OwnerType.SERVICE_ACCOUNT, owner_id, display_name, self._now())
            self.directory.add_owner(owner, account_id)
            return owner

        return _with_free_id(attempt)

    def create_app(
        self, account_id: str, display_name: str, service_account_id: str | None = None
    ) -> Owner:
        """Create an app of an account, or of the service account; raises `OwnerNotFound`."""

        def attempt() -> Owner:
            owner_id = new_app_id(account_id, service_account_id)
            owner = Owner(OwnerType.APP, owner_id, display_name, self._now())
            self.directory.add_owner(owner, service_account_id or account_id)
            return owner

        return _with_free_id(attempt)

    def create_key(self, owner_type: OwnerType, owner_id: str, request: KeyRequest) -> CreatedKey:
        """Create a key of an owner; raises `OwnerNotFound`, `TooManyKeys`."""

        def attempt() -> CreatedKey:
            created, record = self._new_key(owner_type, owner_id, request)
            self.directory.add_key(created.key, record)
            return created

        return _with_free_id(attempt)

    def list_keys(self, owner_id: str) -> Sequence[Key]:
        """Return the keys of an owner, the oldest first; raises `OwnerNotFound`."""
        return self.directory.list_keys(owner_id)

    def revoke_key(self, owner_id: str, key_id: str) -> None:
        """End a key of an owner at once; raises `KeyNotFound`."""
        self.directory.revoke_key(owner_id, key_id, self._now())

    def _new_key(
        self, owner_type: OwnerType, owner_id: str, request: KeyRequest
    ) -> tuple[CreatedKey, KeyRecord]:
        key_id = new_key_id(owner_type)
        secret = new_secret()
        key = Key(
            key_id, self._now(), request.display_name, request.expires_at, request.allowed_cidrs
        )
        record = KeyRecord(
            key_id=key_id,
            owner_type=owner_type,
            owner_id=owner_id,
            secret_hash=hash_secret(secret),
            secret_ciphertext=self.sealer.seal(key_id, secret),
            expires_at=request.expires_at,
            allowed_cidrs=request.allowed_cidrs,
        )
        return CreatedKey(key, secret), record

    def _now(self) -> int:
        return int(self.clock())


def _with_free_id(attempt: Callable[[], _T]) -> _T:
    for _ in range(_MAX_ID_COLLISIONS):
        try:
            return attempt()
        except IdTaken:
            continue
    raise Unavailable(Reason.KEY_STORE_UNAVAILABLE, "no free id was found")
