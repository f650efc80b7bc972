"""Basic authentication (RFC 7617): a key id and a secret."""

from base64 import b64decode, b64encode
from collections.abc import Callable
from hmac import compare_digest
from typing import ClassVar

from keyscope.errors import Reason, Refused
from keyscope.model.ids import is_key_id
from keyscope.model.key_record import KeyRecord
from keyscope.model.principal import CredentialKind, Scheme
from keyscope.model.secret import hash_secret, key_id_of_secret
from keyscope.records import dataclass, field

_NO_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class Basic:
    """A key id, and the SHA-256 of the secret sent with it. The secret itself is not stored."""

    kind: ClassVar[CredentialKind] = CredentialKind.BASIC
    title: ClassVar[str] = "Basic"
    scheme: ClassVar[Scheme] = Scheme.BASIC
    alone: ClassVar[str] = ""
    refusal: ClassVar[Reason] = Reason.WRONG_SECRET
    claims: ClassVar[None] = None

    key_id: str
    secret_hash: bytes = field(repr=False)

    def is_proven_by(
        self, held: KeyRecord | None, _open_secret: Callable[[KeyRecord], str]
    ) -> bool:
        """Return whether the record has this hash. Without a record, compare anyway."""
        return compare_digest(self.secret_hash, _NO_HASH if held is None else held.secret_hash)


def read_basic(encoded: str) -> Basic:
    """Read `base64(keyid:secret)`.

    The key id ends at the first colon; the rest is the secret (RFC 7617, section 2).

    Raises:
        Refused: with the reason code of the first rule that the text breaks.
    """
    key_id, colon, secret = (_text_of_base64(encoded) or "").partition(":")
    if not colon:
        raise Refused(Reason.MALFORMED_BASIC)
    if not is_key_id(key_id):
        raise Refused(Reason.MALFORMED_KEY_ID)
    if key_id_of_secret(secret) != key_id:
        raise Refused(Reason.SECRET_OF_ANOTHER_KEY)
    return Basic(key_id, hash_secret(secret))


def _text_of_base64(encoded: str) -> str | None:
    """Decode canonical base64 (RFC 4648, section 3.5) of UTF-8 text, or return `None`."""
    try:
        octets = b64decode(encoded, validate=True)
        text = octets.decode()
    except ValueError:
        # The caller raises: an error raised here would contain the octets, and so the secret.
        return None
    return text if b64encode(octets).decode() == encoded else None
