"""API Gateway's cache of authorizer results, with a clock that tests can set."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ResultCache(Generic[_T]):
    """Keeps results for a time of their own, at most `max_entries` of them; the oldest goes first.

    `clock` gives seconds since the epoch.
    """

    clock: Callable[[], float]
    max_entries: int = 10_000
    _entries: dict[Hashable, tuple[_T, float]] = field(default_factory=dict)
    _flushes: list[float] = field(default_factory=list)
    _turn: Lock = field(default_factory=Lock)

    def get(self, key: Hashable) -> _T | None:
        """Return the result that was kept under a key, unless its time is over."""
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
        """Keep a result for some seconds; none at all for 0."""
        if ttl_seconds <= 0:
            return
        with self._turn:
            self._entries.pop(key, None)
            if len(self._entries) >= self.max_entries:
                del self._entries[next(iter(self._entries))]
            self._entries[key] = (result, self.clock() + ttl_seconds)

    def flush(self, delay_seconds: float = 0) -> None:
        """Forget everything, as `FlushStageAuthorizersCache` does, at once or after a time."""
        with self._turn:
            self._flushes.append(self.clock() + delay_seconds)
            self._flush_what_is_due()

    def _flush_what_is_due(self) -> None:
        due = [at for at in self._flushes if at <= self.clock()]
        if due:
            self._flushes[:] = [at for at in self._flushes if at not in due]
            self._entries.clear()
