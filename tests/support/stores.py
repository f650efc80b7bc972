"""Stores and clocks that tests drive by hand."""

from dataclasses import dataclass, field

from keyscope.errors import Reason, Unavailable
from keyscope.key_record import KeyRecord, Lookup, OpenedSecret, RecordSource


@dataclass
class SteppedClock:
    """A clock that stands still until it is moved."""

    now: float

    def __call__(self) -> float:
        return self.now


@dataclass
class MemoryKeyStore:
    """Key records in memory; `failure` makes every read fail."""

    records: dict[str, KeyRecord] = field(default_factory=dict)
    failure: Reason | None = None
    reads: int = 0

    def get(self, key_id: str, /) -> Lookup:
        self.reads += 1
        if self.failure is not None:
            raise Unavailable(self.failure)
        return Lookup(self.records.get(key_id), RecordSource.TABLE)


@dataclass
class MemorySecretOpener:
    """Opens what the builders seal."""

    failure: Reason | None = None
    opened: int = 0

    def open(self, record: KeyRecord, /) -> OpenedSecret:
        self.opened += 1
        if self.failure is not None:
            raise Unavailable(self.failure)
        return OpenedSecret(
            record.secret_ciphertext.removeprefix(b"sealed ").decode(), from_cache=False
        )
