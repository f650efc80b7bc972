"""The secret's format: it names its key, and its checksum shows most typing errors.

    ks_ + key id + _ + 43 base62 characters (32 random bytes) + 6 base62 characters (checksum)

Every part has a fixed width, so a reader finds it by its position: key ids contain `_` themselves.
All characters are letters, digits and `_`, so a double click selects a secret whole. The checksum
is the CRC-32 of all characters before it. It lets Keyscope refuse a mistyped secret without reading
its key record and lets secret scanners tell secrets from other text. It proves nothing: only the
key record does.
"""

import secrets
from collections.abc import Callable
from hashlib import sha256
from zlib import crc32

from keyscope.errors import Reason, Refused
from keyscope.model.ids import KEY_ID_LENGTH, is_key_id

SECRET_PREFIX = "ks_"  # noqa: S105 - the public prefix of every secret
SECRET_RANDOM_BYTES = 32
CHECKSUM_LENGTH = 6

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH = 43
"""Base62 characters of `SECRET_RANDOM_BYTES`: 62**43 is the first power that exceeds 2**256."""
_KEY_ID = slice(len(SECRET_PREFIX), len(SECRET_PREFIX) + KEY_ID_LENGTH)
_RANDOM_START = _KEY_ID.stop + 1
SECRET_LENGTH = _RANDOM_START + _RANDOM_LENGTH + CHECKSUM_LENGTH


def new_secret(key_id: str, token_bytes: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Create a secret for a key from `SECRET_RANDOM_BYTES` random bytes."""
    random = int.from_bytes(token_bytes(SECRET_RANDOM_BYTES), "big")
    body = f"{SECRET_PREFIX}{key_id}_{_base62(random, _RANDOM_LENGTH)}"
    return body + _checksum(body)


def key_id_of_secret(secret: str) -> str:
    """Return the id of the key that a secret names, after checking its format and checksum.

    Raises:
        Refused: `MALFORMED_SECRET` or `MISTYPED_SECRET`; it cannot be the secret of any key.
    """
    key_id, random = secret[_KEY_ID], secret[_RANDOM_START:]
    if (
        len(secret) != SECRET_LENGTH
        or not secret.startswith(SECRET_PREFIX)
        or secret[_KEY_ID.stop] != "_"
        or not random.isascii()
        or not random.isalnum()
        or not is_key_id(key_id)
    ):
        raise Refused(Reason.MALFORMED_SECRET)
    if _checksum(secret[:-CHECKSUM_LENGTH]) != secret[-CHECKSUM_LENGTH:]:
        raise Refused(Reason.MISTYPED_SECRET)
    return key_id


def hash_secret(secret: str) -> bytes:
    """Return the SHA-256 of a secret, 32 bytes.

    A plain hash is enough: the secret is 256 bits of randomness, so there is nothing to guess.
    """
    return sha256(secret.encode()).digest()


def _checksum(body: str) -> str:
    return _base62(crc32(body.encode()), CHECKSUM_LENGTH)


def _base62(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits
