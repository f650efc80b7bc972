"""Decrypts secrets with KMS, with the key id as encryption context."""

from collections import OrderedDict
from collections.abc import Callable
from hmac import compare_digest
from threading import TIMEOUT_MAX, Lock

from keyscope.authorize.single_flight import SingleFlight, WaitedTooLong
from keyscope.aws.calls import Decrypter, error_code
from keyscope.errors import Reason, Unavailable
from keyscope.model.key_record import KeyRecord, OpenedSecret
from keyscope.model.secret import hash_secret

_Sealed = tuple[str, bytes]
"""A key id and a ciphertext."""

_DAMAGE_CODES = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class SecretOpeningBox:
    """Decrypts secrets, and caches up to `max_entries` of them.

    The cache is keyed by ciphertext, and callers pass only records that the key store returned as
    valid. So a revoked key's secret is never returned, cached or not. The client is created at the
    first token, because Basic never needs it.

    Threads that need the same secret at the same time share one KMS call; `wait_seconds` returns
    how long a thread may wait for another thread's call.
    """

    def __init__(
        self,
        make_client: Callable[[], Decrypter],
        kms_key_arn: str,
        max_entries: int,
        wait_seconds: Callable[[], float] = lambda: TIMEOUT_MAX,
    ) -> None:
        """Start with an empty cache."""
        self._make_client = make_client
        self._client: Decrypter | None = None
        self._kms_key_arn = kms_key_arn
        self._max_entries = max_entries
        self._opened: OrderedDict[_Sealed, str] = OrderedDict()
        self._turn = Lock()
        self._making = Lock()
        self._decryptions: SingleFlight[_Sealed, str | Unavailable] = SingleFlight(wait_seconds)

    def open(self, record: KeyRecord, /) -> OpenedSecret:
        """Return the secret of a key record.

        Raises:
            Unavailable: `KMS_UNAVAILABLE`, or `DAMAGED_RECORD` when the ciphertext is not this
                key's or its secret does not have the record's hash.
        """
        sealed = (record.key_id, record.secret_ciphertext)
        remembered = self._opened.get(sealed)
        opened = self._decrypt_once(record) if remembered is None else remembered
        if isinstance(opened, Unavailable):
            # Each thread raises an error of its own, because raising changes the error.
            raise Unavailable(opened.reason, opened.detail)
        if not _is_hashed(opened, record):
            raise Unavailable(Reason.DAMAGED_RECORD, "secret_ciphertext and secret_hash differ")
        self._remember(sealed, opened)
        return OpenedSecret(opened, from_cache=remembered is not None)

    def _decrypt_once(self, record: KeyRecord) -> str | Unavailable:
        sealed = (record.key_id, record.secret_ciphertext)
        try:
            return self._decryptions.run(sealed, lambda: self._decrypt(record))
        except WaitedTooLong:
            return Unavailable(Reason.KMS_UNAVAILABLE, WaitedTooLong.__name__)

    def _decrypt(self, record: KeyRecord) -> str | Unavailable:
        # Another thread's call may have finished since this thread checked.
        sealed = (record.key_id, record.secret_ciphertext)
        remembered = self._opened.get(sealed)
        if remembered is not None:
            return remembered
        try:
            response = self._made_client().decrypt(
                KeyId=self._kms_key_arn,
                CiphertextBlob=record.secret_ciphertext,
                EncryptionContext=encryption_context(record.key_id),
            )
            plaintext = bytes(response["Plaintext"])
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a client meets
            code = error_code(error)
            reason = Reason.DAMAGED_RECORD if code in _DAMAGE_CODES else Reason.KMS_UNAVAILABLE
            return Unavailable(reason, code)
        try:
            secret = plaintext.decode()
        except UnicodeDecodeError:
            return Unavailable(Reason.DAMAGED_RECORD, "secret_ciphertext")
        if _is_hashed(secret, record):
            self._remember(sealed, secret)
        return secret

    def _made_client(self) -> Decrypter:
        with self._making:
            if self._client is None:
                self._client = self._make_client()
            return self._client

    def _remember(self, sealed: _Sealed, secret: str) -> None:
        with self._turn:
            self._opened[sealed] = secret
            self._opened.move_to_end(sealed)
            if len(self._opened) > self._max_entries:
                self._opened.popitem(last=False)


def _is_hashed(secret: str, record: KeyRecord) -> bool:
    return compare_digest(hash_secret(secret), record.secret_hash)


def encryption_context(key_id: str) -> dict[str, str]:
    """Return what binds a ciphertext to its key."""
    return {"keyId": key_id}
