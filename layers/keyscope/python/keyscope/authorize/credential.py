"""What the caller sent, read strictly; nothing of it is believed yet."""

from base64 import b64decode, b64encode
from dataclasses import dataclass, field

from keyscope.authorize.token import Token, read_token
from keyscope.errors import Reason, Refused
from keyscope.model.ids import is_key_id
from keyscope.model.secret import check_secret

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
    key_id, colon, secret = (_text_of_base64(encoded) or "").partition(":")
    if not colon:
        raise Refused(Reason.MALFORMED_BASIC)
    if not is_key_id(key_id):
        raise Refused(Reason.MALFORMED_KEY_ID)
    check_secret(secret)
    return Basic(key_id, secret)


def _text_of_base64(encoded: str) -> str | None:
    """Return UTF-8 text from its one base64 form (RFC 4648, section 3.5), `None` for any other."""
    try:
        octets = b64decode(encoded, validate=True)
        text = octets.decode()
    except ValueError:
        # Refused by the caller: an error raised here would hold the octets, secret and all.
        return None
    return text if b64encode(octets).decode() == encoded else None
