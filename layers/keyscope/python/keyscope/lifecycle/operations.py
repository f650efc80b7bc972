"""The operations that create, change and delete accounts, service accounts, apps and their keys.

When a key is revoked or narrowed, two caches may still know it as it was: the authorizers'
containers, and API Gateway's cache of their policies. So each such operation flushes the policies.
It schedules the flush before the write, so that the flush happens even if the function crashes
right after the write. All callers pay for a flush, so a change that does not affect policies
requests none.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar, assert_never

from keyscope.errors import Forbidden, NotFound, Reason, Unavailable
from keyscope.lifecycle.account import OperatorsDirectory
from keyscope.lifecycle.audit import (
    Action,
    Actor,
    AuditEvent,
    AuditTrail,
    Change,
)
from keyscope.lifecycle.caller import Caller, Iam, ProvenKey
from keyscope.lifecycle.directory import (
    After,
    ChangedMeanwhile,
    IdTaken,
    Key,
    KeyExpired,
    KeyNotFound,
    KeyState,
    Members,
    NewSecret,
    OverlapRunning,
    Owner,
    OwnerNotFound,
    OwnsApps,
    OwnsServiceAccounts,
    Page,
    Position,
    judge,
)
from keyscope.lifecycle.external_ids import ExternalName, NamedOwner, find_named_owner
from keyscope.lifecycle.key_use import LastUse, LastUses
from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import (
    IdName,
    OwnerType,
    is_account_id,
    new_account_id,
    new_app_id,
    new_key_id,
    new_service_account_id,
)
from keyscope.model.key_limits import NO_LIMITS, KeyLimits
from keyscope.model.key_record import KeyRecord
from keyscope.model.principal import ProvenSecret
from keyscope.model.secret import hash_secret, new_secret

_MAX_ID_COLLISIONS = 5
_NO_MEMBERS: Members = {}
_UPDATED = {
    OwnerType.APP: Action.APP_UPDATED,
    OwnerType.SERVICE_ACCOUNT: Action.SERVICE_ACCOUNT_UPDATED,
}
_DELETED = {
    OwnerType.APP: Action.APP_DELETED,
    OwnerType.SERVICE_ACCOUNT: Action.SERVICE_ACCOUNT_DELETED,
    OwnerType.ACCOUNT: Action.ACCOUNT_DELETED,
}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What may be chosen for a new key; only the operator chooses `usage_identifier_key`.

    With `integration_id`, an app's key is bound to that integration.
    """

    display_name: str | None = None
    limits: KeyLimits = NO_LIMITS
    integration_id: str | None = None
    usage_identifier_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A key with its secret, which is available only here."""

    key: Key
    secret: str = field(repr=False)


class SecretSealer(Protocol):
    """Encrypts secrets for storage."""

    def seal(self, key_id: str, secret: str, /) -> bytes:
        """Return the secret encrypted for this key; raises `Unavailable`."""
        ...


class CachedPolicies(Protocol):
    """The policies that API Gateway has cached."""

    def flush_in_any_case(self) -> None:
        """Schedule a flush for when the coming write is in effect; raises `Unavailable`."""
        ...

    def flush(self) -> None:
        """Flush the policies now, and again when no container caches the old key any longer.

        Does not raise: the write is done and a flush is scheduled, so the operator must deal with a
        failure.
        """
        ...


@dataclass(frozen=True, slots=True)
class Provisioning:
    """The operations, carried out for an actor. `clock` returns seconds since the epoch.

    An account and each of its service accounts may create `max_apps_per_creator` apps each. Every
    write is on behalf of `caller`. If the caller is a key, a write raises `Forbidden` when the
    key's credential is no longer valid. Every write raises `Contended` when others block it for too
    long.
    """

    directory: OperatorsDirectory
    sealer: SecretSealer
    policies: CachedPolicies
    audit_trail: AuditTrail
    uses: LastUses
    clock: Callable[[], float]
    max_apps_per_creator: int
    actor: Actor = field(default_factory=Actor)
    caller: Caller = field(default_factory=Iam)

    def acting_for(self, actor: Actor) -> "Provisioning":
        """Return the same operations for another actor."""
        return replace(self, actor=actor)

    def last_uses(self, keys: Sequence[Key]) -> Mapping[str, LastUse]:
        """Return when each key was last used, by its id."""
        return self.uses.of(keys, self.clock())

    def on_behalf_of(
        self, proven: ProvenKey, *, as_it_is: bool = False
    ) -> tuple["Provisioning", Key]:
        """Judge a caller's key; return the operations on its behalf, and the key as it is now.

        With `as_it_is`, a write raises `HeritageChanged` if the heritage changes before. Raises
        `Forbidden` if its credential is not valid now.
        """
        key, judged = judge(self.directory.find_key, proven, self.clock)
        if as_it_is:
            judged = replace(judged, proven=replace(proven, heritage=key.heritage))
        return replace(self, caller=judged), key

    def create_account(
        self, display_name: str, request: KeyRequest, name: ExternalName | None = None
    ) -> tuple[Owner, CreatedKey]:
        """Create an account and its first key, both or neither.

        Raises `ExternalIdTaken`.
        """
        external_ids = ExternalIds(account=None if name is None else name.external_id)
        client_token = None if name is None else name.client_token

        def attempt() -> tuple[Owner, CreatedKey]:
            account = Owner(
                OwnerType.ACCOUNT,
                new_account_id(),
                display_name,
                self._now(),
                external_ids=external_ids,
            )
            created, record = self._new_key(account, request)
            self.directory.add_account(account, created.key, record, self.caller, client_token)
            return account, created

        account, created = _with_free_id(attempt)
        self._record(
            Change(Action.ACCOUNT_CREATED, account.owner_id, after=account),
            _key_change(Action.KEY_CREATED, account.owner_id, None, created.key),
        )
        return account, created

    def create_service_account(self, account_id: str, display_name: str) -> Owner:
        """Create a service account; raises `OwnerNotFound`, `NameTaken`."""
        external_ids = self.directory.get_owner(account_id).external_ids

        def attempt() -> Owner:
            owner_id = new_service_account_id(account_id)
            owner = Owner(
                OwnerType.SERVICE_ACCOUNT,
                owner_id,
                display_name,
                self._now(),
                external_ids=external_ids,
            )
            self.directory.add_service_account(owner, self.caller)
            return owner

        service_account = _with_free_id(attempt)
        owner_id = service_account.owner_id
        self._record(Change(Action.SERVICE_ACCOUNT_CREATED, owner_id, after=service_account))
        return service_account

    def create_app(
        self,
        account_id: str,
        display_name: str,
        service_account_id: str | None = None,
        *,
        settings: Members = _NO_MEMBERS,
        metadata: Members = _NO_MEMBERS,
    ) -> Owner:
        """Create an app of an account, or of the service account if there is one.

        Raises `OwnerNotFound`, `TooManyApps`.
        """
        creator_id = service_account_id or account_id
        of_account = self.directory.get_owner(creator_id).external_ids

        def attempt() -> Owner:
            owner_id = new_app_id(account_id, service_account_id)
            now = self._now()
            owner = Owner(
                OwnerType.APP, owner_id, display_name, now, settings, metadata, of_account
            )
            self.directory.add_app(owner, self.max_apps_per_creator, self.caller)
            return owner

        app = _with_free_id(attempt)
        self._record(Change(Action.APP_CREATED, app.owner_id, after=app))
        return app

    def create_named_app(
        self,
        account_id: str,
        display_name: str,
        request: KeyRequest | None = None,
        name: ExternalName | None = None,
    ) -> tuple[Owner, CreatedKey | None]:
        """Create an app of an account, and its first key if one is requested, all or nothing.

        Raises `OwnerNotFound`, `TooManyApps`, `ExternalIdTaken`.
        """
        external_ids = self.directory.get_owner(account_id).external_ids._replace(
            app=None if name is None else name.external_id
        )
        client_token = None if name is None else name.client_token

        def attempt() -> tuple[Owner, CreatedKey | None]:
            app = Owner(
                OwnerType.APP,
                new_app_id(account_id, None),
                display_name,
                self._now(),
                external_ids=external_ids,
            )
            limit = self.max_apps_per_creator
            if request is None:
                self.directory.add_app(app, limit, self.caller, None, client_token)
                return app, None
            created, record = self._new_key(app, request)
            first_key = created.key, record
            self.directory.add_app(app, limit, self.caller, first_key, client_token)
            return app, created

        app, created = _with_free_id(attempt)
        self._record(Change(Action.APP_CREATED, app.owner_id, after=app))
        if created is not None:
            self._record(_key_change(Action.KEY_CREATED, app.owner_id, None, created.key))
        return app, created

    def find_owner(self, owner_type: OwnerType, name: ExternalName) -> NamedOwner:
        """Return the account or the app with an external id; raises `OwnerNotFound`."""
        return find_named_owner(
            owner_type, name, self.directory, lambda key: self.last_uses([key])[key.key_id]
        )

    def replace_lost_key(
        self, owner_type: OwnerType, name: ExternalName, secret_generation: int
    ) -> tuple[Owner, CreatedKey]:
        """Give a lost key a new secret, unless it has another generation than the caller saw.

        So a request that arrives late does not revoke the secret that a later one returned. Raises
        `OwnerNotFound`, `KeyNotFound`, `KeyExpired`, `ChangedMeanwhile`.
        """

        def check(key: Key) -> None:
            if key.secret_generation != secret_generation:
                raise ChangedMeanwhile

        found = self.find_owner(owner_type, name)
        if found.lost_key is None:
            raise KeyNotFound
        owner_id = found.owner.owner_id
        return found.owner, self.rotate_key(owner_id, found.lost_key.key_id, 0, check)

    def get_owner(self, owner_id: str) -> Owner:
        """Return an account, a service account or an app; raises `OwnerNotFound`."""
        return self.directory.get_owner(owner_id)

    def list_apps(self, creator_id: str, position: Position, size: int) -> Page:
        """Return up to `size` apps of an account, or of a service account, ordered by id."""
        return self.directory.list_owners(OwnerType.APP, creator_id, position, size)

    def list_service_accounts(self, account_id: str, position: Position, size: int) -> Page:
        """Return up to `size` service accounts of an account, ordered by id."""
        return self.directory.list_owners(OwnerType.SERVICE_ACCOUNT, account_id, position, size)

    def update_owner(self, owner_id: str, change: Callable[[Owner], Owner]) -> Owner:
        """Change an app or a service account; raises `OwnerNotFound`, `NameTaken`."""
        _refuse_account(owner_id)
        before, after = self.directory.update_owner(owner_id, change, self.caller)
        if after != before:
            self._record(Change(_UPDATED[after.owner_type], owner_id, before, after))
        return after

    def delete_owner(self, owner_id: str) -> None:
        """Delete an app or a service account, and revoke its keys at once.

        Raises `OwnerNotFound`, `OwnsApps`.
        """
        _refuse_account(owner_id)
        if self._owns_apps(self.directory.get_owner(owner_id)):
            raise OwnsApps
        self._delete(owner_id)

    def delete_account(self, account_id: str) -> None:
        """Delete an account that has neither apps nor service accounts, and revoke its keys.

        Raises `OwnerNotFound`, `OwnsApps`, `OwnsServiceAccounts`.
        """
        account = self.directory.get_account(account_id)
        if account.app_count:
            raise OwnsApps
        if account.service_account_count:
            raise OwnsServiceAccounts
        self._delete(account_id)

    def _delete(self, owner_id: str) -> None:
        self.policies.flush_in_any_case()
        now = self._now()
        owner, keys = self.directory.delete_owner(owner_id, now, self.caller)
        self.policies.flush()
        self._record(
            *(_revocation(owner_id, key, now) for key in keys),
            Change(_DELETED[owner.owner_type], owner_id, before=owner),
        )

    def create_key(self, owner_type: OwnerType, owner_id: str, request: KeyRequest) -> CreatedKey:
        """Create a key of an owner; raises `OwnerNotFound`, `TooManyKeys`."""
        owner = self.directory.get_owner(owner_id)
        if owner.owner_type is not owner_type:
            raise OwnerNotFound

        def attempt() -> CreatedKey:
            created, record = self._new_key(owner, request)
            self.directory.add_key(created.key, record, self.caller)
            return created

        created = _with_free_id(attempt)
        self._record(_key_change(Action.KEY_CREATED, owner_id, None, created.key))
        return created

    def get_key(self, owner_id: str, key_id: str) -> Key:
        """Return a key that counts toward an owner's limit of ten.

        Raises `OwnerNotFound`, `KeyNotFound`.
        """
        return self.directory.get_key(owner_id, key_id)

    def list_keys(self, owner_id: str) -> Sequence[Key]:
        """Return the keys that count toward an owner's limit of ten, oldest first.

        Raises `OwnerNotFound`.
        """
        return self.directory.list_keys(owner_id)

    def list_former_keys(self, owner_id: str) -> Sequence[Key]:
        """Return the revoked keys of an owner, and the expired ones that made room for others."""
        now, over = self.clock(), {KeyState.EXPIRED, KeyState.REVOKED}
        former = self.directory.list_former_keys(owner_id)
        # The list may lag, and show a key as it was before it was revoked.
        return [key for key in former if key.state(now) in over]

    def update_key(self, owner_id: str, key_id: str, change: Callable[[Key], Key]) -> Key:
        """Change the name, expiry, networks or state of a key.

        Raises `OwnerNotFound`, `KeyNotFound`.
        """
        self.directory.get_key(owner_id, key_id)
        before, after = self._update_key(owner_id, key_id, change)
        if after != before:
            self._record(_key_change(Action.KEY_UPDATED, owner_id, before, after))
        return after

    def set_usage_identifier_key(self, key_id: str, usage_identifier_key: str | None) -> Key:
        """Choose the API Gateway key whose usage plan throttles a key of any owner.

        `None` removes the key from its plan. Raises `KeyNotFound`.
        """
        owner_id = self.directory.find_key(key_id).owner_id
        try:
            return self.update_key(
                owner_id,
                key_id,
                lambda key: replace(key, usage_identifier_key=usage_identifier_key),
            )
        except OwnerNotFound:
            # The owner was deleted in the meantime, and its keys with it.
            raise KeyNotFound from None

    def rotate_key(
        self,
        owner_id: str,
        key_id: str,
        overlap_seconds: int,
        check: Callable[[Key], None] = lambda _key: None,
    ) -> CreatedKey:
        """Give a key a new secret; the old one is accepted for an overlap of 0 seconds or more.

        Only an overlap of 0 may end an overlap that is still running. `check` may refuse the key as
        it is at that moment. A disabled key stays disabled.

        Raises `OwnerNotFound`, `KeyNotFound`, `KeyExpired`, `OverlapRunning`, `ChangedMeanwhile`.
        """
        self.directory.get_key(owner_id, key_id)
        secret = new_secret(key_id)
        sealed = NewSecret(hash_secret(secret), self.sealer.seal(key_id, secret))

        def rotate(key: Key) -> Key:
            check(key)
            now = self._now()
            if key.state(now) is KeyState.EXPIRED:
                raise KeyExpired
            if overlap_seconds and key.has_overlap(now):
                raise OverlapRunning
            ends_at = now + overlap_seconds if overlap_seconds else None
            return replace(
                key,
                rotated_at=now,
                previous_ends_at=ends_at,
                secret_generation=key.secret_generation + 1,
            )

        before, after = self._update_key(owner_id, key_id, rotate, sealed)
        self._record(_key_change(Action.KEY_ROTATED, owner_id, before, after))
        return CreatedKey(after, secret)

    def end_overlap(
        self, owner_id: str, key_id: str, check: Callable[[Key], None] = lambda _key: None
    ) -> Key:
        """Stop accepting the key's previous secret at once.

        `check` may refuse the key as it is at that moment. Raises `OwnerNotFound`, `KeyNotFound`.
        """

        def end(key: Key) -> Key:
            check(key)
            return replace(key, previous_ends_at=None)

        self.directory.get_key(owner_id, key_id)
        before, after = self._update_key(owner_id, key_id, end)
        if before.has_overlap(self._now()):
            self._record(_key_change(Action.KEY_OVERLAP_ENDED, owner_id, before, after))
        return after

    def revoke_key(self, owner_id: str, key_id: str) -> None:
        """Revoke a key of an owner at once; raises `KeyNotFound`."""
        self.policies.flush_in_any_case()
        now = self._now()
        before = self.directory.revoke_key(owner_id, key_id, now, self.caller)
        self.policies.flush()
        if before.revoked_at is None:
            self._record(_revocation(owner_id, before, now))

    def end_own_secret(self, proven: ProvenKey) -> None:
        """Revoke the caller's own key, or end only the overlap if its secret is the previous one.

        Ending it again changes nothing. Raises `Forbidden` when the key's limits do not allow its
        use.
        """
        itself = replace(self, actor=replace(self.actor, itself=True))
        # It needs no permission, so one that the key has lost since does not count.
        proven = replace(proven, permissions=())
        while (seen := self._find_secret(proven)) is not None:
            owner_id, secret = seen
            try:
                operations, _ = itself.on_behalf_of(replace(proven, only=secret))
                match secret:
                    case ProvenSecret.CURRENT:
                        operations.revoke_key(owner_id, proven.key_id)
                    case ProvenSecret.PREVIOUS:
                        operations.end_overlap(owner_id, proven.key_id)
                    case _:
                        assert_never(secret)
            except (Forbidden, NotFound):
                # A secret that another change replaced or ended meanwhile is looked at again.
                if self._find_secret(proven) == seen:
                    raise
            else:
                return

    def _find_secret(self, proven: ProvenKey) -> tuple[str, ProvenSecret] | None:
        """Return the key's owner, and which of its secrets was proven; `None` if it has ended."""
        try:
            found = self.directory.find_key(proven.key_id)
        except KeyNotFound:
            return None
        secret = found.key.standing.accepted(proven.secret_generation, self.clock())
        return None if secret is None else (found.owner_id, secret)

    def _owns_apps(self, owner: Owner) -> bool:
        if owner.owner_type is not OwnerType.SERVICE_ACCOUNT:
            return False
        return bool(self.list_apps(owner.owner_id, After(), 1).owners)

    def _update_key(
        self,
        owner_id: str,
        key_id: str,
        change: Callable[[Key], Key],
        secret: NewSecret | None = None,
    ) -> tuple[Key, Key]:
        """Change a key, and flush policies unless only its name changes."""
        promised = False

        def promising(key: Key) -> Key:
            nonlocal promised
            after = _with_overlap_within_expiry(change(key))
            # The write applies only to the exact key seen here; otherwise this is called again.
            reaches_policies = secret is not None or _unnamed(after) != _unnamed(key)
            if reaches_policies and not promised:
                self.policies.flush_in_any_case()
                promised = True
            return after

        before_and_after = self.directory.update_key(
            owner_id, key_id, promising, secret, self.caller
        )
        if promised:
            self.policies.flush()
        return before_and_after

    def _new_key(self, owner: Owner, request: KeyRequest) -> tuple[CreatedKey, KeyRecord]:
        owner_type, owner_id = owner.owner_type, owner.owner_id
        integration_id = request.integration_id
        key_id = new_key_id(owner_type, None if integration_id is None else IdName.INTEGRATION)
        secret = new_secret(key_id)
        key = Key(
            key_id,
            self._now(),
            request.display_name,
            request.limits,
            integration_id=integration_id,
            usage_identifier_key=request.usage_identifier_key,
            external_ids=owner.external_ids,
        )
        record = KeyRecord(
            key_id=key_id,
            owner_type=owner_type,
            owner_id=owner_id,
            secret_hash=hash_secret(secret),
            secret_ciphertext=self.sealer.seal(key_id, secret),
            limits=request.limits,
            usage_identifier_key=request.usage_identifier_key,
            integration_id=integration_id,
            external_ids=owner.external_ids,
        )
        return CreatedKey(key, secret), record

    def _record(self, *changes: Change) -> None:
        now = self._now()
        self.audit_trail.record([AuditEvent(change, self.actor, now) for change in changes])

    def _now(self) -> int:
        return int(self.clock())


