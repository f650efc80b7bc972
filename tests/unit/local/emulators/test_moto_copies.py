"""Copies of moto's items are whole and independent, as a transaction that fails needs them."""

from copy import deepcopy

import pytest
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from local.emulators.moto_copies import make_copies_cheap


@pytest.fixture(scope="module", autouse=True)
def _cheap() -> None:
    make_copies_cheap()


def item() -> Item:
    attributes = {
        "id": {"S": "one"},
        "count": {"N": "1"},
        "secret": {"B": "eA=="},
        "labels": {"SS": ["a", "b"]},
        "limits": {"M": {"calls": {"N": "5"}, "hosts": {"L": [{"S": "x"}]}}},
        "nothing": {"NULL": True},
    }
    return Item(DynamoType({"S": "one"}), None, attributes)


def test_a_copy_has_all_that_the_item_has() -> None:
    assert deepcopy(item()).to_json() == item().to_json()
    assert deepcopy(item()).hash_key == item().hash_key


def test_a_change_of_the_item_leaves_its_copy_alone() -> None:
    changed = item()
    copied = deepcopy(changed)
    changed.attrs["count"].value = "2"
    changed.attrs["labels"].value.append("c")
    changed.attrs["limits"].value["hosts"].value.append(DynamoType({"S": "y"}))
    del changed.attrs["id"]
    assert copied.to_json() == item().to_json()


def test_a_copy_is_still_limited_in_size() -> None:
    copied = deepcopy(item())
    with pytest.raises(Exception, match="Item size"):
        copied.attrs["more"] = DynamoType({"S": "x" * 410_000})
