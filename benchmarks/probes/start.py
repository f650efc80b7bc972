"""One cold start: import the handler, return one answer, report the cost.

    python start.py [SCENARIO EVENT]

It writes the CPU time of both in seconds, and the peak memory after the import in bytes, on Linux
only. It imports nothing that the handler might import, so that the handler pays for all its own.
"""

import os
import sys
import time


class _Context:
    function_name = "measured"
    function_version = "1"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:measured"
    memory_limit_in_mb = "512"
    aws_request_id = "d2f9a7a4-6b5c-4c9d-8f6b-6f0d1c2b3a49"
    log_group_name = "measured"
    log_stream_name = "measured"


def main() -> None:
    """Measure, write one line of JSON as the last of the output, and end without clearing up."""
    import app

    imported = time.process_time()
    peak = _peak_bytes()
    answered = 0.0
    if len(sys.argv) > 1:
        import json

        with open(sys.argv[1], encoding="utf-8") as scenario:  # noqa: PTH123 - pathlib is an import
            event = json.load(scenario)["events"][sys.argv[2]]
        started = time.process_time()
        app.handler(event, _Context())
        answered = time.process_time() - started
    sys.stdout.flush()
    # A line of its own, also where the handler's last one was not ended.
    found = f'"import": {imported}, "answer": {answered}, "peak": {peak}'
    os.write(1, f"\n{{{found}}}\n".encode())
    os._exit(0)


def _peak_bytes() -> int:
    """Return the process's peak memory, or 0 on other systems than Linux.

    `ru_maxrss` would be at least the memory of the process that started this one: the kernel counts
    what was mapped before `execve`.
    """
    try:
        status = os.open("/proc/self/status", os.O_RDONLY)
    except OSError:
        return 0
    text = os.read(status, 65_536)
    return int(text.partition(b"VmHWM:")[2].split()[0]) * 1_024


main()
