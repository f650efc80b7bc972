"""Key records over releases: each reads what the other writes; and from one table to another."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol, cast

import pytest

from keyscope.authorize.event import read_rest_event
from keyscope.aws.dynamodb.key_items import record_of_item
from keyscope.entry.authorizer import authorizer_handler
from keyscope.errors import Reason, Unavailable
from keyscope.lifecycle.external_ids import ExternalName
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.model.ids import OwnerType, new_account_id
from keyscope.model.key_limits import KeyLimits
from keyscope.model.key_record import KeyRecord
from keyscope_local.emulators.tables import create_tables
from keyscope_local.template.intrinsics import Json
from keyscope_local.template.stack import Stack
from keyscope_local.tour.event_values import basic, bearer
from keyscope_local.tour.seed import IssuedKey
from tests.support.builders import NOW, limited, rest_request_event
from tests.support.dynamodb_local import Store
from tests.support.operations import dynamodb_of, key_item, record_of
from tests.vectors.record_format_1_reader import DamagedRecord, read_format_1

VECTORS: Final = Path(__file__).parents[1] / "vectors"
FORMAT_1: Final = cast(
    "Mapping[str, Json]", json.loads((VECTORS / "record_format_1.json").read_text("utf-8"))
)
APP: Final = OwnerType.APP
RESTORED: Final = "restored-keys"
PAGE: Final = (Path(__file__).parents[2] / "docs/reference/record-formats.md").read_text("utf-8")


def item_of_vector(name: str) -> dict[str, dict[str, Any]]:
    item = cast("Mapping[str, Mapping[str, str]]", FORMAT_1[name])
    return {
        attribute: {"B": base64.b64decode(value["B"])} if "B" in value else dict(value)
        for attribute, value in item.items()
    }


def decided_by(record: KeyRecord) -> dict[str, object]:
    """Return what a record decides, in the words of the frozen reader."""
    previous = record.previous
    secrets = {
        "secret_hash": record.secret_hash,
        "secret_ciphertext": record.secret_ciphertext,
        "previous": previous
        and (previous.secret_hash, previous.secret_ciphertext, previous.ends_at),
        "usage_identifier_key": record.usage_identifier_key,
    }
    return {
        "key_id": record.key_id,
        "owner_type": record.owner_type.value,
        "owner_id": record.owner_id,
        "integration_id": record.integration_id,
        "external_ids": tuple(record.external_ids),
        "expires_at": record.limits.expires_at,
        "allowed_cidrs": record.limits.allowed_cidrs,
        "permissions": record.limits.permissions or (),
        "revoked_at": record.revoked_at,
        "disabled_at": record.limits.disabled_at,
        "suspended_at": record.suspended_at,
        "secret_generation": record.secret_generation,
        **(secrets if record.revoked_at is None else {}),
    }


class _Pages(Protocol):
    def paginate(self, **request: object) -> Iterable[Mapping[str, list[Json]]]: ...


class _Copying(Protocol):
    """What a copy needs of DynamoDB, and no function does."""

    def get_paginator(self, operation: str) -> _Pages: ...

    def put_item(self, **request: object) -> Json: ...


@dataclass(frozen=True)
class Context:
    """What Lambda tells of an invocation."""

    aws_request_id: str = "invocation-1"


@pytest.fixture
def app_id(operations: Provisioning) -> str:
    # The tests share their tables, and an external id is given once.
    name = ExternalName(f"acme-{new_account_id()}")
    account, _ = operations.create_account("Acme", KeyRequest(), name)
    app, _ = operations.create_named_app(account.owner_id, "app", None, name)
    return app.owner_id


@pytest.fixture
def fullest(operations: Provisioning, app_id: str) -> CreatedKey:
    """A key whose record has every optional attribute of a live key."""
    request = KeyRequest(
        "Server",
        limits=KeyLimits(
            expires_at=NOW + 900,
            allowed_cidrs=("192.0.2.0/24",),
            permissions=("read", "users:read"),
        ),
    )
    created = operations.create_key(APP, app_id, request)
    key_id = created.key.key_id
    operations.rotate_key(app_id, key_id, 60)
    operations.set_usage_identifier_key(key_id, "gold" * 5)
    operations.update_key(app_id, key_id, lambda key: limited(key, disabled_at=NOW))
    return created


@pytest.mark.parametrize("name", FORMAT_1)
def test_todays_reader_reads_what_the_first_release_wrote(name: str) -> None:
    item = item_of_vector(name)
    assert decided_by(record_of_item(item)) == read_format_1(item)


def test_the_first_releases_reader_reads_todays_fullest_record(
    fullest: CreatedKey, store: Store
) -> None:
    key_id = fullest.key.key_id
    assert read_format_1(key_item(store, key_id)) == decided_by(record_of(store, key_id))


def test_the_first_releases_reader_reads_todays_revoked_record(
    fullest: CreatedKey, app_id: str, operations: Provisioning, store: Store
) -> None:
    key_id = fullest.key.key_id
    operations.revoke_key(app_id, key_id)
    assert read_format_1(key_item(store, key_id)) == decided_by(record_of(store, key_id))


def test_the_first_releases_reader_reads_todays_plainest_record(
    operations: Provisioning, store: Store
) -> None:
    _, created = operations.create_account("Acme", KeyRequest())
    key_id = created.key.key_id
    assert read_format_1(key_item(store, key_id)) == decided_by(record_of(store, key_id))


def test_todays_reader_overlooks_an_attribute_that_it_does_not_know() -> None:
    item = item_of_vector("plain account key")
    assert record_of_item({**item, "later": {"S": "x"}}) == record_of_item(item)


def test_a_record_of_a_later_format_is_refused_by_both_readers() -> None:
    later = {**item_of_vector("plain account key"), "format": {"N": "2"}}
    with pytest.raises(Unavailable) as unavailable:
        record_of_item(later)
    assert unavailable.value.reason is Reason.DAMAGED_RECORD
    with pytest.raises(DamagedRecord):
        read_format_1(later)


def test_every_attribute_that_is_written_is_in_the_guides_table(
    fullest: CreatedKey, store: Store
) -> None:
    written = key_item(store, fullest.key.key_id).keys()
    assert [name for name in written if f"| `{name}` |" not in PAGE] == []


def copy_keys(account_id: str, store: Store, stack: Stack) -> None:
    """Do with an account's keys what a restore does: the same items, in a table of another name."""
    named = {**stack.physical_ids, "KeysTable": RESTORED}
    create_tables(replace(stack, physical_ids=named), store.dynamodb_url)
    client = cast("_Copying", dynamodb_of(store))
    pages = client.get_paginator("scan").paginate(
        TableName=store.keys_table,
        ConsistentRead=True,
        FilterExpression="account_id = :account",
        ExpressionAttributeValues={":account": {"S": account_id}},
    )
    for page in pages:
        for item in page["Items"]:
            client.put_item(TableName=RESTORED, Item=item)


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_a_key_works_on_from_a_copy_of_the_table(
    scheme: str,
    operations: Provisioning,
    store: Store,
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account, created = operations.create_account("Acme", KeyRequest())
    copy_keys(account.owner_id, store, stack)
    key = IssuedKey(created.key.key_id, created.secret)
    credential = basic(key) if scheme == "Basic" else bearer(key, {"scope": "account"})
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    variables = {"KEYSCOPE_KEYS_TABLE": RESTORED, "KEYSCOPE_KMS_KEY_ARN": store.kms_key_arn}
    handler = authorizer_handler("rest_authorizer", read_rest_event, variables)
    answer = handler(rest_request_event(credential), Context())
    assert answer["context"]["keyId"] == key.key_id
