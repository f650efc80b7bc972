"""Flushes the policies that API Gateway has cached, through a queue."""

from dataclasses import dataclass

from keyscope.aws.flush_queue import FlushQueue
from keyscope.aws.lifecycle_telemetry import LifecycleTelemetry
from keyscope.errors import Unavailable


@dataclass(frozen=True, slots=True)
class QueuedFlushes:
    """Requests flushes from a queue, and reports failures after the write to the operator."""

    queue: FlushQueue
    telemetry: LifecycleTelemetry

    def flush_in_any_case(self) -> None:
        """Schedule a flush for when the coming write is in effect; raises `Unavailable`."""
        self.queue.flush_in_any_case()

    def flush(self) -> None:
        """Flush the policies now, and again when no container caches the old key any longer."""
        try:
            self.queue.flush()
        except Unavailable as unavailable:
            self.telemetry.flush_failed(unavailable)
