"""The authorizer's context, as a backend gets it, back to the principal that it tells of.

The authorizer's policy has let the request pass already. Reading the context again makes a route
that was attached without the authorizer, or a policy that is wider than it should be, open nothing.
"""

import re

from keyscope.errors import Reason, Unavailable
from keyscope.model.ids import (
    OwnerType,
    account_id_of,
    is_account_id,
    is_app_id,
    is_key_id,
    is_service_account_id,
    owner_type_of_key,
)
from keyscope.model.principal import SCOPES_BY_OWNER, CredentialKind, Principal, Scope

_GENERATION = re.compile("[1-9][0-9]{0,15}")
_OWNER_MEMBERS = {
    OwnerType.ACCOUNT: ("accountId", is_account_id),
    OwnerType.SERVICE_ACCOUNT: ("serviceAccountId", is_service_account_id),
    OwnerType.APP: ("appId", is_app_id),
}


def principal_of_context(context: object) -> Principal:
    """Read the context that `Principal.context` made; members of other makers are ignored.

    Raises:
        Unavailable: `MALFORMED_CONTEXT`, when it is missing or does not fit together.
    """
    members = context if isinstance(context, dict) else {}
    key_id = members.get("keyId")
    if not isinstance(key_id, str) or not is_key_id(key_id):
        raise Unavailable(Reason.MALFORMED_CONTEXT, "keyId")
    owner_type = owner_type_of_key(key_id)
    if members.get("ownerType") != owner_type.value:
        raise Unavailable(Reason.MALFORMED_CONTEXT, "ownerType")
    scopes = {scope.value: scope for scope in SCOPES_BY_OWNER[owner_type]}
    scope = members.get("scope")
    if not isinstance(scope, str) or scope not in scopes:
        raise Unavailable(Reason.MALFORMED_CONTEXT, "scope")
    name, is_owner_id = _OWNER_MEMBERS[owner_type]
    owner_id = members.get(name)
    if not isinstance(owner_id, str) or not is_owner_id(owner_id):
        raise Unavailable(Reason.MALFORMED_CONTEXT, name)
    if members.get("accountId") != account_id_of(owner_id):
        raise Unavailable(Reason.MALFORMED_CONTEXT, "accountId")
    others = {member for member, _ in _OWNER_MEMBERS.values()} - {name, "accountId"}
    for other in sorted(others & members.keys()):
        raise Unavailable(Reason.MALFORMED_CONTEXT, other)
    user_id = members.get("userId")
    is_user = scopes[scope] is Scope.APP_USER
    if is_user != ("userId" in members) or (is_user and not (isinstance(user_id, str) and user_id)):
        raise Unavailable(Reason.MALFORMED_CONTEXT, "userId")
    kinds = {kind.value: kind for kind in CredentialKind}
    kind = members.get("credentialKind")
    if not isinstance(kind, str) or kind not in kinds:
        raise Unavailable(Reason.MALFORMED_CONTEXT, "credentialKind")
    generation = members.get("secretGeneration")
    if not isinstance(generation, str) or not _GENERATION.fullmatch(generation):
        raise Unavailable(Reason.MALFORMED_CONTEXT, "secretGeneration")
    return Principal(
        scope=scopes[scope],
        key_id=key_id,
        owner_type=owner_type,
        account_id=account_id_of(owner_id),
        service_account_id=owner_id if owner_type is OwnerType.SERVICE_ACCOUNT else None,
        app_id=owner_id if owner_type is OwnerType.APP else None,
        user_id=user_id,
        credential_kind=kinds[kind],
        secret_generation=int(generation),
    )
