"""Who makes a change, and whether their credential is valid at that moment.

API Gateway caches a policy and the authorizers cache key records, so a request can arrive after its
key was revoked, rotated or narrowed. The management API therefore judges the caller's own record
again, and each of its writes succeeds only if the record is still the one that it judged.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from keyscope.errors import Forbidden, KeyscopeError, Refused
from keyscope.model.key_limits import KeyLimits, check_limits
from keyscope.model.key_record import KeyRecord
from keyscope.model.principal import Principal, ProvenSecret


@dataclass(frozen=True, slots=True)
class Standing:
    """What determines whether a credential that was proven is still valid.

    Times are seconds since the epoch. `secret_generation` counts the key's secrets from 1: each
    rotation adds one. The secret before the current one works until `previous_ends_at`.
    """

    limits: KeyLimits
    revoked_at: int | None
    secret_generation: int
    previous_ends_at: int | None
    suspended_at: int | None = None

    @staticmethod
    def of(record: KeyRecord) -> "Standing":
        """Return the standing of a key record."""
        return Standing(
            limits=record.limits,
            revoked_at=record.revoked_at,
            secret_generation=record.secret_generation,
            previous_ends_at=None if record.previous is None else record.previous.ends_at,
            suspended_at=record.suspended_at,
        )

    def accepted(self, generation: int, now: float) -> ProvenSecret | None:
        """Return which of the key's secrets has this generation; `None` if none is accepted."""
        if self.revoked_at is not None:
            return None
        if generation == self.secret_generation:
            return ProvenSecret.CURRENT
        ends_at = self.previous_ends_at
        overlaps = ends_at is not None and now < ends_at
        is_previous = generation == self.secret_generation - 1
        return ProvenSecret.PREVIOUS if is_previous and overlaps else None


@dataclass(frozen=True, slots=True)
class Heritage:
    """What decides how wide the keys may be that a key creates and changes."""

    limits: KeyLimits
    usage_identifier_key: str | None = field(repr=False)


class HeritageChanged(KeyscopeError):  # noqa: N818 - a state
    """The caller's heritage has changed since a change was decided by it; nothing was written."""


@dataclass(frozen=True, slots=True)
class Iam:
    """A caller that IAM authorizes at each call, so there is no key record to judge."""


@dataclass(frozen=True, slots=True)
class ProvenKey:
    """The key that an authorizer proved, the generation of its secret, and the caller's address.

    `source_address` is `None` if the event does not contain it. `permissions` are those that the
    authorizer found; `None` if the key and its token were not limited. With `only`, the credential
    is valid only while its secret is this one of the key's secrets. `heritage` is that by which a
    change was decided; `None` if it does not matter to the change.
    """

    key_id: str
    secret_generation: int
    source_address: str | None
    permissions: tuple[str, ...] | None = None
    only: ProvenSecret | None = None
    heritage: Heritage | None = None

    @staticmethod
    def of(principal: Principal, source_address: str | None) -> "ProvenKey":
        """Return the key that proved a principal, with the caller's address."""
        return ProvenKey(
            principal.key_id,
            principal.secret_generation,
            source_address,
            principal.limits.permissions,
        )

    def judge(self, standing: Standing, now: float) -> None:
        """Check that the credential is valid at a time, in seconds since the epoch.

        Raises:
            Forbidden: the key is revoked or suspended, or has lost a permission. Its secret was
                replaced and no overlap accepts it, or it is not the one in `only`. Its limits do
                not allow the request.
        """
        secret = standing.accepted(self.secret_generation, now)
        if standing.suspended_at is not None:
            raise Forbidden
        if secret is None or self.only not in (None, secret):
            raise Forbidden
        held = standing.limits.permissions
        if held is not None and (self.permissions is None or not {*self.permissions} <= {*held}):
            # The cached policy is wider than the key is now.
            raise Forbidden
        try:
            check_limits(standing.limits, now, self.source_address)
        except Refused:
            raise Forbidden from None


@dataclass(frozen=True, slots=True)
class JudgedKey:
    """A caller whose key was valid when it was read. `revision` is the revision of that record.

    `clock` returns seconds since the epoch.
    """

    proven: ProvenKey
    standing: Standing
    revision: int
    clock: Callable[[], float]

    def check_time(self) -> None:
        """Raise `Forbidden` if the key has expired since it was read, or its overlap has ended."""
        self.proven.judge(self.standing, self.clock())


Caller = Iam | JudgedKey
"""On whose behalf a change is made."""
