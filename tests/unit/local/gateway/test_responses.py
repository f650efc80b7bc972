"""The gateway's own answers.

Defaults: "Gateway response types for API Gateway" in the Amazon API Gateway developer guide; the
template may change them on a REST API only.
"""

import json

import pytest

from keyscope_local.gateway.api_definition import Api, ApiKind, GatewayResponse
from keyscope_local.gateway.request import CacheUse, GatewayAnswer, GatewayRequest
from keyscope_local.gateway.responses import NotAnswered, ResponseType, error_answer

REQUEST = GatewayRequest("GET", "/", request_id="id-1")


def rest(**responses: GatewayResponse) -> Api:
    return Api(ApiKind.REST, "Rest", "abc", "prod", [], {}, responses)


def http() -> Api:
    return Api(ApiKind.HTTP, "Http", "abc", "$default", [], {}, {})


def answered(api: Api, response_type: ResponseType = ResponseType.UNAUTHORIZED) -> GatewayAnswer:
    return error_answer(api, REQUEST, NotAnswered(response_type, "a reason", CacheUse.MISS))


@pytest.mark.parametrize(
    ("response_type", "status", "message"),
    [
        (ResponseType.UNAUTHORIZED, 401, "Unauthorized"),
        (ResponseType.ACCESS_DENIED, 403, "User is not authorized to access this resource"),
        (ResponseType.NO_ROUTE, 403, "Missing Authentication Token"),
        (ResponseType.AUTHORIZER_FAILURE, 500, "Internal server error"),
        (ResponseType.AUTHORIZER_CONFIGURATION_ERROR, 500, "Internal server error"),
        (ResponseType.INTEGRATION_FAILURE, 502, "Internal server error"),
        (ResponseType.INVALID_API_KEY, 403, "Forbidden"),
        (ResponseType.THROTTLED, 429, "Too Many Requests"),
        (ResponseType.QUOTA_EXCEEDED, 429, "Limit Exceeded"),
    ],
)
def test_a_rest_api_has_defaults(response_type: ResponseType, status: int, message: str) -> None:
    given = answered(rest(), response_type)
    assert (given.status, json.loads(given.body)) == (status, {"message": message})


@pytest.mark.parametrize(
    ("response_type", "status", "message"),
    [
        (ResponseType.UNAUTHORIZED, 401, "Unauthorized"),
        (ResponseType.ACCESS_DENIED, 403, "Forbidden"),
        (ResponseType.NO_ROUTE, 404, "Not Found"),
        (ResponseType.AUTHORIZER_FAILURE, 500, "Internal Server Error"),
        (ResponseType.AUTHORIZER_CONFIGURATION_ERROR, 500, "Internal Server Error"),
        (ResponseType.INTEGRATION_FAILURE, 500, "Internal Server Error"),
    ],
)
def test_an_http_api_has_fixed_answers(
    response_type: ResponseType, status: int, message: str
) -> None:
    given = answered(http(), response_type)
    assert (given.status, json.loads(given.body)) == (status, {"message": message})
    assert given.headers == [("content-type", "application/json")]


@pytest.mark.parametrize("api", [rest(), http()])
def test_the_answer_does_not_tell_the_reason(api: Api) -> None:
    given = answered(api)
    assert "a reason" not in given.body.decode() + str(given.headers)


def test_the_use_of_the_cache_is_kept() -> None:
    assert answered(rest()).cache is CacheUse.MISS


def test_status_headers_and_body_come_from_the_template() -> None:
    given = answered(rest(UNAUTHORIZED=GatewayResponse(418, {"WWW-Authenticate": "Basic"}, "{}")))
    assert (given.status, given.body) == (418, b"{}")
    assert ("WWW-Authenticate", "Basic") in given.headers


def test_what_the_template_leaves_out_stays_the_default() -> None:
    given = answered(rest(UNAUTHORIZED=GatewayResponse(None, {"x-a": "1"}, None)))
    assert (given.status, json.loads(given.body)) == (401, {"message": "Unauthorized"})


@pytest.mark.parametrize(
    ("response_type", "family"),
    [
        (ResponseType.UNAUTHORIZED, "DEFAULT_4XX"),
        (ResponseType.ACCESS_DENIED, "DEFAULT_4XX"),
        (ResponseType.NO_ROUTE, "DEFAULT_4XX"),
        (ResponseType.AUTHORIZER_FAILURE, "DEFAULT_5XX"),
        (ResponseType.AUTHORIZER_CONFIGURATION_ERROR, "DEFAULT_5XX"),
        (ResponseType.INTEGRATION_FAILURE, "DEFAULT_5XX"),
    ],
)
def test_a_type_without_its_own_response_takes_the_familys(
    response_type: ResponseType, family: str
) -> None:
    api = rest(**{family: GatewayResponse(None, {}, f"of {family}")})
    assert answered(api, response_type).body == f"of {family}".encode()


def test_a_types_own_response_goes_before_the_familys() -> None:
    own, family = (GatewayResponse(None, {}, text) for text in ("own", "family"))
    assert answered(rest(DEFAULT_4XX=family, UNAUTHORIZED=own)).body == b"own"


def test_the_variables_of_a_template_are_filled() -> None:
    template = (
        "$context.error.message|$context.error.messageString"
        "|$context.error.responseType|$context.requestId"
    )
    given = answered(rest(UNAUTHORIZED=GatewayResponse(None, {}, template)))
    assert given.body == b'Unauthorized|"Unauthorized"|UNAUTHORIZED|id-1'
