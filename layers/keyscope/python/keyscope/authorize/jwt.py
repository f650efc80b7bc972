"""JWTs (RFC 7519) signed with a key's secret, read under a strict profile of RFC 8725.

The standard library computes the HMAC. A JWT library would compute it in the same way. The parser
of PyJWT accepts what RFC 8725 advises against: duplicate members, other types, embedded keys, loose
base64 and claims of the wrong type. Its import takes longer than all of this package.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable
from hmac import compare_digest, digest
from typing import ClassVar, NamedTuple

from keyscope.errors import Reason, Refused
from keyscope.model.ids import IdName, is_key_id, is_safe_user_id
from keyscope.model.key_limits import read_permissions
from keyscope.model.key_record import KeyRecord
from keyscope.model.principal import CredentialKind, Scheme
from keyscope.model.scopes import SCOPES, Scope
from keyscope.model.secret import SECRET_LENGTH
from keyscope.model.strict_json import RepeatedMemberError, read_strict_json
from keyscope.records import dataclass, field

ALGORITHM = "HS256"

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})")
REFUSED_PARAMETERS = frozenset(
    {"crit", "b64", "zip", "enc", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"}
)
_BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_LAST_CHARACTERS = (_BASE64URL, "", _BASE64URL[::16], _BASE64URL[::4])
"""The last characters of unpadded base64url without stray bits, by its length modulo 4."""
_SCOPES = {scope.value: scope for scope in Scope}
_USER_ID = IdName.USER.value
_SDK_SCOPE, _SDK_USER_ID = "user", "external_id"
"""The Sunshine SDKs' names for the scope `appUser` and for its claim `userId`."""
_CALENDAR = range(253_402_300_800)
"""Seconds from 1970 to the end of the year 9999. A time in milliseconds is beyond that."""
_NO_SECRET = "0" * SECRET_LENGTH  # stands in for the secret of a key that does not exist


class Claims(NamedTuple):
    """The claims of a token.

    `expires_at` and `not_before` are the claims `exp` and `nbf`, in seconds since the epoch (RFC
    7519, section 2, NumericDate).
    """

    scope: Scope
    user_id: str | None
    expires_at: int | None
    not_before: int | None
    permissions: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Jwt:
    """A token, and the id of the key that it names as its signing key."""

    kind: ClassVar[CredentialKind] = CredentialKind.JWT
    title: ClassVar[str] = "JWT"
    scheme: ClassVar[Scheme] = Scheme.BEARER
    alone: ClassVar[str] = r"eyJ[\w-]+\.[\w-]+\.[\w-]*"
    refusal: ClassVar[Reason] = Reason.WRONG_SIGNATURE

    text: str = field(repr=False)
    signature: bytes = field(repr=False)
    key_id: str
    claims: Claims

    def is_proven_by(self, held: KeyRecord | None, open_secret: Callable[[KeyRecord], str]) -> bool:
        """Return whether the record's secret signed the token. Without a record, sign anyway.

        KMS is called only if there is a record.

        Raises:
            Unavailable: when the secret cannot be opened.
        """
        return is_signed_with(_NO_SECRET if held is None else open_secret(held), self)


def read_jwt(text: str) -> Jwt:
    """Read a compact JWS (RFC 7515, section 7.1) under the strict profile.

    Raises:
        Refused: with the reason code of the first rule that the token breaks.
    """
    segments = _COMPACT.fullmatch(text)
    if segments is None:
        raise Refused(_reason_of_unsigned(text))
    header = _json_object(_base64url(segments[1]))
    members = _json_object(_base64url(segments[2]))
    signature = _base64url(segments[3])
    key_id = _key_id_of_header(header)
    scope, name_of_user_id = _scope_and_user_claim(members)
    claims = Claims(
        scope=scope,
        user_id=_user_id(members, name_of_user_id) if IdName.USER in SCOPES[scope].claims else None,
        expires_at=_numeric_date(members, "exp"),
        not_before=_numeric_date(members, "nbf"),
        permissions=_permissions(members),
    )
    return Jwt(text, signature, key_id, claims)


