"""A directory in memory, for tests of what stands above it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from keyscope.lifecycle.audit import AuditEvent
from keyscope.lifecycle.caller import Caller, Iam, JudgedKey
from keyscope.lifecycle.directory import (
    FoundKey,
    Key,
    KeyNotFound,
    NewSecret,
    Owner,
    OwnerNotFound,
    Page,
    Position,
)
from keyscope.lifecycle.operations import Provisioning
from keyscope.model.ids import OwnerType, account_id_of, creator_of_app
from keyscope.model.key_record import KeyRecord

MAX_APPS = 1_000


@dataclass
class MemoryDirectory:
    """Owners and their keys; `asked` names the calls that were made, `listed` what was listed.

    `app_limits` are the limits that new apps were created under.

    It holds no limits and no names: the table's own tests do.
    """

    owners: dict[str, Owner] = field(default_factory=dict)
    keys: dict[str, dict[str, Key]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    listed: list[tuple[OwnerType, str, Position, int]] = field(default_factory=list)
    app_limits: list[int] = field(default_factory=list)

    def hold(self, owner: Owner, *keys: Key) -> None:
        """Hold an owner with its keys from the start."""
        self.owners[owner.owner_id] = owner
        self.keys[owner.owner_id] = {key.key_id: key for key in keys}

    def add_account(self, account: Owner, key: Key, record: KeyRecord, caller: Caller, /) -> None:
        self.asked.append("add_account")
        del record, caller
        self.hold(account, key)

    def add_service_account(self, service_account: Owner, caller: Caller, /) -> None:
        self.asked.append("add_service_account")
        check_time(caller)
        self._owner(account_id_of(service_account.owner_id))
        self.hold(service_account)

    def add_app(self, app: Owner, max_apps: int, caller: Caller, /) -> None:
        self.asked.append("add_app")
        check_time(caller)
        self.app_limits.append(max_apps)
        self._owner(creator_of_app(app.owner_id))
        self.hold(app)

    def get_owner(self, owner_id: str, /) -> Owner:
        self.asked.append("get_owner")
        return self._owner(owner_id)

    def list_owners(
        self, owner_type: OwnerType, creator_id: str, position: Position, size: int, /
    ) -> Page:
        self.asked.append("list_owners")
        self.listed.append((owner_type, creator_id, position, size))
        found = [
            owner
            for owner_id, owner in sorted(self.owners.items())
            if owner.owner_type is owner_type and owner_id.startswith(creator_id)
        ]
        return Page(found[:size], has_more=len(found) > size)

    def update_owner(
        self, owner_id: str, change: Callable[[Owner], Owner], caller: Caller, /
    ) -> tuple[Owner, Owner]:
        self.asked.append("update_owner")
        check_time(caller)
        before = self._owner(owner_id)
        self.owners[owner_id] = change(before)
        return before, self.owners[owner_id]

    def delete_owner(
        self, owner_id: str, now: int, caller: Caller, /
    ) -> tuple[Owner, Sequence[Key]]:
        self.asked.append("delete_owner")
        check_time(caller)
        del now
        owner = self._owner(owner_id)
        del self.owners[owner_id]
        return owner, list(self.keys.pop(owner_id).values())

    def add_key(self, key: Key, record: KeyRecord, caller: Caller, /) -> None:
        self.asked.append("add_key")
        check_time(caller)
        self._owner(record.owner_id)
        self.keys[record.owner_id][key.key_id] = key

    def get_key(self, owner_id: str, key_id: str, /) -> Key:
        self.asked.append("get_key")
        self._owner(owner_id)
        return self._key(owner_id, key_id)

    def find_key(self, key_id: str, /) -> FoundKey:
        self.asked.append("find_key")
        for owner_id, keys in self.keys.items():
            if key_id in keys and keys[key_id].revoked_at is None:
                return FoundKey(owner_id, keys[key_id], 0)
        raise KeyNotFound

    def list_keys(self, owner_id: str, /) -> Sequence[Key]:
        self.asked.append("list_keys")
        self._owner(owner_id)
        return list(self.keys[owner_id].values())

    def list_former_keys(self, owner_id: str, /) -> Sequence[Key]:
        self.asked.append("list_former_keys")
        self._owner(owner_id)
        return []

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
        check_time(caller)
        del secret
        before = self._key(owner_id, key_id)
        self.keys[owner_id][key_id] = change(before)
        return before, self.keys[owner_id][key_id]

    def revoke_key(self, owner_id: str, key_id: str, now: int, caller: Caller, /) -> Key:
        self.asked.append("revoke_key")
        check_time(caller)
        before = self._key(owner_id, key_id)
        self.keys[owner_id][key_id] = replace(before, revoked_at=now)
        return before

    def _owner(self, owner_id: str) -> Owner:
        if owner_id not in self.owners:
            raise OwnerNotFound
        return self.owners[owner_id]

    def _key(self, owner_id: str, key_id: str) -> Key:
        key = self.keys.get(owner_id, {}).get(key_id)
        if key is None or key.revoked_at is not None:
            raise KeyNotFound
        return key


def check_time(caller: Caller) -> None:
    """Refuse a caller whose key is over by now, as every directory does before it writes."""
    match caller:
        case Iam():
            pass
        case JudgedKey():
            caller.check_time()
        case _:
            assert_never(caller)


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
            self.directory, PlainSealer(), self.flushes, self.trail, self.clock, MAX_APPS
        )
