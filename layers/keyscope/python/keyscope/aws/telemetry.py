"""One decision -> one structured log line and one set of metrics (embedded metric format).

Alarms stand on these metrics: Lambda's own `Errors` counts every 401, because API Gateway takes a
refusal as an error of the function.
"""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from keyscope.decision import Decision, Outcome
from keyscope.key_record import RecordSource
from keyscope.principal import ProvenSecret

NOT_APPLICABLE = "none"
"""A dimension's value where a decision has none; CloudWatch takes no empty one."""

_COUNTS = {
    Outcome.ALLOWED: "Allowed",
    Outcome.REFUSED: "Refused",
    Outcome.FAILED: "Failed",
}


class Telemetry:
    """Writes decisions to standard output, where Lambda collects them."""

    def __init__(self, function: str, log_level: str, metrics_namespace: str) -> None:
        """Name the function (`service` in log and metrics) that decides."""
        self._logger = Logger(service=function, level=log_level, location=None)
        self._function = function
        # Not `Metrics`, whose instances share one state: two functions may run in one process.
        self._metrics = EphemeralMetrics(service=function, namespace=metrics_namespace)

    def record(self, decision: Decision, request_id: str | None, invocation_id: str | None) -> None:
        """Write one log line and one metric set, neither with a secret or a token."""
        self._log(decision, request_id, invocation_id)
        self._measure(decision)

    def _log(self, decision: Decision, request_id: str | None, invocation_id: str | None) -> None:
        principal = decision.principal
        members = {
            "outcome": decision.outcome,
            "reason": decision.reason,
            "detail": decision.detail or None,
            "scheme": decision.scheme,
            "scope": principal.scope if principal else None,
            "key_id": decision.key_id,
            "secret": principal.secret if principal else None,
            "principal": principal.name if principal else None,
            "account_id": principal.account_id if principal else None,
            "request_id": request_id,
            "invocation_id": invocation_id,
            "record_source": decision.record_source,
            "secret_from_cache": decision.secret_from_cache,
            "total_ms": round(decision.total_ms, 3),
            "lookup_ms": _rounded(decision.lookup_ms),
            "open_ms": _rounded(decision.open_ms),
        }
        present = {name: value for name, value in members.items() if value is not None}
        if decision.outcome is Outcome.FAILED:
            self._logger.error("decision", extra=present)
        else:
            self._logger.info("decision", extra=present)

    def _measure(self, decision: Decision) -> None:
        metrics = self._metrics
        metrics.add_dimensions(
            service=self._function,
            outcome=decision.outcome.value,
            reason=decision.reason.value if decision.reason else NOT_APPLICABLE,
            scheme=decision.scheme.value if decision.scheme else NOT_APPLICABLE,
            scope=decision.principal.scope.value if decision.principal else NOT_APPLICABLE,
        )
        self._count(_COUNTS[decision.outcome], 1)
        self._duration("DecisionTime", decision.total_ms)
        self._duration("LookupTime", decision.lookup_ms)
        self._duration("OpenTime", decision.open_ms)
        if decision.record_source is not None:
            self._count("KeyCacheHit", int(decision.record_source is RecordSource.CACHE))
            self._count("StaleRecord", int(decision.record_source is RecordSource.STALE))
        if decision.secret_from_cache is not None:
            self._count("SecretCacheHit", int(decision.secret_from_cache))
        if decision.principal and decision.principal.secret is ProvenSecret.PREVIOUS:
            self._count("PreviousSecretUses", 1)
        metrics.flush_metrics()

    def _count(self, name: str, value: int) -> None:
        self._metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)

    def _duration(self, name: str, milliseconds: float | None) -> None:
        if milliseconds is not None:
            self._metrics.add_metric(
                name=name, unit=MetricUnit.Milliseconds, value=round(milliseconds, 3)
            )


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 3)