def is_signed_with(secret: str, token: Jwt) -> bool:
    """Return whether a token was signed with the secret (RFC 7515, section 5.2).

    The HMAC key is the secret's UTF-8 text.
    """
    signed = token.text.rpartition(".")[0]
    expected = digest(secret.encode(), signed.encode(), "sha256")
    return compare_digest(expected, token.signature)


def _reason_of_unsigned(text: str) -> Reason:
    # An unsecured token (RFC 7519, section 6) ends with its second dot.
    unsigned = text.endswith(".") and text.count(".") == 2  # noqa: PLR2004 - three segments
    return Reason.UNSUPPORTED_ALGORITHM if unsigned else Reason.MALFORMED_TOKEN


def _key_id_of_header(header: dict[str, object]) -> str:
    if header.get("alg") != ALGORITHM:
        raise Refused(Reason.UNSUPPORTED_ALGORITHM)
    if not REFUSED_PARAMETERS.isdisjoint(header):
        raise Refused(Reason.UNSUPPORTED_HEADER_PARAMETER)
    token_type = header.get("typ", "JWT")
    # Media type names are case-insensitive (RFC 7515, section 4.1.9).
    if not isinstance(token_type, str) or token_type.upper() != "JWT":
        raise Refused(Reason.UNSUPPORTED_TOKEN_TYPE)
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not is_key_id(key_id):
        raise Refused(Reason.MALFORMED_KEY_ID)
    return key_id


def _scope_and_user_claim(claims: dict[str, object]) -> tuple[Scope, str]:
    """Return the claimed scope, and the name of the claim that identifies its user."""
    claimed = claims.get("scope")
    is_sdk_token = claimed == _SDK_SCOPE
    if _USER_ID in claims and (is_sdk_token or _SDK_USER_ID in claims):
        raise Refused(Reason.CONFLICTING_CLAIMS)
    if is_sdk_token:
        return Scope.APP_USER, _SDK_USER_ID
    if claimed is None:
        raise Refused(Reason.MISSING_SCOPE)
    if not isinstance(claimed, str):
        raise Refused(Reason.MALFORMED_CLAIM)
    if claimed not in _SCOPES:
        raise Refused(Reason.UNKNOWN_SCOPE)
    return _SCOPES[claimed], _USER_ID


def _user_id(claims: dict[str, object], name: str) -> str:
    claimed = claims.get(name)
    if claimed is None or claimed == "":
        raise Refused(Reason.MISSING_USER_ID)
    if not isinstance(claimed, str):
        raise Refused(Reason.MALFORMED_CLAIM)
    if not is_safe_user_id(claimed):
        raise Refused(Reason.UNSAFE_USER_ID)
    return claimed


def _permissions(claims: dict[str, object]) -> tuple[str, ...] | None:
    if "permissions" not in claims:
        return None
    try:
        return read_permissions(claims["permissions"])
    except ValueError:
        raise Refused(Reason.MALFORMED_CLAIM) from None


def _numeric_date(claims: dict[str, object], name: str) -> int | None:
    if name not in claims:
        return None
    claimed = claims[name]
    if not isinstance(claimed, int) or isinstance(claimed, bool) or claimed not in _CALENDAR:
        raise Refused(Reason.MALFORMED_CLAIM)
    return claimed


def _base64url(segment: str) -> bytes:
    """Decode unpadded base64url (RFC 7515, section 2); refuse stray bits in the last character.

    `_COMPACT` has matched the alphabet.
    """
    if segment[-1] not in _LAST_CHARACTERS[len(segment) % 4]:
        raise Refused(Reason.MALFORMED_TOKEN)
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _json_object(octets: bytes) -> dict[str, object]:
    try:
        value = read_strict_json(octets.decode())
    except RepeatedMemberError:
        raise Refused(Reason.DUPLICATE_TOKEN_MEMBER) from None
    except ValueError:
        value = None
    # Raised here, because the error above contains the octets.
    if not isinstance(value, dict):
        raise Refused(Reason.MALFORMED_TOKEN)
    return value
