"""CORS of an HTTP API.

Source: "Configure CORS for HTTP APIs in API Gateway" in the Amazon API Gateway developer guide.
"""

import pytest

from keyscope_local.gateway.api_definition import Api, ApiKind, Cors
from keyscope_local.gateway.cors import preflight_answer, with_cors
from keyscope_local.gateway.request import CacheUse, GatewayAnswer, GatewayRequest

ORIGIN = "https://a.example"
CORS = Cors([ORIGIN], ["GET", "PUT"], ["X-A", "X-B"], 5)
ASKS = ("access-control-request-method", "GET")


def api(cors: Cors | None = CORS) -> Api:
    return Api(ApiKind.HTTP, "Http", "abc", "$default", [], {}, {}, cors)


def request(
    origin: str | None = ORIGIN, *headers: tuple[str, str], method: str = "OPTIONS"
) -> GatewayRequest:
    origins = [] if origin is None else [("origin", origin)]
    return GatewayRequest(method, "/", headers=[*origins, *headers])


def test_a_preflight_tells_all_that_is_allowed() -> None:
    assert preflight_answer(api(), request(ORIGIN, ASKS)) == GatewayAnswer(
        204,
        [
            ("access-control-allow-methods", "GET,PUT"),
            ("access-control-allow-headers", "x-a,x-b"),
            ("access-control-max-age", "5"),
            ("access-control-allow-origin", ORIGIN),
        ],
    )


def test_a_preflight_from_elsewhere_is_allowed_nothing() -> None:
    asked = request("https://b.example", ASKS)
    assert preflight_answer(api(), asked) == GatewayAnswer(204, [])


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(request(ORIGIN), id="asks for no method"),
        pytest.param(request(None, ASKS), id="no origin"),
        pytest.param(request(ORIGIN, ASKS, method="GET"), id="not OPTIONS"),
    ],
)
def test_a_request_that_is_no_preflight_goes_on_to_its_route(asked: GatewayRequest) -> None:
    assert preflight_answer(api(), asked) is None


def test_without_cors_settings_there_is_no_preflight() -> None:
    assert preflight_answer(api(None), request(ORIGIN, ASKS)) is None


def test_the_backends_own_cors_headers_are_ignored() -> None:
    answer = GatewayAnswer(
        200,
        [("x-a", "1"), ("Access-Control-Allow-Origin", "*"), ("access-control-max-age", "1")],
        b"body",
        CacheUse.HIT,
    )
    assert with_cors(api(), request(), answer) == GatewayAnswer(
        200, [("x-a", "1"), ("access-control-allow-origin", ORIGIN)], b"body", CacheUse.HIT
    )


def test_without_cors_settings_the_backends_own_headers_stay() -> None:
    answer = GatewayAnswer(200, [("access-control-allow-origin", "*")])
    assert with_cors(api(None), request(), answer) == answer


@pytest.mark.parametrize("origin", [None, "https://b.example", "null", "https://a.example.evil"])
def test_only_an_allowed_origin_is_named(origin: str | None) -> None:
    assert with_cors(api(), request(origin), GatewayAnswer(401)).headers == []


def test_a_star_allows_every_origin() -> None:
    answer = with_cors(api(Cors(["*"], [], [], 0)), request(), GatewayAnswer(401))
    assert answer.headers == [("access-control-allow-origin", "*")]


def test_credentials_and_exposed_headers_are_told_where_they_are_set() -> None:
    cors = Cors([ORIGIN], [], [], 0, expose_headers=["x-a", "x-b"], allow_credentials=True)
    assert with_cors(api(cors), request(), GatewayAnswer(200)).headers == [
        ("access-control-allow-origin", ORIGIN),
        ("access-control-allow-credentials", "true"),
        ("access-control-expose-headers", "x-a,x-b"),
    ]
