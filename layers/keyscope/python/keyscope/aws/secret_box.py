"""Sealing secrets with KMS, with the key id as encryption context."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hmac import compare_digest

from botocore.exceptions import BotoCoreError, ClientError

from keyscope.aws.clients import KmsClient
from keyscope.aws.key_table import error_code
from keyscope.errors import Reason, Unavailable
from keyscope.key_record import KeyRecord, OpenedSecret
from keyscope.secret import hash_secret

_DAMAGE_CODES = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


@dataclass(frozen=True, slots=True)
class SecretSealingBox:
    """Seals secrets for storage."""

    client: KmsClient
    kms_key_arn: str

    def seal(self, key_id: str, secret: str, /) -> bytes:
        """Return the secret encrypted for this key.

        Raises:
            Unavailable: `KMS_UNAVAILABLE`.
        """
        try:
            response = self.client.encrypt(
                KeyId=self.kms_key_arn,
                Plaintext=secret.encode(),
                EncryptionContext=_encryption_context(key_id),
            )
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(Reason.KMS_UNAVAILABLE, error_code(error)) from None
        return bytes(response["CiphertextBlob"])


class SecretOpeningBox:
    """Opens sealed secrets, and remembers up to `max_entries` of them.

    A secret is remembered for its ciphertext, and is only asked for with a record that the key
    store vouches for: a revoked key's secret is never opened, remembered or not. The client is
    made at the first token, because Basic never needs it.
    """

    def __init__(
        self, make_client: Callable[[], KmsClient], kms_key_arn: str, max_entries: int
    ) -> None:
        """Start with nothing remembered."""
        self._make_client = make_client
        self._client: KmsClient | None = None
        self._kms_key_arn = kms_key_arn
        self._max_entries = max_entries
        self._opened: OrderedDict[tuple[str, bytes], str] = OrderedDict()

    def open(self, record: KeyRecord, /) -> OpenedSecret:
        """Return the secret of a key record.

        Raises:
            Unavailable: `KMS_UNAVAILABLE`, or `DAMAGED_RECORD` when the ciphertext is not of this
                key or does not hold the secret that the record's hash is of.
        """
        sealed = (record.key_id, record.secret_ciphertext)
        remembered = self._opened.get(sealed)
        secret = self._decrypt(record) if remembered is None else remembered
        if not compare_digest(hash_secret(secret), record.secret_hash):
            raise Unavailable(Reason.DAMAGED_RECORD, "secret_ciphertext and secret_hash differ")
        self._opened[sealed] = secret
        self._opened.move_to_end(sealed)
        if len(self._opened) > self._max_entries:
            self._opened.popitem(last=False)
        return OpenedSecret(secret, from_cache=remembered is not None)

    def _decrypt(self, record: KeyRecord) -> str:
        try:
            if self._client is None:
                self._client = self._make_client()
            response = self._client.decrypt(
                KeyId=self._kms_key_arn,
                CiphertextBlob=record.secret_ciphertext,
                EncryptionContext=_encryption_context(record.key_id),
            )
        except (BotoCoreError, ClientError) as error:
            code = error_code(error)
            reason = Reason.DAMAGED_RECORD if code in _DAMAGE_CODES else Reason.KMS_UNAVAILABLE
            raise Unavailable(reason, code) from None
        try:
            return bytes(response["Plaintext"]).decode()
        except UnicodeDecodeError:
            raise Unavailable(Reason.DAMAGED_RECORD, "secret_ciphertext") from None


def _encryption_context(key_id: str) -> dict[str, str]:
    return {"keyId": key_id}
