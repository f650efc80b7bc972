"""Makes moto fast enough for tables of thousands of items.

Before a transaction, moto copies the whole table for each of the transaction's parts, to restore it
if a part fails. With thousands of accounts, that takes longer than all that the functions do. Here,
a transaction copies only its own items. For each request, moto lists its folder of services and
the methods of a class, and for each member of an answer the names under which it may find it. None
of these ever changes.
"""

from collections.abc import Iterable
from copy import deepcopy
from functools import cache
from threading import Lock
from typing import Any, Final, NamedTuple

from moto import backends
from moto.core import responses, utils
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table

_transact: Final = DynamoDBBackend.transact_write_items
_list_services: Final = backends.list_of_moto_modules
_list_methods: Final = cache(utils.method_names_from_class)
_list_keys: Final = XFormedAttributePicker.get_possible_keys
_turn: Final = Lock()


def make_moto_fast() -> None:
    """Change moto, from now on in this process."""
    Table.__deepcopy__ = _the_table_itself  # type: ignore[attr-defined]
    DynamoDBBackend.transact_write_items = _transact_or_restore  # type: ignore[method-assign,assignment]
    backends.list_of_moto_modules = _services
    responses.method_names_from_class = _list_methods  # type: ignore[attr-defined]
    XFormedAttributePicker.get_possible_keys = _possible_keys  # type: ignore[method-assign,assignment]


@cache
def _services() -> tuple[str, ...]:
    return tuple(_list_services())


def _possible_keys(
    picker: XFormedAttributePicker, context: AttributePickerContext
) -> Iterable[str]:
    # The names for a dictionary depend on nothing but the shape of the member.
    if type(context.obj) is not dict:
        return _list_keys(picker, context)
    known: dict[str, tuple[str, ...]] = context.shape.__dict__.setdefault("keys_of_members", {})
    if context.key not in known:
        known[context.key] = tuple(_list_keys(picker, context))
    return known[context.key]


class _Kept(NamedTuple):
    """An item before a transaction: where the table has it, under which key, and a copy."""

    items: dict[Any, Any]
    key: DynamoType
    copied: Item | None

    def restore(self) -> None:
        if self.copied is None:
            self.items.pop(self.key, None)
        else:
            self.items[self.key] = self.copied


def _transact_or_restore(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
    # No other transaction may change an item between its copy and its restoration.
    with _turn:
        before = [_kept(backend, request) for part in transact_items for request in part.values()]
        try:
            _transact(backend, transact_items)
        except Exception:
            for item in before:
                item.restore()
            raise


def _kept(backend: DynamoDBBackend, request: dict[str, Any]) -> _Kept:
    table = backend.get_table(request["TableName"])
    hash_key, range_key = backend.get_keys_value(table, request.get("Item") or request["Key"])
    items: dict[Any, Any] = table.items if range_key is None else table.items[hash_key]
    key = hash_key if range_key is None else range_key
    return _Kept(items, key, deepcopy(items.get(key)))


def _the_table_itself(table: Table, memo: dict[int, object]) -> Table:
    """Return what moto restores after a transaction that failed: no copy."""
    del memo
    return table
