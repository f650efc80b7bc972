"""Sealing and opening secrets with KMS."""

from dataclasses import replace
from typing import cast

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from keyscope.aws.clients import KmsClient
from keyscope.aws.kms_secrets import SecretOpeningBox
from keyscope.aws.secret_sealing import SecretSealingBox
from keyscope.errors import Reason, Unavailable
from keyscope.model.key_record import KeyRecord, OpenedSecret
from keyscope_local.emulators.tables import local_client
from tests.support.builders import MadeKey, make_key
from tests.support.dynamodb_local import Store


@pytest.fixture
def kms(moto_store: Store) -> KmsClient:
    return cast("KmsClient", local_client("kms", moto_store.kms_url))


@pytest.fixture
def sealer(moto_store: Store, kms: KmsClient) -> SecretSealingBox:
    return SecretSealingBox(kms, moto_store.kms_key_arn)


@pytest.fixture
def opener(moto_store: Store, kms: KmsClient) -> SecretOpeningBox:
    return SecretOpeningBox(lambda: kms, moto_store.kms_key_arn, max_entries=2)


class BrokenKms:
    """A KMS client that fails with one error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def encrypt(self, **_: object) -> dict[str, object]:
        raise self._error

    def decrypt(self, **_: object) -> dict[str, object]:
        raise self._error


class CannedKms:
    """A KMS client that opens everything as the same bytes."""

    def __init__(self, plaintext: bytes) -> None:
        self._plaintext = plaintext

    def decrypt(self, **_: object) -> dict[str, object]:
        return {"Plaintext": self._plaintext}


def sealed(made: MadeKey, sealer: SecretSealingBox) -> KeyRecord:
    return replace(made.record, secret_ciphertext=sealer.seal(made.key_id, made.secret))


def opener_of(client: object) -> SecretOpeningBox:
    return SecretOpeningBox(lambda: cast("KmsClient", client), "arn:aws:kms:key", max_entries=2)


def kms_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "text"}}, "Decrypt")


def failure_of(opener: SecretOpeningBox, record: KeyRecord) -> tuple[Reason, str]:
    with pytest.raises(Unavailable) as unavailable:
        opener.open(record)
    return unavailable.value.reason, unavailable.value.detail


def test_a_sealed_secret_is_opened(sealer: SecretSealingBox, opener: SecretOpeningBox) -> None:
    made = make_key()
    record = sealed(made, sealer)
    assert opener.open(record) == OpenedSecret(made.secret, from_cache=False)


def test_a_secret_is_opened_by_kms_once(sealer: SecretSealingBox, opener: SecretOpeningBox) -> None:
    made = make_key()
    record = sealed(made, sealer)
    opener.open(record)
    assert opener.open(record) == OpenedSecret(made.secret, from_cache=True)


def test_only_so_many_secrets_are_remembered(
    sealer: SecretSealingBox, opener: SecretOpeningBox
) -> None:
    first, *others = [sealed(make_key(), sealer) for _ in range(3)]
    opener.open(first)
    for record in others:
        opener.open(record)
    assert not opener.open(first).from_cache


def test_the_secret_used_last_is_forgotten_last(
    sealer: SecretSealingBox, opener: SecretOpeningBox
) -> None:
    first, second, third = [sealed(make_key(), sealer) for _ in range(3)]
    opener.open(first)
    opener.open(second)
    opener.open(first)
    opener.open(third)
    assert opener.open(first).from_cache


def test_no_client_is_made_before_a_secret_is_asked_for() -> None:
    def make_client() -> KmsClient:
        message = "Basic never needs KMS"
        raise AssertionError(message)

    SecretOpeningBox(make_client, "arn:aws:kms:key", max_entries=1)


def test_a_ciphertext_of_another_key_is_damage(
    sealer: SecretSealingBox, opener: SecretOpeningBox
) -> None:
    record = replace(
        make_key().record, secret_ciphertext=sealed(make_key(), sealer).secret_ciphertext
    )
    assert failure_of(opener, record) == (Reason.DAMAGED_RECORD, "InvalidCiphertextException")


def test_a_secret_that_is_not_the_hashed_one_is_damage(
    sealer: SecretSealingBox, opener: SecretOpeningBox
) -> None:
    made = make_key()
    record = replace(sealed(made, sealer), secret_hash=b"h" * 32)
    assert failure_of(opener, record)[0] is Reason.DAMAGED_RECORD


def test_a_secret_that_is_not_text_is_damage() -> None:
    assert failure_of(opener_of(CannedKms(b"\xff")), make_key().record) == (
        Reason.DAMAGED_RECORD,
        "secret_ciphertext",
    )


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (kms_error("ThrottlingException"), "ThrottlingException"),
        (kms_error("AccessDeniedException"), "AccessDeniedException"),
        (kms_error("DisabledException"), "DisabledException"),
        (ConnectTimeoutError(endpoint_url="http://kms"), "ConnectTimeoutError"),
    ],
)
def test_a_kms_that_cannot_answer_is_unavailable(error: Exception, detail: str) -> None:
    opener = opener_of(BrokenKms(error))
    assert failure_of(opener, make_key().record) == (Reason.KMS_UNAVAILABLE, detail)


def test_a_secret_that_cannot_be_sealed_is_unavailable() -> None:
    client = cast("KmsClient", BrokenKms(kms_error("ThrottlingException")))
    with pytest.raises(Unavailable) as unavailable:
        SecretSealingBox(client, "arn:aws:kms:key").seal("app_1", "secret")
    assert unavailable.value.reason is Reason.KMS_UNAVAILABLE
