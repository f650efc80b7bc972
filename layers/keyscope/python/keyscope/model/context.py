"""From the authorizer's context, as a backend receives it, back to the principal.

The authorizer's policy has already allowed the request. The backend reads the context again, so
that neither a route without the authorizer nor a policy that is too broad gives access.
"""

import re
from collections.abc import Mapping

from keyscope.errors import Reason, Unavailable
from keyscope.model.external_ids import ExternalIds, is_external_id
from keyscope.model.ids import (
    OWNERS,
    IdName,
    OwnerType,
    ids_of_owner,
    is_integration_id,
    is_key_id,
    is_owner_id,
    kind_of_key,
)
from keyscope.model.key_limits import KeyLimits, read_permissions
from keyscope.model.principal import CredentialKind, Principal
from keyscope.model.scopes import SCOPES, Scope, scopes_of_key

_GENERATION = re.compile("[1-9][0-9]{0,15}")
_KINDS = {kind.value: kind for kind in CredentialKind}
_CHECKED = [name for name in IdName if name not in (IdName.ACCOUNT_EXTERNAL, IdName.APP_EXTERNAL)]
"""The ids that every principal of a kind has, or none."""


def principal_of_context(context: object) -> Principal:
    """Read the context that `Principal.context` returned; ignore members that it never has.

    Raises:
        Unavailable: `MALFORMED_CONTEXT`, when it is missing or inconsistent.
    """
    members = context if isinstance(context, dict) else {}
    key_id = _text(members, "keyId")
    if not is_key_id(key_id):
        raise Unavailable(Reason.MALFORMED_CONTEXT, "keyId")
    owner_type, bound_to = kind_of_key(key_id)
    if members.get("ownerType") != owner_type.value:
        raise Unavailable(Reason.MALFORMED_CONTEXT, "ownerType")
    scopes = {scope.value: scope for scope in scopes_of_key(key_id)}
    scope = scopes.get(_text(members, "scope"))
    if scope is None:
        raise Unavailable(Reason.MALFORMED_CONTEXT, "scope")
    owner_id = _owner_id(members, owner_type)
    integration_id = None if bound_to is None else _integration_id(members)
    _check_ids(members, ids_of_owner(owner_type, owner_id), scope)
    kind = _KINDS.get(_text(members, "credentialKind"))
    if kind is None:
        raise Unavailable(Reason.MALFORMED_CONTEXT, "credentialKind")
    generation = _text(members, "secretGeneration")
    if not _GENERATION.fullmatch(generation):
        raise Unavailable(Reason.MALFORMED_CONTEXT, "secretGeneration")
    return Principal(
        scope=scope,
        key_id=key_id,
        owner_type=owner_type,
        owner_id=owner_id,
        user_id=members.get(IdName.USER),
        integration_id=integration_id,
        limits=KeyLimits(permissions=_permissions(members)),
        credential_kind=kind,
        secret_generation=int(generation),
        external_ids=_external_ids(members, owner_type),
    )


def _text(members: Mapping[object, object], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise Unavailable(Reason.MALFORMED_CONTEXT, name)
    return value


def _permissions(members: Mapping[object, object]) -> tuple[str, ...] | None:
    if "permissions" not in members:
        return None
    names = _text(members, "permissions")
    if not names:
        # The access map knows none of the key's permissions.
        return ()
    try:
        return read_permissions(names.split(" "))
    except ValueError:
        raise Unavailable(Reason.MALFORMED_CONTEXT, "permissions") from None


def _owner_id(members: Mapping[object, object], owner_type: OwnerType) -> str:
    parts = OWNERS[owner_type].parts
    owner_id = "".join(_text(members, part.value) for part in parts)
    if not is_owner_id(owner_type, owner_id):
        raise Unavailable(Reason.MALFORMED_CONTEXT, parts[-1].value)
    return owner_id


def _integration_id(members: Mapping[object, object]) -> str:
    integration_id = _text(members, IdName.INTEGRATION.value)
    if not is_integration_id(integration_id):
        raise Unavailable(Reason.MALFORMED_CONTEXT, IdName.INTEGRATION.value)
    return integration_id


def _external_ids(members: Mapping[object, object], owner_type: OwnerType) -> ExternalIds:
    """Read the operator's ids, which are absent where the account or the app has none."""
    app_id = _external_id(members, IdName.APP_EXTERNAL)
    if app_id is not None and owner_type is not OwnerType.APP:
        raise Unavailable(Reason.MALFORMED_CONTEXT, IdName.APP_EXTERNAL.value)
    return ExternalIds(account=_external_id(members, IdName.ACCOUNT_EXTERNAL), app=app_id)


def _external_id(members: Mapping[object, object], name: IdName) -> str | None:
    if name not in members:
        return None
    external_id = _text(members, name.value)
    if not is_external_id(external_id):
        raise Unavailable(Reason.MALFORMED_CONTEXT, name.value)
    return external_id


def _check_ids(members: Mapping[object, object], of_owner: Mapping[str, str], scope: Scope) -> None:
    """Check that the members are the owner's ids and those that the scope binds, and no others."""
    for name in _CHECKED:
        if name in of_owner:
            fits = members.get(name) == of_owner[name]
        elif name in SCOPES[scope].bound_ids:
            fits = _text(members, name.value) != ""
        else:
            fits = name not in members
        if not fits:
            raise Unavailable(Reason.MALFORMED_CONTEXT, name.value)
