"""The events that functions get, whole.

Shapes: "Input to an API Gateway Lambda authorizer", "Set up Lambda proxy integrations" and "Create
AWS Lambda proxy integrations for HTTP APIs" in the Amazon API Gateway developer guide.
"""

from typing import cast

import pytest

from keyscope_local.gateway.api_definition import Api, ApiKind
from keyscope_local.gateway.events import Event, method_arn, proxy_event, request_event, token_event
from keyscope_local.gateway.request import GatewayRequest, MatchedRoute

REST = Api(ApiKind.REST, "Rest", "abc123", "prod", [], {}, {})
HTTP = Api(ApiKind.HTTP, "Http", "def456", "$default", [], {}, {})
ROUTE = MatchedRoute("GET", "/apps/{appId}", {"appId": "a%201"})
REQUEST = GatewayRequest(
    method="GET",
    path="/apps/a%201",
    query="q=1&q=2&r=%20&s",
    headers=[("accept", "a"), ("accept", "b"), ("host", "127.0.0.1:3000"), ("user-agent", "test")],
    source_address="192.0.2.1",
    request_id="id-1",
)
BARE = GatewayRequest("GET", "/apps/a", request_id="id-1")


def context_of(event: Event) -> dict[str, object]:
    """Return the request context without the time, which no test can foretell."""
    context = cast("dict[str, object]", event["requestContext"])
    times = {"requestTimeEpoch", "timeEpoch"}
    return {name: value for name, value in context.items() if name not in times}


def body_of(api: Api, body: bytes) -> tuple[object, object]:
    event = proxy_event(api, GatewayRequest("POST", "/apps/a", body=body), ROUTE, None)
    return event.get("body"), event["isBase64Encoded"]


@pytest.mark.parametrize(
    ("api", "path", "arn"),
    [
        (REST, "/", "arn:aws:execute-api:us-east-1:123456789012:abc123/prod/GET/"),
        (REST, "/a%2Fb//", "arn:aws:execute-api:us-east-1:123456789012:abc123/prod/GET/a%2Fb//"),
        (HTTP, "/a/*", "arn:aws:execute-api:us-east-1:123456789012:def456/$default/GET/a/*"),
    ],
)
def test_the_method_arn_carries_the_path_that_is_asked_for(api: Api, path: str, arn: str) -> None:
    assert method_arn(api, GatewayRequest("GET", path)) == arn


@pytest.mark.parametrize("api", [REST, HTTP])
def test_the_request_context_names_the_domain_that_was_called(api: Api) -> None:
    request = GatewayRequest("GET", "/apps/a", headers=[("host", "127.0.0.1:3000")])
    assert context_of(proxy_event(api, request, ROUTE, None))["domainName"] == "127.0.0.1:3000"


def test_a_token_event_is_three_members() -> None:
    assert token_event(REST, REQUEST, ROUTE, "Basic one") == {
        "type": "TOKEN",
        "methodArn": method_arn(REST, REQUEST),
        "authorizationToken": "Basic one",
    }


def test_a_rest_request_event_holds_the_request() -> None:
    event = request_event(REST, REQUEST, ROUTE, ["Basic one"])
    assert {name: event[name] for name in event if name != "requestContext"} == {
        "type": "REQUEST",
        "methodArn": method_arn(REST, REQUEST),
        "resource": "/apps/{appId}",
        "path": "/apps/a%201",
        "httpMethod": "GET",
        "headers": {"accept": "b", "host": "127.0.0.1:3000", "user-agent": "test"},
        "multiValueHeaders": {
            "accept": ["a", "b"],
            "host": ["127.0.0.1:3000"],
            "user-agent": ["test"],
        },
        "queryStringParameters": {"q": "2", "r": " ", "s": ""},
        "multiValueQueryStringParameters": {"q": ["1", "2"], "r": [" "], "s": [""]},
        "pathParameters": {"appId": "a%201"},
        "stageVariables": {},
    }


def test_a_rest_request_context_holds_the_place_and_the_caller() -> None:
    assert context_of(request_event(REST, REQUEST, ROUTE, [])) == {
        "accountId": "123456789012",
        "apiId": "abc123",
        "stage": "prod",
        "domainName": "127.0.0.1:3000",
        "requestId": "id-1",
        "resourcePath": "/apps/{appId}",
        "httpMethod": "GET",
        "path": "/apps/a%201",
        "protocol": "HTTP/1.1",
        "identity": {"sourceIp": "192.0.2.1", "userAgent": "test"},
    }


