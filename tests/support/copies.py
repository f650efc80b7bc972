"""Copies of what a store holds of an account: made whole, they cost a tenth of what it took."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from keyscope.model.ids import new_account_id, new_key_id, owner_type_of_key
from tests.support.dynamodb_local import Store
from tests.support.operations import all_keys, owner_items, put_items

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_World = TypeVar("_World", bound="DataclassInstance")


def copies_of(world: _World, account_id: str, store: Store) -> Callable[[], _World]:
    """Return what makes another world like a first one, with ids of its own.

    Only what has to do with the account is copied, as it is now. The texts of the world, a data
    class, may be or contain ids. Secrets keep their hashes; they are sealed for the first ids.
    """
    owners, keys = owner_items(store, account_id), all_keys(store, account_id)

    def make() -> _World:
        ids = {account_id: new_account_id()}
        ids |= {key_id: new_key_id(owner_type_of_key(key_id)) for key_id in keys}
        pattern = re.compile("|".join(ids))

        def renamed(value: object) -> Any:  # noqa: ANN401 - what DynamoDB holds
            match value:
                case str():
                    return pattern.sub(lambda found: ids[found[0]], value)
                case dict():
                    return {name: renamed(member) for name, member in value.items()}
                case list():
                    return [renamed(member) for member in value]
            return value

        put_items(store, renamed(owners), renamed([*keys.values()]))
        members = {field.name: getattr(world, field.name) for field in fields(world)}
        return replace(world, **renamed(members))

    return make
