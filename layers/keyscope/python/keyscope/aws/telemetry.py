"""From a decision to a structured log line and a set of metrics (embedded metric format).

Alarms use these metrics. Lambda's own `Errors` counts every 401, because API Gateway requires a
refusal to be an error of the function.

The lines have the shape of those of Powertools' Logger and Metrics, which the other functions use.
Powertools itself costs an authorizer's start 15 ms of CPU, and a request five times as much.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache

from keyscope.authorize.decision import Decision, Outcome
from keyscope.aws.clients import THROTTLING_CODES
from keyscope.errors import Reason
from keyscope.model.key_record import RecordSource
from keyscope.model.key_use import USE_FORMAT, USE_MESSAGE, FirstUses
from keyscope.model.principal import ProvenSecret

NOT_APPLICABLE = "none"
"""The value of a dimension that a decision does not have; CloudWatch rejects empty values."""

_COUNTS = {
    Outcome.ALLOWED: "Allowed",
    Outcome.REFUSED: "Refused",
    Outcome.FAILED: "Failed",
}
_DURATIONS = frozenset({"DecisionTime", "LookupTime", "OpenTime"})
COMPONENT = "authorizer"
"""The dimension that both authorizers share, so that one alarm covers both."""
_DIMENSION_SETS = [
    ["service"],
    ["component"],
    ["service", "outcome", "reason", "credential_kind", "scope"],
]
_REASON_DIMENSION_SETS = [["component", "reason"]]
_COUNTED_BY_REASON = ("Refused", "Failed", "Throttled")
_ENDED_KEYS = frozenset({Reason.EXPIRED_KEY, Reason.REVOKED_KEY})
_WITHOUT_INFO = frozenset({"WARNING", "ERROR"})

# Everything that is not ASCII is escaped, so no name that a caller chose can end a line or fail to
# be written.
_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Telemetry:
    """Writes decisions to standard output, where Lambda collects them."""

    def __init__(
        self,
        function: str,
        log_level: str,
        metrics_namespace: str,
        policy_bytes: int | None = None,
        max_keys: int = 10_000,
    ) -> None:
        """Name the function that decides: its `service` in the log and metrics.

        `policy_bytes` is the largest possible size of a policy of the access map. `max_keys` bounds
        the keys for which the time of the last `use` line is remembered.
        """
        self._function = function
        self._untold_policy_bytes = policy_bytes
        self._logs_info = log_level not in _WITHOUT_INFO
        self._namespace = metrics_namespace
        self._first_uses = FirstUses(max_keys)

    def record(self, decision: Decision, request_id: str | None, invocation_id: str | None) -> None:
        """Write a decision line, a metric set, and for a key's first use in a while a `use` line.

        None of them contains a secret or a token.
        """
        now = time.time()
        self._tell_policy_size(now)
        if self._logs_info or decision.outcome is Outcome.FAILED:
            _write(_json(self._log_line(decision, request_id, invocation_id, now)))
        # A refused request names a key that its caller chose.
        if decision.outcome is Outcome.ALLOWED and decision.key_id is not None:
            self._tell_use(decision.key_id, now)
        _write(self._metric_set(decision, now))
        sys.stdout.flush()

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

    def _tell_policy_size(self, now: float) -> None:
        """Write the metric `PolicyBytes` once per container.

        Not at start, which many containers share if Lambda restores them from a snapshot.
        """
        size, self._untold_policy_bytes = self._untold_policy_bytes, None
        if size is None:
            return
        members = {"service": self._function, "component": COMPONENT, "PolicyBytes": [float(size)]}
        directives = _json([_directive(self._namespace, [["component"]], ["PolicyBytes"])])
        _write(_metric_line(members, directives, now))

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

    def _log_line(
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
            "total_ms": round(decision.total_ms, 3),
            "lookup_ms": _rounded(decision.lookup_ms),
            "open_ms": _rounded(decision.open_ms),
            "xray_trace_id": _trace_id(),
        }
        return {name: value for name, value in members.items() if value is not None}

    def _metric_set(self, decision: Decision, now: float) -> str:
        values = _metric_values(decision)
        members = {
            "service": self._function,
            "component": COMPONENT,
            "outcome": decision.outcome,
            "reason": decision.reason or NOT_APPLICABLE,
            "credential_kind": decision.credential_kind or NOT_APPLICABLE,
            "scope": decision.principal.scope if decision.principal else NOT_APPLICABLE,
            **values,
        }
        return _metric_line(members, _directives(self._namespace, tuple(values)), now)


@cache
def _directives(namespace: str, names: tuple[str, ...]) -> str:
    """Return the JSON that marks metrics for CloudWatch; there are few such sets of names.

    Each metric costs money for each combination of dimension values, so few are counted by reason.
    """
    directives = [_directive(namespace, _DIMENSION_SETS, names)]
    if by_reason := [name for name in names if name in _COUNTED_BY_REASON]:
        directives.append(_directive(namespace, _REASON_DIMENSION_SETS, by_reason))
    return _json(directives)


def _directive(
    namespace: str, dimension_sets: Sequence[Sequence[str]], names: Sequence[str]
) -> Mapping[str, object]:
    metrics = [{"Name": name, "Unit": _unit(name)} for name in names]
    return {"Namespace": namespace, "Dimensions": dimension_sets, "Metrics": metrics}


def _metric_line(members: Mapping[str, object], directives: str, now: float) -> str:
    metadata = f'"Timestamp":{int(now * 1_000)},"CloudWatchMetrics":{directives}'
    return f'{{"_aws":{{{metadata}}},{_json(members)[1:]}'


def _metric_values(decision: Decision) -> Mapping[str, list[float]]:
    source, principal = decision.record_source, decision.principal
    values = {
        _COUNTS[decision.outcome]: 1,
        "DecisionTime": _rounded(decision.total_ms),
        "LookupTime": _rounded(decision.lookup_ms),
        "OpenTime": _rounded(decision.open_ms),
        "KeyCacheHit": source and source is RecordSource.CACHE,
        "StaleRecord": source and source is RecordSource.STALE,
        "SecretCacheHit": decision.secret_from_cache,
        "EndedKeyUses": 1 if decision.reason in _ENDED_KEYS else None,
        "Throttled": 1 if decision.detail in THROTTLING_CODES else None,
        "PreviousSecretUses": 1
        if principal and principal.secret is ProvenSecret.PREVIOUS
        else None,
    }
    return {name: [float(value)] for name, value in values.items() if value is not None}


def _unit(name: str) -> str:
    if name in _DURATIONS:
        return "Milliseconds"
    return "Bytes" if name == "PolicyBytes" else "Count"


def _write(line: str) -> None:
    # In one write; `print` would make two.
    sys.stdout.write(line + "\n")


def _timestamp(now: float) -> str:
    """Return a time as Powertools writes it, such as `2026-11-24 15:14:55,958+0000`."""
    local = time.localtime(now)
    return time.strftime(f"%Y-%m-%d %H:%M:%S,{int(now % 1 * 1_000):03}%z", local)


def _trace_id() -> str | None:
    """Return the id of the invocation's X-Ray trace, which the runtime sets."""
    header = os.environ.get("_X_AMZN_TRACE_ID")
    return header.partition(";")[0].removeprefix("Root=") if header else None


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 3)
