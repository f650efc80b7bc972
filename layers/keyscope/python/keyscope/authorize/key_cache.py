"""The container's cache of key records: a key store in front of another key store."""

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import TIMEOUT_MAX, Lock

from keyscope.authorize.single_flight import SingleFlight, WaitedTooLong
from keyscope.errors import HeldUp, Hung, Reason, Unavailable
from keyscope.model.key_record import KeyRecord, KeyStore, Lookup, RecordSource
from keyscope.records import dataclass, replace


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record and when it was read; `hung_at` is when the last read since timed out, if it did."""

    record: KeyRecord | None
    read_at: float
    timer_at: float
    hung_at: float | None = None


RECHECK_SECONDS = 1
"""The age at which a cached record may be rechecked, in seconds. A flood of wrong secrets for one
key costs a container at most one read in that time."""


RETRY_SECONDS = 5
"""How long, in seconds, after a read timed out the cache does not read that key again if a recent
record can serve. Otherwise every request with that key would wait. A read that fails fast does not
start this pause."""


class KeyCache:
    """Caches key records, and misses for just as long.

    A record younger than `fresh_seconds` is served without a read. When the read of a key fails, a
    record younger than `stale_seconds` is still served; after a timeout, it is served for
    `RETRY_SECONDS` without another read. An unknown key is never served this way. Failed reads of
    other keys do not matter, because this key may be readable, and revoked. Known and unknown keys
    have a cache of `max_entries` each, so a flood of unknown ids evicts no known key.

    Threads that miss the same key at the same time share one read, unless `fresh_seconds` is 0: the
    result of a read that began earlier is also a short-lived cache. `wait_seconds` returns how long
    a thread may wait for another thread's read.

    `clock` returns seconds since the epoch: a monotonic clock may stop while Lambda freezes the
    container. `timer` is monotonic: the time of day may be set back. A record's age is the greater
    of the two.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        store: KeyStore,
        clock: Callable[[], float],
        *,
        fresh_seconds: int,
        stale_seconds: int,
        max_entries: int,
        timer: Callable[[], float] = time.monotonic,
        wait_seconds: Callable[[], float] = lambda: TIMEOUT_MAX,
    ) -> None:
        """Start with an empty cache."""
        self._store = store
        self._clock = clock
        self._timer = timer
        self._fresh_seconds = fresh_seconds
        self._stale_seconds = stale_seconds
        self._max_entries = max_entries
        self._known: OrderedDict[str, _Entry] = OrderedDict()
        self._unknown: OrderedDict[str, _Entry] = OrderedDict()
        self._turn = Lock()
        self._reads: SingleFlight[str, Lookup | Unavailable] = SingleFlight(wait_seconds)

    def get(self, key_id: str, /, *, fresh: bool = False) -> Lookup:
        """Return the record of a key from the cache, or else from the store behind it.

        With `fresh`, a cached record is at most `RECHECK_SECONDS` old.

        Raises:
            Unavailable: as the store behind it does, when no cached record may be served instead.
        """
        fresh_seconds = min(RECHECK_SECONDS, self._fresh_seconds) if fresh else self._fresh_seconds
        remembered = self._remembered(key_id, fresh_seconds)
        if remembered is not None:
            return Lookup(remembered.record, RecordSource.CACHE)
        if self._has_just_hung(key_id) and (stale := self._stale(key_id)):
            return stale
        answer = self._read_once(key_id, fresh_seconds)
        if isinstance(answer, Lookup):
            return answer
        if self._may_stand_in(key_id, answer) and (stale := self._stale(key_id)):
            return stale
        # Each thread raises an error of its own, because raising changes the error.
        raise Unavailable(answer.reason, answer.detail)

    def _has_just_hung(self, key_id: str) -> bool:
        entry = self._known.get(key_id)
        if entry is None or entry.hung_at is None:
            return False
        # If every request must read the record, every request waits for the store.
        spared_seconds = min(RETRY_SECONDS, self._fresh_seconds)
        return self._timer() - entry.hung_at < spared_seconds

    def _may_stand_in(self, key_id: str, failure: Unavailable) -> bool:
        """Return whether an old record may be served: only a failed read of this key allows it."""
        if failure.reason is not Reason.KEY_STORE_UNAVAILABLE:
            return False
        entry = self._known.get(key_id)
        has_hung = entry is not None and entry.hung_at is not None
        return has_hung or not isinstance(failure, HeldUp)

    def _stale(self, key_id: str) -> Lookup | None:
        remembered = self._remembered(key_id, self._stale_seconds)
        if remembered is None or remembered.record is None:
            return None
        return Lookup(remembered.record, RecordSource.STALE)

    def _remembered(self, key_id: str, seconds: int) -> _Entry | None:
        """Return the cached entry of a key, if it is younger than a number of seconds."""
        entry = self._known.get(key_id) or self._unknown.get(key_id)
        if entry is None:
            return None
        age = self._clock() - entry.read_at
        # An entry from the future was made before the clock was set back; its age is unknown.
        if 0 <= age < seconds and self._timer() - entry.timer_at < seconds:
            return entry
        return None

    def _read_once(self, key_id: str, fresh_seconds: int) -> Lookup | Unavailable:
        if self._fresh_seconds == 0:
            return self._read(key_id)

        def read() -> Lookup | Unavailable:
            # Another thread's read may have finished since this thread checked.
            remembered = self._remembered(key_id, fresh_seconds)
            if remembered is not None:
                return Lookup(remembered.record, RecordSource.CACHE)
            return self._read(key_id)

        try:
            return self._reads.run(key_id, read)
        except WaitedTooLong:
            return Unavailable(Reason.KEY_STORE_UNAVAILABLE, WaitedTooLong.__name__)

    def _read(self, key_id: str) -> Lookup | Unavailable:
        # Take the time before the read: the record may change while the response is on its way.
        read_at, timer_at = self._clock(), self._timer()
        try:
            lookup = self._store.get(key_id, fresh=True)
        except Unavailable as unavailable:
            if isinstance(unavailable, Hung):
                self._note_hung(key_id)
            return unavailable
        self._remember(key_id, _Entry(lookup.record, read_at, timer_at))
        return lookup

    def _note_hung(self, key_id: str) -> None:
        with self._turn:
            if (entry := self._known.get(key_id)) is not None:
                self._known[key_id] = replace(entry, hung_at=self._timer())

    def _remember(self, key_id: str, entry: _Entry) -> None:
        with self._turn:
            memory, other = self._known, self._unknown
            if entry.record is None:
                memory, other = other, memory
            memory[key_id] = entry
            memory.move_to_end(key_id)
            other.pop(key_id, None)
            if len(memory) > self._max_entries:
                memory.popitem(last=False)
