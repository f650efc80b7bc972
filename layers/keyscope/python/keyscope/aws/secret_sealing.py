"""Encrypts secrets with KMS, with the key id as encryption context."""

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from keyscope.aws.calls import error_code
from keyscope.aws.clients import KmsClient
from keyscope.aws.kms_secrets import encryption_context
from keyscope.errors import Reason, Unavailable


@dataclass(frozen=True, slots=True)
class SecretSealingBox:
    """Encrypts secrets for storage."""

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
                EncryptionContext=encryption_context(key_id),
            )
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(Reason.KMS_UNAVAILABLE, error_code(error)) from None
        return bytes(response["CiphertextBlob"])
