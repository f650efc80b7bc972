"""Stores and clocks that tests drive by hand."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from keyscope.errors import Reason, Unavailable
from keyscope.model.key_record import KeyRecord, Lookup, OpenedSecret, RecordSource


@dataclass
class SteppedClock:
    """A clock that stands still until it is moved."""

    now: float

    def __call__(self) -> float:
        return self.now


@dataclass
class MemoryKeyStore:
    """Key records in memory.

    `failure` makes every read fail, by an error of type `fails_by`; `damaged` keys cannot be read.
    """

    records: dict[str, KeyRecord] = field(default_factory=dict)
    failure: Reason | None = None
    fails_by: type[Unavailable] = Unavailable
    reads: int = 0
    damaged: set[str] = field(default_factory=set)

    def hold(self, record: KeyRecord) -> None:
        self.records[record.key_id] = record

    def get(self, key_id: str, /, *, fresh: bool = False) -> Lookup:
        del fresh
        self.reads += 1
        if self.failure is not None:
            raise self.fails_by(self.failure)
        if key_id in self.damaged:
            raise Unavailable(Reason.DAMAGED_RECORD)
        record = self.records.get(key_id)
        if record is not None and record.revoked_at is not None:
            record = replace(
                record,
                secret_hash=b"",
                secret_ciphertext=b"",
                previous=None,
                usage_identifier_key=None,
            )
        return Lookup(record, RecordSource.TABLE)


@dataclass
class MemorySecretOpener:
    """Opens what the builders seal; after `opens` secrets, `failure` makes it fail.

    What is in `remembered`, by its ciphertext, is told to come from a cache.
    """

    failure: Reason | None = None
    opens: int = 0
    opened: int = 0
    remembered: AbstractSet[bytes] = frozenset()

    def open(self, record: KeyRecord, /) -> OpenedSecret:
        self.opened += 1
        if self.failure is not None and self.opened > self.opens:
            raise Unavailable(self.failure)
        return OpenedSecret(
            record.secret_ciphertext.removeprefix(b"sealed ").decode(),
            from_cache=record.secret_ciphertext in self.remembered,
        )
