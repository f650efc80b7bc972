"""Why a request is allowed or denied, step by step.

An explanation runs the pipeline itself, `authorize`, and then evaluates the policy as API Gateway
does, so it cannot disagree with the authorizer. It never contains a secret, a token or a hash. From
a credential it shows only the kind, the key id and the claims of a token that Keyscope reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from keyscope.access.policy import policy_document
from keyscope.access.policy_evaluation import Verdict
from keyscope.authorize.credential import Credential, parse_credential
from keyscope.authorize.decision import Decision, Outcome
from keyscope.authorize.event import AuthorizerRequest
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.errors import Reason, Refused
from keyscope.explain.evaluation import Evaluation, evaluate
from keyscope.explain.known import Known
from keyscope.explain.reasons import advice_on, stopping_step
from keyscope.explain.remedies.access import NOT_ALLOWED, NOT_PERMITTED, STILL_REFUSED
from keyscope.explain.remedies.remedy import advice_among
from keyscope.explain.request import AskedMethod, ReadEvent
from keyscope.explain.sent import read_sent
from keyscope.explain.step_details import detail_of
from keyscope.explain.steps import STEPS, TITLES, Step
from keyscope.model.key_record import KeyRecord, KeyStore, Lookup, OpenedSecret, SecretOpener


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
    """One step. `detail` is what Keyscope found, `advice` is what to do about it."""

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
    """Explain the result of an authorizer event. Never raises an exception."""
    now = authorizer.clock()
    notes = _Notes(authorizer, read_event)
    watched = replace(authorizer, keys=notes, secrets=notes, clock=lambda: now)
    decision = authorize(event, notes.read_event, watched)
    request = notes.request
    known = Known(
        decision=decision,
        policies=authorizer.policies,
        request=request,
        credential=_credential(request),
        record=notes.record,
        now=now,
        leeway_seconds=authorizer.leeway_seconds,
        event=event if isinstance(event, Mapping) else {},
        asked=AskedMethod(event),
        sent=read_sent(None if request is None else request.authorization),
        opened=notes.opened,
    )
    asked = known.asked.members(None if request is None else request.source_address)
    stopped = stopping_step(decision)
    if stopped is not None or decision.policy is None:
        steps = _steps(stopped, decision, known)
        return Explanation(_result_without_policy(decision.outcome), decision, steps, asked)
    evaluation = evaluate(decision.policy, known)
    allowed = evaluation.verdict is Verdict.ALLOWED
    beyond = None if allowed else _reach_step(known)
    if beyond is not None:
        *before, _, access = _steps(Step.REACH, decision, known)
        steps = (*before, beyond, access)
    else:
        steps = (*_steps(Step.ACCESS, decision, known)[:-1], _access_step(evaluation, known))
    result = RequestResult.PASSES if allowed else RequestResult.FORBIDDEN
    return Explanation(result, decision, steps, asked, evaluation)


class _Notes:
    """Passes on what the pipeline reads, and records it.

    `opened` is the current secret of the key, once the pipeline opened it.
    """

    def __init__(self, authorizer: Authorizer, read_event: ReadEvent) -> None:
        self._keys: KeyStore = authorizer.keys
        self._secrets: SecretOpener = authorizer.secrets
        self._read_event = read_event
        self.request: AuthorizerRequest | None = None
        self.record: KeyRecord | None = None
        self.opened: str | None = None

    def read_event(self, event: object) -> AuthorizerRequest:
        self.request = self._read_event(event)
        return self.request

    def get(self, key_id: str, /, *, fresh: bool = False) -> Lookup:
        lookup = self._keys.get(key_id, fresh=fresh)
        self.record = lookup.record
        return lookup

    def open(self, record: KeyRecord, /) -> OpenedSecret:
        found = self._secrets.open(record)
        if record is self.record:
            self.opened = found.secret
        return found


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
        advice="" if decision.reason is None else advice_on(decision.reason, known),
    )


def _reach_step(known: Known) -> ExplainedStep | None:
    """Return why a limited key's permissions do not reach a request that its policy denies.

    `None` for other keys, and where a Deny decides that all keys of the scope have.
    """
    decision, request = known.decision, known.request
    principal, policy = decision.principal, decision.policy
    if principal is None or request is None or policy is None or request.opens_websocket:
        return None
    if principal.limits.permissions is None:
        return None
    allows_some = any(statement["Effect"] == "Allow" for statement in policy["Statement"])
    if allows_some and evaluate(policy, known).verdict is Verdict.EXPLICITLY_DENIED:
        return None
    everything = replace(principal, limits=principal.limits._replace(permissions=None))
    scope = policy_document(everything, request.api_stage, known.policies, known.now)
    detail = detail_of(Step.REACH, known)
    if evaluate(scope, known).verdict is Verdict.ALLOWED:
        detail, advice = f"{detail}; its scope reaches more", advice_among(NOT_PERMITTED, known)
    else:
        unlimited = replace(known, decision=replace(decision, policy=scope))
        detail = f"{detail}; its scope does not reach it either"
        advice = advice_among(NOT_ALLOWED, unlimited)
    return ExplainedStep(Step.REACH, StepVerdict.FAILED, detail=detail, advice=advice)


def _access_step(evaluation: Evaluation, known: Known) -> ExplainedStep:
    match evaluation.verdict:
        case Verdict.ALLOWED:
            detail = f"Statement {evaluation.statement} allows {evaluation.resource}"
            return ExplainedStep(
                Step.ACCESS, StepVerdict.PASSED, detail=detail, advice=STILL_REFUSED
            )
        case Verdict.EXPLICITLY_DENIED:
            detail = f"Statement {evaluation.statement} denies {evaluation.resource}"
        case Verdict.IMPLICITLY_DENIED:
            detail = f"No statement allows {known.asked.method} {known.asked.path}"
            if evaluation.other_methods:
                detail += f". Allowed on this path: {', '.join(evaluation.other_methods)}"
        case _:
            assert_never(evaluation.verdict)
    advice = advice_among(NOT_ALLOWED, known)
    return ExplainedStep(Step.ACCESS, StepVerdict.FAILED, detail=detail, advice=advice)
