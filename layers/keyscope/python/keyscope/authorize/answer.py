"""A decision -> what API Gateway is given. The same shape answers REST, WebSocket and HTTP APIs."""

from typing import NotRequired, TypedDict

from keyscope.access.policy import PolicyDocument
from keyscope.authorize.decision import Decision, Outcome


class Answer(TypedDict):
    """Output of a Lambda authorizer (API Gateway developer guide)."""

    principalId: str
    policyDocument: PolicyDocument
    context: dict[str, str]
    usageIdentifierKey: NotRequired[str]


class Unauthorized(Exception):  # noqa: N818 - the name is what API Gateway is told
    """Makes API Gateway answer 401: it wants exactly this message."""

    def __init__(self) -> None:
        """Carry the one message, and nothing else."""
        super().__init__("Unauthorized")


class AuthorizerFailed(Exception):  # noqa: N818 - a state, named as in the log
    """Makes API Gateway answer 500: any message but `Unauthorized` does."""


class Undecided(Exception):  # noqa: N818 - a state, named as in the log
    """An unexpected crash; no metric counts it. API Gateway answers 500."""


def answer(decision: Decision) -> Answer:
    """Return the policy of an allowed decision.

    Raises:
        Unauthorized: when the credential was refused.
        AuthorizerFailed: when the question could not be answered.
    """
    if decision.outcome is Outcome.REFUSED:
        raise Unauthorized
    if decision.principal is None or decision.policy is None:
        # The text reaches Lambda's own error log; API Gateway does not pass it on.
        raise AuthorizerFailed(decision.reason)
    given: Answer = {
        "principalId": decision.principal.name,
        "policyDocument": decision.policy,
        "context": decision.principal.context(),
    }
    if decision.usage_identifier_key is not None:
        given["usageIdentifierKey"] = decision.usage_identifier_key
    return given
