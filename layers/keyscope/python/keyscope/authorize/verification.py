"""From an unproven credential and a key record to a principal."""

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from keyscope.authorize.credential import Credential
from keyscope.authorize.jwt import Claims
from keyscope.errors import Reason, Refused
from keyscope.model.key_limits import check_limits
from keyscope.model.key_record import KeyRecord
from keyscope.model.principal import CredentialKind, Principal, ProvenSecret
from keyscope.model.scopes import Scope, scope_of_secret, scopes_of_key
from keyscope.records import dataclass, replace


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The circumstances of a request.

    `now` is in seconds since the epoch; `source_address` is `None` if the event does not contain it
    (TOKEN events); `leeway_seconds` extends a token's `exp` and `nbf`; `permissions` are those that
    the access map knows.
    """

    now: float
    source_address: str | None
    leeway_seconds: int = 0
    permissions: Collection[str] = ()


class _Possession(NamedTuple):
    """A key whose secret was proven; `ends_at` is the earliest end that the record sets."""

    record: KeyRecord
    secret: ProvenSecret
    ends_at: int | None


def verify(
    credential: Credential,
    record: KeyRecord | None,
    open_secret: Callable[[KeyRecord], str],
    circumstances: Circumstances,
) -> Principal:
    """Verify the credential and return its principal.

    1. The key exists and is not revoked, and the secret or signature is right: it matches the key's
       current secret, or its previous one during the overlap.
    2. The key is not suspended.
    3. The key is not disabled.
    4. The key has not expired.
    5. The source address is one that the key allows.
    6. The token is valid at this time (RFC 7519, sections 4.1.4 and 4.1.5).
    7. A key of this kind may claim the scope.
    8. The key and the access map have the permissions that the token claims.

    The first step requires the secret, so the later steps reveal nothing without it.

    Raises:
        Refused: with the reason code of the first step that fails.
        Unavailable: when a secret cannot be opened.
    """
    possession = _verify_possession(credential, record, open_secret, circumstances.now)
    known = possession.record
    if known.suspended_at is not None:
        raise Refused(Reason.SUSPENDED_KEY)
    check_limits(known.limits, circumstances.now, circumstances.source_address)
    claims = credential.claims
    if claims is None:
        scope = scope_of_secret(known.key_id)
        principal = _principal(possession, credential.kind, scope, None, None)
        return _limited(principal, None, circumstances.permissions)
    token_ends = _verify_token_times(claims, circumstances)
    if claims.scope not in scopes_of_key(known.key_id):
        raise Refused(Reason.SCOPE_NOT_OF_OWNER)
    principal = _principal(possession, credential.kind, claims.scope, claims.user_id, token_ends)
    return _limited(principal, claims.permissions, circumstances.permissions)


def _verify_possession(
    credential: Credential,
    record: KeyRecord | None,
    open_secret: Callable[[KeyRecord], str],
    now: float,
) -> _Possession:
    usable = record if record is not None and record.revoked_at is None else None
    proven = _proven_secret(credential, usable, open_secret)
    if record is None:
        raise Refused(Reason.UNKNOWN_KEY)
    if usable is None:
        raise Refused(Reason.REVOKED_KEY)
    if proven is ProvenSecret.CURRENT:
        return _Possession(usable, proven, usable.limits.expires_at)
    if proven is None or usable.previous is None:
        raise Refused(credential.refusal)
    overlap_ends = usable.previous.ends_at
    if now >= overlap_ends:
        raise Refused(Reason.ROTATED_SECRET)
    return _Possession(usable, proven, _earliest(usable.limits.expires_at, overlap_ends))


def _proven_secret(
    credential: Credential, record: KeyRecord | None, open_secret: Callable[[KeyRecord], str]
) -> ProvenSecret | None:
    """Try the key's secrets in order.

    A secret that the key does not have is also tried. So a refusal takes as long for an unknown key
    as for a wrong secret, and does not reveal whether the key was rotated.
    """
    for secret, held in _secrets(record):
        if credential.is_proven_by(held, open_secret) and held is not None:
            return secret
    return None


def _secrets(record: KeyRecord | None) -> Iterator[tuple[ProvenSecret, KeyRecord | None]]:
    """Yield each secret, newest first, with a record that contains it."""
    yield ProvenSecret.CURRENT, record
    yield ProvenSecret.PREVIOUS, None if record is None else _before_rotation(record)


def _before_rotation(record: KeyRecord) -> KeyRecord | None:
    previous = record.previous
    if previous is None:
        return None
    return replace(
        record,
        secret_hash=previous.secret_hash,
        secret_ciphertext=previous.secret_ciphertext,
        secret_generation=record.secret_generation - 1,
        previous=None,
    )


def _verify_token_times(claims: Claims, circumstances: Circumstances) -> int | None:
    """Return when the token expires, leeway included, or `None` if it does not expire."""
    leeway = circumstances.leeway_seconds
    if claims.not_before is not None and circumstances.now < claims.not_before - leeway:
        raise Refused(Reason.TOKEN_NOT_YET_VALID)
    if claims.expires_at is None:
        return None
    if circumstances.now >= claims.expires_at + leeway:
        raise Refused(Reason.EXPIRED_TOKEN)
    return claims.expires_at + leeway


def _limited(
    principal: Principal, claimed: tuple[str, ...] | None, known: Collection[str]
) -> Principal:
    """Return the principal with its effective permissions: those that the token claims, if any.

    A permission of the key that is not in the access map grants nothing.
    """
    held = principal.limits.permissions
    if held is None and claimed is None:
        return principal
    if claimed is None:
        claimed = tuple(name for name in held or () if name in known)
    for name in claimed:
        if held is not None and name not in held:
            raise Refused(Reason.PERMISSION_NOT_OF_KEY)
        if name not in known:
            raise Refused(Reason.UNKNOWN_PERMISSION)
    return replace(principal, limits=principal.limits._replace(permissions=claimed))


def _principal(
    possession: _Possession,
    kind: CredentialKind,
    scope: Scope,
    user_id: str | None,
    token_ends: int | None,
) -> Principal:
    record = possession.record
    is_previous = possession.secret is ProvenSecret.PREVIOUS
    limits, ends_at = record.limits, _earliest(possession.ends_at, token_ends)
    if ends_at != limits.expires_at:
        limits = limits._replace(expires_at=ends_at)
    return Principal(
        scope=scope,
        key_id=record.key_id,
        owner_type=record.owner_type,
        owner_id=record.owner_id,
        user_id=user_id,
        integration_id=record.integration_id,
        limits=limits,
        secret=possession.secret,
        credential_kind=kind,
        secret_generation=record.secret_generation - is_previous,
        usage_identifier_key=record.usage_identifier_key,
        external_ids=record.external_ids,
    )


def _earliest(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
