"""Prepares an authorizer before Lambda takes the snapshot that its containers start from.

https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

import gc
import random
from collections.abc import Callable, Mapping
from contextlib import suppress

from keyscope.aws.calls import AwsReader, error_code
from keyscope.aws.telemetry import Telemetry
from keyscope.errors import Unavailable
from keyscope.model.key_record import KeyStore

NO_KEY = "snapshot"
"""A key id that no key can have."""

_EXPECTED_CODE = "InvalidCiphertextException"


def is_taken(environment: Mapping[str, str]) -> bool:
    """Return whether Lambda takes a snapshot of this container (SnapStart)."""
    return environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"


def before_snapshot(prepare: Callable[[], None]) -> None:
    """Have Lambda call `prepare` before the snapshot; its runtime provides the hooks."""
    with suppress(ImportError):
        from snapshot_restore_py import (  # noqa: PLC0415 - no other container needs it
            register_after_restore,
            register_before_snapshot,
        )

        register_before_snapshot(prepare)
        # Otherwise all containers of a snapshot would wait equally long before they retry.
        register_after_restore(random.seed)


def prepare(keys: KeyStore, reader: AwsReader, kms_key_arn: str, telemetry: Telemetry) -> None:
    """Call DynamoDB and KMS once and discard the responses, so that a restored container is ready.

    The snapshot contains no connection, record or secret. A failed call is only logged.
    """
    code = _code_of(lambda: keys.get(NO_KEY))
    if code is not None:
        telemetry.unprepared("dynamodb", code)
    context = {"keyId": NO_KEY}
    code = _code_of(
        lambda: reader.decrypt(KeyId=kms_key_arn, CiphertextBlob=b"none", EncryptionContext=context)
    )
    if code not in (None, _EXPECTED_CODE):
        telemetry.unprepared("kms", str(code))
    reader.close()
    gc.collect()
    gc.freeze()


def _code_of(call: Callable[[], object]) -> str | None:
    """Make a call; return the code of its error, or `None` if it succeeds."""
    try:
        call()
    except Unavailable as unavailable:
        return unavailable.detail
    except Exception as error:  # noqa: BLE001 - whatever a client meets
        return error_code(error)
    return None
