"""API Gateway's cache of authorizer results, with a clock that tests can set."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ResultCache(Generic[_T]):
    """Caches up to `max_entries` results, each for its own time; the oldest is evicted first.

    `clock` returns seconds since the epoch.
    """

    clock: Callable[[], float]
    max_entries: int = 10_000
    _entries: dict[Hashable, tuple[_T, float]] = field(default_factory=dict)
    _flushes: list[float] = field(default_factory=list)
    _turn: Lock = field(default_factory=Lock)

    def get(self, key: Hashable) -> _T | None:
        """Return the cached result of a key, unless it has expired."""
        with self._turn:
            self._flush_what_is_due()
            entry = self._entries.get(key)
            if entry is None:
                return None
            result, ends_at = entry
            if self.clock() >= ends_at:
                del self._entries[key]
                return None
            return result

    def put(self, key: Hashable, result: _T, ttl_seconds: int) -> None:
        """Cache a result for a number of seconds; 0 does not cache it."""
        if ttl_seconds <= 0:
            return
        with self._turn:
            self._entries.pop(key, None)
            if len(self._entries) >= self.max_entries:
                del self._entries[next(iter(self._entries))]
            self._entries[key] = (result, self.clock() + ttl_seconds)

    def flush(self, delay_seconds: float = 0) -> None:
        """Empty the cache, as `FlushStageAuthorizersCache` does, at once or after a delay."""
        with self._turn:
            self._flushes.append(self.clock() + delay_seconds)
            self._flush_what_is_due()

    def _flush_what_is_due(self) -> None:
        due = [at for at in self._flushes if at <= self.clock()]
        if due:
            self._flushes[:] = [at for at in self._flushes if at not in due]
            self._entries.clear()
