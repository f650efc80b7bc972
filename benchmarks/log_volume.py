"""What CloudWatch gets of simulated traffic: bytes of log, and metrics to keep."""

import io
import json
import uuid
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Final

from benchmarks.traffic import Counts
from keyscope.aws.telemetry import Telemetry, TelemetrySettings
from keyscope.model.key_use import USE_MESSAGE

PLATFORM_LOG_BYTES: Final = 300
"""Lambda's own START, END and REPORT lines."""
LOG_EVENT_BYTES: Final = 26
"""What CloudWatch Logs counts for each line beside its text (PutLogEvents)."""
PLATFORM_LINES: Final = 3


def telemetry_of(counts: Counts) -> tuple[float, int]:
    """Return log bytes of an invocation on average, and how many metrics CloudWatch would keep."""
    total = 0.0
    series: set[tuple[str, ...]] = set()
    for kind, decision in counts.examples.items():
        written = io.StringIO()
        with redirect_stdout(written):
            telemetry = Telemetry(f"measured-{uuid.uuid4()}", TelemetrySettings())
            telemetry.record(decision, str(uuid.uuid4()), str(uuid.uuid4()))
        # `key_use.py` counts the lines about uses. Few invocations write one.
        lines = [line for line in written.getvalue().splitlines() if not _is_use(line)]
        size = sum(len(line.encode()) + LOG_EVENT_BYTES for line in lines)
        size += PLATFORM_LOG_BYTES + PLATFORM_LINES * LOG_EVENT_BYTES
        total += size * counts.decisions[kind]
        for line in lines:
            series |= _series(json.loads(line))
    return total / max(1, counts.invocations), len(series)


def _is_use(line: str) -> bool:
    members: Mapping[str, object] = json.loads(line)
    return members.get("message") == USE_MESSAGE


def _series(line: Mapping[str, object]) -> set[tuple[str, ...]]:
    """Return each metric of a line of the embedded metric format, with each set of dimensions."""
    metadata = line.get("_aws")
    if not isinstance(metadata, dict):
        return set()
    return {
        # The service's name is made up for each line; it is one function.
        (metric["Name"], *(f"{name}={line[name]}" for name in dimensions if name != "service"))
        for directive in metadata["CloudWatchMetrics"]
        for metric in directive["Metrics"]
        for dimensions in directive["Dimensions"]
    }
