"""The keys of a stack that a change of its access map affects."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from keyscope.aws.dynamodb.limited_keys import LimitedKey
from keyscope.model.ids import OwnerType, owner_type_of_key
from keyscope_cli.maps.decisions import CALLERS
from keyscope_cli.maps.difference import Difference, Row, rows_of


@dataclass(frozen=True, slots=True)
class AffectedKeys:
    """Keys of one kind of owner with the same permissions, and what changes for each of them."""

    owner_type: OwnerType
    permissions: tuple[str, ...]
    key_ids: tuple[str, ...]
    rows: tuple[Row, ...]


def affected_keys(difference: Difference, keys: Iterable[LimitedKey]) -> list[AffectedKeys]:
    """Return the keys for which something changes, in groups."""
    groups: dict[tuple[OwnerType, tuple[str, ...]], list[str]] = {}
    for key in keys:
        place = (owner_type_of_key(key.key_id), key.permissions)
        groups.setdefault(place, []).append(key.key_id)
    found = (
        AffectedKeys(
            owner_type,
            permissions,
            tuple(sorted(key_ids)),
            tuple(_rows(difference, owner_type, permissions)),
        )
        for (owner_type, permissions), key_ids in groups.items()
    )
    return [each for each in found if each.rows]


def _rows(difference: Difference, owner_type: OwnerType, permissions: tuple[str, ...]) -> list[Row]:
    callers = [caller for caller in CALLERS if caller.owner_type is owner_type]
    return rows_of(
        chain.from_iterable(difference.changes(each, permissions or None) for each in callers)
    )
