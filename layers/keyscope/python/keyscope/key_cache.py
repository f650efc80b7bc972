"""A key store in front of a key store: the container's memory of key records."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import TIMEOUT_MAX, Lock

from keyscope.errors import Reason, Unavailable
from keyscope.key_record import KeyRecord, KeyStore, Lookup, RecordSource
from keyscope.single_flight import SingleFlight, WaitedTooLong


@dataclass(frozen=True, slots=True)
class _Entry:
    record: KeyRecord | None
    read_at: float
    timer_at: float


@dataclass(frozen=True, slots=True)
class _FailedRead:
    """The last read failed; `of_store` when reads of two keys have, and none succeeded since."""

    key_id: str
    timer_at: float
    of_store: bool


RECHECK_SECONDS = 1
"""The age from which a remembered record may be rechecked: a flood of wrong secrets for one key
costs a container one read in that time."""


RETRY_SECONDS = 5
"""How long a failed read spares the next ones where a recent record can stand in: a store that
hangs would else hold up every request, and with it all the concurrency there is. One key's failed
read spares only its own; once two keys' reads have failed in a row, it is the store that fails."""


class KeyCache:
    """Remembers key records, and for as long which keys do not exist.

    A record younger than `fresh_seconds` is served without a read. When the store behind cannot
    answer, a record younger than `stale_seconds` is served still, for `RETRY_SECONDS` without
    asking again; an unknown key never is. Both memories hold at most `max_entries` each, so that a
    flood of unknown ids evicts no known key.

    Threads that miss the same key at the same time share one read, unless `fresh_seconds` is 0: a
    read that began earlier is a short memory, too. `wait_seconds` tells how long a thread may wait
    for the read of another.

    `clock` gives seconds since the epoch: a monotonic clock may stand still while Lambda freezes
    the container. `timer` is monotonic: the time of day may be set back. A record is as old as the
    one says that makes it older.
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
        """Start with nothing remembered."""
        self._store = store
        self._clock = clock
        self._timer = timer
        self._fresh_seconds = fresh_seconds
        self._stale_seconds = stale_seconds
        self._max_entries = max_entries
        self._known: OrderedDict[str, _Entry] = OrderedDict()
        self._unknown: OrderedDict[str, _Entry] = OrderedDict()
        self._failed: _FailedRead | None = None
        self._turn = Lock()
        self._reads: SingleFlight[str, Lookup | Unavailable] = SingleFlight(wait_seconds)

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
        remembered = self._remembered(key_id, fresh_seconds)
        if remembered is not None:
            return Lookup(remembered.record, RecordSource.CACHE)
        if self._has_just_failed(key_id) and (stale := self._stale(key_id)):
            return stale
        answer = self._read_once(key_id, fresh_seconds)
        if isinstance(answer, Lookup):
            return answer
        if answer.reason is Reason.KEY_STORE_UNAVAILABLE and (stale := self._stale(key_id)):
            return stale
        # An error of its own for each thread: raising adds to it.
        raise Unavailable(answer.reason, answer.detail)

    def _has_just_failed(self, key_id: str) -> bool:
        failed = self._failed
        if failed is None or not (failed.of_store or failed.key_id == key_id):
            return False
        # Who wants every record read anew waits for the store.
        spared_seconds = min(RETRY_SECONDS, self._fresh_seconds)
        return self._timer() - failed.timer_at < spared_seconds

    def _stale(self, key_id: str) -> Lookup | None:
        remembered = self._remembered(key_id, self._stale_seconds)
        if remembered is None or remembered.record is None:
            return None
        return Lookup(remembered.record, RecordSource.STALE)

    def _remembered(self, key_id: str, seconds: int) -> _Entry | None:
        """Return what is remembered of a key, if it is younger than that."""
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
            # Another read may have ended since this thread looked.
            remembered = self._remembered(key_id, fresh_seconds)
            if remembered is not None:
                return Lookup(remembered.record, RecordSource.CACHE)
            return self._read(key_id)

        try:
            return self._reads.run(key_id, read)
        except WaitedTooLong:
            return Unavailable(Reason.KEY_STORE_UNAVAILABLE, WaitedTooLong.__name__)

    def _read(self, key_id: str) -> Lookup | Unavailable:
        # Dated before the read: what it finds may change while the answer is on its way.
        read_at, timer_at = self._clock(), self._timer()
        try:
            lookup = self._store.get(key_id)
        except Unavailable as unavailable:
            if unavailable.reason is Reason.KEY_STORE_UNAVAILABLE:
                self._failed = self._next_failure(key_id)
            return unavailable
        self._failed = None
        self._remember(key_id, _Entry(lookup.record, read_at, timer_at))
        return lookup

    def _next_failure(self, key_id: str) -> _FailedRead:
        last = self._failed
        of_store = last is not None and (last.of_store or last.key_id != key_id)
        return _FailedRead(key_id, self._timer(), of_store)

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
