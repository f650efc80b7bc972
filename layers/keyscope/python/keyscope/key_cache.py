"""A key store in front of a key store: the container's memory of key records."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from keyscope.errors import Reason, Unavailable
from keyscope.key_record import KeyRecord, KeyStore, Lookup, RecordSource


@dataclass(frozen=True, slots=True)
class _Entry:
    record: KeyRecord | None
    read_at: float


RECHECK_SECONDS = 1
"""The age from which a remembered record may be rechecked: a flood of wrong secrets for one key
costs a container one read in that time."""


class KeyCache:
    """Remembers key records, and for as long which keys do not exist.

    A record younger than `fresh_seconds` is served without a read. When the store behind cannot
    answer, a record younger than `stale_seconds` is served still; an unknown key never is. Both
    memories hold at most `max_entries` each, so that a flood of unknown ids evicts no known key.
    `clock` gives seconds since the epoch: a monotonic clock may stand still while Lambda freezes
    the container.
    """

    def __init__(
        self,
        store: KeyStore,
        clock: Callable[[], float],
        *,
        fresh_seconds: int,
        stale_seconds: int,
        max_entries: int,
    ) -> None:
        """Start with nothing remembered."""
        self._store = store
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._stale_seconds = stale_seconds
        self._max_entries = max_entries
        self._known: OrderedDict[str, _Entry] = OrderedDict()
        self._unknown: OrderedDict[str, _Entry] = OrderedDict()

    def get(self, key_id: str, /) -> Lookup:
        """Return the record of a key from memory, else from the store behind.

        Raises:
            Unavailable: as the store behind does, when no remembered record may stand in.
        """
        return self._get(key_id, self._fresh_seconds)

    def recheck(self, key_id: str, /) -> Lookup:
        """Return the record of a key, from memory only if it was read within `RECHECK_SECONDS`.

        Raises:
            Unavailable: as `get` does.
        """
        return self._get(key_id, min(RECHECK_SECONDS, self._fresh_seconds))

    def _get(self, key_id: str, fresh_seconds: int) -> Lookup:
        now = self._clock()
        entry = self._known.get(key_id) or self._unknown.get(key_id)
        if entry is not None and _is_younger(entry, fresh_seconds, now):
            return Lookup(entry.record, RecordSource.CACHE)
        try:
            lookup = self._store.get(key_id)
        except Unavailable as unavailable:
            if unavailable.reason is not Reason.KEY_STORE_UNAVAILABLE:
                raise
            if entry is None or entry.record is None:
                raise
            if not _is_younger(entry, self._stale_seconds, now):
                raise
            return Lookup(entry.record, RecordSource.STALE)
        self._remember(key_id, _Entry(lookup.record, now))
        return lookup

    def _remember(self, key_id: str, entry: _Entry) -> None:
        memory, other = self._known, self._unknown
        if entry.record is None:
            memory, other = other, memory
        other.pop(key_id, None)
        memory[key_id] = entry
        memory.move_to_end(key_id)
        if len(memory) > self._max_entries:
            memory.popitem(last=False)


def _is_younger(entry: _Entry, seconds: int, now: float) -> bool:
    # An entry from the future was made before the clock was set back; its age is unknown.
    return 0 <= now - entry.read_at < seconds
