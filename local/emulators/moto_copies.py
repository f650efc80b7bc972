"""Cheap copies of moto's DynamoDB items.

Before a transaction, moto makes a deep copy of the whole table for each of the transaction's parts,
and each attribute of a copied item measures the item's size again. With some hundred items, that
took longer than all that the functions do.
"""

from copy import deepcopy
from typing import Final

from moto.dynamodb.models.dynamo_type import DynamoType, Item

_UNCHANGING: Final = (str, bytes, bool, type(None))


def make_copies_cheap() -> None:
    """Let `copy.deepcopy` copy items and attributes directly, from now on in this process."""
    Item.__deepcopy__ = _copy_of_item  # type: ignore[assignment,method-assign]
    DynamoType.__deepcopy__ = _copy_of_attribute  # type: ignore[assignment,method-assign]


def _copy_of_item(item: Item, memo: dict[int, object]) -> Item:
    copied = object.__new__(type(item))
    copied.hash_key, copied.range_key = item.hash_key, item.range_key
    copied.attrs = type(item.attrs)()
    attributes = {name: _copy_of_attribute(each, memo) for name, each in item.attrs.items()}
    # The dictionary's own way to set a member would measure all the others.
    dict.update(copied.attrs, attributes)
    return copied


def _copy_of_attribute(attribute: DynamoType, memo: dict[int, object]) -> DynamoType:
    copied = object.__new__(DynamoType)
    value = attribute.value
    copied.type = attribute.type
    copied.value = value if isinstance(value, _UNCHANGING) else deepcopy(value, memo)
    return copied
