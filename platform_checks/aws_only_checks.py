"""Facts that only AWS shows: cold starts, logs and metrics, and a custom domain's base path."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Final

from keyscope_local.gateway.api_definition import ApiKind
from platform_checks.aws_calls import AwsRefused
from platform_checks.deployed_stack import DeployedStack
from platform_checks.facts import Found, Observation, beyond_reach, unknown, yes_or_no
from platform_checks.subject import Subject

LOGGED_WITHIN_SECONDS: Final = 60
COUNTED_WITHIN_SECONDS: Final = 240
POLL_SECONDS: Final = 10


def cold_start_is_as_set(subject: Subject, kind: ApiKind) -> Observation:
    """Have the deployed authorizer start containers, and read Lambda's report of it."""
    if subject.deployed is None:
        return beyond_reach("only Lambda has cold starts; here, functions run in this process")
    deployed, clock = subject.deployed, subject.clock
    if not deployed.provoke_cold_starts(kind):
        return beyond_reach("the stack has no API of this kind, or it does not respond")
    until = clock.now() + LOGGED_WITHIN_SECONDS
    try:
        starts = deployed.cold_starts(kind)
        while not (starts.restores or starts.inits) and clock.now() < until:
            clock.sleep(POLL_SECONDS)
            starts = deployed.cold_starts(kind)
    except AwsRefused as refused:
        return unknown(str(refused))
    told = f"restores: {_spread(starts.restores)}; inits: {_spread(starts.inits)}"
    evidence = [_kept(subject, kind, starts.snap_start, starts.restores, starts.inits)]
    if not starts.restores and not starts.inits:
        detail = f"SnapStart is {starts.snap_start}; no container started within the last hour"
        return unknown(detail, evidence)
    others = starts.inits if starts.snap_start == "On" else starts.restores
    detail = f"SnapStart is {starts.snap_start}; {told}"
    return yes_or_no(holds=not others, detail=detail, evidence=evidence)


def failures_are_reported(subject: Subject, kind: ApiKind) -> Observation:
    """Have the deployed authorizer refuse requests, and look for Lambda's reports of them."""
    return _after_refusals(
        subject, kind, lambda deployed: (deployed.failed_reports(kind), "reports of failures")
    )


def lines_are_unchanged(subject: Subject, kind: ApiKind) -> Observation:
    """Have the deployed authorizer write lines, and compare them with how it writes them."""
    changed: list[str] = []

    def count(deployed: DeployedStack) -> tuple[int, str]:
        lines = deployed.decisions(kind)
        changed[:] = [line for line in lines if not _is_as_written(line)]
        return len(lines), f"lines, of which {len(changed)} are changed"

    observation = _after_refusals(subject, kind, count)
    if observation.found is Found.NO:
        return unknown(f"{observation.detail}; LogLevel may leave them out")
    return replace(observation, found=Found.NO) if changed else observation


def lines_become_metrics(subject: Subject, kind: ApiKind) -> Observation:
    """Have the deployed authorizer write lines, and look for the metric in them."""
    return _after_refusals(
        subject, kind, lambda deployed: (deployed.measured_decisions(kind), "measured decisions")
    )


def _after_refusals(
    subject: Subject, kind: ApiKind, count: Callable[[DeployedStack], tuple[int, str]]
) -> Observation:
    if subject.deployed is None:
        return beyond_reach("only CloudWatch has the log and its metrics")
    if not subject.deployed.provoke_cold_starts(kind):
        return beyond_reach("the stack has no API of this kind, or it does not respond")
    until = subject.clock.now() + COUNTED_WITHIN_SECONDS
    try:
        found, what = count(subject.deployed)
        while not found and subject.clock.now() < until:
            subject.clock.sleep(POLL_SECONDS)
            found, what = count(subject.deployed)
    except AwsRefused as refused:
        return unknown(str(refused))
    detail = f"{found} {what}, {COUNTED_WITHIN_SECONDS} s after refusals at the latest"
    return yes_or_no(holds=found > 0, detail=detail, evidence=[])


def _is_as_written(line: str) -> bool:
    """Return whether a line is compact, starts with its metrics, and has no member of Lambda's."""
    members = json.loads(line)
    compact = json.dumps(members, separators=(",", ":"))
    is_compact, first = line.rstrip("\n") == compact, next(iter(members))
    return is_compact and first == "_aws" and "requestId" not in members


def unauthorized_counts_as_error(subject: Subject, kind: ApiKind) -> Observation:
    """Have the probe authorizer raise `Unauthorized`, and read its metric until it counts it."""
    if subject.metrics is None:
        return beyond_reach("only Lambda has the metric Errors")
    answer = subject.apis[kind].ask({"name": "first", "error": "Unauthorized"})
    until = subject.clock.now() + COUNTED_WITHIN_SECONDS
    try:
        while not (counted := subject.metrics.errors()) and subject.clock.now() < until:
            subject.clock.sleep(POLL_SECONDS)
    except AwsRefused as refused:
        return unknown(str(refused), [answer.evidence])
    detail = f"Errors is {counted}, {COUNTED_WITHIN_SECONDS} s after an error at the latest"
    return yes_or_no(holds=counted > 0, detail=detail, evidence=[answer.evidence])


def base_path(_subject: Subject, _kind: ApiKind) -> Observation:
    """Say what the check would need: the probe stack has no domain."""
    return beyond_reach(
        "needs a custom domain with a base path; docs/reference/platform-facts.md explains how"
        " to check"
    )


def vpc_source_ip(_subject: Subject, _kind: ApiKind) -> Observation:
    """Say what the check would need: the probe API is not private."""
    return beyond_reach(
        "needs a private API and a VPC endpoint; docs/reference/platform-facts.md explains how"
        " to check"
    )


def _kept(
    subject: Subject,
    kind: ApiKind,
    snap_start: str,
    restores: Sequence[float],
    inits: Sequence[float],
) -> str:
    return subject.apis[kind].evidence.add(
        {
            "at": subject.clock.now(),
            "authorizer": kind,
            "snap_start": snap_start,
            "restore_ms": list(restores),
            "init_ms": list(inits),
        }
    )


def _spread(milliseconds: Sequence[float]) -> str:
    if not milliseconds:
        return "none"
    middle, most = median(milliseconds), max(milliseconds)
    return f"{len(milliseconds)}, median {middle:.0f} ms, longest {most:.0f} ms"
