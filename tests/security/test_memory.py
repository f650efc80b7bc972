"""The authorizers' caches fit the function's memory, and a lack of memory is a 500 of its own."""

import secrets
import tracemalloc
from collections.abc import Callable
from typing import Any, Final

import pytest

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import prepare_policies
from keyscope.authorize.decision import Decision, Outcome
from keyscope.authorize.event import read_rest_event
from keyscope.authorize.key_cache import KeyCache
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.aws.dynamodb.key_table import KeyTable
from keyscope.aws.kms_secrets import SecretOpeningBox
from keyscope.entry.settings import CACHE_ENTRY_BYTES, CONTAINER_MB, read_authorizer_settings
from keyscope.errors import Misconfigured, Reason
from keyscope.model.ids import OwnerType, new_key_id
from keyscope.model.key_limits import MAX_ALLOWED_CIDRS, MAX_PERMISSIONS
from keyscope.model.key_record import KeyRecord
from keyscope.model.key_use import FirstUses
from keyscope.model.secret import hash_secret, new_secret
from tests.support.builders import APP, NOW, make_key, rest_request_event
from tests.support.stores import MemorySecretOpener

REQUIRED: Final = {"KEYSCOPE_KEYS_TABLE": "keys", "KEYSCOPE_KMS_KEY_ARN": "arn:aws:kms:key"}
CIPHERTEXT_BYTES: Final = 220
"""More than KMS makes of a secret of 52 characters."""
KEY: Final = make_key()
POLICIES: Final = prepare_policies(
    read_access_map(read_authorizer_settings(REQUIRED).access_map, ["v2"]), max_stage_length=16
)
ENTRIES: Final = 2_000


NAMES: Final = tuple(f"permission-{number}" for number in range(MAX_PERMISSIONS))


def item_with_all(key_id: str) -> dict[str, Any]:
    cidrs = [{"S": f"2001:db8:{secrets.token_hex(2)}::{n}/128"} for n in range(MAX_ALLOWED_CIDRS)]
    return {
        "key_id": {"S": "".join(key_id)},
        "format": {"N": "1"},
        "owner_type": {"S": "app"},
        "owner_id": {"S": secrets.token_hex(12)},
        "secret_hash": {"B": secrets.token_bytes(32)},
        "generation": {"N": "1"},
        "secret_ciphertext": {"B": secrets.token_bytes(CIPHERTEXT_BYTES)},
        "previous_secret_hash": {"B": secrets.token_bytes(32)},
        "previous_secret_ciphertext": {"B": secrets.token_bytes(CIPHERTEXT_BYTES)},
        "previous_ends_at": {"N": "4000000001"},
        "expires_at": {"N": "4000000002"},
        "disabled_at": {"N": "4000000003"},
        "allowed_cidrs": {"L": cidrs},
        "permission_names": {
            "L": [{"S": name} for name in (*NAMES[1:], f"x{secrets.token_hex(9)}")]
        },
    }


