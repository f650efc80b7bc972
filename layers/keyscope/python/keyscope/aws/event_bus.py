"""An EventBridge bus, which accepts or rejects each event that is sent to it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice, repeat

from keyscope.aws.calls import error_code
from keyscope.aws.clients import EventsClient, UnreadableAnswer
from keyscope.lifecycle.key_fields import Json

EVENT_SOURCE = "keyscope"
MAX_ENTRIES = 10
"""The most entries in one `PutEvents` call (EventBridge API reference)."""


@dataclass(frozen=True, slots=True)
class BusEvent:
    """An event's time, in seconds since the epoch, and its detail."""

    at: int
    detail: Json


@dataclass(frozen=True, slots=True)
class Bus:
    """A bus of this account and region, by its name."""

    client: EventsClient
    name: str

    def send(self, detail_type: str, events: Sequence[BusEvent], /) -> Sequence[str | None]:
        """Send any number of events; return AWS's error code for each, `None` for accepted ones.

        Does not raise. An event that the response does not mention counts as rejected, although the
        bus may have accepted it.
        """
        codes: list[str | None] = []
        for start in range(0, len(events), MAX_ENTRIES):
            batch = events[start : start + MAX_ENTRIES]
            codes += self._put([self._entry(detail_type, event) for event in batch])
        return codes

    def _put(self, entries: Sequence[Mapping[str, object]]) -> Sequence[str | None]:
        try:
            response = self.client.put_events(Entries=entries)
        except Exception as error:  # noqa: BLE001 - what the caller did before must not be lost
            return [error_code(error)] * len(entries)
        answers = chain(response.get("Entries", ()), repeat(None))
        return [
            (answer or {"ErrorCode": UnreadableAnswer.__name__}).get("ErrorCode")
            for answer in islice(answers, len(entries))
        ]

    def _entry(self, detail_type: str, event: BusEvent) -> Mapping[str, object]:
        return {
            "EventBusName": self.name,
            "Source": EVENT_SOURCE,
            "DetailType": detail_type,
            "Time": datetime.fromtimestamp(event.at, UTC),
            "Detail": json.dumps(event.detail),
        }
