"""The line that a stage's access log gets for each request.

"Variables for access logging for API Gateway" and "Customize HTTP API access logs" in the Amazon
API Gateway developer guide list the variables. A variable without a value is a hyphen. AWS does not
document which status API Gateway logs in which case; this module assumes the most likely one.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from keyscope_local.gateway.api_definition import Api, ApiKind
from keyscope_local.gateway.authorization import Authorized
from keyscope_local.gateway.request import GatewayAnswer, GatewayRequest, MatchedRoute
from keyscope_local.gateway.responses import NotAnswered, ResponseType

VARIABLE: Final = re.compile(r"\$context\.[A-Za-z0-9_.]+")
NO_VALUE: Final = "-"
_CONTEXT: Final = "$context.authorizer."
_DENIED: Final = "The client is not authorized to perform this operation."
_AUTHORIZER_STATUS: Final = {
    ResponseType.UNAUTHORIZED: 401,
    ResponseType.AUTHORIZER_FAILURE: 500,
    ResponseType.AUTHORIZER_CONFIGURATION_ERROR: 500,
}


@dataclass(slots=True)
class Passage:
    """How far a request came, recorded on its way. Times are seconds since the epoch."""

    started: float
    route: MatchedRoute | None = None
    authorized: Authorized | None = None
    error: NotAnswered | None = None
    integration_ms: int | None = None
    ended: float = 0


@dataclass(frozen=True, slots=True)
class _Logged:
    api: Api
    request: GatewayRequest
    passage: Passage
    answer: GatewayAnswer

    @property
    def error_type(self) -> ResponseType | None:
        return self.passage.error.response_type if self.passage.error else None

    @property
    def authorize_status(self) -> int | None:
        if self.error_type is ResponseType.ACCESS_DENIED:
            return 403
        return 200 if self.passage.authorized else None

    @property
    def authorizer_status(self) -> int | None:
        if self.error_type in _AUTHORIZER_STATUS:
            return _AUTHORIZER_STATUS[self.error_type]
        return 200 if self.passage.authorized else None

    @property
    def authorizer_ms(self) -> int | None:
        return self.passage.authorized.latency_ms if self.passage.authorized else None

    @property
    def integration_status(self) -> int | None:
        """Lambda's own status: 200, whatever status the function's answer contains."""
        if self.passage.integration_ms is None:
            return None
        return 500 if self.error_type is ResponseType.INTEGRATION_FAILURE else 200


_Read = Callable[[_Logged], object]

_OF_EVERY_API: Final[Mapping[str, _Read]] = {
    "$context.apiId": lambda one: one.api.api_id,
    "$context.authorizer.error": lambda one: (
        one.error_type if one.error_type in _AUTHORIZER_STATUS else None
    ),
    "$context.authorizer.principalId": lambda one: (
        one.passage.authorized.result.principal_id if one.passage.authorized else None
    ),
    "$context.error.responseType": lambda one: one.error_type,
    "$context.httpMethod": lambda one: one.request.method,
    "$context.identity.sourceIp": lambda one: one.request.source_address,
    "$context.integration.error": lambda one: (
        one.error_type if one.error_type is ResponseType.INTEGRATION_FAILURE else None
    ),
    "$context.integration.latency": lambda one: one.passage.integration_ms,
    "$context.integration.status": lambda one: one.integration_status,
    "$context.path": lambda one: one.request.path,
    "$context.requestId": lambda one: one.request.request_id,
    "$context.requestTimeEpoch": lambda one: int(one.passage.started * 1_000),
    "$context.responseLatency": lambda one: int((one.passage.ended - one.passage.started) * 1_000),
    "$context.responseLength": lambda one: len(one.answer.body),
    "$context.stage": lambda one: one.api.stage,
    "$context.status": lambda one: one.answer.status,
}
_OF_KIND: Final[Mapping[ApiKind, Mapping[str, _Read]]] = {
    ApiKind.REST: {
        "$context.authenticate.latency": lambda _: None,
        "$context.authenticate.status": lambda _: None,
        "$context.authorize.error": lambda one: (
            _DENIED if one.error_type is ResponseType.ACCESS_DENIED else None
        ),
        "$context.authorize.latency": lambda one: 0 if one.authorize_status else None,
        "$context.authorize.status": lambda one: one.authorize_status,
        "$context.authorizer.integrationLatency": lambda one: one.authorizer_ms,
        "$context.authorizer.integrationStatus": lambda one: one.authorizer_status,
        "$context.authorizer.latency": lambda one: one.authorizer_ms,
        "$context.authorizer.status": lambda one: one.authorizer_status,
        "$context.resourcePath": lambda one: one.passage.route and one.passage.route.template,
    },
    ApiKind.HTTP: {
        "$context.routeKey": lambda one: (
            one.passage.route and f"{one.passage.route.method} {one.passage.route.template}"
        ),
    },
}


def is_known(variable: str, kind: ApiKind) -> bool:
    """Return whether a variable has a value here; an authorizer's context may contain any name."""
    return variable in _variables(kind) or variable.startswith(_CONTEXT)


def access_line(api: Api, request: GatewayRequest, passage: Passage, answer: GatewayAnswer) -> str:
    """Return the line in the format of the API's stage, with every variable replaced."""
    logged = _Logged(api, request, passage, answer)
    context = passage.authorized.result.context if passage.authorized else {}

    def value_of(found: re.Match[str]) -> str:
        read = _variables(api.kind).get(found[0])
        value = read(logged) if read else context.get(found[0].removeprefix(_CONTEXT))
        # Text from a caller cannot end the line, or the JSON string that contains it.
        return NO_VALUE if value is None else json.dumps(str(value))[1:-1]

    return VARIABLE.sub(value_of, api.access_log_format or "")


def _variables(kind: ApiKind) -> Mapping[str, _Read]:
    return {**_OF_EVERY_API, **_OF_KIND[kind]}
