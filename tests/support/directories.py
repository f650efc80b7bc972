"""A directory in memory, for tests of its callers."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import assert_never

from keyscope.lifecycle.account import (
    Account,
    AccountPage,
    ListedAccount,
    Marking,
    begun,
)
from keyscope.lifecycle.audit import AuditEvent
from keyscope.lifecycle.caller import Caller, Iam, JudgedKey
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    REVOKED_RECORD_SECONDS,
    AccountSuspended,
    After,
    Before,
    ChangedMeanwhile,
    ExternalIdTaken,
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
    OwnsServiceAccounts,
    Page,
    Position,
    Reservation,
    TooManyApps,
    TooManyKeys,
    judge,
    reservation_for,
)
from keyscope.lifecycle.key_use import LastUses
from keyscope.lifecycle.operations import Provisioning
from keyscope.model.external_ids import folded
from keyscope.model.ids import OwnerType, account_id_of, creator_of_app
from keyscope.model.key_record import KeyRecord, PreviousSecret
from keyscope_local.tour.seed import NoUses
from tests.support.builders import make_key
from tests.support.stores import MemoryKeyStore

MAX_APPS = 1_000


@dataclass(frozen=True)
class StoredKey:
    """A key of an owner, and its record as authorizers read it.

    `revision` counts changes; a key without `has_place` does not count among its owner's ten.
    """

    owner_id: str
    key: Key
    record: KeyRecord
    revision: int = 0
    has_place: bool = True


@dataclass
class MemoryDirectory:
    """An `OperatorsDirectory` for one thread, held to the same contract as the tables.

    Authorizers read `records`. `asked` names the calls that were made, `listed` what was listed,
    `app_limits` the limits that new apps were created under. Accounts that were suspended or have a
    limit of their own are in `accounts`, and in `unmarked` the owners whose keys await their marks.
    """

    owners: dict[str, Owner] = field(default_factory=dict)
    keys: dict[str, StoredKey] = field(default_factory=dict)
    records: MemoryKeyStore = field(default_factory=MemoryKeyStore)
    asked: list[str] = field(default_factory=list)
    listed: list[tuple[OwnerType, str, Position, int]] = field(default_factory=list)
    app_limits: list[int] = field(default_factory=list)
    reservations: dict[tuple[OwnerType, str], Reservation] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    unmarked: dict[str, list[str]] = field(default_factory=dict)

    def hold(self, owner: Owner, *keys: Key) -> None:
        """Hold an owner with its keys from the start."""
        self.owners[owner.owner_id] = owner
        for key in keys:
            record = make_key(owner.owner_type, owner_id=owner.owner_id).record
            ends_at = key.previous_ends_at
            previous = None if ends_at is None else PreviousSecret(b"h" * 32, b"sealed", ends_at)
            record = replace(record, key_id=key.key_id, previous=previous)
            self._put(StoredKey(owner.owner_id, key, _changed(record, key, None)))

    def change_key(self, key_id: str, change: Callable[[Key], Key]) -> None:
        """Change a key as another caller does who may change anything."""
        seen = self.keys[key_id]
        self._put(_next(seen, change(seen.key), seen.record))

    def clear_away(self, key_id: str) -> None:
        """Delete a key's record, as DynamoDB does once it has expired."""
        del self.keys[key_id], self.records.records[key_id]

    def add_account(
        self,
        account: Owner,
        key: Key,
        record: KeyRecord,
        caller: Caller,
        /,
        client_token: str | None = None,
    ) -> None:
        self.asked.append("add_account")
        self._check(caller)
        self._check_external_id(account)
        if account.owner_id in self.owners or key.key_id in self.keys:
            raise IdTaken
        self._reserve(reservation_for(account, key.key_id, client_token))
        self.owners[account.owner_id] = account
        self._put(StoredKey(account.owner_id, key, record))

    def add_service_account(self, service_account: Owner, caller: Caller, /) -> None:
        self.asked.append("add_service_account")
        self._check(caller)
        self._owner(account_id_of(service_account.owner_id))
        self._check_account(service_account.owner_id)
        if service_account.owner_id in self.owners:
            raise IdTaken
        self._check_name(service_account)
        self.owners[service_account.owner_id] = service_account

    def add_app(
        self,
        app: Owner,
        max_apps: int,
        caller: Caller,
        /,
        first_key: tuple[Key, KeyRecord] | None = None,
        client_token: str | None = None,
    ) -> None:
        self.asked.append("add_app")
        self.app_limits.append(max_apps)
        self._check(caller)
        creator_id = creator_of_app(app.owner_id)
        self._check_account(creator_id)
        self._owner(creator_id)
        account = self.accounts.get(account_id_of(creator_id))
        most = max_apps if account is None or account.max_apps is None else account.max_apps
        if self._number_of_apps(creator_id) >= most:
            raise TooManyApps(most)
        self._check_external_id(app)
        key_id = None if first_key is None else first_key[0].key_id
        if app.owner_id in self.owners or key_id in self.keys:
            raise IdTaken
        self._reserve(reservation_for(app, key_id, client_token))
        self.owners[app.owner_id] = app
        if first_key is not None:
            self._put(StoredKey(app.owner_id, *first_key))

    def find_external_id(self, owner_type: OwnerType, external_id: str, /) -> Reservation:
        self.asked.append("find_external_id")
        try:
            return self.reservations[owner_type, folded(external_id)]
        except KeyError:
            raise OwnerNotFound from None

    def get_owner(self, owner_id: str, /) -> Owner:
        self.asked.append("get_owner")
        return self._with_key_count(self._owner(owner_id))

    def list_owners(
        self, owner_type: OwnerType, creator_id: str, position: Position, size: int, /
    ) -> Page:
        self.asked.append("list_owners")
        self.listed.append((owner_type, creator_id, position, size))
        found = [
            self._with_key_count(owner)
            for owner_id, owner in sorted(self.owners.items())
            if owner.owner_type is owner_type and owner_id.startswith(creator_id)
        ]
        match position:
            case After(owner_id):
                rest = [owner for owner in found if owner_id is None or owner.owner_id > owner_id]
            case Before(owner_id):
                rest = [owner for owner in found if owner.owner_id < owner_id]
                return Page(rest[max(0, len(rest) - size) :], has_more=len(rest) > size)
            case Offset(skipped):
                rest = found[skipped:]
            case _:
                assert_never(position)
        return Page(rest[:size], has_more=len(rest) > size)

    def update_owner(
        self, owner_id: str, change: Callable[[Owner], Owner], caller: Caller, /
    ) -> tuple[Owner, Owner]:
        self.asked.append("update_owner")
        while True:
            before = self._owner(owner_id)
            after = change(before)
            shown = self._with_key_count(before), self._with_key_count(after)
            if after == before:
                return shown
            self._check(caller)
            # `change` may have changed the owner itself, as another caller does.
            if self.owners.get(owner_id) is before:
                self._check_name(after)
                self.owners[owner_id] = after
                return shown

    def delete_owner(
        self, owner_id: str, now: int, caller: Caller, /
    ) -> tuple[Owner, Sequence[Key]]:
        self.asked.append("delete_owner")
        self._deletable(owner_id)
        self._check(caller)
        # What another caller did during the check counts.
        owner, live = self._deletable(owner_id)
        for stored in live:
            self._put(_ended(stored, now))
        del self.owners[owner_id]
        self.accounts.pop(owner_id, None)
        return owner, [stored.key for stored in live]

    def add_key(self, key: Key, record: KeyRecord, caller: Caller, /) -> None:
        self.asked.append("add_key")
        self._check(caller)
        self._owner(record.owner_id)
        self._check_account(record.owner_id)
        live = self._live(record.owner_id)
        if len(live) >= MAX_KEYS_PER_OWNER:
            expired = [it for it in live if it.key.state(key.created_at) is KeyState.EXPIRED]
            if not expired:
                raise TooManyKeys
            for stored in expired:
                self._put(replace(stored, has_place=False))
        if key.key_id in self.keys:
            raise IdTaken
        self._put(StoredKey(record.owner_id, key, record))

    def get_key(self, owner_id: str, key_id: str, /) -> Key:
        self.asked.append("get_key")
        self._owner(owner_id)
        stored = self._unrevoked(owner_id, key_id)
        if not stored.has_place:
            raise KeyNotFound
        return stored.key

    def find_key(self, key_id: str, /) -> FoundKey:
        self.asked.append("find_key")
        stored = self.keys.get(key_id)
        if stored is None or stored.key.revoked_at is not None:
            raise KeyNotFound
        return FoundKey(stored.owner_id, stored.key, stored.revision)

    def list_keys(self, owner_id: str, /) -> Sequence[Key]:
        self.asked.append("list_keys")
        self._owner(owner_id)
        return [stored.key for stored in self._live(owner_id)]

    def list_former_keys(self, owner_id: str, /) -> Sequence[Key]:
        self.asked.append("list_former_keys")
        self._owner(owner_id)
        return [stored.key for stored in self._stored(owner_id) if not stored.has_place]

    def update_key(
        self,
        owner_id: str,
        key_id: str,
        change: Callable[[Key], Key],
        secret: NewSecret | None,
        caller: Caller,
        /,
    ) -> tuple[Key, Key]:
        self.asked.append("update_key")
        while True:
            seen = self._unrevoked(owner_id, key_id)
            after = change(seen.key)
            if after == seen.key and secret is None:
                return seen.key, after
            self._check(caller)
            now = self.keys.get(key_id)
            if now is None or not now.has_place:
                raise KeyNotFound
            is_enabled = (
                seen.key.limits.disabled_at is not None and after.limits.disabled_at is None
            )
            if secret is not None or is_enabled:
                self._check_account(owner_id)
            if now.revision == seen.revision:
                self._put(_next(seen, after, _changed(seen.record, after, secret)))
                return seen.key, after
            if secret is not None:
                raise ChangedMeanwhile

    def revoke_key(self, owner_id: str, key_id: str, now: int, caller: Caller, /) -> Key:
        self.asked.append("revoke_key")
        while True:
            stored = self.keys.get(key_id)
            if stored is None or stored.owner_id != owner_id:
                raise KeyNotFound
            if stored.key.revoked_at is not None:
                return stored.key
            self._check(caller)
            if owner_id not in self.owners:
                raise KeyNotFound
            if self.keys.get(key_id) is stored:
                self._put(_ended(stored, now))
                return stored.key

    def _check_external_id(self, owner: Owner) -> None:
        if (owner.owner_type, folded(owner.external_id or "")) in self.reservations:
            raise ExternalIdTaken

    def _reserve(self, reservation: Reservation | None) -> None:
        if reservation is not None:
            place = reservation.owner_type, folded(reservation.external_id)
            self.reservations[place] = reservation

    def get_account(self, account_id: str, /) -> Account:
        owner = self._owner(account_id)
        robots = self._owners_of(OwnerType.SERVICE_ACCOUNT, account_id)
        return replace(
            self.accounts.get(account_id, Account(owner)),
            owner=owner,
            app_count=self._number_of_apps(account_id),
            service_account_count=len(robots),
        )

    def list_accounts(self, after: str | None, size: int, /) -> AccountPage:
        found = [
            ListedAccount(owner, self.get_account(owner_id).suspension)
            for owner_id, owner in sorted(self.owners.items())
            if owner.owner_type is OwnerType.ACCOUNT and owner_id > (after or "")
        ]
        return AccountPage(found[:size], has_more=len(found) > size)

    def begin_marking(
        self, account_id: str, marking: Marking, now: int, /
    ) -> tuple[Account, Account]:
        self.asked.append("begin_marking")
        before = self.get_account(account_id)
        after = begun(before, marking, now)
        if after != before:
            robots = self._owners_of(OwnerType.SERVICE_ACCOUNT, account_id)
            apps = self._owners_of(OwnerType.APP, account_id)
            self.unmarked[account_id] = [account_id, *robots, *apps]
            self.accounts[account_id] = after
        return before, after

    def mark_next_keys(self, account_id: str, /) -> Account:
        self.asked.append("mark_next_keys")
        account = self.get_account(account_id)
        suspension = account.suspension
        if suspension is None or suspension.marking is None:
            return account
        resumes = suspension.marking is Marking.RESUMING
        if not self.unmarked[account_id]:
            ended = None if resumes else replace(suspension, marking=None)
            self.accounts[account_id] = replace(account, suspension=ended)
            return self.get_account(account_id)
        mark = None if resumes else suspension.suspended_at
        changed = [
            stored
            for stored in self._live(self.unmarked[account_id].pop(0))
            if (stored.key.suspended_at is None) is (mark is not None)
        ]
        for stored in changed:
            key = replace(stored.key, suspended_at=mark)
            self._put(_next(stored, key, replace(stored.record, suspended_at=mark)))
        marked = suspension.marked_keys + len(changed)
        self.accounts[account_id] = replace(
            account, suspension=replace(suspension, marked_keys=marked)
        )
        return self.get_account(account_id)

    def set_max_apps(self, account_id: str, max_apps: int | None, /) -> tuple[Account, Account]:
        self.asked.append("set_max_apps")
        before = self.get_account(account_id)
        self.accounts[account_id] = replace(before, max_apps=max_apps)
        return before, self.get_account(account_id)

    def _check_account(self, owner_id: str) -> None:
        """Refuse to create, rotate or enable what belongs to a suspended account."""
        account = self.accounts.get(account_id_of(owner_id))
        if account is not None and account.suspension is not None:
            raise AccountSuspended

    def _owners_of(self, owner_type: OwnerType, account_id: str) -> list[str]:
        return sorted(
            owner_id
            for owner_id, owner in self.owners.items()
            if owner.owner_type is owner_type and account_id_of(owner_id) == account_id
        )

    def _check(self, caller: Caller) -> None:
        """Refuse a caller whose key is no longer good, as every directory does before it writes."""
        match caller:
            case Iam():
                pass
            case JudgedKey():
                caller.check_time()
                stored = self.keys.get(caller.proven.key_id)
                if stored is None or stored.revision != caller.revision:
                    judge(self.find_key, caller.proven, caller.clock)
            case _:
                assert_never(caller)

    def _check_name(self, owner: Owner) -> None:
        if owner.owner_type is OwnerType.SERVICE_ACCOUNT and any(
            other.owner_type is OwnerType.SERVICE_ACCOUNT
            and other.owner_id != owner.owner_id
            and account_id_of(other.owner_id) == account_id_of(owner.owner_id)
            and other.display_name == owner.display_name
            for other in self.owners.values()
        ):
            raise NameTaken

    def _number_of_apps(self, creator_id: str) -> int:
        return sum(
            owner.owner_type is OwnerType.APP and creator_of_app(owner_id) == creator_id
            for owner_id, owner in self.owners.items()
        )

    def _owner(self, owner_id: str) -> Owner:
        if owner_id not in self.owners:
            raise OwnerNotFound
        return self.owners[owner_id]

    def _with_key_count(self, owner: Owner) -> Owner:
        return replace(owner, key_count=len(self._live(owner.owner_id)))

    def _deletable(self, owner_id: str) -> tuple[Owner, list[StoredKey]]:
        owner = self._owner(owner_id)
        if self._number_of_apps(owner_id):
            raise OwnsApps
        if self._owners_of(OwnerType.SERVICE_ACCOUNT, owner_id):
            raise OwnsServiceAccounts
        return owner, self._live(owner_id)

    def _unrevoked(self, owner_id: str, key_id: str) -> StoredKey:
        stored = self.keys.get(key_id)
        if stored is None or stored.owner_id != owner_id or stored.key.revoked_at is not None:
            raise KeyNotFound
        return stored

    def _live(self, owner_id: str) -> list[StoredKey]:
        return [stored for stored in self._stored(owner_id) if stored.has_place]

    def _stored(self, owner_id: str) -> list[StoredKey]:
        """Return an owner's keys, the oldest first."""
        found = [stored for stored in self.keys.values() if stored.owner_id == owner_id]
        return sorted(found, key=lambda stored: (stored.key.created_at, stored.key.key_id))

    def _put(self, stored: StoredKey) -> None:
        self.keys[stored.key.key_id] = stored
        self.records.hold(stored.record)


