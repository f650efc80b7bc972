"""What narrows a key: its JSON form in requests and responses, and the check that it allows a use.

`access.policy` checks a limit that must hold while API Gateway caches a policy.
`aws.dynamodb.key_items` stores limits.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import ip_network
from typing import Final, NamedTuple, TypeVar

from keyscope.errors import Reason, Refused
from keyscope.model.source_address import Network, read_network, read_source_address
from keyscope.model.times import read_rfc3339, rfc3339_or_none

MAX_ALLOWED_CIDRS: Final = 8
"""The largest number of CIDRs that a key may have, because a policy contains them."""
MAX_PERMISSIONS: Final = 16
"""Permissions of one key."""
MAX_PERMISSION_LENGTH: Final = 40
"""Characters of a permission's name."""
PERMISSION_PATTERN: Final = rf"[A-Za-z][A-Za-z0-9:._-]{{0,{MAX_PERMISSION_LENGTH - 1}}}"
"""Names of permissions, as a regular expression of both Python and JSON Schema."""
_PERMISSION: Final = re.compile(PERMISSION_PATTERN)

LIMIT_MEMBERS: Final = frozenset({"expiresAt", "allowedCidrs", "permissions"})
"""The JSON members that limit a new key."""

LIMIT_REASONS = frozenset(
    {
        Reason.DISABLED_KEY,
        Reason.EXPIRED_KEY,
        Reason.SOURCE_ADDRESS_UNKNOWN,
        Reason.SOURCE_ADDRESS_NOT_ALLOWED,
    }
)
"""The refusals of `check_limits`, which the key would not get with other limits."""

_T = TypeVar("_T")


class KeyLimits(NamedTuple):
    """What narrows a key. Times are seconds since the epoch.

    Without `expires_at`, a key does not expire. Without `allowed_cidrs`, it works from any address.
    With `disabled_at`, it is refused until it is enabled. With `permissions`, it reaches only that
    part of its scope.
    """

    # A named tuple, because a data class costs a cold start five times as much.
    expires_at: int | None = None
    allowed_cidrs: tuple[str, ...] = ()
    disabled_at: int | None = None
    permissions: tuple[str, ...] | None = None

    def changed(self, chosen: frozenset[str], values: "KeyLimits") -> "KeyLimits":
        """Return the limits with the chosen fields taken from `values`.

        A key that is already disabled keeps its `disabled_at`.
        """
        changed = self._replace(**{name: getattr(values, name) for name in chosen})
        if self.disabled_at is None or changed.disabled_at is None:
            return changed
        return changed._replace(disabled_at=self.disabled_at)


NO_LIMITS: Final = KeyLimits()


def is_permission(name: object) -> bool:
    """Return whether a value has the format of a permission's name."""
    return isinstance(name, str) and _PERMISSION.fullmatch(name) is not None


def check_limits(limits: KeyLimits, now: float, source_address: str | None) -> None:
    """Check that a key's limits allow its use at a time and from an address.

    `now` is in seconds since the epoch; `source_address` is `None` if the event does not contain
    it.

    Raises:
        Refused: with the reason code of the first limit that forbids it.
    """
    if limits.disabled_at is not None:
        raise Refused(Reason.DISABLED_KEY)
    if limits.expires_at is not None and now >= limits.expires_at:
        raise Refused(Reason.EXPIRED_KEY)
    if limits.allowed_cidrs:
        _check_source_address(limits.allowed_cidrs, source_address)


def _check_source_address(allowed_cidrs: tuple[str, ...], source_address: str | None) -> None:
    address = None if source_address is None else read_source_address(source_address)
    if address is None:
        raise Refused(Reason.SOURCE_ADDRESS_UNKNOWN)
    if not any(address in _network(cidr) for cidr in allowed_cidrs):
        raise Refused(Reason.SOURCE_ADDRESS_NOT_ALLOWED)


@lru_cache(maxsize=1_024)
def _network(cidr: str) -> Network:
    return ip_network(cidr)


def read_limits(
    members: Mapping[object, object], now: float, report: Callable[[str, str], None]
) -> KeyLimits:
    """Read the limits of a new key from `LIMIT_MEMBERS`; null is the same as absent.

    `report` receives each invalid member, and a text that completes a sentence after its name.
    `now` is in seconds since the epoch.
    """

    def read(reader: Callable[[object], _T], value: object, member: str) -> _T | None:
        try:
            return reader(value)
        except ValueError as error:
            report(member, str(error))
            return None

    end, cidrs = members.get("expiresAt"), members.get("allowedCidrs")
    expires_at = None
    if end is not None:
        expires_at = read(lambda value: read_expires_at(value, now), end, "expiresAt")
    listed = None if cidrs is None else read(_read_list_of_cidrs, cidrs, "allowedCidrs")
    networks = [
        read(read_cidr, cidr, f"allowedCidrs[{position}]")
        for position, cidr in enumerate(listed or ())
    ]
    known = (network for network in networks if network is not None)
    names = members.get("permissions")
    permissions = None if names is None else read(read_permissions, names, "permissions")
    return KeyLimits(expires_at, tuple(dict.fromkeys(known)), permissions=permissions)


def shown_limits(limits: KeyLimits) -> dict[str, object]:
    """Return the limits as JSON members, `None` for those that the key does not have."""
    return {
        "expiresAt": rfc3339_or_none(limits.expires_at),
        "allowedCidrs": list(limits.allowed_cidrs) or None,
        "disabledAt": rfc3339_or_none(limits.disabled_at),
        "permissions": None if limits.permissions is None else list(limits.permissions),
    }


def read_expires_at(value: object, now: float) -> int:
    """Read an expiry in RFC 3339 format with a zone; return it in seconds since the epoch.

    Raises:
        ValueError: for a time that is not after `now`, among others, with a text that completes a
            sentence after the member's name.
    """
    seconds = read_rfc3339(value) if isinstance(value, str) else None
    if seconds is None:
        message = "must be an RFC 3339 time with a time zone, such as 2030-01-31T12:00:00Z"
        raise ValueError(message)
    if seconds <= now:
        message = "must be in the future"
        raise ValueError(message)
    return seconds


def read_cidr(value: object) -> str:
    """Read a network in CIDR notation, IPv4 or IPv6; return its canonical form.

    Raises:
        ValueError: with a text that completes a sentence after the member's name.
    """
    return str(read_network(value if isinstance(value, str) else ""))


def check_number_of_cidrs(number: int) -> None:
    """Check the number of networks that a key is limited to.

    Raises:
        ValueError: with a text that completes a sentence after the member's name.
    """
    if not 1 <= number <= MAX_ALLOWED_CIDRS:
        message = f"must be a list of 1 to {MAX_ALLOWED_CIDRS} CIDRs"
        raise ValueError(message)


def read_permissions(value: object) -> tuple[str, ...]:
    """Read the permissions that a key is limited to, without repetition.

    Raises:
        ValueError: with a text that follows the member's name in a sentence.
    """
    names = value if isinstance(value, list) else []
    if not 1 <= len(names) <= MAX_PERMISSIONS or not all(map(is_permission, names)):
        message = (
            f"must be a list of 1 to {MAX_PERMISSIONS} permission names. Omit it for everything"
            f" in the key's scope"
        )
        raise ValueError(message)
    return tuple(dict.fromkeys(names))


def _read_list_of_cidrs(value: object) -> list[object]:
    cidrs: list[object] = value if isinstance(value, list) else []
    check_number_of_cidrs(len(cidrs))
    return cidrs
