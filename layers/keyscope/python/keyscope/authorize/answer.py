"""From a decision to the response for API Gateway, in one shape for all kinds of API."""

from typing import NotRequired, TypedDict

from keyscope.access.policy import PolicyDocument
from keyscope.authorize.decision import Decision, Outcome


class Answer(TypedDict):
    """Output of a Lambda authorizer (API Gateway developer guide)."""

    principalId: str
    policyDocument: PolicyDocument
    context: dict[str, str]
    usageIdentifierKey: NotRequired[str]


class Unauthorized(Exception):  # noqa: N818 - the message for API Gateway
    """Makes API Gateway return 401, which requires exactly this message."""

    def __init__(self) -> None:
        """Set the one message that API Gateway recognizes."""
        super().__init__("Unauthorized")


class AuthorizerFailed(Exception):  # noqa: N818 - a state, named as in the log
    """Makes API Gateway return 500, as any message other than `Unauthorized` does."""


class Undecided(Exception):  # noqa: N818 - a state, named as in the log
    """An unexpected crash; no metric counts it. API Gateway returns 500."""


def answer(decision: Decision) -> Answer:
    """Return the policy of an allowed decision.

    Raises:
        Unauthorized: when the credential was refused.
        AuthorizerFailed: when the authorizer could not decide.
    """
    if decision.outcome is Outcome.REFUSED:
        raise Unauthorized
    if decision.principal is None or decision.policy is None:
        # The text appears only in Lambda's error log; API Gateway does not pass it on.
        raise AuthorizerFailed(decision.reason)
    given: Answer = {
        "principalId": decision.principal.name,
        "policyDocument": decision.policy,
        "context": decision.principal.context(),
    }
    if decision.usage_identifier_key is not None:
        given["usageIdentifierKey"] = decision.usage_identifier_key
    return given
