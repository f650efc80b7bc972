"""The line in an authorizer's log that records a key's use, and when it is written.

A line is one JSON object. Its members `message` (`USE_MESSAGE`), `format` (`USE_FORMAT`), `key_id`
and `used_at` (whole seconds since the epoch) are fixed; there may be others. A change to these four
needs a new format number, which the function that reads the lines must know first.
"""

from threading import Lock
from typing import Final

USE_MESSAGE: Final = "use"
USE_FORMAT: Final = 1
INTERVAL_SECONDS: Final = 300
"""How long a container writes no second line for a key, in seconds."""


class FirstUses:
    """Picks the first use of each key in `INTERVAL_SECONDS`.

    It caches `max_keys` keys. A key that was evicted only gets a line too early.

    Times are from the wall clock, because a monotonic clock may stop while Lambda freezes the
    container. A snapshot contains none, because no key is used before Lambda takes it.
    """

    def __init__(self, max_keys: int) -> None:
        """Start with an empty cache."""
        self._max_keys = max_keys
        self._noted_at: dict[str, float] = {}
        self._turn = Lock()

    def note(self, key_id: str, now: float) -> bool:
        """Record a use; return whether it is the first one. `now` is in seconds since the epoch."""
        noted_at = self._noted_at.get(key_id)
        # A time in the future was recorded before the clock was set back.
        if noted_at is not None and 0 <= now - noted_at < INTERVAL_SECONDS:
            return False
        with self._turn:
            self._noted_at.pop(key_id, None)
            if len(self._noted_at) >= self._max_keys:
                del self._noted_at[next(iter(self._noted_at))]
            self._noted_at[key_id] = now
        return True
