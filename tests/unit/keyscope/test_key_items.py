from collections.abc import Mapping

import pytest

from keyscope.aws.key_items import Item, record_of_item
from keyscope.errors import Reason, Unavailable
from keyscope.ids import OwnerType
from keyscope.key_record import KeyRecord
from tests.support.builders import ACCOUNT, APP

KEY_ID = "app_" + "0" * 24
ITEM: Item = {
    "key_id": {"S": KEY_ID},
    "format": {"N": "1"},
    "owner_type": {"S": "app"},
    "owner_id": {"S": APP},
    "account_id": {"S": ACCOUNT},
    "app_id": {"S": APP},
    "secret_hash": {"B": b"h" * 32},
    "secret_ciphertext": {"B": b"sealed"},
    "created_at": {"N": "1800000000"},
}
LIMITS: Item = {
    "expires_at": {"N": "1800000060"},
    "allowed_cidrs": {"L": [{"S": "192.0.2.0/24"}, {"S": "2001:db8::/32"}]},
}


def without(name: str) -> Item:
    return {key: value for key, value in ITEM.items() if key != name}


def test_an_item_is_read_as_a_record() -> None:
    assert record_of_item({**ITEM, **LIMITS}) == KeyRecord(
        key_id=KEY_ID,
        owner_type=OwnerType.APP,
        owner_id=APP,
        secret_hash=b"h" * 32,
        secret_ciphertext=b"sealed",
        expires_at=1_800_000_060,
        allowed_cidrs=("192.0.2.0/24", "2001:db8::/32"),
    )


def test_the_limits_of_a_key_may_be_absent() -> None:
    record = record_of_item(ITEM)
    assert (record.expires_at, record.allowed_cidrs, record.revoked_at) == (None, (), None)


def test_a_revoked_record_needs_no_secret() -> None:
    item = {**without("secret_hash"), "revoked_at": {"N": "7"}}
    assert record_of_item(item).revoked_at == 7


@pytest.mark.parametrize(
    "name", ["key_id", "format", "owner_type", "owner_id", "secret_hash", "secret_ciphertext"]
)
def test_a_missing_attribute_is_damage_and_named(name: str) -> None:
    with pytest.raises(Unavailable) as unavailable:
        record_of_item(without(name))
    assert unavailable.value.reason is Reason.DAMAGED_RECORD
    assert unavailable.value.detail == f"attribute {name}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("key_id", {"S": "app_short"}),
        ("key_id", {"N": "1"}),
        ("format", {"N": "2"}),
        ("format", {"N": "1.5"}),
        ("owner_type", {"S": "account"}),
        ("owner_id", {"S": ACCOUNT}),
        ("owner_id", {"S": f"{APP}*"}),
        ("secret_hash", {"B": b"short"}),
        ("secret_hash", {"S": "h" * 32}),
        ("secret_ciphertext", {"B": b""}),
        ("expires_at", {"N": "soon"}),
        ("expires_at", {"NULL": True}),
        ("allowed_cidrs", {"L": []}),
        ("allowed_cidrs", {"L": [{"N": "1"}]}),
        ("allowed_cidrs", {"SS": ["192.0.2.0/24"]}),
        ("revoked_at", {"S": "now"}),
    ],
)
def test_an_attribute_of_another_shape_is_damage(name: str, value: Mapping[str, object]) -> None:
    with pytest.raises(Unavailable) as unavailable:
        record_of_item({**ITEM, name: value})
    assert unavailable.value.detail == f"attribute {name}"
