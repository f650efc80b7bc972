"""What a policy decides for a method and path, as API Gateway evaluates it."""

from collections.abc import Mapping
from dataclasses import dataclass

from keyscope.access.access_map import METHODS
from keyscope.access.policy import PolicyDocument
from keyscope.access.policy_evaluation import (
    AccessRequest,
    Verdict,
    matching_statement,
    wildcard_expression,
)
from keyscope.explain.known import Known

ACTION = "execute-api:Invoke"


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


def evaluate(policy: PolicyDocument, known: Known) -> Evaluation:
    """Return what a policy decides for the method and path of the request."""
    asked = known.asked
    found = matching_statement(policy, _request(asked.arn, known))
    statement = None if found is None else policy["Statement"][found.index]
    resources = [] if statement is None else statement["Resource"]
    fitting = (one for one in resources if wildcard_expression(one).fullmatch(asked.arn))
    others = (
        method
        for method in METHODS
        if method != asked.method and _allows(policy, asked.with_method(method), known)
    )
    return Evaluation(
        document=policy,
        verdict=Verdict.IMPLICITLY_DENIED if found is None else found.verdict,
        statement=None if found is None else found.index,
        resource=next(fitting, None),
        conditions={} if statement is None else statement.get("Condition", {}),
        other_methods=tuple(others),
    )


def allows_path(policy: PolicyDocument, path: str, known: Known) -> bool:
    """Return whether a policy allows the request's method on another path."""
    return _allows(policy, known.asked.with_path(path), known)


def _allows(policy: PolicyDocument, arn: str, known: Known) -> bool:
    found = matching_statement(policy, _request(arn, known))
    return found is not None and found.verdict is Verdict.ALLOWED


def _request(arn: str, known: Known) -> AccessRequest:
    address = (known.request and known.request.source_address) or ""
    is_private = known.request is not None and known.request.api_stage.is_private
    return AccessRequest(
        ACTION, arn, known.now, address, secure_transport=True, is_private=is_private
    )
