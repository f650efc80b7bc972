"""What a caller may give to the keys that it creates or changes: no more than its own key has."""

from enum import StrEnum
from ipaddress import ip_network

from keyscope.errors import Forbidden
from keyscope.model.key_limits import KeyLimits


class Exceeded(StrEnum):
    """The JSON member of the limit that is too wide."""

    PERMISSIONS = "permissions"
    EXPIRES_AT = "expiresAt"
    ALLOWED_CIDRS = "allowedCidrs"


class ExceedsOwnLimits(Forbidden):
    """A key is, or would be, wider than the caller's own; nothing was written."""

    def __init__(self, member: Exceeded) -> None:
        """Store the member."""
        super().__init__(member.value)
        self.member = member


def inherited(limits: KeyLimits, own: KeyLimits) -> KeyLimits:
    """Return the limits of a new key, with the caller's expiry and networks where it has none."""
    return limits._replace(
        expires_at=own.expires_at if limits.expires_at is None else limits.expires_at,
        allowed_cidrs=limits.allowed_cidrs or own.allowed_cidrs,
    )


def check_permissions(limits: KeyLimits, own: KeyLimits) -> None:
    """Check that a key has no permission that the caller's key lacks.

    Raises:
        ExceedsOwnLimits: when it has.
    """
    if own.permissions is None:
        return
    if limits.permissions is None or not {*limits.permissions} <= {*own.permissions}:
        raise ExceedsOwnLimits(Exceeded.PERMISSIONS)


def check_limits_within(limits: KeyLimits, own: KeyLimits) -> None:
    """Check that a key works for nothing, at no time and from nowhere that the caller's does not.

    Raises:
        ExceedsOwnLimits: when it does.
    """
    check_permissions(limits, own)
    if own.expires_at is not None and (
        limits.expires_at is None or limits.expires_at > own.expires_at
    ):
        raise ExceedsOwnLimits(Exceeded.EXPIRES_AT)
    if own.allowed_cidrs and not (
        limits.allowed_cidrs
        and all(_is_within(cidr, own.allowed_cidrs) for cidr in limits.allowed_cidrs)
    ):
        raise ExceedsOwnLimits(Exceeded.ALLOWED_CIDRS)


def _is_within(cidr: str, networks: tuple[str, ...]) -> bool:
    inner = ip_network(cidr)
    first, last = inner[0], inner[-1]
    return any(first in outer and last in outer for outer in map(ip_network, networks))
