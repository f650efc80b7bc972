"""What CloudWatch gets of simulated traffic: bytes of log, and metrics to keep."""

import io
import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Final

from benchmarks.traffic import Counts
from keyscope.authorize.decision import Decision, Outcome
from keyscope.aws.telemetry import COMPONENT, Telemetry, TelemetrySettings
from keyscope.model.key_use import USE_MESSAGE

LOG_EVENT_BYTES: Final = 26
"""What CloudWatch Logs counts for each line beside its text (PutLogEvents)."""
_ID: Final = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
_TIME: Final = "2026-11-28T20:23:15.657Z"
FAILED_INVOCATION: Final[Sequence[Mapping[str, object]]] = (
    {
        "timestamp": "2026-11-28T20:23:15Z",
        "level": "ERROR",
        "errorMessage": "Unauthorized",
        "errorType": "Unauthorized",
        "requestId": _ID,
        # As long as those of the two functions that the error passes.
        "stackTrace": ["x" * 104, "x" * 92],
    },
    {
        "time": _TIME,
        "type": "platform.runtimeDone",
        "record": {
            "requestId": _ID,
            "status": "error",
            "spans": [
                {"name": "responseLatency", "start": _TIME, "durationMs": 1.023},
                {"name": "responseDuration", "start": _TIME, "durationMs": 0.072},
            ],
            "metrics": {"durationMs": 1.437, "producedBytes": 190},
        },
    },
    {
        "time": _TIME,
        "type": "platform.report",
        "record": {
            "requestId": _ID,
            "metrics": {
                "durationMs": 1.641,
                "billedDurationMs": 2,
                "memorySizeMB": 512,
                "maxMemoryUsedMB": 88,
            },
            "status": "error",
        },
    },
)
"""What Lambda and its runtime log of a refusal, as AWS documents it. They log nothing of an
invocation that went well."""


def _bytes(line: str) -> int:
    return len(line.encode()) + LOG_EVENT_BYTES


FAILED_INVOCATION_BYTES: Final = sum(
    _bytes(json.dumps(line, separators=(",", ":"))) for line in FAILED_INVOCATION
)


def telemetry_of(counts: Counts, log_allowed_sample: int = 1) -> tuple[float, int]:
    """Return log bytes of an invocation on average, and how many metrics CloudWatch would keep."""
    total = 0.0
    # A container writes it once, with its first decision: a metric, and next to no bytes.
    series: set[tuple[str, ...]] = {("PolicyBytes", f"component={COMPONENT}")}
    for kind, decision in counts.examples.items():
        logged, unlogged = _lines(decision)
        share = 1 / log_allowed_sample
        size = _bytes(logged) * share + _bytes(unlogged) * (1 - share)
        if decision.outcome is not Outcome.ALLOWED:
            size += FAILED_INVOCATION_BYTES
        total += size * counts.decisions[kind]
        series |= _series(json.loads(logged))
    return total / max(1, counts.invocations), len(series)


def _lines(decision: Decision) -> tuple[str, str]:
    """Return the line of a decision, and the line of one that the sample leaves out.

    `key_use.py` counts the lines about uses. Few invocations write one.
    """
    written = io.StringIO()
    with redirect_stdout(written):
        telemetry = Telemetry("rest_authorizer", TelemetrySettings(log_allowed_sample=2))
        for _ in range(2):
            telemetry.record(decision, str(uuid.uuid4()), str(uuid.uuid4()))
    logged, unlogged = (line for line in written.getvalue().splitlines() if not _is_use(line))
    return logged, unlogged


def _is_use(line: str) -> bool:
    members: Mapping[str, object] = json.loads(line)
    return members.get("message") == USE_MESSAGE


def _series(line: Mapping[str, object]) -> set[tuple[str, ...]]:
    """Return each metric of a line of the embedded metric format, with each set of dimensions."""
    metadata = line.get("_aws")
    if not isinstance(metadata, dict):
        return set()
    return {
        (metric["Name"], *(f"{name}={line[name]}" for name in dimensions))
        for directive in metadata["CloudWatchMetrics"]
        for metric in directive["Metrics"]
        for dimensions in directive["Dimensions"]
    }
