"""`make canary STACK=name`: turn each open fact about API Gateway into a yes or no.

Settings come from the environment. `STACK` is the deployed stack; `local`, or `LOCAL=1`, checks the
local gateway instead, whose behavior `PLATFORM` sets. `CLEAN=1` only removes what a failed run left
behind. The evidence goes to `STATE_FOLDER` (`.local`). boto3 finds credentials and region.

Exit status: 0 everything is as expected, 1 a fact differs, 2 the run could not start, 3 a fact is
still in doubt, 4 something is left on AWS, 130 interrupted.
"""

import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from keyscope_local.gateway.platform_settings import WrongBehavior, read_behaviors
from keyscope_local.project import ROOT
from keyscope_local.stop_signals import interrupt_on_signals
from platform_checks.aws_calls import AwsRefused, told
from platform_checks.aws_clients import aws_clients
from platform_checks.checks import run_checks
from platform_checks.deployed_stack import find_deployed_stack
from platform_checks.evidence import Evidence, evidence_file
from platform_checks.local_platform import local_subject
from platform_checks.probe_api import Unanswered
from platform_checks.probe_metrics import ProbeMetrics
from platform_checks.probe_stack import (
    CleanUpFailed,
    StageCaches,
    probe_stack,
    probe_stack_name,
    remove_probe_stack,
    wait_until_ready,
)
from platform_checks.report import Result, advice, exit_status, table_of
from platform_checks.subject import Clock, Subject

STATE_FOLDER: Final = ROOT / ".local"
LOCAL_STACK: Final = "local"
NOT_RUN: Final = 2
LEFT_BEHIND: Final = 4
INTERRUPTED: Final = 130
TABLE_WIDTH: Final = 150
LOCAL_MARGIN_SECONDS: Final = 1


def main(environment: Mapping[str, str]) -> int:
    """Run the checks and report their results; return the exit status."""
    interrupt_on_signals()
    stack_name = LOCAL_STACK if _is_set(environment, "LOCAL") else environment.get("STACK", "")
    if not stack_name:
        sys.stderr.write("Name the deployed stack, as in `make canary STACK=keyscope`\n")
        return NOT_RUN
    try:
        if _is_set(environment, "CLEAN") and stack_name != LOCAL_STACK:
            return _clean(stack_name)
        return _run(stack_name, environment)
    except (AwsRefused, Unanswered, WrongBehavior) as error:
        sys.stderr.write(f"{error}\n")
        return NOT_RUN
    except CleanUpFailed as failed:
        again = f"`make canary STACK={stack_name} CLEAN=1` tries again"
        sys.stderr.write(f"{failed}\n{again}\n")
        return LEFT_BEHIND
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        return INTERRUPTED


def _run(stack_name: str, environment: Mapping[str, str]) -> int:
    console = Console(file=sys.stdout, highlight=False)
    console.width = max(console.width, TABLE_WIDTH)
    folder = Path(environment.get("STATE_FOLDER") or STATE_FOLDER)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    path = folder / "canary" / f"{stack_name}-{moment}.jsonl"
    if stack_name == LOCAL_STACK:
        behaviors = read_behaviors(environment.get("PLATFORM", ""))
        clock = Clock(margin_seconds=LOCAL_MARGIN_SECONDS)
        # Otherwise each refusal that a check provokes would appear in the terminal.
        logging.getLogger("keyscope.local").addHandler(logging.NullHandler())
        with evidence_file(path) as evidence, local_subject(behaviors, evidence, clock) as subject:
            results = run_checks(subject)
    else:
        with evidence_file(path) as evidence:
            results = _run_on_aws(stack_name, evidence, console)
    _tell(console, results, path)
    return exit_status(results)


def _run_on_aws(stack_name: str, evidence: Evidence, console: Console) -> list[Result]:
    clock = Clock()
    with told("make the AWS clients"):
        clients = aws_clients()
    deployed = find_deployed_stack(clients, stack_name, clock.now)
    console.print(f"Creating {probe_stack_name(stack_name)}; the run takes about ten minutes.")
    with probe_stack(clients, stack_name) as stack:
        apis = stack.apis(evidence)
        wait_until_ready(apis, clock)
        outputs = stack.outputs
        subject = Subject(
            apis=apis,
            caches=StageCaches(clients, outputs["RestApiId"], outputs["HttpApiId"]),
            clock=clock,
            deployed=deployed,
            metrics=ProbeMetrics(clients.cloudwatch, outputs["ProbeAuthorizerName"], clock.now),
        )
        return run_checks(subject)


def _clean(stack_name: str) -> int:
    with told("make the AWS clients"):
        clients = aws_clients()
    was_there = remove_probe_stack(clients.cloudformation, stack_name)
    state = "was removed" if was_there else "does not exist"
    sys.stdout.write(f"{probe_stack_name(stack_name)} {state}.\n")
    return 0


def _tell(console: Console, results: list[Result], path: Path) -> None:
    console.print(table_of(results))
    for line in advice(results):
        console.print(line, style="red", markup=False, soft_wrap=True)
    as_expected = sum(each.observation.found is each.check.expected for each in results)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    console.print(f"{as_expected} of {len(results)} facts are as expected. Evidence: {shown}")


def _is_set(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "") not in ("", "0")


if __name__ == "__main__":
    sys.exit(main(os.environ))
