"""The members of owners and keys in JSON: reads what a caller chose, and shows what is stored.

The provisioning function and the management API share these rules. A reader raises `ValueError`
with a text that completes a sentence after the member's name.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final, assert_never

from keyscope.lifecycle.directory import Key
from keyscope.lifecycle.key_use import LastUse, Unused
from keyscope.model.ids import is_usage_identifier_key
from keyscope.model.key_limits import shown_limits
from keyscope.model.times import rfc3339, rfc3339_or_none

MAX_DISPLAY_NAME_LENGTH = 100
"""Characters. The Sunshine API's limit for an app's name, used for all display names."""

Json = dict[str, object]

_REORDERING: Final = r"\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""Characters that change how the text around them reads.

Control characters, line and paragraph separators, and the bidirectional marks, embeddings,
overrides and isolates of UAX 9.
"""
_INVISIBLE: Final = (
    r" \u00a0\u00ad\u034f\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200d\u202f"
    r"\u205f-\u2065\u206a-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Spaces, blank letters, and what Unicode calls Default_Ignorable_Code_Point (UAX 44).

The last line is not escaped, because Python and ECMA-262, whose syntax JSON Schema uses, escape
code points beyond U+FFFF differently.
"""
DISPLAY_NAME_PATTERN: Final = f"^[^{_REORDERING}]*[^{_REORDERING}{_INVISIBLE}][^{_REORDERING}]*$"
"""Matches display names that are safe to show, in both Python and JSON Schema."""
_DISPLAY_NAME: Final = re.compile(DISPLAY_NAME_PATTERN)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Halves of surrogate pairs, which UTF-8 cannot encode."""
_SHOWN_HASH_LENGTH = 12


def read_display_name(value: object) -> str:
    """Read a display name: 1 to 100 characters that cannot look like another name.

    At least one character must be visible. The characters that `DISPLAY_NAME_PATTERN` excludes
    could hide the name, reverse its text, or add lines to a list of names.
    """
    if (
        isinstance(value, str)
        and len(value) <= MAX_DISPLAY_NAME_LENGTH
        and _DISPLAY_NAME.fullmatch(value)
        and not _SURROGATE.search(value)
    ):
        return value
    message = (
        f"must be a string of 1 to {MAX_DISPLAY_NAME_LENGTH} characters, at least one of them"
        " visible, without control characters, line separators and text-direction marks. Remove"
        " those, or use another name"
    )
    raise ValueError(message)


def read_usage_identifier_key(value: object) -> str:
    """Read the value of an API Gateway key."""
    if isinstance(value, str) and is_usage_identifier_key(value):
        return value
    message = "must be the value of an API Gateway key: 20 to 128 letters and digits"
    raise ValueError(message)


def shown_key(key: Key, now: float) -> Json:
    """Return what may be shown of a key besides its id and name; omit what does not apply.

    `now` is in seconds since the epoch; times are shown in RFC 3339 format.
    """
    overlap_ends_at = key.previous_ends_at if key.has_overlap(now) else None
    return present(
        {
            "integrationId": key.integration_id,
            "state": key.state(now).value,
            "createdAt": rfc3339(key.created_at),
            **shown_limits(key.limits),
            "suspendedAt": rfc3339_or_none(key.suspended_at),
            "rotatedAt": rfc3339_or_none(key.rotated_at),
            "previousSecretEndsAt": rfc3339_or_none(overlap_ends_at),
            "revokedAt": rfc3339_or_none(key.revoked_at),
        }
    )


def shown_last_use(last_use: LastUse) -> Json:
    """Return what to show of a key's last use: the time, null for never, nothing if unknown."""
    match last_use:
        case int():
            return {"lastUsedAt": rfc3339(last_use)}
        case Unused.NEVER:
            return {"lastUsedAt": None}
        case Unused.UNKNOWN:
            return {}
        case _:
            assert_never(last_use)


def shown_usage(key: Key) -> Json:
    """Return a hash of a key's usage identifier key, which tells the usage plans of keys apart.

    It is the first 12 hex digits of the SHA-256. The value itself is never shown, because an API
    that reads keys from a header would accept it as a credential.
    """
    if key.usage_identifier_key is None:
        return {}
    digest = sha256(key.usage_identifier_key.encode()).hexdigest()
    return {"usageIdentifierKeyHash": digest[:_SHOWN_HASH_LENGTH]}


def present(members: Mapping[str, object]) -> Json:
    """Return the members that have a value."""
    return {name: value for name, value in members.items() if value is not None}
