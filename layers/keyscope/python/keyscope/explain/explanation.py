"""Why a request passes or does not, step by step.

An explanation runs the pipeline itself, `authorize`, and then evaluates the policy as API Gateway
does, so it cannot disagree with the authorizer. It never contains a secret, a token or a hash. From
a credential it shows only the kind, the key id and the claims of a token that Keyscope reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from keyscope.access.access_map import METHODS
from keyscope.access.policy import Policies, PolicyDocument, policy_document
from keyscope.access.policy_evaluation import (
    AccessRequest,
    Verdict,
    matching_statement,
    wildcard_expression,
)
from keyscope.authorize.credential import Credential, parse_credential
from keyscope.authorize.decision import Decision, Outcome
from keyscope.authorize.event import AuthorizerRequest
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.errors import Reason, Refused
from keyscope.explain.reasons import REASONS, stopping_step
from keyscope.explain.request import AskedMethod, ReadEvent
from keyscope.explain.step_details import Known, detail_of
from keyscope.explain.steps import STEPS, TITLES, Step
from keyscope.model.key_record import KeyRecord, KeyStore, Lookup

ACTION = "execute-api:Invoke"
NOT_IN_SCOPE = (
    "Use a credential whose scope reaches it, or add a rule to the access map: `keyscope access"
    " check` lists what each scope may reach."
)
NOT_IN_PERMISSIONS = (
    "Use a key or a token with a permission that allows it: `keyscope access check` lists what each"
    " permission allows."
)
NOT_BY_ANY_KEY = "No key opens this route: the access map's list `never` names it."


class StepVerdict(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_REACHED = "not_reached"


class RequestResult(StrEnum):
    """How API Gateway handles the request: it passes it on, or responds with a status."""

    PASSES = "passes"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    FAILED = "500"


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """One step. `detail` is what Keyscope found, `advice` is what to do if the step failed."""

    step: Step
    verdict: StepVerdict
    reason: Reason | None = None
    detail: str = ""
    advice: str = ""

    def members(self) -> dict[str, object]:
        """Return the step as JSON members, without those that do not apply."""
        members = {
            "step": self.step.value,
            "title": TITLES[self.step],
            "verdict": self.verdict.value,
            "reason": self.reason and self.reason.value,
            "detail": self.detail,
            "advice": self.advice,
        }
        return {name: value for name, value in members.items() if value}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the policy, `document`, decides for the method and path.

    `statement`, counted from 0, and `resource` are the ones that decide, or `None` if none matches.
    `other_methods` are the methods that the policy allows on the same path.
    """

    document: PolicyDocument
    verdict: Verdict
    statement: int | None
    resource: str | None
    conditions: Mapping[str, Mapping[str, str | list[str]]]
    other_methods: tuple[str, ...]

    def members(self) -> dict[str, object]:
        """Return the evaluation as JSON members, without those that do not apply."""
        members: dict[str, object] = {
            "document": self.document,
            "verdict": self.verdict.value,
            "statement": self.statement,
            "resource": self.resource,
            "conditions": dict(self.conditions) or None,
            "otherMethods": list(self.other_methods) or None,
        }
        return {name: value for name, value in members.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Explanation:
    """The result of a request with its steps. `decision` is the authorizer's own decision."""

    result: RequestResult
    decision: Decision
    steps: tuple[ExplainedStep, ...]
    request: Mapping[str, str]
    policy: Evaluation | None = None

    def without_operators_detail(self) -> "Explanation":
        """Return it without AWS's messages and places in the code, if the authorizer failed."""
        if self.result is not RequestResult.FAILED:
            return self
        steps = tuple(
            replace(step, detail="") if step.verdict is StepVerdict.FAILED else step
            for step in self.steps
        )
        return replace(self, steps=steps)

    def members(self) -> dict[str, object]:
        """Return the explanation as JSON members."""
        decision = self.decision
        members: dict[str, object] = {
            "answer": self.result.value,
            "reason": decision.reason and decision.reason.value,
            "request": dict(self.request),
            "credentialKind": decision.credential_kind and decision.credential_kind.value,
            "keyId": decision.key_id,
            "principal": decision.principal and decision.principal.context(),
            "steps": [step.members() for step in self.steps],
            "policy": self.policy and self.policy.members(),
        }
        return {name: value for name, value in members.items() if value is not None}


def explain(event: object, read_event: ReadEvent, authorizer: Authorizer) -> Explanation:
    """Explain what follows from an authorizer event. Never raises an exception."""
    now = authorizer.clock()
    notes = _Notes(authorizer.keys, read_event)
    watched = replace(authorizer, keys=notes, clock=lambda: now)
    decision = authorize(event, notes.read_event, watched)
    asked = AskedMethod(event)
    known = Known(
        decision=decision,
        request=notes.request,
        credential=_credential(notes.request),
        record=notes.record,
        now=now,
        leeway_seconds=authorizer.leeway_seconds,
    )
    source = None if notes.request is None else notes.request.source_address
    stopped = stopping_step(decision)
    if stopped is not None or decision.policy is None:
        steps = _steps(stopped, decision, known)
        result = _result_without_policy(decision.outcome)
        return Explanation(result, decision, steps, asked.members(source))
    evaluation = _evaluate(decision.policy, asked, known)
    allowed = evaluation.verdict is Verdict.ALLOWED
    beyond = None if allowed else _reach_step(decision, authorizer.policies, asked, known)
    if beyond is not None:
        *before, _, access = _steps(Step.REACH, decision, known)
        steps = (*before, beyond, access)
    else:
        steps = (*_steps(Step.ACCESS, decision, known)[:-1], _access_step(evaluation, asked))
    result = RequestResult.PASSES if allowed else RequestResult.FORBIDDEN
    return Explanation(result, decision, steps, asked.members(source), evaluation)


class _Notes:
    """Passes on what the pipeline reads, and records it."""

    def __init__(self, keys: KeyStore, read_event: ReadEvent) -> None:
        self._keys = keys
        self._read_event = read_event
        self.request: AuthorizerRequest | None = None
        self.record: KeyRecord | None = None

    def read_event(self, event: object) -> AuthorizerRequest:
        self.request = self._read_event(event)
        return self.request

    def get(self, key_id: str, /, *, fresh: bool = False) -> Lookup:
        lookup = self._keys.get(key_id, fresh=fresh)
        self.record = lookup.record
        return lookup


def _result_without_policy(outcome: Outcome) -> RequestResult:
    match outcome:
        case Outcome.REFUSED:
            return RequestResult.UNAUTHORIZED
        case Outcome.ALLOWED | Outcome.FAILED:
            return RequestResult.FAILED
        case _:
            assert_never(outcome)


def _credential(request: AuthorizerRequest | None) -> Credential | None:
    try:
        return None if request is None else parse_credential(request.authorization)
    except Refused:
        return None


def _steps(stopped: Step | None, decision: Decision, known: Known) -> tuple[ExplainedStep, ...]:
    position = STEPS.index(stopped) if stopped is not None else len(STEPS)
    return tuple(
        ExplainedStep(step, StepVerdict.PASSED, detail=detail_of(step, known))
        if index < position
        else _failed(step, decision, known)
        if index == position
        else ExplainedStep(step, StepVerdict.NOT_REACHED)
        for index, step in enumerate(STEPS)
    )


def _failed(step: Step, decision: Decision, known: Known) -> ExplainedStep:
    return ExplainedStep(
        step,
        StepVerdict.FAILED,
        decision.reason,
        detail=decision.detail or detail_of(step, known),
        advice="" if decision.reason is None else REASONS[decision.reason].advice,
    )


def _evaluate(policy: PolicyDocument, asked: AskedMethod, known: Known) -> Evaluation:
    address = (known.request and known.request.source_address) or ""
    is_private = known.request is not None and known.request.api_stage.is_private

    def request(arn: str) -> AccessRequest:
        return AccessRequest(
            ACTION, arn, known.now, address, secure_transport=True, is_private=is_private
        )

    found = matching_statement(policy, request(asked.arn))
    statement = None if found is None else policy["Statement"][found.index]
    resources = [] if statement is None else statement["Resource"]
    fitting = (one for one in resources if wildcard_expression(one).fullmatch(asked.arn))
    others = (
        method
        for method in METHODS
        if method != asked.method
        and (other := matching_statement(policy, request(asked.with_method(method))))
        and other.verdict is Verdict.ALLOWED
    )
    return Evaluation(
        document=policy,
        verdict=Verdict.IMPLICITLY_DENIED if found is None else found.verdict,
        statement=None if found is None else found.index,
        resource=next(fitting, None),
        conditions={} if statement is None else statement.get("Condition", {}),
        other_methods=tuple(others),
    )


def _reach_step(
    decision: Decision, policies: Policies, asked: AskedMethod, known: Known
) -> ExplainedStep | None:
    """Return why a limited key's permissions do not reach a request that its policy denies.

    `None` for other keys, and where a Deny decides that all keys of the scope have.
    """
    principal, request, policy = decision.principal, known.request, decision.policy
    if principal is None or request is None or policy is None or request.opens_websocket:
        return None
    if principal.limits.permissions is None:
        return None
    allows_some = any(statement["Effect"] == "Allow" for statement in policy["Statement"])
    if allows_some and _evaluate(policy, asked, known).verdict is Verdict.EXPLICITLY_DENIED:
        return None
    everything = replace(principal, limits=principal.limits._replace(permissions=None))
    scope = policy_document(everything, request.api_stage, policies, known.now)
    detail = detail_of(Step.REACH, known)
    if _evaluate(scope, asked, known).verdict is Verdict.ALLOWED:
        detail, advice = f"{detail}; its scope reaches more", NOT_IN_PERMISSIONS
    else:
        detail, advice = f"{detail}; its scope does not reach it either", NOT_IN_SCOPE
    return ExplainedStep(Step.REACH, StepVerdict.FAILED, detail=detail, advice=advice)


def _access_step(evaluation: Evaluation, asked: AskedMethod) -> ExplainedStep:
    match evaluation.verdict:
        case Verdict.ALLOWED:
            detail = f"Statement {evaluation.statement} allows {evaluation.resource}"
            return ExplainedStep(Step.ACCESS, StepVerdict.PASSED, detail=detail)
        case Verdict.EXPLICITLY_DENIED:
            detail = f"Statement {evaluation.statement} denies {evaluation.resource}"
            advice = NOT_BY_ANY_KEY
        case Verdict.IMPLICITLY_DENIED:
            detail, advice = f"No statement allows {asked.method} {asked.path}", NOT_IN_SCOPE
            if evaluation.other_methods:
                detail += f"; on this path are allowed: {', '.join(evaluation.other_methods)}"
        case _:
            assert_never(evaluation.verdict)
    return ExplainedStep(Step.ACCESS, StepVerdict.FAILED, detail=detail, advice=advice)
