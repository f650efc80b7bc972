"""The provisioning function's requests about apps and external ids.

`provisioning_request` reads and carries out the others, and hands these on.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from keyscope.errors import Conflict, Fault, InvalidInput, KeyscopeError, NotFound
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    AccountSuspended,
    ChangedMeanwhile,
    ExternalIdTaken,
    Key,
    KeyExpired,
    KeyNotFound,
    Owner,
    OwnerNotFound,
    TooManyApps,
    TooManyKeys,
)
from keyscope.lifecycle.external_ids import ExternalName
from keyscope.lifecycle.key_fields import Json, present
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.model.external_ids import MAX_EXTERNAL_ID_LENGTH, is_external_id
from keyscope.model.ids import IdName, OwnerType, is_app_id

_CLIENT_TOKEN: Final = re.compile("[A-Za-z0-9_-]{1,64}")
NAME_MEMBERS: Final = frozenset({"externalId", "clientToken"})
"""The members of a creation that name what it creates."""
_OWNERS: Final[Mapping[IdName, OwnerType]] = {
    IdName.ACCOUNT_EXTERNAL: OwnerType.ACCOUNT,
    IdName.APP_EXTERNAL: OwnerType.APP,
}

GET_MEMBERS: Final = {*(name.value for name in _OWNERS), "clientToken"}
"""The members of a request about what has an external id."""
EXTERNAL_ID_TAKEN: Final = Fault(
    "external_id_taken",
    "externalId",
    "is already used, or was used by a deleted account or app, in any case. Choose another",
)

_FAULTS: Final[Mapping[type[KeyscopeError], Fault]] = {
    ExternalIdTaken: EXTERNAL_ID_TAKEN,
    KeyNotFound: Fault(
        "not_found",
        "clientToken",
        "does not belong to a key that was created with it and never used",
    ),
    KeyExpired: Fault(
        "key_expired", "clientToken", "belongs to an expired key, which cannot be replaced"
    ),
    ChangedMeanwhile: Fault(
        "changed_meanwhile",
        "secretGeneration",
        "is out of date. Call getByExternalId again",
    ),
}


@dataclass(frozen=True, slots=True)
class CreateApp:
    """Create an app of an account, with its first key if the request has one."""

    account_id: str
    display_name: str
    key: KeyRequest | None
    name: ExternalName | None


@dataclass(frozen=True, slots=True)
class CreateAppKey:
    """Create a further key of an app."""

    app_id: str
    key: KeyRequest


@dataclass(frozen=True, slots=True)
class GetByExternalId:
    """Show the account or the app with an external id."""

    owner_type: OwnerType
    name: ExternalName


@dataclass(frozen=True, slots=True)
class ReplaceLostKey:
    """Give a new secret to the key that was created with an account or an app."""

    owner_type: OwnerType
    name: ExternalName
    secret_generation: int


NamedOperation = CreateApp | CreateAppKey | GetByExternalId | ReplaceLostKey

Report = Callable[[str, str], None]
"""Takes a member's name, and a text that completes a sentence after it."""


def read_app_id(members: Mapping[object, object], report: Report) -> str:
    """Read the app's id."""
    value = members.get("appId")
    if isinstance(value, str) and is_app_id(value):
        return value
    report("appId", "must be an app id: 24 hex characters")
    return ""


def read_get(members: Mapping[object, object], report: Report) -> GetByExternalId:
    """Read a request for the account or the app with an external id."""
    return GetByExternalId(*_read_owner(members, report))


def read_replacement(members: Mapping[object, object], report: Report) -> ReplaceLostKey:
    """Read a request for a lost key's new secret."""
    generation = members.get("secretGeneration")
    if type(generation) is not int or generation < 1:
        report("secretGeneration", "must be a whole number, as getByExternalId returns it")
        generation = 1
    if members.get("clientToken") is None:
        report("clientToken", "is required")
    return ReplaceLostKey(*_read_owner(members, report), generation)


def read_name(members: Mapping[object, object], report: Report) -> ExternalName | None:
    """Read the external id and the client token of a creation."""
    external_id = members.get("externalId")
    if external_id is None:
        if members.get("clientToken") is not None:
            report("clientToken", "requires an externalId")
        return None
    return ExternalName(
        _external_id("externalId", external_id, report), _client_token(members, report)
    )


