"""Log lines of lifecycle changes, and metrics of their failures, for operators."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from keyscope.errors import Unavailable
from keyscope.lifecycle.audit import AuditEvent

COMPONENT = "lifecycle"
"""The dimension shared by all functions that change accounts, apps and keys."""


class LifecycleTelemetry:
    """Writes to standard output, where Lambda collects it."""

    def __init__(self, function: str, metrics_namespace: str) -> None:
        """Name the function: its `service` in lines of metrics, and with `-audit` in the log.

        Audit lines are written at every log level, because Powertools has one level for each
        `service`.
        """
        self._logger = Logger(service=f"{function}-audit", level="INFO", location=None)
        self._function = function
        self._metrics = EphemeralMetrics(namespace=metrics_namespace)

    def audited(self, event: AuditEvent) -> None:
        """Log an audit event."""
        self._logger.info("audit", extra={"audit": event.detail()})

    def undelivered(self, event: AuditEvent, code: str) -> None:
        """Report that the bus did not accept an audit event; the log contains the event."""
        members = {"audit_event_id": event.event_id, "detail": code}
        self._logger.error("audit event undelivered", extra=members)
        self._count("UndeliveredAuditEvents")

    def flush_failed(self, unavailable: Unavailable) -> None:
        """Report that a flush of cached policies could not be requested now; one is scheduled."""
        members = {"reason": unavailable.reason, "detail": unavailable.detail}
        self._logger.error("flush not asked for", extra=members)
        self._count("FlushRequestFailures")

    def uses_unread(self, unavailable: Unavailable) -> None:
        """Log that the last uses of keys could not be read, so that an answer is without them."""
        members = {"reason": unavailable.reason, "detail": unavailable.detail}
        self._logger.error("last uses not read", extra=members)

    def _count(self, name: str) -> None:
        self._metrics.add_dimension("component", COMPONENT)
        # No dimension: CloudWatch would bill another metric, which nothing reads.
        self._metrics.add_metadata(key="service", value=self._function)
        self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
        self._metrics.flush_metrics()
