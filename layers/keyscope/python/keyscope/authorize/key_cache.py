"""A key store in front of a key store: the container's memory of key records."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import TIMEOUT_MAX, Lock

from keyscope.authorize.single_flight import SingleFlight, WaitedTooLong
from keyscope.errors import HeldUp, Hung, Reason, Unavailable
from keyscope.model.key_record import KeyRecord, KeyStore, Lookup, RecordSource


@dataclass(frozen=True, slots=True)
class _Entry:
    """A record and when it was read; `hung_at` is when the last read since timed out, if it did."""

    record: KeyRecord | None
    read_at: float
    timer_at: float
    hung_at: float | None = None


RECHECK_SECONDS = 1
"""The age from which a remembered record may be rechecked: a flood of wrong secrets for one key
costs a container one read in that time."""


RETRY_SECONDS = 5
"""How long a read that hung spares the next ones of the same key where a recent record can serve:
each request with that key would else be held up. A read that fails fast spares none."""


class KeyCache:
    """Caches key records, and misses for just as long.

    A record younger than `fresh_seconds` is served without a read. When the key's own read fails, a
    record younger than `stale_seconds` is served still, after a timeout for `RETRY_SECONDS` without
    another read; an unknown key never is. What the reads of other keys do decides nothing: a key
    that was revoked may be the one that could be read. Both memories hold at most `max_entries`
    each, so that a flood of unknown ids evicts no known key.

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
        self._turn = Lock()
        self._reads: SingleFlight[str, Lookup | Unavailable] = SingleFlight(wait_seconds)

    def get(self, key_id: str, /, *, fresh: bool = False) -> Lookup:
        """Return the record of a key from memory, else from the store behind.

        With `fresh`, a remembered record is at most `RECHECK_SECONDS` old.

        Raises:
            Unavailable: as the store behind does, when no remembered record may stand in.
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
        # An error of its own for each thread: raising adds to it.
        raise Unavailable(answer.reason, answer.detail)

    def _has_just_hung(self, key_id: str) -> bool:
        entry = self._known.get(key_id)
        if entry is None or entry.hung_at is None:
            return False
        # Who wants every record read anew waits for the store.
        spared_seconds = min(RETRY_SECONDS, self._fresh_seconds)
        return self._timer() - entry.hung_at < spared_seconds

    def _may_stand_in(self, key_id: str, failure: Unavailable) -> bool:
        """Return whether an old record may serve: only this key's own failed read allows it."""
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
