"""How accounts, apps and keys, and their members, read in a table or a list."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from keyscope_cli.output import Output

LABELS: Final[Mapping[str, str]] = {
    "id": "ID",
    "keyId": "Key ID",
    "externalId": "External ID",
    "displayName": "Name",
    "name": "Name",
    "state": "State",
    "createdAt": "Created",
    "suspendedAt": "Suspended",
    "lastUsedAt": "Last used",
    "expiresAt": "Expires",
    "disabledAt": "Disabled",
    "rotatedAt": "Rotated",
    "previousSecretEndsAt": "Old secret expires",
    "allowedCidrs": "Allowed IP ranges",
    "permissions": "Permissions",
    "integrationId": "Integration",
    "keyCount": "Keys",
    "apps": "Apps",
    "maxApps": "App limit",
    "serviceAccounts": "Service accounts",
    "secret": "Secret",
}
"""The label of each member, in the order in which they are shown."""
_RFC3339: Final = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_IS_TIME: Final = "At"
"""How the names of members end whose values are times (RFC 3339)."""


def show_list(
    output: Output,
    name: str,
    members: Sequence[str],
    found: Sequence[Mapping[str, Any]],
    nothing: str,
) -> None:
    """Show what was found: as JSON under a name, as a table of these members, or as nothing."""
    if output.as_json:
        output.json({name: found})
    elif found:
        output.table(columns_of(members), [cells_of(members, one) for one in found])
    else:
        output.note(nothing)


def columns_of(members: Sequence[str]) -> tuple[str, ...]:
    """Return the heads of a table of these members."""
    return tuple(LABELS[member] for member in members)


def cells_of(members: Sequence[str], shown: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a row of a table of these members; a cell is empty if its member is missing."""
    return tuple(_text(member, shown[member]) if member in shown else "" for member in members)


def facts_of(shown: Mapping[str, Any]) -> dict[str, str]:
    """Return the label and the text of each member that is not empty, in the labels' order."""
    places = {member: place for place, member in enumerate(LABELS)}
    present = [member for member, value in shown.items() if value not in ({}, [])]
    members = sorted(present, key=lambda member: places.get(member, len(places)))
    return {LABELS.get(member, member): _text(member, shown[member]) for member in members}


def readable_time(text: str) -> str:
    """Return a time of RFC 3339 in UTC, such as `Nov 24, 2026, 14:03 UTC`."""
    time = datetime.fromisoformat(text)
    return f"{time:%b} {time.day}, {time:%Y, %H:%M} UTC"


def with_readable_times(text: str) -> str:
    """Return a sentence with each of its times (RFC 3339, UTC) in the form for people."""
    return _RFC3339.sub(lambda found: readable_time(found[0]), text)


def _text(member: str, value: object) -> str:
    if value is None:
        # Only `lastUsedAt` can be null.
        return "Never"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return readable_time(str(value)) if member.endswith(_IS_TIME) else str(value)
