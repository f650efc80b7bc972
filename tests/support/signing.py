"""Tokens made by hand: any header, any payload, and a signature that is right."""

import base64
import hmac
import json
from hashlib import sha256, sha384, sha512
from typing import Final

from keyscope.errors import Reason
from tests.support.attacks import Attack, sent

APP: Final = {"scope": "app"}
DIGESTS: Final = {"HS256": sha256, "HS384": sha384, "HS512": sha512}


def segment(value: object) -> str:
    """Return base64url of octets, of text (half surrogate pairs, too), or of a value as JSON."""
    match value:
        case bytes():
            octets = value
        case str():
            octets = value.encode(errors="surrogatepass")
        case _:
            octets = json.dumps(value).encode()
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def signed(header: object, claims: object, secret: str, algorithm: str = "HS256") -> str:
    """Return a compact JWS of any header and payload, with a signature that is right."""
    signing_input = f"{segment(header)}.{segment(claims)}"
    return f"{signing_input}.{signature(signing_input, secret, algorithm)}"


def signature(signing_input: str, secret: str, algorithm: str = "HS256") -> str:
    """Return the signature segment (RFC 7515, appendix A.1)."""
    return segment(hmac.digest(secret.encode(), signing_input.encode(), DIGESTS[algorithm]))


def token_sent(name: str, source: str, reason: Reason, token: str) -> Attack:
    """Return the attack of one token."""
    return sent(f"JWT: {name}", source, reason, "Bearer " + token)
