"""API Gateway's own responses to requests that do not reach a function.

A REST API has gateway responses, which the template may change; an HTTP API has fixed ones
("Gateway responses for REST APIs" and "Control access to HTTP APIs with AWS Lambda authorizers" in
the Amazon API Gateway developer guide).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from keyscope_local.gateway.api_definition import Api, ApiKind
from keyscope_local.gateway.request import CacheUse, GatewayAnswer, GatewayRequest

VARIABLE: Final = re.compile(r"\$context\.[A-Za-z.]+")
VARIABLES: Final = frozenset(
    {
        "$context.error.message",
        "$context.error.messageString",
        "$context.error.responseType",
        "$context.requestId",
    }
)
"""The variables, besides the authorizer's, that the template of a gateway response may contain
here."""
AUTHORIZER_VARIABLE: Final = "$context.authorizer."


class ResponseType(StrEnum):
    """Why a request failed, in API Gateway's terms."""

    UNAUTHORIZED = "UNAUTHORIZED"
    ACCESS_DENIED = "ACCESS_DENIED"
    AUTHORIZER_FAILURE = "AUTHORIZER_FAILURE"
    AUTHORIZER_CONFIGURATION_ERROR = "AUTHORIZER_CONFIGURATION_ERROR"
    NO_ROUTE = "MISSING_AUTHENTICATION_TOKEN"
    INTEGRATION_FAILURE = "INTEGRATION_FAILURE"
    INVALID_API_KEY = "INVALID_API_KEY"
    THROTTLED = "THROTTLED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"


class NotAnswered(Exception):  # noqa: N818 - a state
    """The request ends here, with the gateway's own response."""

    def __init__(
        self,
        response_type: ResponseType,
        detail: str,
        cache: CacheUse = CacheUse.NONE,
        context: Mapping[str, str] | None = None,
    ) -> None:
        """Store the response for the caller and, for the local log, the reason.

        `context` is the authorizer's, if a policy denied the request.
        """
        super().__init__(f"{response_type}: {detail}")
        self.response_type = response_type
        self.cache = cache
        self.context: Mapping[str, str] = context or {}


@dataclass(frozen=True, slots=True)
class _Default:
    rest_status: int
    rest_message: str
    http_status: int
    http_message: str


_DEFAULTS = {
    ResponseType.UNAUTHORIZED: _Default(401, "Unauthorized", 401, "Unauthorized"),
    ResponseType.ACCESS_DENIED: _Default(
        403, "User is not authorized to access this resource", 403, "Forbidden"
    ),
    ResponseType.AUTHORIZER_FAILURE: _Default(
        500, "Internal server error", 500, "Internal Server Error"
    ),
    ResponseType.AUTHORIZER_CONFIGURATION_ERROR: _Default(
        500, "Internal server error", 500, "Internal Server Error"
    ),
    ResponseType.NO_ROUTE: _Default(403, "Missing Authentication Token", 404, "Not Found"),
    ResponseType.INTEGRATION_FAILURE: _Default(
        502, "Internal server error", 500, "Internal Server Error"
    ),
    # HTTP APIs have no usage plans.
    ResponseType.INVALID_API_KEY: _Default(403, "Forbidden", 403, "Forbidden"),
    ResponseType.THROTTLED: _Default(429, "Too Many Requests", 429, "Too Many Requests"),
    ResponseType.QUOTA_EXCEEDED: _Default(429, "Limit Exceeded", 429, "Too Many Requests"),
}


def error_answer(api: Api, request: GatewayRequest, error: NotAnswered) -> GatewayAnswer:
    """Return the gateway's own response to a request that failed."""
    default = _DEFAULTS[error.response_type]
    if api.kind is ApiKind.HTTP:
        body = {"message": default.http_message}
        return _json_answer(default.http_status, {}, json.dumps(body), error.cache)
    family = "DEFAULT_4XX" if default.rest_status < 500 else "DEFAULT_5XX"  # noqa: PLR2004 - HTTP
    response = api.gateway_responses.get(error.response_type, api.gateway_responses.get(family))
    if response is None or response.template is None:
        text = json.dumps({"message": default.rest_message})
    else:
        text = _fill(response.template, default.rest_message, error, request)
    status = (response.status if response else None) or default.rest_status
    headers = {
        "x-amzn-errortype": f"{error.response_type.title().replace('_', '')}Exception",
        **(response.headers if response else {}),
    }
    return _json_answer(status, headers, text, error.cache)


def _fill(template: str, message: str, error: NotAnswered, request: GatewayRequest) -> str:
    values = {
        "$context.error.message": message,
        "$context.error.messageString": json.dumps(message),
        "$context.error.responseType": error.response_type.value,
        "$context.requestId": request.request_id,
        **{f"{AUTHORIZER_VARIABLE}{name}": value for name, value in error.context.items()},
    }
    # A variable that no authorizer returned is empty, as in API Gateway's mapping templates.
    return VARIABLE.sub(lambda found: values.get(found[0], ""), template)


def _json_answer(status: int, headers: dict[str, str], text: str, cache: CacheUse) -> GatewayAnswer:
    content_type = {"content-type": "application/json"}
    return GatewayAnswer(status, [*{**content_type, **headers}.items()], text.encode(), cache)