class Table:
    """A DynamoDB client that answers one item after the other, or fails."""

    def __init__(self, answer: Callable[[str], dict[str, Any]]) -> None:
        self._answer = answer

    def get_item(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - botocore's own
        return self._answer(request["Key"]["key_id"]["S"])


class Kms:
    """A KMS client that gives the secret it is told to."""

    def __init__(self) -> None:
        self.secret = ""

    def decrypt(self, **_: object) -> dict[str, Any]:
        return {"Plaintext": self.secret.encode()}


def cache_over(table: KeyTable) -> KeyCache:
    return KeyCache(table, lambda: NOW, fresh_seconds=30, stale_seconds=900, max_entries=10**6)


@pytest.mark.traced
def test_an_entry_takes_no_more_memory_than_the_settings_count() -> None:
    known = cache_over(
        KeyTable(Table(lambda key_id: {"Item": item_with_all(key_id)}), "keys", NAMES)
    )
    unknown = cache_over(KeyTable(Table(lambda _: {}), "keys"))
    kms = Kms()
    secrets_opened = SecretOpeningBox(lambda: kms, "arn", max_entries=10**6)
    uses = FirstUses(max_keys=10**6)
    tracemalloc.start()
    for _ in range(ENTRIES):
        uses.note(new_key_id(OwnerType.APP), NOW)
        known.get(new_key_id(OwnerType.APP))
        unknown.get(new_key_id(OwnerType.APP))
        kms.secret = new_secret(new_key_id(OwnerType.APP))
        secrets_opened.open(sealed(kms.secret))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / ENTRIES < CACHE_ENTRY_BYTES


def sealed(secret: str) -> KeyRecord:
    ciphertext = secrets.token_bytes(CIPHERTEXT_BYTES)
    return KeyRecord(new_key_id(OwnerType.APP), OwnerType.APP, APP, hash_secret(secret), ciphertext)


def test_a_cache_that_the_memory_cannot_hold_is_refused_at_start_with_both_settings() -> None:
    variables = {
        "KEYSCOPE_KEY_CACHE_ENTRIES": "100000",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    }
    with pytest.raises(Misconfigured) as misconfigured:
        read_authorizer_settings({**REQUIRED, **variables})
    assert str(misconfigured.value) == (
        "KEYSCOPE_KEY_CACHE_ENTRIES is 100000, which can take 415 MB, and"
        " AWS_LAMBDA_FUNCTION_MEMORY_SIZE is 128. Lower KeyCacheEntries or raise"
        " AuthorizerMemorySize"
    )


@pytest.mark.parametrize(
    ("entries", "memory"), [("11000", "128"), ("100000", "415"), ("10000", "128"), ("1", "91")]
)
def test_a_cache_that_the_memory_can_hold_is_taken(entries: str, memory: str) -> None:
    variables = {
        "KEYSCOPE_KEY_CACHE_ENTRIES": entries,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory,
    }
    assert read_authorizer_settings({**REQUIRED, **variables}).key_cache_entries == int(entries)


def test_where_lambda_does_not_tell_the_memory_nothing_is_compared() -> None:
    variables = {"KEYSCOPE_KEY_CACHE_ENTRIES": "100000"}
    assert read_authorizer_settings({**REQUIRED, **variables}).key_cache_entries == 100_000


def test_the_rest_of_the_container_has_its_share() -> None:
    variables = {"KEYSCOPE_KEY_CACHE_ENTRIES": "1"}
    with pytest.raises(Misconfigured):
        read_authorizer_settings(
            {**REQUIRED, **variables, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(CONTAINER_MB)}
        )


class ShortOfMemory:
    """A DynamoDB that cannot be read for want of memory until `over` is set."""

    over = False

    def answer(self, key_id: str) -> dict[str, Any]:
        if not self.over:
            raise MemoryError
        return {"Item": item_of_key(key_id)}


def item_of_key(key_id: str) -> dict[str, Any]:
    item = item_with_all(key_id)
    for name in ("previous_secret_hash", "previous_secret_ciphertext", "previous_ends_at"):
        del item[name]
    del item["disabled_at"], item["allowed_cidrs"]
    return item | {"secret_hash": {"B": KEY.record.secret_hash}}


def test_a_lack_of_memory_is_a_failure_of_one_request_and_no_outage() -> None:
    shortage = ShortOfMemory()
    authorizer = Authorizer(
        cache_over(KeyTable(Table(shortage.answer), "keys")),
        MemorySecretOpener(),
        POLICIES,
        clock=lambda: NOW,
        timer=lambda: 0,
    )

    def ask() -> Decision:
        return authorize(rest_request_event(KEY.basic()), read_rest_event, authorizer)

    failed = ask()
    assert (failed.outcome, failed.reason) == (Outcome.FAILED, Reason.INTERNAL_ERROR)
    shortage.over = True
    assert ask().outcome is Outcome.ALLOWED
