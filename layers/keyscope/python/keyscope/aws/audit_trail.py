"""Sends audit events to the log and to EventBridge."""

from collections.abc import Sequence
from dataclasses import dataclass

from keyscope.aws.event_bus import Bus, BusEvent
from keyscope.aws.lifecycle_telemetry import LifecycleTelemetry
from keyscope.lifecycle.audit import AuditEvent

DETAIL_TYPE = "Keyscope Lifecycle Change"


@dataclass(frozen=True, slots=True)
class EventBus:
    """An EventBridge bus as the audit trail; telemetry reports events that it does not accept."""

    bus: Bus
    telemetry: LifecycleTelemetry

    def record(self, events: Sequence[AuditEvent], /) -> None:
        """Log the events, and put them on the bus."""
        for event in events:
            self.telemetry.audited(event)
        sent = [BusEvent(event.at, event.detail()) for event in events]
        for event, code in zip(events, self.bus.send(DETAIL_TYPE, sent), strict=True):
            if code is not None:
                self.telemetry.undelivered(event, code)
