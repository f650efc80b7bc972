"""From a decision to one line that is its log and its metrics at once (embedded metric format).

CloudWatch makes metrics of the members that `_aws` names; queries read the others.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

Alarms use these metrics. Lambda's own `Errors` counts every 401, because API Gateway requires a
refusal to be an error of the function. CloudWatch bills a metric for each combination of dimension
values, so each one here is read by an alarm or the dashboard.

The log members are named like those of Powertools' Logger, which the other functions use.
Powertools itself costs an authorizer's start 15 ms of CPU, and a request five times as much.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count
from typing import NamedTuple

from keyscope.authorize.decision import Decision, Outcome
from keyscope.aws.calls import THROTTLING_CODES
from keyscope.errors import Reason
from keyscope.model.key_record import RecordSource
from keyscope.model.key_use import USE_FORMAT, USE_MESSAGE, FirstUses
from keyscope.model.principal import ProvenSecret

COMPONENT = "authorizer"
"""The dimension that both authorizers share, so that one alarm covers both."""
_COUNTED_BY_SERVICE = "Failed"
"""Is also counted for each authorizer, because each one's deployment is rolled back by itself."""
_UNITS = {"DecisionTime": "Milliseconds", "PolicyBytes": "Bytes"}
"""The units of metrics that are not counts."""
_ENDED_KEYS = frozenset({Reason.EXPIRED_KEY, Reason.REVOKED_KEY})
_WITHOUT_INFO = frozenset({"WARNING", "ERROR"})

# Everything that is not ASCII is escaped, so no name that a caller chose can end a line or fail to
# be written.
_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class TelemetrySettings(NamedTuple):
    """What an authorizer writes: ordinary allowed decisions one in `log_allowed_sample`."""

    log_level: str = "INFO"
    log_allowed_sample: int = 1
    metrics_namespace: str = "Keyscope"


