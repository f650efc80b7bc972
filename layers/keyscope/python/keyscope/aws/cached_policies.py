"""The policies that API Gateway has cached, flushed by way of a queue."""

from dataclasses import dataclass

from keyscope.aws.flush_queue import FlushQueue
from keyscope.aws.lifecycle_telemetry import LifecycleTelemetry
from keyscope.errors import Unavailable


@dataclass(frozen=True, slots=True)
class QueuedFlushes:
    """Asks a queue for flushes; what fails after the write is told to the operator."""

    queue: FlushQueue
    telemetry: LifecycleTelemetry

    def flush_in_any_case(self) -> None:
        """Have the policies flushed once the coming write is in effect; raises `Unavailable`."""
        self.queue.flush_in_any_case()

    def flush(self) -> None:
        """Have them flushed now, and again when no container knows the key as it was."""
        try:
            self.queue.flush()
        except Unavailable as unavailable:
            self.telemetry.flush_failed(unavailable)
