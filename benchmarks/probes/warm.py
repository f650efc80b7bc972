"""A warm handler, whole: CPU time and elapsed time of one answer.

    python -m benchmarks.probes.warm SCENARIO EVENT ROUNDS CALLS

It works for every contender: it imports nothing of Keyscope.
"""

import importlib
import json
import os
import sys
from pathlib import Path

from benchmarks.timing import cpu_microseconds, output_to_nowhere, wall_microseconds


class _Context:
    function_name = "measured"
    function_version = "1"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:measured"
    memory_limit_in_mb = "512"
    aws_request_id = "d2f9a7a4-6b5c-4c9d-8f6b-6f0d1c2b3a49"
    log_group_name = "measured"
    log_stream_name = "measured"


def main(scenario: str, event_name: str, rounds: str, calls: str) -> None:
    """Measure and write JSON."""
    event = json.loads(Path(scenario).read_text("utf-8"))["events"][event_name]
    context = _Context()
    with output_to_nowhere() as real:
        handler = importlib.import_module("app").handler
        cpu = cpu_microseconds({"handler": lambda: handler(event, context)}, rounds=int(rounds))
        wall = wall_microseconds(lambda: handler(event, context), int(calls))
    os.write(real, json.dumps({"cpu": cpu["handler"], "wall": wall}).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
