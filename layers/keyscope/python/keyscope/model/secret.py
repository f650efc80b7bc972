"""The secret's format: `ks_`, 32 random bytes and a checksum.

    ks_ + 43 base64url characters (32 bytes) + 6 base64url characters (CRC-32 of all before)

The prefix lets secret scanners find leaked secrets. The checksum lets Keyscope refuse a mistyped
secret without reading its key record. Neither proves anything; only the key record does.
"""

import re
import secrets
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256

from keyscope.errors import Reason, Refused

SECRET_PREFIX = "ks_"  # noqa: S105 - the public prefix of every secret
SECRET_RANDOM_BYTES = 32
CHECKSUM_LENGTH = 6

_SECRET = re.compile(f"{SECRET_PREFIX}[A-Za-z0-9_-]{{43}}[A-Za-z0-9_-]{{{CHECKSUM_LENGTH}}}")


def new_secret(token_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Create a secret from `SECRET_RANDOM_BYTES` random bytes."""
    body = SECRET_PREFIX + _base64url(token_bytes(SECRET_RANDOM_BYTES))
    return body + _checksum(body)


def check_secret(secret: str) -> None:
    """Check the format and checksum of a secret.

    Raises:
        Refused: `MISTYPED_SECRET`; it cannot be the secret of any key.
    """
    if _SECRET.fullmatch(secret) is None:
        raise Refused(Reason.MISTYPED_SECRET)
    if _checksum(secret[:-CHECKSUM_LENGTH]) != secret[-CHECKSUM_LENGTH:]:
        raise Refused(Reason.MISTYPED_SECRET)


def hash_secret(secret: str) -> bytes:
    """Return the SHA-256 of a secret, 32 bytes.

    A plain hash is enough: the secret is 256 random bits, so it cannot be guessed.
    """
    return sha256(secret.encode()).digest()


def _checksum(body: str) -> str:
    return _base64url(zlib.crc32(body.encode()).to_bytes(4, "big"))


def _base64url(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
