"""The keys of a stack that a change of its access map affects."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from keyscope.aws.dynamodb.limited_keys import LimitedKey
from keyscope.model.ids import KeyKind, kind_of_key
from keyscope.model.scopes import SCOPES
from keyscope_cli.maps.decisions import CALLERS
from keyscope_cli.maps.difference import Difference, Row, rows_of


@dataclass(frozen=True, slots=True)
class AffectedKeys:
    """Keys of one kind with the same permissions, and what changes for each of them."""

    kind: KeyKind
    permissions: tuple[str, ...]
    key_ids: tuple[str, ...]
    rows: tuple[Row, ...]


def affected_keys(difference: Difference, keys: Iterable[LimitedKey]) -> list[AffectedKeys]:
    """Return the keys for which something changes, in groups."""
    groups: dict[tuple[KeyKind, tuple[str, ...]], list[str]] = {}
    for key in keys:
        place = (kind_of_key(key.key_id), key.permissions)
        groups.setdefault(place, []).append(key.key_id)
    found = (
        AffectedKeys(
            kind,
            permissions,
            tuple(sorted(key_ids)),
            tuple(_rows(difference, kind, permissions)),
        )
        for (kind, permissions), key_ids in groups.items()
    )
    return [each for each in found if each.rows]


def _rows(difference: Difference, kind: KeyKind, permissions: tuple[str, ...]) -> list[Row]:
    callers = [
        caller for caller in CALLERS if (caller.owner_type, SCOPES[caller.scope].bound_to) == kind
    ]
    return rows_of(
        chain.from_iterable(difference.changes(each, permissions or None) for each in callers)
    )