def carry_out_named(
    operation: NamedOperation,
    provisioning: Provisioning,
    shown_once: Callable[[CreatedKey], Json],
) -> Json:
    """Carry out an operation and return its response.

    Raises:
        InvalidInput: when the state of the account, the app or the key rules it out.
        AccountSuspended: when the account accepts nothing new.
    """
    try:
        return _carried_out(operation, provisioning, shown_once)
    except (NotFound, Conflict) as error:
        fault = _fault_of(error, operation)
        if fault is None:
            raise
        raise InvalidInput([fault]) from None


def _carried_out(
    operation: NamedOperation,
    provisioning: Provisioning,
    shown_once: Callable[[CreatedKey], Json],
) -> Json:
    match operation:
        case CreateApp(account_id, display_name, key, name):
            app, created = provisioning.create_named_app(account_id, display_name, key, name)
            with_key: Json = {} if created is None else {"key": shown_once(created)}
            return {"app": shown_owner(app), **with_key}
        case CreateAppKey(app_id, key):
            return {"key": shown_once(provisioning.create_key(OwnerType.APP, app_id, key))}
        case GetByExternalId(owner_type, name):
            found = provisioning.find_owner(owner_type, name)
            return {owner_type.value: shown_owner(found.owner), **_shown_lost(found.lost_key)}
        case ReplaceLostKey(owner_type, name, generation):
            owner, created = provisioning.replace_lost_key(owner_type, name, generation)
            return {owner_type.value: shown_owner(owner), "key": shown_once(created)}
        case _:
            assert_never(operation)


def _fault_of(error: NotFound | Conflict, operation: NamedOperation) -> Fault | None:
    member, what = _owner_of(operation)
    match error:
        case OwnerNotFound():
            return Fault("not_found", member, f"does not identify an {what}")
        case TooManyApps(limit=limit):
            title = f"identifies an account at its limit of {limit} apps. Delete one first"
            return Fault("too_many_apps", member, title)
        case TooManyKeys():
            keys = f"{MAX_KEYS_PER_OWNER} keys"
            return Fault(
                "too_many_keys",
                member,
                f"identifies an {what} at its limit of {keys}. Revoke one first",
            )
        case AccountSuspended() if isinstance(operation, CreateAppKey):
            title = "identifies an app of a suspended account. Resume the account first"
            return Fault("account_suspended", member, title)
        case _:
            return _FAULTS.get(type(error))


def _owner_of(operation: NamedOperation) -> tuple[str, str]:
    """Return the member that names the owner of an operation, and what the owner is."""
    match operation:
        case CreateApp():
            return "accountId", "account"
        case CreateAppKey():
            return "appId", "app"
        case GetByExternalId(OwnerType.APP) | ReplaceLostKey(OwnerType.APP):
            return IdName.APP_EXTERNAL.value, "app"
        case GetByExternalId() | ReplaceLostKey():
            return IdName.ACCOUNT_EXTERNAL.value, "account"
        case _:
            assert_never(operation)


def shown_owner(owner: Owner) -> Json:
    """Return an account or an app as answers show it."""
    return {
        "id": owner.owner_id,
        **present({"externalId": owner.external_id}),
        "displayName": owner.display_name,
    }


def _shown_lost(key: Key | None) -> Json:
    if key is None:
        return {}
    return {"lostKey": {"id": key.key_id, "secretGeneration": key.secret_generation}}


def _read_owner(members: Mapping[object, object], report: Report) -> tuple[OwnerType, ExternalName]:
    token = _client_token(members, report)
    given = [name for name in _OWNERS if members.get(name.value) is not None]
    if len(given) != 1:
        report("", f"must have exactly one of {' and '.join(_OWNERS)}")
        return OwnerType.ACCOUNT, ExternalName("")
    (name,) = given
    external_id = _external_id(name.value, members[name.value], report)
    return _OWNERS[name], ExternalName(external_id, token)


def _client_token(members: Mapping[object, object], report: Report) -> str | None:
    token = members.get("clientToken")
    if token is None or (isinstance(token, str) and _CLIENT_TOKEN.fullmatch(token)):
        return token
    report("clientToken", "must be a string of 1 to 64 letters, digits, - and _")
    return None


def _external_id(member: str, value: object, report: Report) -> str:
    if isinstance(value, str) and is_external_id(value):
        return value
    report(
        member,
        f"must be a string of 1 to {MAX_EXTERNAL_ID_LENGTH} letters, digits and - . _ ~ that does"
        " not begin with a dot and is not 12, 16 or 24 hex characters, like Keyscope's own ids",
    )
    return ""
