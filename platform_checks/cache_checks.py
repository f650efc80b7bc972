"""Which of an authorizer's answers API Gateway caches, and how a flush removes them.

A second script under the same key distinguishes a cached answer, which is the first script's, from
a new one.
"""

import secrets
from typing import Final

from keyscope_local.gateway.api_definition import ApiKind
from platform_checks.aws_calls import AwsRefused
from platform_checks.facts import Observation, unknown, yes_or_no
from platform_checks.probe_api import Script
from platform_checks.subject import Subject

REPEATS: Final = 5
"""API Gateway has many nodes, and one that has not been called before may have nothing cached."""
FLUSHED_WITHIN_SECONDS: Final = 60
QUOTED: Final = '{"a": "b\'c", "d": [1, 2]}'
_OK = 200
_UNAUTHORIZED = 401
_FORBIDDEN = 403
_ERRORS = (401, 403, 500)
_SECOND: Final[Script] = {"name": "second"}


def allow_cached(subject: Subject, kind: ApiKind) -> Observation:
    """Allow, then see whose answer applies under the same key on another path."""
    api, key = subject.apis[kind], _new_key()
    first = api.ask({"name": "first"}, key)
    later = [api.ask(_SECOND, key, target="/elsewhere") for _ in range(REPEATS)]
    evidence = [each.evidence for each in (first, *later)]
    if first.status != _OK:
        return unknown(f"the first answer was {first.status}, not 200", evidence)
    from_cache = sum(each.name == "first" for each in later)
    detail = f"{from_cache} of {REPEATS} later requests got the first answer"
    return yes_or_no(holds=from_cache > 0, detail=detail, evidence=evidence)


def denial_cached(subject: Subject, kind: ApiKind) -> Observation:
    """Deny, then allow under the same key."""
    api, key = subject.apis[kind], _new_key()
    first = api.ask({"name": "first", "effect": "Deny"}, key)
    later = [api.ask(_SECOND, key) for _ in range(REPEATS)]
    evidence = [each.evidence for each in (first, *later)]
    if first.status != _FORBIDDEN:
        return unknown(f"the first answer was {first.status}, not 403", evidence)
    denied = sum(each.status == _FORBIDDEN for each in later)
    detail = f"{denied} of {REPEATS} later requests were denied, though they should be allowed"
    return yes_or_no(holds=denied > 0, detail=detail, evidence=evidence)


def error_not_cached(subject: Subject, kind: ApiKind) -> Observation:
    """Raise errors, then allow under the same key."""
    api = subject.apis[kind]
    evidence: list[str] = []
    answered_from_cache = 0
    for error in ("Unauthorized", "out of order"):
        key = _new_key()
        first = [api.ask({"name": "first", "error": error}, key) for _ in range(REPEATS)]
        later = [api.ask(_SECOND, key) for _ in range(REPEATS)]
        answered_from_cache += sum(each.status in _ERRORS for each in later)
        evidence += [each.evidence for each in (*first, *later)]
    fresh = api.ask(_SECOND)
    evidence.append(fresh.evidence)
    if fresh.status != _OK:
        return unknown(f"a request without an error before it is answered {fresh.status}", evidence)
    detail = f"{answered_from_cache} of {2 * REPEATS} requests after an error failed as well"
    return yes_or_no(holds=answered_from_cache == 0, detail=detail, evidence=evidence)


def flush(subject: Subject, kind: ApiKind) -> Observation:
    """Have an answer cached, flush, and count the seconds until the function is called again."""
    api, clock, key = subject.apis[kind], subject.clock, _new_key()
    first = [api.ask({"name": "first"}, key), api.ask(_SECOND, key)]
    evidence = [each.evidence for each in first]
    if first[-1].name != "first":
        return unknown("nothing was cached that a flush could remove", evidence)
    try:
        subject.caches.flush(kind)
    except AwsRefused as refused:
        return unknown(str(refused), evidence)
    flushed_at = clock.now()
    while (waited := clock.now() - flushed_at) <= FLUSHED_WITHIN_SECONDS:
        answer = api.ask(_SECOND, key)
        if answer.name != "first":
            detail = f"the function was asked again {waited:.1f} s after the flush"
            return yes_or_no(holds=True, detail=detail, evidence=[*evidence, answer.evidence])
        clock.sleep(1)
    detail = f"still cached {FLUSHED_WITHIN_SECONDS} s after the flush"
    return yes_or_no(holds=False, detail=detail, evidence=evidence)


def quotes_in_context(subject: Subject, kind: ApiKind) -> Observation:
    """Pass a context value with quotes to the backend, first uncached, then cached."""
    api, key = subject.apis[kind], _new_key()
    script = {"name": "first", "context": {"quoted": QUOTED}}
    fresh, cached = api.ask(script, key), api.ask(_SECOND, key)
    evidence = [fresh.evidence, cached.evidence]
    if fresh.status == _OK and cached.name == "second":
        return unknown("the answer was not cached", evidence)
    arrived = [each.context.get("quoted") == QUOTED for each in (fresh, cached)]
    detail = f"fresh: {_whether(arrived[0])}; cached: {_whether(arrived[1])}"
    return yes_or_no(holds=all(arrived), detail=detail, evidence=evidence)


def missing_identity(subject: Subject, kind: ApiKind) -> Observation:
    """Send a request without the identity source, with a script that would allow it."""
    answer = subject.apis[kind].ask({"name": "first"}, "")
    return yes_or_no(
        holds=answer.status == _UNAUTHORIZED,
        detail=f"answered {answer.status}, though the authorizer would have allowed",
        evidence=[answer.evidence],
    )


def _whether(arrived: bool) -> str:  # noqa: FBT001 - the value that is reported
    return "unchanged" if arrived else "changed"


def _new_key() -> str:
    return secrets.token_hex(8)
