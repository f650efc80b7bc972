"""The credential in an `Authorization` value: this module reads it, `verification` verifies it.

Each kind of credential has a module that defines how to read it, which key it names, what proves
it, and what it claims. To add a kind, write its module, then add it here and to `CredentialKind`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from keyscope.authorize.basic import Basic, read_basic
from keyscope.authorize.bearer_secret import BearerSecret, read_bearer_secret
from keyscope.authorize.jwt import Jwt, read_jwt
from keyscope.errors import Reason, Refused
from keyscope.model.secret import SECRET_PREFIX

MAX_AUTHORIZATION_LENGTH = 4_096
"""Longest `Authorization` value, in characters. Valid tokens are far shorter; the limit bounds the
work."""

Credential = Basic | Jwt | BearerSecret
"""Every kind has:

- `kind`, `title`, which people read, and `scheme`, its authentication scheme;
- `alone`, a regular expression for a credential that someone stored without its scheme, or "";
- `key_id`, the key that it names;
- `claims`, or `None` if the key's owner alone determines the scope;
- `is_proven_by(record, open_secret)`, which takes just as long without a record;
- `refusal`, the reason code if no record proves it.
"""
KINDS: Final[tuple[type[Credential], ...]] = (Basic, Jwt, BearerSecret)


def _read_bearer(text: str) -> Jwt | BearerSecret:
    # No JWT begins as a secret does: its header would not be UTF-8.
    return read_bearer_secret(text) if text.startswith(SECRET_PREFIX) else read_jwt(text)


_READERS: Final[Mapping[str, Callable[[str], Credential]]] = {
    "basic": read_basic,
    "bearer": _read_bearer,
}


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
    read = _READERS.get(scheme.lower())
    if read is None:
        raise Refused(Reason.UNSUPPORTED_SCHEME)
    return read(rest.lstrip(" "))
