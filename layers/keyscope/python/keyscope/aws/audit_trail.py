"""Sends audit events to the log and to EventBridge."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, repeat

from keyscope.aws.clients import EventsClient, UnreadableAnswer, error_code
from keyscope.aws.lifecycle_telemetry import LifecycleTelemetry
from keyscope.lifecycle.audit import AuditEvent

EVENT_SOURCE = "keyscope"
DETAIL_TYPE = "Keyscope Lifecycle Change"
MAX_ENTRIES = 10
"""The most entries in one `PutEvents` call (EventBridge API reference)."""


@dataclass(frozen=True, slots=True)
class EventBus:
    """An EventBridge bus as the audit trail; telemetry reports events that it does not accept."""

    client: EventsClient
    bus_name: str
    telemetry: LifecycleTelemetry

    def record(self, events: Sequence[AuditEvent], /) -> None:
        """Log the events, and put them on the bus."""
        for event in events:
            self.telemetry.audited(event)
        for start in range(0, len(events), MAX_ENTRIES):
            batch = events[start : start + MAX_ENTRIES]
            for event, code in self._put(batch):
                self.telemetry.undelivered(event, code)

    def _put(self, events: Sequence[AuditEvent]) -> Iterator[tuple[AuditEvent, str]]:
        """Yield the events that the bus does not report as accepted, each with AWS's error code."""
        try:
            response = self.client.put_events(Entries=[self._entry(event) for event in events])
        except Exception as error:  # noqa: BLE001 - the change is done, and its answer must go out
            yield from ((event, error_code(error)) for event in events)
            return
        # An event without an entry in the response may not have been accepted.
        entries = chain(response.get("Entries", ()), repeat(None))
        for event, entry in zip(events, entries, strict=False):
            told = entry or {"ErrorCode": UnreadableAnswer.__name__}
            if "ErrorCode" in told:
                yield event, str(told["ErrorCode"])

    def _entry(self, event: AuditEvent) -> Mapping[str, object]:
        return {
            "EventBusName": self.bus_name,
            "Source": EVENT_SOURCE,
            "DetailType": DETAIL_TYPE,
            "Time": datetime.fromtimestamp(event.at, UTC),
            "Detail": json.dumps(event.detail()),
        }
