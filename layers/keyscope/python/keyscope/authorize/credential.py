"""The credential in an `Authorization` value. Reading it proves nothing; `verification` does.

Each kind of credential is one module: how it is read, which key it names, what proves it, and what
it claims. A new kind is its module, a row here and a member of `CredentialKind`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from keyscope.authorize.basic import Basic, read_basic
from keyscope.authorize.jwt import Jwt, read_jwt
from keyscope.errors import Reason, Refused

MAX_AUTHORIZATION_LENGTH = 4_096
"""Characters of an `Authorization` value. Far above any token of ours, and it bounds the work."""

Credential = Basic | Jwt
"""Every kind has:

- `kind`, and `scheme`, its authentication scheme;
- `alone`, a regular expression of what a person may store without its scheme, or "";
- `key_id`, the key that it names;
- `claims`, or `None` where the key's owner alone determines the scope;
- `is_proven_by(record, open_secret)`, which takes as long for a record that does not exist;
- `refusal`, the reason code where no record proves it.
"""
KINDS: Final[tuple[type[Credential], ...]] = (Basic, Jwt)

_READERS: Final[Mapping[str, Callable[[str], Credential]]] = {
    "basic": read_basic,
    "bearer": read_jwt,
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
