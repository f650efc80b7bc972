"""The provisioning function's JSON: from a request to an operation, and to its answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final, NamedTuple, TypeVar, assert_never

from keyscope.errors import MAX_FAULTS, Fault, InvalidInput, KeyscopeError
from keyscope.lifecycle.account_requests import (
    KEY_CHANGE_MEMBERS,
    AccountOperation,
    DeleteAccount,
    EndOverlap,
    ResumeAccount,
    RotateKey,
    SetAccountLimits,
    ShowAccount,
    SuspendAccount,
    UpdateKey,
    carry_out_for_accounts,
    read_account_limits,
    read_key_change,
    read_overlap,
    read_page,
)
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    AccountSuspended,
    ChangedMeanwhile,
    ExternalIdTaken,
    Key,
    KeyExpired,
    KeyNotFound,
    OverlapRunning,
    OwnerNotFound,
    OwnsApps,
    OwnsServiceAccounts,
    TooManyKeys,
)
from keyscope.lifecycle.external_ids import ExternalName
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
from keyscope.lifecycle.named_requests import (
    EXTERNAL_ID_TAKEN,
    GET_MEMBERS,
    NAME_MEMBERS,
    CreateApp,
    CreateAppKey,
    GetByExternalId,
    NamedOperation,
    ReplaceLostKey,
    carry_out_named,
    read_app_id,
    read_get,
    read_name,
    read_replacement,
    shown_owner,
)
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
    name: ExternalName | None = None


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


KeyOperation = (
    CreateKey | ListKeys | UpdateKey | RotateKey | EndOverlap | RevokeKey | SetUsageIdentifierKey
)
Operation = CreateAccount | KeyOperation | AccountOperation | NamedOperation

_KEY_MEMBERS = {"displayName", "usageIdentifierKey", *LIMIT_MEMBERS}
_FAULTS: Final[Mapping[type[KeyscopeError], Fault]] = {
    OwnerNotFound: Fault("not_found", "accountId", "does not identify an account"),
    KeyNotFound: Fault(
        "not_found", "keyId", "is unknown or revoked, or belongs to another account"
    ),
    ExternalIdTaken: EXTERNAL_ID_TAKEN,
    TooManyKeys: Fault(
        "too_many_keys",
        "accountId",
        f"identifies an account at its limit of {MAX_KEYS_PER_OWNER} keys. Revoke one first",
    ),
    AccountSuspended: Fault(
        "account_suspended", "accountId", "identifies a suspended account. Resume it first"
    ),
    OwnsApps: Fault(
        "owns_apps", "accountId", "identifies an account that still has apps. Delete them first"
    ),
    OwnsServiceAccounts: Fault(
        "owns_service_accounts",
        "accountId",
        "identifies an account that still has service accounts. Delete them first",
    ),
    KeyExpired: Fault(
        "key_expired",
        "keyId",
        "identifies an expired key, so a new secret would not work. Set a later expiresAt first",
    ),
    OverlapRunning: Fault(
        "overlap_running",
        "keyId",
        "identifies a key whose previous secret is still accepted. End the overlap first",
    ),
    ChangedMeanwhile: Fault(
        "changed_meanwhile",
        "keyId",
        "identifies a key that another request changed at the same time. Read the key and try"
        " again",
    ),
}
"""What is answered when the state of an account or a key rules out an operation."""


def read_operation(event: object, now: float) -> Operation:
    """Read a provisioning request. `now` is in seconds since the epoch.

    Raises:
        InvalidInput: with at most `MAX_FAULTS` faults.
    """
    if not isinstance(event, Mapping):
        raise InvalidInput([_bad("", "must be a JSON object with the member 'operation'")])
    name = event.get("operation")
    if not isinstance(name, str) or name not in _REQUESTS:
        raise InvalidInput([_bad("operation", f"must be one of {', '.join(_REQUESTS)}")])
    reader = _Reader(now)
    operation = reader.operation(_REQUESTS[name], event)
    if reader.faults:
        raise InvalidInput(reader.faults)
    return operation


def carry_out(operation: Operation, provisioning: Provisioning, now: float) -> Json:
    """Carry out an operation and return its answer.

    Raises:
        InvalidInput: when the state of the account or the key rules it out.
        Unavailable: when a table or KMS cannot answer.
    """
    try:
        match operation:
            case CreateAccount(display_name, key, name):
                account, created = provisioning.create_account(display_name, key, name)
                return {"account": shown_owner(account), "key": _shown_once(created, now)}
            case CreateApp() | CreateAppKey() | GetByExternalId() | ReplaceLostKey():
                return carry_out_named(operation, provisioning, partial(_shown_once, now=now))
            case (
                CreateKey()
                | ListKeys()
                | UpdateKey()
                | RotateKey()
                | EndOverlap()
                | RevokeKey()
                | SetUsageIdentifierKey()
            ):
                return _carry_out_for_keys(operation, provisioning, now)
            case _:
                return carry_out_for_accounts(operation, provisioning)
    except tuple(_FAULTS) as known:
        raise InvalidInput([_FAULTS[type(known)]]) from None


def _carry_out_for_keys(operation: KeyOperation, provisioning: Provisioning, now: float) -> Json:
    match operation:
        case CreateKey(account_id, request):
            created = provisioning.create_key(OwnerType.ACCOUNT, account_id, request)
            return {"key": _shown_once(created, now)}
        case ListKeys(account_id):
            live = provisioning.list_keys(account_id)
            keys = sorted([*live, *provisioning.list_former_keys(account_id)], key=_age)
            last_uses = provisioning.last_uses(keys)
            return {"keys": [_shown(key, now, last_uses[key.key_id]) for key in keys]}
        case RotateKey(account_id, key_id, overlap_seconds):
            rotated = provisioning.rotate_key(account_id, key_id, overlap_seconds)
            return {"key": {**_answer(rotated.key, provisioning, now), "secret": rotated.secret}}
        case RevokeKey(account_id, key_id):
            provisioning.revoke_key(account_id, key_id)
            return {}
        case UpdateKey(account_id, key_id, change):
            changed = provisioning.update_key(account_id, key_id, change.apply)
        case EndOverlap(account_id, key_id):
            changed = provisioning.end_overlap(account_id, key_id)
        case SetUsageIdentifierKey(key_id, usage_identifier_key):
            changed = provisioning.set_usage_identifier_key(key_id, usage_identifier_key)
        case _:
            assert_never(operation)
    return {"key": _answer(changed, provisioning, now)}


def _answer(key: Key, provisioning: Provisioning, now: float) -> Json:
    return _shown(key, now, provisioning.last_uses([key])[key.key_id])


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
        self.now = now
        self.faults: list[Fault] = []

    def operation(self, request: "_Request", event: Mapping[object, object]) -> Operation:
        self._refuse_unknown(event, request.members | {"operation"}, "")
        return request.read(self, event)

    def report(self, member: str, title: str) -> None:
        self.faults.append(_bad(member, title))

    def required_name(self, event: Mapping[object, object]) -> str:
        return self._display_name(event, "") or self._missing("displayName")

    def nested_key(self, event: Mapping[object, object]) -> KeyRequest:
        value = event.get("key")
        if value is None:
            return KeyRequest()
        if not isinstance(value, Mapping):
            self.faults.append(_bad("key", "must be an object"))
            return KeyRequest()
        self._refuse_unknown(value, _KEY_MEMBERS, "key.")
        return self.key(value, "key.")

    def key(self, members: Mapping[object, object], prefix: str = "") -> KeyRequest:
        def report(member: str, title: str) -> None:
            self.faults.append(_bad(f"{prefix}{member}", title))

        return KeyRequest(
            display_name=self._display_name(members, prefix),
            limits=read_limits(members, self.now, report),
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

    def account_id(self, members: Mapping[object, object]) -> str:
        value = members.get("accountId")
        if isinstance(value, str) and is_account_id(value):
            return value
        self.faults.append(_bad("accountId", "must be an account id: 12 hex characters"))
        return ""

    def key_id(self, members: Mapping[object, object]) -> str:
        value = members.get("keyId")
        if isinstance(value, str) and is_key_id(value):
            return value
        prefixes = ", ".join(KEY_KINDS)
        title = f"must be a key id: one of {prefixes} and 24 hex characters"
        self.faults.append(_bad("keyId", title))
        return ""

    def account_key_id(self, members: Mapping[object, object]) -> str:
        key_id = self.key_id(members)
        if key_id and owner_type_of_key(key_id) is not OwnerType.ACCOUNT:
            self.faults.append(_bad("keyId", "must be an account's key: it begins with act_"))
        return key_id

    def chosen_usage(self, members: Mapping[object, object]) -> str | None:
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


class _Request(NamedTuple):
    """The members of a request besides `operation`, and how to read it."""

    members: set[str]
    read: Callable[[_Reader, Mapping[object, object]], Operation]


_REQUESTS: Final[Mapping[str, _Request]] = {
    "createAccount": _Request(
        {"displayName", "key", *NAME_MEMBERS},
        lambda its, event: CreateAccount(
            its.required_name(event), its.nested_key(event), read_name(event, its.report)
        ),
    ),
    "createApp": _Request(
        {"accountId", "displayName", "key", *NAME_MEMBERS},
        lambda its, event: CreateApp(
            its.account_id(event),
            its.required_name(event),
            its.nested_key(event) if "key" in event else None,
            read_name(event, its.report),
        ),
    ),
    "createAppKey": _Request(
        {"appId", *_KEY_MEMBERS},
        lambda its, event: CreateAppKey(read_app_id(event, its.report), its.key(event)),
    ),
    "getByExternalId": _Request(GET_MEMBERS, lambda its, event: read_get(event, its.report)),
    "replaceLostKey": _Request(
        {*GET_MEMBERS, "secretGeneration"}, lambda its, event: read_replacement(event, its.report)
    ),
    "createKey": _Request(
        {"accountId", *_KEY_MEMBERS},
        lambda its, event: CreateKey(its.account_id(event), its.key(event)),
    ),
    "listKeys": _Request({"accountId"}, lambda its, event: ListKeys(its.account_id(event))),
    "updateKey": _Request(
        {"accountId", "keyId", *KEY_CHANGE_MEMBERS},
        lambda its, event: UpdateKey(
            its.account_id(event),
            its.account_key_id(event),
            read_key_change(event, its.now, its.report),
        ),
    ),
    "rotateKey": _Request(
        {"accountId", "keyId", "overlapSeconds"},
        lambda its, event: RotateKey(
            its.account_id(event), its.account_key_id(event), read_overlap(event, its.report)
        ),
    ),
    "endOverlap": _Request(
        {"accountId", "keyId"},
        lambda its, event: EndOverlap(its.account_id(event), its.account_key_id(event)),
    ),
    "revokeKey": _Request(
        {"accountId", "keyId"},
        lambda its, event: RevokeKey(its.account_id(event), its.account_key_id(event)),
    ),
    "setUsageIdentifierKey": _Request(
        {"keyId", "usageIdentifierKey"},
        lambda its, event: SetUsageIdentifierKey(its.key_id(event), its.chosen_usage(event)),
    ),
    "listAccounts": _Request({"after", "limit"}, lambda its, event: read_page(event, its.report)),
    "showAccount": _Request({"accountId"}, lambda its, event: ShowAccount(its.account_id(event))),
    "suspendAccount": _Request(
        {"accountId"}, lambda its, event: SuspendAccount(its.account_id(event))
    ),
    "resumeAccount": _Request(
        {"accountId"}, lambda its, event: ResumeAccount(its.account_id(event))
    ),
    "setAccountLimits": _Request(
        {"accountId", "maxApps"},
        lambda its, event: SetAccountLimits(
            its.account_id(event), read_account_limits(event, its.report)
        ),
    ),
    "deleteAccount": _Request(
        {"accountId"}, lambda its, event: DeleteAccount(its.account_id(event))
    ),
}
