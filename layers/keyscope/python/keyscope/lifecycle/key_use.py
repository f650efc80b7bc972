"""When keys were last used: read from the authorizers' log, recorded, and shown.

The authorizers write a line for the first allowed request of a key in five minutes
(`model.key_use`). Lines come in any order, late, twice or not at all, so a recorded time only moves
forward.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from keyscope.errors import KeyscopeError, Unavailable
from keyscope.lifecycle.directory import Key
from keyscope.model.ids import is_key_id
from keyscope.model.key_use import USE_FORMAT, USE_MESSAGE

WRITE_INTERVAL_SECONDS: Final = 120
"""How much later than the recorded use another one must be to be recorded, in seconds. Many
containers write lines for one key. With their interval of 300 s, a recorded time is accurate to 420
s, and lines have 180 s more to arrive."""
MAX_CLOCK_DIFFERENCE_SECONDS: Final = 300
"""How far ahead of this function's clock a use may be, in seconds. A later one would hide the uses
until then."""
REMEMBERED_SECONDS: Final = 400 * 86_400
"""How long a last use is stored, in seconds; as long as IAM stores that of its access keys."""
MAX_REMEMBERED_KEYS: Final = 10_000


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key and when it was used, in seconds since the epoch."""

    key_id: str
    used_at: int


class UseFault(StrEnum):
    """What is wrong with a line that should say that a key was used."""

    NOT_JSON = "not_json"
    NO_USE = "no_use"
    UNKNOWN_FORMAT = "unknown_format"
    MALFORMED_KEY_ID = "malformed_key_id"
    MALFORMED_TIME = "malformed_time"
    IN_THE_FUTURE = "in_the_future"


class MalformedUse(KeyscopeError):  # noqa: N818 - a state
    """A line does not record a key's use."""

    def __init__(self, fault: UseFault) -> None:
        """Store what is wrong, and nothing of the line."""
        super().__init__(fault.value)
        self.fault = fault


def read_use(line: str, now: float) -> KeyUse:
    """Read a line of the authorizers' log. `now` is in seconds since the epoch.

    Raises:
        MalformedUse: it is not a line of `model.key_use`, or the use is in the future.
    """
    try:
        members: object = json.loads(line)
    except (ValueError, RecursionError):
        raise MalformedUse(UseFault.NOT_JSON) from None
    if not isinstance(members, dict) or members.get("message") != USE_MESSAGE:
        raise MalformedUse(UseFault.NO_USE)
    # `True` and 1.0 equal 1.
    written_format, used_at = members.get("format"), members.get("used_at")
    if type(written_format) is not int or written_format != USE_FORMAT:
        raise MalformedUse(UseFault.UNKNOWN_FORMAT)
    key_id = members.get("key_id")
    if not isinstance(key_id, str) or not is_key_id(key_id):
        raise MalformedUse(UseFault.MALFORMED_KEY_ID)
    if type(used_at) is not int or used_at < 0:
        raise MalformedUse(UseFault.MALFORMED_TIME)
    if used_at > now + MAX_CLOCK_DIFFERENCE_SECONDS:
        raise MalformedUse(UseFault.IN_THE_FUTURE)
    return KeyUse(key_id, used_at)


class UseWriter(Protocol):
    """Records last uses."""

    def record(self, use: KeyUse, /) -> bool:
        """Record a use unless a later one is recorded; return whether it was recorded.

        Raises:
            Unavailable: `USE_TABLE_UNAVAILABLE`.
        """
        ...


class UseReader(Protocol):
    """Reads recorded uses."""

    def last_uses(self, key_ids: Sequence[str], /) -> Mapping[str, int]:
        """Return the recorded uses of these keys, in seconds since the epoch.

        Raises:
            Unavailable: `USE_TABLE_UNAVAILABLE` or `DAMAGED_RECORD`.
        """
        ...


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log group, with the id that CloudWatch Logs gives it."""

    line_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Recording:
    """The result of a batch of lines: writes, and the ids of unreadable lines, with the reasons."""

    written: int
    malformed: Sequence[tuple[str, UseFault]]


@dataclass(frozen=True, slots=True)
class UseRecorder:
    """Records the uses in batches of lines. `clock` returns seconds since the epoch.

    It caches what it recorded of up to `max_keys` keys, so that the lines of many containers for
    one key cause few writes.
    """

    store: UseWriter
    clock: Callable[[], float]
    max_keys: int = MAX_REMEMBERED_KEYS
    _recorded: dict[str, int] = field(default_factory=dict, init=False)

    def record(self, lines: Iterable[LogLine]) -> Recording:
        """Record the latest use of each key; name the lines that cannot be read, and skip them.

        Raises:
            Unavailable: a use could not be recorded. The caller may retry the whole batch.
        """
        latest: dict[str, int] = {}
        malformed: list[tuple[str, UseFault]] = []
        now = self.clock()
        for line in lines:
            try:
                use = read_use(line.text, now)
            except MalformedUse as error:
                malformed.append((line.line_id, error.fault))
            else:
                latest[use.key_id] = max(use.used_at, latest.get(use.key_id, 0))
        due = [KeyUse(key_id, used_at) for key_id, used_at in latest.items()]
        written = sum(self._record(use) for use in due if self._is_due(use))
        return Recording(written, malformed)

    def _is_due(self, use: KeyUse) -> bool:
        recorded = self._recorded.get(use.key_id)
        return recorded is None or use.used_at >= recorded + WRITE_INTERVAL_SECONDS

    def _record(self, use: KeyUse) -> bool:
        written = self.store.record(use)
        self._recorded.pop(use.key_id, None)
        if len(self._recorded) >= self.max_keys:
            del self._recorded[next(iter(self._recorded))]
        self._recorded[use.key_id] = use.used_at
        return written


class Unused(StrEnum):
    """Why there is no time of a key's last use."""

    NEVER = "never"
    UNKNOWN = "unknown"


LastUse = int | Unused
"""When a key was last used, in seconds since the epoch, or why there is no such time."""


@dataclass(frozen=True, slots=True)
class LastUses:
    """When keys were last used, as far as Keyscope knows.

    `sees_all` is whether `store` contains every use of the keys; it does not if other stacks use
    the same keys. `report` receives the error if the store cannot be read.
    """

    store: UseReader
    sees_all: bool
    report: Callable[[Unavailable], None]

    def of(self, keys: Sequence[Key], now: float) -> Mapping[str, LastUse]:
        """Return the last use of each key, by its id. `now` is in seconds since the epoch.

        Does not raise if the store cannot be read: a list without last uses is better than no list.
        A key counts as never used only if a use would still be stored.
        """
        if not keys:
            return {}
        try:
            found = self.store.last_uses([key.key_id for key in keys])
        except Unavailable as unavailable:
            self.report(unavailable)
            return {key.key_id: Unused.UNKNOWN for key in keys}
        return {key.key_id: found.get(key.key_id, self._without_use(key, now)) for key in keys}

    def _without_use(self, key: Key, now: float) -> Unused:
        is_remembered = now - key.created_at < REMEMBERED_SECONDS
        return Unused.NEVER if self.sees_all and is_remembered else Unused.UNKNOWN
