"""Who makes a change, and whether their credential is good at that moment.

API Gateway caches a policy and the authorizers cache key records, so a request can arrive after
its key was revoked, rotated or narrowed. The management API therefore judges the caller's own
record again, and each of its writes succeeds only while the record is the one that was judged.
"""

from collections.abc import Callable
from dataclasses import dataclass

from keyscope.authorize.verification import verify_source_address
from keyscope.errors import Forbidden, Refused
from keyscope.model.key_record import Standing
from keyscope.model.principal import Principal


@dataclass(frozen=True, slots=True)
class Iam:
    """A caller that IAM authorizes at each call: there is no key record to judge."""


@dataclass(frozen=True, slots=True)
class ProvenKey:
    """The key that an authorizer proved, the generation of its secret, and the caller's address.

    `source_address` is `None` where the event does not have it.
    """

    key_id: str
    secret_generation: int
    source_address: str | None

    @staticmethod
    def of(principal: Principal, source_address: str | None) -> "ProvenKey":
        """Return the key that proved a principal."""
        return ProvenKey(principal.key_id, principal.secret_generation, source_address)

    def judge(self, standing: Standing, now: float) -> None:
        """Check that the credential is good at a time, in seconds since the epoch.

        Raises:
            Forbidden: the key is revoked, disabled or expired, its secret was replaced and no
                overlap accepts it, or the source address is not in today's networks.
        """
        if standing.revoked_at is not None or standing.disabled_at is not None:
            raise Forbidden
        if standing.expires_at is not None and now >= standing.expires_at:
            raise Forbidden
        if not standing.accepts(self.secret_generation, now):
            raise Forbidden
        if standing.allowed_cidrs:
            try:
                verify_source_address(standing.allowed_cidrs, self.source_address)
            except Refused:
                raise Forbidden from None


@dataclass(frozen=True, slots=True)
class JudgedKey:
    """A caller whose key was good when it was read. `revision` is that of the record read.

    `clock` gives seconds since the epoch.
    """

    proven: ProvenKey
    standing: Standing
    revision: int
    clock: Callable[[], float]

    def check_time(self) -> None:
        """Raise `Forbidden` when what was read has expired since, or its overlap has ended."""
        self.proven.judge(self.standing, self.clock())


Caller = Iam | JudgedKey
"""On whose behalf something is written."""
