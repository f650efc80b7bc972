"""Sends warnings about expiring keys as events on EventBridge."""

from collections.abc import Sequence
from dataclasses import dataclass

from keyscope.aws.event_bus import Bus, BusEvent
from keyscope.lifecycle.key_expiry import ExpiryWarning

DETAIL_TYPE = "Keyscope Key Expiring"


@dataclass(frozen=True, slots=True)
class ExpiryEvents:
    """A bus for warnings."""

    bus: Bus

    def send(self, warnings: Sequence[ExpiryWarning], /) -> Sequence[str | None]:
        """Send warnings; return AWS's error code for each, `None` for accepted ones."""
        return self.bus.send(DETAIL_TYPE, [BusEvent(each.at, each.detail()) for each in warnings])
