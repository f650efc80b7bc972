"""A key's limits in the management API: what a caller may send, and what it gets back."""

import time
from typing import Annotated, NotRequired

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from typing_extensions import TypedDict

from keyscope.management_api.body import Body, drop_default
from keyscope.model.key_limits import (
    MAX_ALLOWED_CIDRS,
    MAX_PERMISSIONS,
    PERMISSION_PATTERN,
    KeyLimits,
    check_number_of_cidrs,
    read_cidr,
    read_expires_at,
    read_permissions,
)
from keyscope.model.source_address import CIDR_PATTERN
from keyscope.model.times import DATE_TIME_PATTERN

_CIDR_SCHEMA = {
    "type": "string",
    "pattern": f"^{CIDR_PATTERN}$",
    "description": "An IPv4 or IPv6 network without host bits, such as 192.0.2.0/24 or"
    " 2001:db8::/32. An IPv4-mapped network requires a prefix of at least /96 and is stored as"
    " IPv4.",
}


def _few_cidrs(value: object) -> object:
    # Before the items are validated, because the caller chooses how many there are.
    if isinstance(value, list):
        check_number_of_cidrs(len(value))
    return value


def _without_repetition(cidrs: list[str]) -> list[str]:
    return list(dict.fromkeys(cidrs))


def _seconds(value: object) -> int:
    return read_expires_at(value, time.time())


ExpiresAt = Annotated[
    int,
    BeforeValidator(_seconds),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": f"^{DATE_TIME_PATTERN}$",
            "description": "When the key expires: a future RFC 3339 time with a time zone, up to"
            " 9999-12-31T23:59:59Z.",
        }
    ),
]
Cidr = Annotated[str, AfterValidator(read_cidr)]
AllowedCidrs = Annotated[
    list[Cidr],
    AfterValidator(_without_repetition),
    BeforeValidator(_few_cidrs),
    WithJsonSchema(
        {
            "type": "array",
            "items": _CIDR_SCHEMA,
            "minItems": 1,
            "maxItems": MAX_ALLOWED_CIDRS,
            "description": "The networks that the key can be used from. Omit it to allow any.",
        }
    ),
]
Permissions = Annotated[
    tuple[str, ...],
    BeforeValidator(read_permissions),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "string", "pattern": f"^{PERMISSION_PATTERN}$"},
            "minItems": 1,
            "maxItems": MAX_PERMISSIONS,
            "description": "The permissions that the key is limited to. Omit it for everything"
            " in the key's scope.",
        }
    ),
]


class NewLimits(Body):
    """The limits of a new key."""

    expires_at: ExpiresAt | None = None
    allowed_cidrs: AllowedCidrs | None = None
    permissions: Permissions | None = None

    def limits(self) -> KeyLimits:
        """Return the limits; a null is the same as an absent member."""
        cidrs = tuple(self.allowed_cidrs or ())
        return KeyLimits(self.expires_at, cidrs, permissions=self.permissions)


class ChangedLimits(NewLimits):
    """A change to a key's limits. A null removes a limit."""

    disabled: bool = Field(default=False, json_schema_extra=drop_default)

    def chosen_limits(self) -> frozenset[str]:
        """Return the names of the limits that change."""
        sent = {"disabled_at" if name == "disabled" else name for name in self.model_fields_set}
        return frozenset(sent.intersection(KeyLimits._fields))

    def changed_limits(self, now: float) -> KeyLimits:
        """Return the new values of the limits; `now` is in seconds since the epoch."""
        return self.limits()._replace(disabled_at=int(now) if self.disabled else None)


class ShownLimits(TypedDict):
    """The limits of a key, except those that it does not have."""

    expiresAt: NotRequired[str]
    allowedCidrs: NotRequired[list[str]]
    disabledAt: NotRequired[str]
    permissions: NotRequired[list[str]]
