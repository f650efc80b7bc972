"""A key's secret alone, as a Bearer token (RFC 6750, section 2.1): the secret names its key."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from keyscope.authorize.basic import holds_hash
from keyscope.errors import Reason
from keyscope.model.key_record import KeyRecord
from keyscope.model.principal import CredentialKind, Scheme
from keyscope.model.secret import hash_secret, key_id_of_secret


@dataclass(frozen=True, slots=True)
class BearerSecret:
    """The key id that a secret contains, and the SHA-256 of the secret, which is not stored."""

    kind: ClassVar[CredentialKind] = CredentialKind.BEARER_SECRET
    title: ClassVar[str] = "Bearer secret"
    scheme: ClassVar[Scheme] = Scheme.BEARER
    alone: ClassVar[str] = r"ks_\w{20,}"
    refusal: ClassVar[Reason] = Reason.WRONG_SECRET
    claims: ClassVar[None] = None

    key_id: str
    secret_hash: bytes = field(repr=False)

    def is_proven_by(
        self, held: KeyRecord | None, _open_secret: Callable[[KeyRecord], str]
    ) -> bool:
        """Return whether the record has this hash. Without a record, compare anyway."""
        return holds_hash(held, self.secret_hash)


def read_bearer_secret(secret: str) -> BearerSecret:
    """Read `ks_...`.

    Raises:
        Refused: `MALFORMED_SECRET` or `MISTYPED_SECRET`.
    """
    return BearerSecret(key_id_of_secret(secret), hash_secret(secret))