class Telemetry:
    """Writes decisions to standard output, where Lambda collects them."""

    def __init__(
        self,
        function: str,
        settings: TelemetrySettings,
        policy_bytes: int | None = None,
        max_keys: int = 10_000,
    ) -> None:
        """Name the function that decides: its `service` in the log and metrics.

        `policy_bytes` is the largest possible size of a policy of the access map. `max_keys` bounds
        the keys for which the time of the last `use` line is remembered.
        """
        self._function = function
        self._untold_policy_bytes = policy_bytes
        self._logs_info = settings.log_level not in _WITHOUT_INFO
        self._namespace = settings.metrics_namespace
        self._first_uses = FirstUses(max_keys)
        self._log_allowed_sample = settings.log_allowed_sample
        self._ordinary = count()

    def record(self, decision: Decision, request_id: str | None, invocation_id: str | None) -> None:
        """Write a decision's line, and for a key's first use in a while a `use` line.

        None of them contains a secret or a token. A decision that is not logged has a line of its
        metrics alone: what waits for a later line is lost when Lambda ends a frozen container.
        """
        now = time.time()
        metrics = self._metrics(decision)
        members: dict[str, object] = {"component": COMPONENT}
        if self._is_logged(decision):
            members |= self._log_members(decision, request_id, invocation_id, now)
        members |= metrics
        directives = _directives(self._namespace, tuple(metrics))
        _write(
            f'{{"_aws":{{"Timestamp":{int(now * 1_000)},"CloudWatchMetrics":{directives}}},'
            f"{_json(members)[1:]}"
        )
        # A refused request names a key that its caller chose.
        if decision.outcome is Outcome.ALLOWED and decision.key_id is not None:
            self._tell_use(decision.key_id, now)
        sys.stdout.flush()

    def _is_logged(self, decision: Decision) -> bool:
        """Return whether a decision's line has log members.

        Failures are logged whatever the log level is. Only ordinary allowed decisions are sampled,
        so that queries find each use of a previous secret and of a stale record.
        """
        if not self._logs_info:
            return decision.outcome is Outcome.FAILED
        if (
            decision.outcome is not Outcome.ALLOWED
            or decision.record_source is RecordSource.STALE
            or _is_by_previous_secret(decision)
        ):
            return True
        return next(self._ordinary) % self._log_allowed_sample == 0

    def _tell_use(self, key_id: str, now: float) -> None:
        """Write the line that says that a key was used, whatever the log level is.

        The key use function reads these lines; `model.key_use` has their form.
        """
        if self._first_uses.note(key_id, now):
            members = {
                "level": "INFO",
                "message": USE_MESSAGE,
                "timestamp": _timestamp(now),
                "service": self._function,
                "format": USE_FORMAT,
                "key_id": key_id,
                "used_at": int(now),
            }
            _write(_json(members))

    def calls_by_botocore(self, setting: str) -> None:
        """Report the setting that makes botocore call AWS, so that containers start slower."""
        members = {
            "level": "WARNING",
            "message": "calls_by_botocore",
            "timestamp": _timestamp(time.time()),
            "service": self._function,
            "detail": setting,
        }
        _write(_json(members))
        sys.stdout.flush()

    def unprepared(self, service: str, code: str) -> None:
        """Report that a call before the snapshot failed, so restored containers start slower."""
        members = {
            "level": "WARNING",
            "message": "unprepared",
            "timestamp": _timestamp(time.time()),
            "service": self._function,
            "detail": f"{service}: {code}",
        }
        _write(_json(members))
        sys.stdout.flush()

    def _log_members(
        self, decision: Decision, request_id: str | None, invocation_id: str | None, now: float
    ) -> Mapping[str, object]:
        principal = decision.principal
        members = {
            "level": "ERROR" if decision.outcome is Outcome.FAILED else "INFO",
            "message": "decision",
            "timestamp": _timestamp(now),
            "service": self._function,
            "outcome": decision.outcome,
            "reason": decision.reason,
            "detail": decision.detail or None,
            "credential_kind": decision.credential_kind,
            "scope": principal.scope if principal else None,
            "key_id": decision.key_id,
            "secret": principal.secret if principal else None,
            "principal": principal.name if principal else None,
            "account_id": principal.account_id if principal else None,
            "request_id": request_id,
            "invocation_id": invocation_id,
            "record_source": decision.record_source,
            "secret_from_cache": decision.secret_from_cache,
            "lookup_ms": _rounded(decision.lookup_ms),
            "open_ms": _rounded(decision.open_ms),
            "xray_trace_id": _trace_id(),
        }
        return {name: value for name, value in members.items() if value is not None}

    def _metrics(self, decision: Decision) -> Mapping[str, float]:
        """Return a decision's metrics. Each one but `DecisionTime` is rare, so it costs little."""
        metrics: dict[str, float] = {"DecisionTime": round(decision.total_ms, 3)}
        if decision.outcome is Outcome.REFUSED:
            metrics["Refused"] = 1
            if decision.reason is Reason.UNKNOWN_KEY:
                metrics["UnknownKeys"] = 1
            if decision.reason in _ENDED_KEYS:
                metrics["EndedKeyUses"] = 1
        if decision.outcome is Outcome.FAILED:
            metrics[_COUNTED_BY_SERVICE] = 1
            if decision.reason is Reason.KMS_UNAVAILABLE and decision.detail in THROTTLING_CODES:
                metrics["KmsThrottled"] = 1
        if decision.record_source is RecordSource.STALE:
            metrics["StaleRecord"] = 1
        # Once per container, and not at start, which many containers share if Lambda restores them
        # from a snapshot.
        size, self._untold_policy_bytes = self._untold_policy_bytes, None
        if size is not None:
            metrics["PolicyBytes"] = size
        return metrics


@cache
def _directives(namespace: str, names: tuple[str, ...]) -> str:
    """Return the JSON that marks metrics for CloudWatch; there are few such sets of names."""
    directives = [_directive(namespace, "component", names)]
    if _COUNTED_BY_SERVICE in names:
        directives.append(_directive(namespace, "service", [_COUNTED_BY_SERVICE]))
    return _json(directives)


def _directive(namespace: str, dimension: str, names: Sequence[str]) -> Mapping[str, object]:
    metrics = [{"Name": name, "Unit": _UNITS.get(name, "Count")} for name in names]
    return {"Namespace": namespace, "Dimensions": [[dimension]], "Metrics": metrics}


def _is_by_previous_secret(decision: Decision) -> bool:
    principal = decision.principal
    return principal is not None and principal.secret is ProvenSecret.PREVIOUS


def _write(line: str) -> None:
    # In one write; `print` would make two.
    sys.stdout.write(line + "\n")


def _timestamp(now: float) -> str:
    """Return a time in UTC as RFC 3339 has it, such as `2026-11-24T15:14:55.958Z`.

    Where the log format is JSON, Lambda takes the level of a line only if it can read its time.
    """
    # Quicker than `strftime`.
    year, month, day, hour, minute, second, *_ = time.gmtime(now)
    milliseconds = int(now % 1 * 1_000)
    return f"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z"


def _trace_id() -> str | None:
    """Return the id of the invocation's X-Ray trace, which the runtime sets, if X-Ray keeps it."""
    header = os.environ.get("_X_AMZN_TRACE_ID", "")
    if ";Sampled=1" not in header:
        return None
    return header.partition(";")[0].removeprefix("Root=")


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 3)
