"""Explains to an account why one of its credentials is refused, or a path forbidden."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, NotRequired, cast

from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from pydantic import AfterValidator, Field, WithJsonSchema
from typing_extensions import TypedDict

from keyscope.authorize.pipeline import Authorizer
from keyscope.explain.own_explanation import explain_own
from keyscope.explain.request import AskedRequest, EventKind
from keyscope.management_api.body import Body
from keyscope.management_api.request_context import caller_of, source_address_of
from keyscope.model.source_address import SOURCE_ADDRESS_PATTERN, read_source_address

MAX_CREDENTIAL_LENGTH = 8_192
"""Characters. Twice the authorizers' limit, so that a credential that is too long can be
explained."""
MAX_PATH_LENGTH = 2_048
_NO_ADDRESS = "must be an IPv4 or IPv6 address"


def _address(text: str) -> str:
    address = read_source_address(text)
    if address is None:
        raise ValueError(_NO_ADDRESS)
    return str(address)


SourceAddress = Annotated[
    str,
    AfterValidator(_address),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^({SOURCE_ADDRESS_PATTERN})$",
            "description": "An IPv4 or IPv6 address, which may have a port up to 65535:"
            " 192.0.2.7, 192.0.2.7:39870, 2001:db8::1, [2001:db8::1]:443. IPv4-mapped addresses"
            " are treated as IPv4; zone ids such as fe80::1%eth0 are rejected.",
        }
    ),
]


class ExplainBody(Body):
    """A request to explain; `credential` is the value of its `Authorization` header."""

    credential: Annotated[str, Field(max_length=MAX_CREDENTIAL_LENGTH, repr=False)]
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    path: Annotated[str, Field(pattern="^/", max_length=MAX_PATH_LENGTH)]
    source_address: SourceAddress | None = None
    api_kind: Literal["rest", "rest-token", "http", "websocket"] = "rest"

    def asked(self) -> AskedRequest:
        """Return the request to explain."""
        return AskedRequest(
            authorization=self.credential or None,
            method=self.method,
            path=self.path,
            source_address=self.source_address,
            event_kind=EventKind(self.api_kind),
        )


class ExplainedStepShape(TypedDict):
    """One step of the authorizer, or API Gateway's, with what was found and what to do."""

    step: str
    title: str
    verdict: Literal["passed", "failed", "not_reached"]
    reason: NotRequired[str]
    detail: NotRequired[str]
    advice: NotRequired[str]


class EvaluationShape(TypedDict):
    """The policy that the authorizer returns, and its effect on the method and path."""

    document: dict[str, Any]
    verdict: str
    statement: NotRequired[int]
    resource: NotRequired[str]
    conditions: NotRequired[dict[str, dict[str, str | list[str]]]]
    otherMethods: NotRequired[list[str]]


class ExplanationShape(TypedDict):
    """An explanation's steps and result: `passes`, or the status that API Gateway returns."""

    answer: Literal["passes", "401", "403", "500"]
    reason: NotRequired[str]
    request: dict[str, str]
    credentialKind: NotRequired[str]
    keyId: NotRequired[str]
    principal: NotRequired[dict[str, str]]
    steps: list[ExplainedStepShape]
    policy: NotRequired[EvaluationShape]


class ExplanationAnswer(TypedDict):
    """An explanation."""

    explanation: ExplanationShape


def add_explanations(api: APIGatewayRestResolver, authorizer: Callable[[], Authorizer]) -> None:
    """Add the route of explanations."""

    @api.post(
        "/v2/explain",
        operation_id="Explain",
        tags=["Explanations"],
        summary="Explain why a request with a credential of the account is allowed or denied."
        " Changes nothing",
    )
    def explain(body: ExplainBody) -> ExplanationAnswer:
        explanation = explain_own(
            body.asked(), caller_of(api), source_address_of(api), authorizer()
        )
        return {"explanation": cast("ExplanationShape", explanation.members())}
