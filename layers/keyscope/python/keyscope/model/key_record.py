"""A stored key, and the ports to its storage."""

from enum import StrEnum
from typing import Protocol

from keyscope.model.external_ids import NO_EXTERNAL_IDS, ExternalIds
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import NO_LIMITS, KeyLimits
from keyscope.records import dataclass, field

RECORD_FORMAT = 1
"""The version of the format of stored records. A reader refuses a version that it does not know."""


@dataclass(frozen=True, slots=True)
class PreviousSecret:
    """The secret that a rotation replaced, in the two forms of `KeyRecord`.

    It proves possession of the key until `ends_at`, in seconds since the epoch.
    """

    secret_hash: bytes = field(repr=False)
    secret_ciphertext: bytes = field(repr=False)
    ends_at: int


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """Everything that decides a request made with a key.

    Times are seconds since the epoch.

    - `integration_id` is the integration that an app's key is bound to, if its kind is.
    - `suspended_at` is when the operator suspended the key with its account. Until the account is
      resumed, the key is refused, whatever its limits are.
    - `secret_hash` is the SHA-256 of the secret. Basic needs nothing else.
    - `secret_ciphertext` is the secret encrypted by KMS with the key id as encryption context.
      Tokens need it.
    - `previous` is the secret that the last rotation replaced. It stays after its end, so that its
      use is not mistaken for a wrong secret. For the same reason a revoked key's record is kept for
      a while, without any secret: the key is not mistaken for one that never existed.
    - `secret_generation` is the generation of `secret_hash`: a key's first secret is 1, and each
      rotation adds one.
    - `usage_identifier_key` is the value of the API Gateway key whose usage plan throttles this
      key's requests.
    - `external_ids` are copies of the account's and the app's, so that one read decides a request.
      They never change.
    """

    key_id: str
    owner_type: OwnerType
    owner_id: str
    secret_hash: bytes = field(repr=False)
    secret_ciphertext: bytes = field(repr=False)
    limits: KeyLimits = NO_LIMITS
    revoked_at: int | None = None
    previous: PreviousSecret | None = None
    secret_generation: int = 1
    usage_identifier_key: str | None = field(default=None, repr=False)
    integration_id: str | None = None
    external_ids: ExternalIds = NO_EXTERNAL_IDS
    suspended_at: int | None = None


class RecordSource(StrEnum):
    """Where a key record came from."""

    TABLE = "table"
    CACHE = "cache"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Lookup:
    """The response of a key store; `record` is `None` if the key does not exist."""

    record: KeyRecord | None
    source: RecordSource


class KeyStore(Protocol):
    """Where key records come from. Any thread may read it.

    `tests/integration/test_key_store_contract.py` checks every implementation.
    """

    def get(self, key_id: str, /, *, fresh: bool = False) -> Lookup:
        """Return the record of a key; that of a revoked key has neither secrets nor a usage plan.

        A store may return a record that it read earlier. With `fresh`, that record is at most a
        second old, or its source is `STALE` because the store cannot read it now.

        Raises:
            Unavailable: `KEY_STORE_UNAVAILABLE` or `DAMAGED_RECORD`. The former is `Hung` after a
                timeout or a broken connection, and `HeldUp` if other calls used up the time.
        """
        ...


@dataclass(frozen=True, slots=True)
class OpenedSecret:
    """A secret in clear text; with `from_cache`, KMS was not called for it."""

    secret: str = field(repr=False)
    from_cache: bool


class SecretOpener(Protocol):
    """Opens encrypted secrets."""

    def open(self, record: KeyRecord, /) -> OpenedSecret:
        """Return the secret of a key record.

        Raises:
            Unavailable: `KMS_UNAVAILABLE` or `DAMAGED_RECORD`.
        """
        ...