def _next(seen: StoredKey, key: Key, record: KeyRecord) -> StoredKey:
    return replace(seen, key=key, record=record, revision=seen.revision + 1)


def _changed(record: KeyRecord, after: Key, secret: NewSecret | None) -> KeyRecord:
    """Return the record of a key after a change."""
    previous = record.previous
    if after.previous_ends_at is None:
        previous = None
    elif secret is not None:
        previous = PreviousSecret(
            record.secret_hash, record.secret_ciphertext, after.previous_ends_at
        )
    elif previous is not None:
        previous = replace(previous, ends_at=after.previous_ends_at)
    now = record if secret is None else replace(record, **asdict(secret))
    return replace(
        now,
        limits=after.limits,
        previous=previous,
        secret_generation=after.secret_generation,
        usage_identifier_key=after.usage_identifier_key,
    )


def _ended(stored: StoredKey, now: int) -> StoredKey:
    """Return a key revoked, without a place; its record is cleared away later."""
    key, record = stored.key, stored.record
    revoked = replace(
        key,
        limits=key.limits._replace(expires_at=None),
        revoked_at=now,
        previous_ends_at=None,
        usage_identifier_key=None,
    )
    limits = record.limits._replace(expires_at=now + REVOKED_RECORD_SECONDS)
    ended = _next(stored, revoked, replace(record, limits=limits, revoked_at=now))
    return replace(ended, has_place=False)


class PlainSealer:
    """Seals nothing."""

    def seal(self, key_id: str, secret: str, /) -> bytes:
        del key_id
        return secret.encode()


@dataclass
class NotedFlushes:
    """What was asked of the cached policies."""

    promised: int = 0
    asked: int = 0

    def flush_in_any_case(self) -> None:
        self.promised += 1

    def flush(self) -> None:
        self.asked += 1


@dataclass
class NotedEvents:
    """An audit trail to look at."""

    events: list[AuditEvent] = field(default_factory=list)

    def record(self, events: Sequence[AuditEvent], /) -> None:
        self.events += events


@dataclass
class Operations:
    """The operations over a directory in memory, and all that they leave behind."""

    clock: Callable[[], float]
    directory: MemoryDirectory = field(default_factory=MemoryDirectory)
    flushes: NotedFlushes = field(default_factory=NotedFlushes)
    trail: NotedEvents = field(default_factory=NotedEvents)

    def provisioning(self) -> Provisioning:
        return Provisioning(
            self.directory,
            PlainSealer(),
            self.flushes,
            self.trail,
            LastUses(NoUses(), sees_all=True, report=lambda _: None),
            self.clock,
            MAX_APPS,
        )