def _unnamed(key: Key) -> Key:
    """Return what may affect a policy: everything of a key except its name."""
    return replace(key, display_name=None)


def _with_overlap_within_expiry(key: Key) -> Key:
    """Return the key with an overlap that ends no later than the key itself.

    So what was once said about the end of a previous secret stays true if the key's expiry moves.
    """
    overlap, expiry = key.previous_ends_at, key.limits.expires_at
    if overlap is None or expiry is None:
        return key
    return replace(key, previous_ends_at=min(overlap, expiry))


def _key_change(action: Action, owner_id: str, before: Key | None, after: Key) -> Change:
    return Change(action, owner_id, before, after, after.key_id)


def _revocation(owner_id: str, key: Key, now: int) -> Change:
    after = replace(key, revoked_at=now, usage_identifier_key=None)
    return _key_change(Action.KEY_REVOKED, owner_id, key, after)


def _refuse_account(owner_id: str) -> None:
    """Raise `OwnerNotFound` for an account, which only the operator changes and deletes."""
    if is_account_id(owner_id):
        raise OwnerNotFound


def _with_free_id(attempt: Callable[[], _T]) -> _T:
    for _ in range(_MAX_ID_COLLISIONS):
        try:
            return attempt()
        except IdTaken:
            continue
    raise Unavailable(Reason.KEY_STORE_UNAVAILABLE, "no free id was found")
