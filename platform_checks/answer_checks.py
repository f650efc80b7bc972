"""How API Gateway handles an authorizer's errors and refusals, and large policies."""

from typing import Final

from keyscope.access.path_variants import CLIMBING_DECODED, CLIMBING_ENCODED
from keyscope.access.policy import MAX_POLICY_BYTES
from keyscope_local.gateway.api_definition import ApiKind
from platform_checks.facts import Observation, unknown, yes_or_no
from platform_checks.subject import Subject

LARGEST_POLICY_BYTES: Final = 262_144
"""Where the search for the size limit of policies ends."""
SMALLEST_POLICY_BYTES: Final = 1_024
PRECISION_BYTES: Final = 64
MANY_STATEMENTS: Final = 40
METERED_REQUESTS: Final = 40
"""More than the probe's usage plan allows: a burst of 2 and 1 request per second."""
_OK = 200
_UNAUTHORIZED = 401
_FORBIDDEN = 403
_TOO_MANY = 429


def unauthorized_error(subject: Subject, kind: ApiKind) -> Observation:
    """Raise an error whose message is `Unauthorized`."""
    answer = subject.apis[kind].ask({"name": "first", "error": "Unauthorized"})
    return yes_or_no(
        holds=answer.status == _UNAUTHORIZED,
        detail=f"answered {answer.status}",
        evidence=[answer.evidence],
    )


def denied_context(subject: Subject, kind: ApiKind) -> Observation:
    """Deny, with a gateway response whose template contains a value of the context."""
    answer = subject.apis[kind].ask({"name": "first", "effect": "Deny"})
    shown = answer.body.get("denied")
    return yes_or_no(
        holds=shown == "first", detail=f"the body shows {shown!r}", evidence=[answer.evidence]
    )


def cors_on_refusals(subject: Subject, kind: ApiKind) -> Observation:
    """Refuse a page's request by an error and by a policy, on an API with CORS settings."""
    origin = [("origin", "https://page.example")]
    scripts = ({"name": "first", "error": "Unauthorized"}, {"name": "first", "effect": "Deny"})
    answers = [subject.apis[kind].ask(script, headers=origin) for script in scripts]
    shown = [f"{each.status} with {each.allowed_origin!r}" for each in answers]
    return yes_or_no(
        holds=all(each.allowed_origin == "*" for each in answers),
        detail=f"allowed origins: {', '.join(shown)}",
        evidence=[each.evidence for each in answers],
    )


def policy_size(subject: Subject, kind: ApiKind) -> Observation:
    """Return policies of different sizes, until the limit is known to within 64 bytes."""
    api = subject.apis[kind]
    sizes: dict[int, bool] = {}
    evidence: list[str] = []

    def is_taken(size: int) -> bool:
        answer = api.ask({"name": "first", "bytes": size})
        evidence.append(answer.evidence)
        sizes[size] = answer.status == _OK
        return sizes[size]

    budget_fits = is_taken(MAX_POLICY_BYTES)
    taken, refused = SMALLEST_POLICY_BYTES, LARGEST_POLICY_BYTES
    if not is_taken(taken):
        return unknown(f"even a policy of {taken} bytes is refused", evidence)
    if is_taken(refused):
        detail = f"no limit was found up to {refused} bytes"
        return yes_or_no(holds=budget_fits, detail=detail, evidence=evidence)
    while refused - taken > PRECISION_BYTES:
        middle = (taken + refused) // 2
        taken, refused = (middle, refused) if is_taken(middle) else (taken, middle)
    detail = f"{taken} bytes are accepted, {refused} are refused"
    return yes_or_no(holds=budget_fits, detail=detail, evidence=evidence)


def many_statements(subject: Subject, kind: ApiKind) -> Observation:
    """Return a policy with many statements that is well below the size limit."""
    answer = subject.apis[kind].ask({"name": "first", "statements": MANY_STATEMENTS})
    detail = f"{MANY_STATEMENTS} statements are answered {answer.status}"
    return yes_or_no(holds=answer.status == _OK, detail=detail, evidence=[answer.evidence])


def climbing_deny(subject: Subject, kind: ApiKind) -> Observation:
    """Request a path that the Deny of all our policies covers, and one that it does not.

    The Deny's resources name the API, and contain a backslash and, on HTTP APIs, control
    characters.
    """
    patterns = CLIMBING_DECODED[0] if kind is ApiKind.HTTP else CLIMBING_ENCODED[0]
    api, script = subject.apis[kind], {"name": "first", "denyPaths": list(patterns)}
    passing, climbing = api.ask(script), api.ask(script, target="/probe/..x")
    evidence = [passing.evidence, climbing.evidence]
    if climbing.status == _OK and not str(climbing.context.get("arn")).endswith("..x"):
        return unknown("the method ARN does not contain the path", evidence)
    return yes_or_no(
        holds=(passing.status, climbing.status) == (_OK, _FORBIDDEN),
        detail=f"{passing.status} beside it, {climbing.status} under it",
        evidence=evidence,
    )


def usage_identifier(subject: Subject, kind: ApiKind) -> Observation:
    """Send more requests than the usage plan allows for the key that the authorizer names."""
    api, script = subject.apis[kind], {"name": "first", "usage": True}
    answers = [api.ask(script, "metered", target="/metered") for _ in range(METERED_REQUESTS)]
    statuses = [each.status for each in answers]
    passed, throttled = statuses.count(_OK), statuses.count(_TOO_MANY)
    return yes_or_no(
        holds=passed > 0 and throttled > 0 and passed + throttled == METERED_REQUESTS,
        detail=f"{passed} of {METERED_REQUESTS} requests passed, {throttled} were throttled",
        evidence=[each.evidence for each in answers],
    )
