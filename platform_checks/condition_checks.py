"""Whether conditions of an authorizer's policy are evaluated, even while the policy is cached."""

from keyscope.model.times import rfc3339
from keyscope_local.gateway.api_definition import ApiKind
from platform_checks.facts import Observation, unknown, yes_or_no
from platform_checks.probe_api import Script
from platform_checks.subject import Subject

_OK = 200
_FORBIDDEN = 403
_ELSEWHERE = "192.0.2.0/24"
"""Addresses for documentation (RFC 5737), from which no request comes."""


def time_condition(subject: Subject, kind: ApiKind) -> Observation:
    """Have a policy cached that expires soon; send requests before and after it does."""
    api, clock = subject.apis[kind], subject.clock
    later = api.ask(_until("later", clock.now() + 3_600))
    if later.status != _OK:
        detail = f"a policy that holds for an hour more is answered {later.status}"
        return yes_or_no(holds=False, detail=detail, evidence=[later.evidence])
    ends_at = int(clock.now()) + 1 + 2 * clock.margin_seconds
    key = f"time-{ends_at}-{later.evidence}"
    first = api.ask(_until("first", ends_at), key)
    warm = api.ask({"name": "second"}, key)
    clock.sleep(ends_at + clock.margin_seconds - clock.now())
    after = api.ask({"name": "third"}, key)
    evidence = [each.evidence for each in (first, warm, after)]
    if first.status != _OK or warm.name != "first":
        return unknown("the policy with the condition was not cached", evidence)
    if after.name == "third":
        return unknown("the policy was no longer cached when its time ended", evidence)
    detail = f"cached, within its time: {warm.status}; after it: {after.status}"
    return yes_or_no(holds=after.status == _FORBIDDEN, detail=detail, evidence=evidence)


def source_address_condition(subject: Subject, kind: ApiKind) -> Observation:
    """Have two policies cached: for the caller's address, and for addresses elsewhere."""
    api = subject.apis[kind]
    seen = api.ask({"name": "who"})
    own = [api.ask(_from("own", str(seen.context.get("source"))), seen.evidence) for _ in range(2)]
    key = f"{seen.evidence}-elsewhere"
    other = [api.ask(_from("elsewhere", _ELSEWHERE), key) for _ in range(2)]
    own_statuses, other_statuses = ([each.status for each in pair] for pair in (own, other))
    return yes_or_no(
        holds=own_statuses == [_OK, _OK] and other_statuses == [_FORBIDDEN, _FORBIDDEN],
        detail=f"own address, twice: {own_statuses}; another: {other_statuses}",
        evidence=[each.evidence for each in (seen, *own, *other)],
    )


def _until(name: str, ends_at: float) -> Script:
    return {"name": name, "condition": {"DateLessThan": {"aws:CurrentTime": rfc3339(ends_at)}}}


def _from(name: str, network: str) -> Script:
    return {"name": name, "condition": {"IpAddress": {"aws:SourceIp": network}}}
