"""From an unproven credential and a key record to a principal."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from hmac import compare_digest
from ipaddress import ip_network
from typing import assert_never

from keyscope.authorize.credential import Basic, Bearer, Credential
from keyscope.authorize.token import Token, verify_signature
from keyscope.errors import Reason, Refused
from keyscope.model.key_record import KeyRecord
from keyscope.model.principal import CredentialKind, Principal, ProvenSecret
from keyscope.model.scopes import SCOPE_OF_BASIC, SCOPES_BY_OWNER, Scope
from keyscope.model.secret import hash_secret
from keyscope.model.source_address import Network, read_source_address

_NO_HASH = bytes(32)
_NO_SECRET = "ks_" + "A" * 49  # stands in for the secret of a key that is not there


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What surrounds a request.

    `now` is in seconds since the epoch; `source_address` is `None` where the event does not tell
    it (TOKEN events); `leeway_seconds` widens a token's `exp` and `nbf`.
    """

    now: float
    source_address: str | None
    leeway_seconds: int = 0


@dataclass(frozen=True, slots=True)
class _Possession:
    """A key whose secret was proven; `ends_at` is the first of the ends that the record sets."""

    record: KeyRecord
    secret: ProvenSecret
    ends_at: int | None


def verify(
    credential: Credential,
    record: KeyRecord | None,
    open_secret: Callable[[KeyRecord], str],
    circumstances: Circumstances,
) -> Principal:
    """Prove who sent the credential.

    1. The key exists, was not revoked, and the secret or the signature is right: by the key's
       current secret, else by its previous one, whose overlap has not ended.
    2. The key is not disabled.
    3. The key has not expired.
    4. The source address is one of the key's.
    5. The token's time has come and not passed (RFC 7519, sections 4.1.4 and 4.1.5).
    6. The key's owner may claim the scope.

    Without the secret nobody passes the first step, so the steps after it tell a stranger nothing.

    Raises:
        Refused: with the reason code of the first step that fails.
        Unavailable: when a secret cannot be opened.
    """
    possession = _verify_possession(credential, record, open_secret, circumstances.now)
    known = possession.record
    if known.disabled_at is not None:
        raise Refused(Reason.DISABLED_KEY)
    if known.expires_at is not None and circumstances.now >= known.expires_at:
        raise Refused(Reason.EXPIRED_KEY)
    if known.allowed_cidrs:
        verify_source_address(known.allowed_cidrs, circumstances.source_address)
    match credential:
        case Basic():
            scope = SCOPE_OF_BASIC[known.owner_type]
            return _principal(possession, CredentialKind.BASIC, scope, None, None)
        case Bearer(token):
            token_ends = _verify_token_times(token, circumstances)
            if token.scope not in SCOPES_BY_OWNER[known.owner_type]:
                raise Refused(Reason.SCOPE_NOT_OF_OWNER)
            return _principal(
                possession, CredentialKind.JWT, token.scope, token.user_id, token_ends
            )
        case _:
            assert_never(credential)


def _verify_possession(
    credential: Credential,
    record: KeyRecord | None,
    open_secret: Callable[[KeyRecord], str],
    now: float,
) -> _Possession:
    usable = record if record is not None and record.revoked_at is None else None
    match credential:
        case Basic(secret=secret):
            proven = _secret_proven_by_basic(secret, usable)
            refusal = Reason.WRONG_SECRET
        case Bearer(token):
            proven = _secret_proven_by_token(token, usable, open_secret)
            refusal = Reason.WRONG_SIGNATURE
        case _:
            assert_never(credential)
    if record is None:
        raise Refused(Reason.UNKNOWN_KEY)
    if usable is None:
        raise Refused(Reason.REVOKED_KEY)
    if proven is ProvenSecret.CURRENT:
        return _Possession(usable, proven, usable.expires_at)
    if proven is None or usable.previous is None:
        raise Refused(refusal)
    overlap_ends = usable.previous.ends_at
    if now >= overlap_ends:
        raise Refused(Reason.ROTATED_SECRET)
    return _Possession(usable, proven, _earliest(usable.expires_at, overlap_ends))


def _secret_proven_by_basic(secret: str, record: KeyRecord | None) -> ProvenSecret | None:
    previous = None if record is None else record.previous
    presented = hash_secret(secret)
    # Both comparisons are always made, if need be against a stand-in: the time that an answer
    # takes must tell neither an unknown key from a wrong secret nor that a key was rotated.
    is_current = compare_digest(presented, _NO_HASH if record is None else record.secret_hash)
    is_previous = compare_digest(presented, _NO_HASH if previous is None else previous.secret_hash)
    if record is not None and is_current:
        return ProvenSecret.CURRENT
    if previous is not None and is_previous:
        return ProvenSecret.PREVIOUS
    return None


def _secret_proven_by_token(
    token: Token, record: KeyRecord | None, open_secret: Callable[[KeyRecord], str]
) -> ProvenSecret | None:
    # A token that nobody of the key signed costs two signatures, whatever there is of the key; what
    # a stand-in proves is nothing. There is none for KMS, which is asked only when it must be.
    is_current = _is_signed_with(_NO_SECRET if record is None else open_secret(record), token)
    if is_current and record is not None:
        return ProvenSecret.CURRENT
    replaced = None if record is None else _before_rotation(record)
    is_previous = _is_signed_with(_NO_SECRET if replaced is None else open_secret(replaced), token)
    if is_previous and replaced is not None:
        return ProvenSecret.PREVIOUS
    return None


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


def _is_signed_with(secret: str, token: Token) -> bool:
    try:
        verify_signature(token, secret)
    except Refused:
        return False
    return True


def verify_source_address(allowed_cidrs: tuple[str, ...], source_address: str | None) -> None:
    """Check that an address is in one of the networks; raises `Refused`."""
    address = None if source_address is None else read_source_address(source_address)
    if address is None:
        raise Refused(Reason.SOURCE_ADDRESS_UNKNOWN)
    if not any(address in _network(cidr) for cidr in allowed_cidrs):
        raise Refused(Reason.SOURCE_ADDRESS_NOT_ALLOWED)


@lru_cache(maxsize=1_024)
def _network(cidr: str) -> Network:
    return ip_network(cidr)


def _verify_token_times(token: Token, circumstances: Circumstances) -> int | None:
    """Return when the token ends, leeway included; `None` when it does not."""
    leeway = circumstances.leeway_seconds
    if token.not_before is not None and circumstances.now < token.not_before - leeway:
        raise Refused(Reason.TOKEN_NOT_YET_VALID)
    if token.expires_at is None:
        return None
    if circumstances.now >= token.expires_at + leeway:
        raise Refused(Reason.EXPIRED_TOKEN)
    return token.expires_at + leeway


def _principal(
    possession: _Possession,
    kind: CredentialKind,
    scope: Scope,
    user_id: str | None,
    token_ends: int | None,
) -> Principal:
    record = possession.record
    is_previous = possession.secret is ProvenSecret.PREVIOUS
    return Principal(
        scope=scope,
        key_id=record.key_id,
        owner_type=record.owner_type,
        owner_id=record.owner_id,
        user_id=user_id,
        expires_at=_earliest(possession.ends_at, token_ends),
        allowed_cidrs=record.allowed_cidrs,
        secret=possession.secret,
        credential_kind=kind,
        secret_generation=record.secret_generation - is_previous,
        usage_identifier_key=record.usage_identifier_key,
    )


def _earliest(*ends: int | None) -> int | None:
    return min((end for end in ends if end is not None), default=None)
