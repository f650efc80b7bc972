"""The provisioning function's JSON: from a request to an operation, and to its answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar, assert_never

from keyscope.errors import MAX_FAULTS, Fault, InvalidInput
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    Key,
    KeyNotFound,
    OwnerNotFound,
    TooManyKeys,
)
from keyscope.lifecycle.key_fields import (
    Json,
    present,
    read_display_name,
    read_usage_identifier_key,
    shown_key,
    shown_last_use,
    shown_usage,
)
from keyscope.lifecycle.key_use import LastUse, Unused
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.model.ids import (
    KEY_KINDS,
    OwnerType,
    is_account_id,
    is_key_id,
    owner_type_of_key,
)
from keyscope.model.key_limits import LIMIT_MEMBERS, read_limits

_Given = TypeVar("_Given")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CreateAccount:
    """Create an account with its first key."""

    display_name: str
    key: KeyRequest


@dataclass(frozen=True, slots=True)
class CreateKey:
    """Create a further key of an account."""

    account_id: str
    key: KeyRequest


@dataclass(frozen=True, slots=True)
class ListKeys:
    """List an account's keys."""

    account_id: str


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Revoke a key of an account."""

    account_id: str
    key_id: str


@dataclass(frozen=True, slots=True)
class SetUsageIdentifierKey:
    """Choose the API Gateway key whose usage plan throttles a key of any kind; `None` for none."""

    key_id: str
    usage_identifier_key: str | None = field(repr=False)


Operation = CreateAccount | CreateKey | ListKeys | RevokeKey | SetUsageIdentifierKey

_KEY_MEMBERS = {"displayName", "usageIdentifierKey", *LIMIT_MEMBERS}
_MEMBERS = {
    "createAccount": {"displayName", "key"},
    "createKey": {"accountId", *_KEY_MEMBERS},
    "listKeys": {"accountId"},
    "revokeKey": {"accountId", "keyId"},
    "setUsageIdentifierKey": {"keyId", "usageIdentifierKey"},
}


def read_operation(event: object, now: float) -> Operation:
    """Read a provisioning request. `now` is in seconds since the epoch.

    Raises:
        InvalidInput: with at most `MAX_FAULTS` faults.
    """
    if not isinstance(event, Mapping):
        raise InvalidInput([_bad("", "must be a JSON object with the member 'operation'")])
    name = event.get("operation")
    if not isinstance(name, str) or name not in _MEMBERS:
        raise InvalidInput([_bad("operation", f"must be one of {', '.join(_MEMBERS)}")])
    reader = _Reader(now)
    operation = reader.operation(name, event)
    if reader.faults:
        raise InvalidInput(reader.faults)
    return operation


def carry_out(operation: Operation, provisioning: Provisioning, now: float) -> Json:
    """Carry out an operation and return its answer.

    Raises:
        InvalidInput: when the account or key does not exist, or the account already has ten keys.
        Unavailable: when a table or KMS cannot answer.
    """
    try:
        match operation:
            case CreateAccount(display_name, key):
                account, created = provisioning.create_account(display_name, key)
                shown = {"id": account.owner_id, "displayName": account.display_name}
                return {"account": shown, "key": _shown_once(created, now)}
            case CreateKey(account_id, key):
                created = provisioning.create_key(OwnerType.ACCOUNT, account_id, key)
                return {"key": _shown_once(created, now)}
            case ListKeys(account_id):
                live = provisioning.list_keys(account_id)
                keys = sorted([*live, *provisioning.list_former_keys(account_id)], key=_age)
                last_uses = provisioning.last_uses(keys)
                return {"keys": [_shown(key, now, last_uses[key.key_id]) for key in keys]}
            case RevokeKey(account_id, key_id):
                provisioning.revoke_key(account_id, key_id)
                return {}
            case SetUsageIdentifierKey(key_id, usage_identifier_key):
                changed = provisioning.set_usage_identifier_key(key_id, usage_identifier_key)
                last_uses = provisioning.last_uses([changed])
                return {"key": _shown(changed, now, last_uses[key_id])}
            case _:
                assert_never(operation)
    except OwnerNotFound:
        raise InvalidInput([Fault("not_found", "accountId", "there is no such account")]) from None
    except KeyNotFound:
        raise InvalidInput([Fault("not_found", "keyId", "there is no such key")]) from None
    except TooManyKeys:
        title = f"the account has {MAX_KEYS_PER_OWNER} live keys already; revoke one first"
        raise InvalidInput([Fault("too_many_keys", "accountId", title)]) from None


def shown_faults(invalid: InvalidInput) -> Json:
    """Return the answer to an invalid request."""
    return {
        "errors": [
            {"code": fault.code, "field": fault.field, "title": fault.title}
            for fault in invalid.faults
        ]
    }


def _age(key: Key) -> tuple[int, str]:
    return key.created_at, key.key_id


def _shown_once(created: CreatedKey, now: float) -> Json:
    return {**_shown(created.key, now, Unused.NEVER), "secret": created.secret}


def _shown(key: Key, now: float, last_use: LastUse) -> Json:
    return {
        "id": key.key_id,
        **present({"displayName": key.display_name}),
        **shown_key(key, now),
        **shown_last_use(last_use),
        **shown_usage(key),
    }


def _bad(field: str, title: str) -> Fault:
    return Fault("bad_request", field, title)


class _Reader:
    """Reads the members of a request and collects every fault."""

    def __init__(self, now: float) -> None:
        self._now = now
        self.faults: list[Fault] = []

    def operation(self, name: str, event: Mapping[object, object]) -> Operation:
        self._refuse_unknown(event, _MEMBERS[name] | {"operation"}, "")
        match name:
            case "createAccount":
                return CreateAccount(
                    self._display_name(event, "") or self._missing("displayName"),
                    self._nested_key(event.get("key")),
                )
            case "createKey":
                return CreateKey(self._account_id(event), self._key(event, ""))
            case "listKeys":
                return ListKeys(self._account_id(event))
            case "revokeKey":
                return RevokeKey(self._account_id(event), self._account_key_id(event))
            case _:
                return SetUsageIdentifierKey(self._key_id(event), self._chosen_usage(event))

    def _nested_key(self, value: object) -> KeyRequest:
        if value is None:
            return KeyRequest()
        if not isinstance(value, Mapping):
            self.faults.append(_bad("key", "must be an object"))
            return KeyRequest()
        self._refuse_unknown(value, _KEY_MEMBERS, "key.")
        return self._key(value, "key.")

    def _key(self, members: Mapping[object, object], prefix: str) -> KeyRequest:
        def report(member: str, title: str) -> None:
            self.faults.append(_bad(f"{prefix}{member}", title))

        return KeyRequest(
            display_name=self._display_name(members, prefix),
            limits=read_limits(members, self._now, report),
            usage_identifier_key=self._usage_identifier_key(members, prefix),
        )

    def _display_name(self, members: Mapping[object, object], prefix: str) -> str | None:
        value = members.get("displayName")
        if value is None:
            return None
        return self._read(read_display_name, value, f"{prefix}displayName") or "-"

    def _missing(self, field: str) -> str:
        self.faults.append(_bad(field, "is required"))
        return ""

    def _account_id(self, members: Mapping[object, object]) -> str:
        value = members.get("accountId")
        if isinstance(value, str) and is_account_id(value):
            return value
        self.faults.append(_bad("accountId", "must be an account id: 12 hex characters"))
        return ""

    def _key_id(self, members: Mapping[object, object]) -> str:
        value = members.get("keyId")
        if isinstance(value, str) and is_key_id(value):
            return value
        prefixes = ", ".join(KEY_KINDS)
        title = f"must be a key id: one of {prefixes} and 24 hex characters"
        self.faults.append(_bad("keyId", title))
        return ""

    def _account_key_id(self, members: Mapping[object, object]) -> str:
        key_id = self._key_id(members)
        if key_id and owner_type_of_key(key_id) is not OwnerType.ACCOUNT:
            self.faults.append(_bad("keyId", "must be an account's key: it begins with act_"))
        return key_id

    def _chosen_usage(self, members: Mapping[object, object]) -> str | None:
        # A null removes the key from its plan; a forgotten member must not.
        if "usageIdentifierKey" not in members:
            self._missing("usageIdentifierKey")
        return self._usage_identifier_key(members, "")

    def _usage_identifier_key(self, members: Mapping[object, object], prefix: str) -> str | None:
        value = members.get("usageIdentifierKey")
        if value is None:
            return None
        return self._read(read_usage_identifier_key, value, f"{prefix}usageIdentifierKey")

    def _read(self, read: Callable[[_Given], _T], value: _Given, field: str) -> _T | None:
        try:
            return read(value)
        except ValueError as error:
            self.faults.append(_bad(field, str(error)))
            return None

    def _refuse_unknown(
        self, members: Mapping[object, object], known: set[str], prefix: str
    ) -> None:
        title = f"is unknown; known: {_listed(known)}"
        unknown = (name for name in members if name not in known)
        # One more than the limit shows that there are more.
        for name in islice(unknown, MAX_FAULTS + 1):
            self.faults.append(_bad(f"{prefix}{name}", title))


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
