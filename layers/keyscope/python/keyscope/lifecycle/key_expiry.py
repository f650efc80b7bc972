"""Warnings that a key is about to expire: which one is due, and how each is sent once.

`docs/reference/audit-events.md` documents the events; their JSON schema is next to it.
"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol, assert_never

from keyscope.lifecycle.directory import Key, KeyState
from keyscope.lifecycle.key_fields import Json, present
from keyscope.model.external_ids import NO_EXTERNAL_IDS, ExternalIds
from keyscope.model.ids import account_id_of
from keyscope.model.times import rfc3339

EVENT_VERSION: Final = 1
ACTION: Final = "key.expiring"

DAY_SECONDS: Final = 86_400
WARNING_DAYS: Final = (1, 7, 30)
"""Days before a key expires, the most urgent first."""
LOOKAHEAD_SECONDS: Final = 25 * 3_600
"""How much earlier than due a sweep sends a warning: the next sweep, a day later give or take an
hour, would be too late."""
LONGEST_REMAINING_SECONDS: Final = max(WARNING_DAYS) * DAY_SECONDS + LOOKAHEAD_SECONDS
"""A key that remains valid for this long needs no warning yet."""

CLAIM_SECONDS: Final = 50
"""How long a warning stays claimed by the sweep that is about to send it.

Lambda retries a failed sweep after a minute (Lambda developer guide, "How Lambda handles errors and
retries with asynchronous invocation"). By then, the retry can claim what the failed sweep left.
"""
_BATCH_SIZE: Final = 10


@dataclass(frozen=True, slots=True)
class OwnedKey:
    """A key and its owner's id."""

    owner_id: str
    key: Key


@dataclass(frozen=True, slots=True)
class DamagedKey:
    """A key whose record cannot be read; `detail` names the invalid attribute."""

    key_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class ExpiryWarning:
    """A warning that a key expires. Times are seconds since the epoch."""

    owner_id: str
    key_id: str
    integration_id: str | None
    display_name: str | None
    expires_at: int
    days_before: int
    at: int
    external_ids: ExternalIds = NO_EXTERNAL_IDS

    @property
    def warning_id(self) -> str:
        """The event's id, the same for every attempt to send this warning."""
        text = f"{self.key_id} {self.expires_at} {self.days_before}"
        return sha256(text.encode()).hexdigest()[:32]

    def detail(self) -> Json:
        """Return the event as JSON, without members that have no value."""
        return present(
            {
                "version": EVENT_VERSION,
                "id": self.warning_id,
                "time": rfc3339(self.at),
                "action": ACTION,
                "accountId": account_id_of(self.owner_id),
                **self.external_ids.by_name(),
                "resource": {"type": "key", "id": self.key_id, "ownerId": self.owner_id},
                "integrationId": self.integration_id,
                "displayName": self.display_name,
                "expiresAt": rfc3339(self.expires_at),
                "daysBefore": self.days_before,
            }
        )


def due_warning(owned: OwnedKey, now: int) -> ExpiryWarning | None:
    """Return the most urgent warning that is due for a key, or `None`.

    Only working keys get warnings. A key that was created for a week or less gets no 7-day warning,
    because its creator knows.
    """
    key, expires_at = owned.key, owned.key.limits.expires_at
    if expires_at is None or key.state(now) is not KeyState.ACTIVE:
        return None
    remaining, lifetime = expires_at - now, expires_at - key.created_at
    for days in WARNING_DAYS:
        seconds = days * DAY_SECONDS
        if remaining < seconds + LOOKAHEAD_SECONDS and lifetime > seconds:
            return ExpiryWarning(
                owned.owner_id,
                key.key_id,
                key.integration_id,
                key.display_name,
                expires_at,
                days,
                now,
                key.external_ids,
            )
    return None


class ExpiringKeys(Protocol):
    """Reads keys without their secrets."""

    def expiring(self, now: int, latest: int, /) -> Iterator[Sequence[OwnedKey | DamagedKey]]:
        """Yield pages of the keys that expire after `now` and no later than `latest`.

        Raises:
            Unavailable: `KEY_STORE_UNAVAILABLE`.
        """
        ...


class WarningLog(Protocol):
    """Records which warnings were sent, so that none is sent twice.

    Each method raises `Unavailable` (`KEY_STORE_UNAVAILABLE`).
    """

    def sent(self) -> AbstractSet[str]:
        """Return the ids of the warnings sent about keys that may still exist."""
        ...

    def claim(self, warning: ExpiryWarning, now: int, until: int, /) -> bool:
        """Claim a warning until a time; return whether no other sweep has sent or claimed it."""
        ...

    def confirm(self, warning: ExpiryWarning, /) -> None:
        """Record that a claimed warning was sent."""
        ...


class WarningBus(Protocol):
    """Sends warnings."""

    def send(self, warnings: Sequence[ExpiryWarning], /) -> Sequence[str | None]:
        """Send warnings; return AWS's error code for each, `None` for accepted ones."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """A warning that the bus accepted."""

    warning: ExpiryWarning


@dataclass(frozen=True, slots=True)
class NotSent:
    """A key whose warning could not be sent now. `detail` is for the operator."""

    key_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class ExpirySweep:
    """Warns of all keys that are about to expire; `clock` returns seconds since the epoch.

    Every sweep checks every key that is about to expire, so it continues where a crashed sweep
    stopped, and makes up for missed days. A sweep claims a warning, sends it and confirms it. If it
    crashes in between, the next one sends the warning again, with the same id.
    """

    keys: ExpiringKeys
    log: WarningLog
    bus: WarningBus
    clock: Callable[[], float]

    def run(self) -> Iterator[Sent | NotSent]:
        """Send the due warnings and yield the results.

        Raises:
            Unavailable: `KEY_STORE_UNAVAILABLE`; the results yielded before are final.
        """
        now = int(self.clock())
        sent = self.log.sent()
        for page in self.keys.expiring(now, now + LONGEST_REMAINING_SECONDS):
            due: list[ExpiryWarning] = []
            for found in page:
                match found:
                    case DamagedKey():
                        yield NotSent(found.key_id, found.detail)
                    case OwnedKey():
                        warning = due_warning(found, now)
                        if warning is not None and warning.warning_id not in sent:
                            due.append(warning)
                    case _:
                        assert_never(found)
            for start in range(0, len(due), _BATCH_SIZE):
                yield from self._send(due[start : start + _BATCH_SIZE])

    def _send(self, warnings: Sequence[ExpiryWarning]) -> Iterator[Sent | NotSent]:
        now = int(self.clock())
        claimed = [each for each in warnings if self.log.claim(each, now, now + CLAIM_SECONDS)]
        for warning, code in zip(claimed, self.bus.send(claimed), strict=True):
            if code is None:
                self.log.confirm(warning)
                yield Sent(warning)
            else:
                yield NotSent(warning.key_id, code)
