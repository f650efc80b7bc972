"""From an unproven credential and a key record to a principal."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import assert_never

from keyscope.credential import Basic, Bearer, Credential
from keyscope.errors import Reason, Refused
from keyscope.ids import OwnerType, account_id_of
from keyscope.key_record import KeyRecord
from keyscope.principal import SCOPE_OF_BASIC, SCOPES_BY_OWNER, Principal, Scope
from keyscope.secret import hash_secret
from keyscope.token import Token, verify_signature

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


def verify(
    credential: Credential,
    record: KeyRecord | None,
    open_secret: Callable[[KeyRecord], str],
    circumstances: Circumstances,
) -> Principal:
    """Prove who sent the credential.

    1. The key exists, was not revoked, and the secret or the signature is right.
    2. The key has not expired.
    3. The source address is one of the key's.
    4. The token's time has come and not passed (RFC 7519, sections 4.1.4 and 4.1.5).
    5. The key's owner may claim the scope.

    Raises:
        Refused: with the reason code of the first step that fails.
        Unavailable: when the secret cannot be opened.
    """
    known = _verify_possession(credential, record, open_secret)
    if known.expires_at is not None and circumstances.now >= known.expires_at:
        raise Refused(Reason.EXPIRED_KEY)
    if known.allowed_cidrs:
        _verify_source_address(known.allowed_cidrs, circumstances.source_address)
    match credential:
        case Basic():
            return _principal(known, SCOPE_OF_BASIC[known.owner_type], None, known.expires_at)
        case Bearer(token):
            token_ends = _verify_token_times(token, circumstances)
            if token.scope not in SCOPES_BY_OWNER[known.owner_type]:
                raise Refused(Reason.SCOPE_NOT_OF_OWNER)
            ends = [end for end in (token_ends, known.expires_at) if end is not None]
            return _principal(known, token.scope, token.user_id, min(ends, default=None))
        case _:
            assert_never(credential)


def _verify_possession(
    credential: Credential, record: KeyRecord | None, open_secret: Callable[[KeyRecord], str]
) -> KeyRecord:
    usable = record if record is not None and record.revoked_at is None else None
    # Without a usable record the same comparison is made against a stand-in: the time that an
    # answer takes must not tell an unknown key from a wrong secret.
    match credential:
        case Basic(secret=secret):
            expected = _NO_HASH if usable is None else usable.secret_hash
            refusal = None if compare_digest(hash_secret(secret), expected) else Reason.WRONG_SECRET
        case Bearer(token):
            refusal = _refusal_of_signature(
                token, _NO_SECRET if usable is None else open_secret(usable)
            )
        case _:
            assert_never(credential)
    if record is None:
        raise Refused(Reason.UNKNOWN_KEY)
    if usable is None:
        raise Refused(Reason.REVOKED_KEY)
    if refusal is not None:
        raise Refused(refusal)
    return usable


def _refusal_of_signature(token: Token, secret: str) -> Reason | None:
    try:
        verify_signature(token, secret)
    except Refused as refused:
        return refused.reason
    return None


def _verify_source_address(allowed_cidrs: tuple[str, ...], source_address: str | None) -> None:
    if source_address is None:
        raise Refused(Reason.SOURCE_ADDRESS_UNKNOWN)
    try:
        address = ip_address(source_address)
    except ValueError:
        raise Refused(Reason.SOURCE_ADDRESS_UNKNOWN) from None
    if not any(address in _network(cidr) for cidr in allowed_cidrs):
        raise Refused(Reason.SOURCE_ADDRESS_NOT_ALLOWED)


@lru_cache(maxsize=1_024)
def _network(cidr: str) -> IPv4Network | IPv6Network:
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
    record: KeyRecord, scope: Scope, user_id: str | None, expires_at: int | None
) -> Principal:
    owner = record.owner_id
    return Principal(
        scope=scope,
        key_id=record.key_id,
        owner_type=record.owner_type,
        account_id=account_id_of(owner),
        service_account_id=owner if record.owner_type is OwnerType.SERVICE_ACCOUNT else None,
        app_id=owner if record.owner_type is OwnerType.APP else None,
        user_id=user_id,
        expires_at=expires_at,
        allowed_cidrs=record.allowed_cidrs,
    )
