"""What the caller sent, read strictly; nothing of it is believed yet."""

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

from keyscope.errors import Reason, Refused
from keyscope.ids import is_key_id
from keyscope.secret import check_secret
from keyscope.token import Token, read_token

MAX_AUTHORIZATION_LENGTH = 4_096
"""Characters of an `Authorization` value. Far above any token of ours, and it bounds the work."""


@dataclass(frozen=True, slots=True)
class Basic:
    """A key id and a secret, sent with Basic authentication (RFC 7617)."""

    key_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token signed with a key, sent as a bearer token (RFC 6750)."""

    token: Token

    @property
    def key_id(self) -> str:
        """The id of the key that the token says it was signed with."""
        return self.token.key_id


Credential = Basic | Bearer


def parse_credential(authorization: str | None) -> Credential:
    """Read the value of an `Authorization` header (RFC 9110, section 11.4).

    Raises:
        Refused: with the reason code of the first rule that the value breaks.
    """
    if not authorization:
        raise Refused(Reason.NO_CREDENTIAL)
    if len(authorization) > MAX_AUTHORIZATION_LENGTH:
        raise Refused(Reason.CREDENTIAL_TOO_LONG)
    scheme, _, rest = authorization.partition(" ")
    match scheme.lower():
        case "basic":
            return _parse_basic(rest.lstrip(" "))
        case "bearer":
            return Bearer(read_token(rest.lstrip(" ")))
        case _:
            raise Refused(Reason.UNSUPPORTED_SCHEME)


def _parse_basic(encoded: str) -> Basic:
    """Split at the first colon: the key id holds none, a secret may (RFC 7617, section 2)."""
    try:
        octets = b64decode(encoded, validate=True)
        text = octets.decode()
    except (binascii.Error, ValueError):
        raise Refused(Reason.MALFORMED_BASIC) from None
    if b64encode(octets).decode() != encoded:
        raise Refused(Reason.MALFORMED_BASIC)
    key_id, colon, secret = text.partition(":")
    if not colon:
        raise Refused(Reason.MALFORMED_BASIC)
    if not is_key_id(key_id):
        raise Refused(Reason.MALFORMED_KEY_ID)
    check_secret(secret)
    return Basic(key_id, secret)