def test_an_http_request_event_holds_the_request() -> None:
    event = request_event(HTTP, REQUEST, ROUTE, ["Basic one"])
    assert {name: event[name] for name in event if name != "requestContext"} == {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": method_arn(HTTP, REQUEST),
        "identitySource": ["Basic one"],
        "routeKey": "GET /apps/{appId}",
        "rawPath": "/apps/a%201",
        "rawQueryString": "q=1&q=2&r=%20&s",
        "headers": {"accept": "a,b", "host": "127.0.0.1:3000", "user-agent": "test"},
        "queryStringParameters": {"q": "1,2", "r": " ", "s": ""},
        "pathParameters": {"appId": "a%201"},
    }


def test_an_http_request_context_holds_the_place_and_the_caller() -> None:
    assert context_of(request_event(HTTP, REQUEST, ROUTE, [])) == {
        "accountId": "123456789012",
        "apiId": "def456",
        "stage": "$default",
        "domainName": "127.0.0.1:3000",
        "requestId": "id-1",
        "routeKey": "GET /apps/{appId}",
        "http": {
            "method": "GET",
            "path": "/apps/a%201",
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1",
            "userAgent": "test",
        },
    }


def test_an_http_event_without_parameters_has_no_such_member() -> None:
    assert "queryStringParameters" not in request_event(HTTP, BARE, ROUTE, [])


def test_a_rest_backend_is_told_null_where_there_are_no_parameters() -> None:
    event = proxy_event(REST, BARE, MatchedRoute("GET", "/apps", {}), None)
    assert {name: event[name] for name in event if "Parameters" in name or "Var" in name} == {
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
    }


def test_a_rest_authorizer_is_told_an_empty_object_where_there_are_no_parameters() -> None:
    event = request_event(REST, BARE, MatchedRoute("GET", "/apps", {}), [])
    assert (event["pathParameters"], event["queryStringParameters"]) == ({}, {})


def test_an_http_event_without_path_parameters_has_no_such_member() -> None:
    route = MatchedRoute("GET", "/apps", {})
    for event in (proxy_event(HTTP, BARE, route, None), request_event(HTTP, BARE, route, [])):
        assert "pathParameters" not in event


@pytest.mark.parametrize("api", [REST, HTTP])
def test_a_rest_or_http_backend_is_told_the_parameters_of_its_path(api: Api) -> None:
    assert proxy_event(api, REQUEST, ROUTE, None)["pathParameters"] == {"appId": "a%201"}


@pytest.mark.parametrize("api", [REST, HTTP])
def test_a_request_without_user_agent_says_so(api: Api) -> None:
    context = context_of(request_event(api, BARE, ROUTE, []))
    member = cast("dict[str, object]", context.get("identity") or context["http"])
    assert member["userAgent"] is None


@pytest.mark.parametrize("api", [REST, HTTP])
def test_the_backend_finds_the_authorizers_context_in_the_request_context(api: Api) -> None:
    event = proxy_event(api, REQUEST, ROUTE, {"scope": "app"})
    assert context_of(event)["authorizer"] == {"scope": "app"}


@pytest.mark.parametrize("api", [REST, HTTP])
def test_a_route_without_authorizer_has_no_context_of_one(api: Api) -> None:
    assert "authorizer" not in context_of(proxy_event(api, REQUEST, ROUTE, None))


@pytest.mark.parametrize(("api", "version"), [(REST, None), (HTTP, "2.0")])
def test_an_http_backends_event_names_its_format(api: Api, version: str | None) -> None:
    assert proxy_event(api, REQUEST, ROUTE, None).get("version") == version


@pytest.mark.parametrize("api", [REST, HTTP])
def test_a_body_of_text_is_passed_as_it_is(api: Api) -> None:
    assert body_of(api, "\u00fc".encode()) == ("\u00fc", False)


def test_an_http_api_encodes_a_body_that_is_no_text() -> None:
    assert body_of(HTTP, b"\xff") == ("/w==", True)


def test_a_rest_api_without_binary_media_types_takes_every_body_for_text() -> None:
    assert body_of(REST, b"a\xff") == ("a\ufffd", False)


def test_a_rest_event_without_body_says_null() -> None:
    assert proxy_event(REST, BARE, ROUTE, None)["body"] is None


def test_an_http_event_without_body_has_no_such_member() -> None:
    assert "body" not in proxy_event(HTTP, BARE, ROUTE, None)
