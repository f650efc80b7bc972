"""Requests through the gateway, without a server."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from keyscope_local.gateway.gateway import Gateway
from keyscope_local.gateway.request import GatewayAnswer, GatewayRequest
from keyscope_local.template.function_loader import loaded_functions
from tests.support.local_gateway import (
    AUTHORIZATION,
    Served,
    answer,
    api_of,
    policy,
    raising,
    served,
    small_stack,
)


@pytest.fixture
def rest() -> Served:
    return served(small_stack(), "Rest")


@pytest.fixture
def http() -> Served:
    return served(small_stack(), "Http")


def header(name: str, given: GatewayAnswer) -> str | None:
    return {known.lower(): value for known, value in given.headers}.get(name)


GUARD = f"""
invocations = 0
def handler(event, context):
    global invocations
    invocations += 1
    if event["headers"]["authorization"] == "Basic none":
        raise Exception("Unauthorized")
    context = {{"invocations": invocations}}
    document = {policy("arn:aws:execute-api:*")}
    return {{"principalId": "p", "policyDocument": document, "context": context}}
"""
BACKEND = """
def handler(event, context):
    authorizer = event["requestContext"]["authorizer"]
    return {"statusCode": 200, "body": authorizer.get("lambda", authorizer)["invocations"]}
"""


@pytest.mark.parametrize("name", ["Rest", "Http"])
def test_functions_are_loaded_from_their_files_and_called(name: str, tmp_path: Path) -> None:
    for folder, code in {"guard": GUARD, "backend": BACKEND}.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "app.py").write_text(code, "utf-8")
    stack = replace(small_stack(), folder=tmp_path)
    with loaded_functions(stack, {}) as functions:
        gateway = Gateway(api_of(stack, name), functions)
        told = [
            gateway.answer(GatewayRequest("GET", "/x", headers=[("authorization", value)]))
            for value in ("Basic one", "Basic one", "Basic none", "Basic two")
        ]
    assert [(each.status, each.cache) for each in told] == [
        (200, "miss"),
        (200, "hit"),
        (401, "miss"),
        (200, "miss"),
    ]
    assert [told[index].body for index in (0, 1, 3)] == [b"1", b"1", b"3"]


def test_the_backends_answer_is_passed_on(rest: Served) -> None:
    rest.backend.respond = lambda _: {
        "statusCode": 201,
        "headers": {"x-one": "1"},
        "multiValueHeaders": {"x-two": ["a", "b"]},
        "body": "made",
    }
    made = rest.get()
    assert (made.status, made.body) == (201, b"made")
    assert [pair for pair in made.headers if pair[0] != "content-type"] == [
        ("x-one", "1"),
        ("x-two", "a"),
        ("x-two", "b"),
    ]


def test_a_backend_that_does_not_answer_as_a_proxy_is_502_on_a_rest_api(rest: Served) -> None:
    rest.backend.respond = lambda _: "text"
    assert rest.status() == 502


def test_a_backend_that_does_not_answer_as_a_proxy_is_500_on_an_http_api(http: Served) -> None:
    http.backend.respond = lambda _: {"statusCode": "none"}
    assert http.status() == 500


def test_a_backend_that_fails_is_502_on_a_rest_api(rest: Served) -> None:
    rest.backend.respond = raising("secret text")
    failed = rest.get()
    assert (failed.status, failed.body) == (502, b'{"message":"Internal server error"}')


def test_a_backend_that_fails_is_500_on_an_http_api(http: Served) -> None:
    http.backend.respond = raising("secret text")
    failed = http.get()
    assert (failed.status, failed.body) == (500, b'{"message": "Internal Server Error"}')


def test_a_rest_backend_is_told_the_context_beside_the_principal(rest: Served) -> None:
    rest.guard.respond = lambda _: answer(context={"text": "a", "number": 1, "yes": True})
    context = json.loads(rest.get().body)
    assert context.pop("integrationLatency") >= 0
    assert context == {"principalId": "app/1", "text": "a", "number": "1", "yes": "true"}


def test_an_http_backend_is_told_the_context_under_lambda(http: Served) -> None:
    assert json.loads(http.get().body) == {"lambda": {"scope": "app"}}


def test_a_gateway_response_of_the_template_is_filled(rest: Served) -> None:
    refused = rest.get("/v2/apps", ("accept", "*/*"))
    body = json.loads(refused.body)
    assert (refused.status, body["code"]) == (401, "UNAUTHORIZED")
    assert len(body["id"]) == 36
    assert header("www-authenticate", refused) == "Basic"


def test_a_gateway_response_that_the_template_leaves_alone_is_aws_own(rest: Served) -> None:
    outside = rest.get("/")
    assert (outside.status, outside.body) == (403, b'{"message": "Missing Authentication Token"}')


def test_an_http_api_has_answers_of_its_own(http: Served) -> None:
    refused, lost = http.get("/x", ("accept", "*/*")), http.get("/")
    assert (refused.status, refused.body) == (401, b'{"message": "Unauthorized"}')
    assert (lost.status, lost.body) == (404, b'{"message": "Not Found"}')


def test_a_rest_preflight_needs_no_credential(rest: Served) -> None:
    preflight = rest.get("/v2/apps", ("origin", "https://a.example"), method="OPTIONS")
    assert preflight.status == 200
    assert header("access-control-allow-origin", preflight) == "*"
    assert rest.guard.events == []


def test_an_http_preflight_needs_no_credential(http: Served) -> None:
    asks = [("origin", "https://a.example"), ("access-control-request-method", "GET")]
    preflight = http.get("/v2/apps", *asks, method="OPTIONS")
    assert preflight.status == 204
    assert header("access-control-allow-origin", preflight) == "https://a.example"
    assert header("access-control-max-age", preflight) == "5"
    assert http.guard.events == []


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://a.example", "https://a.example"), ("https://b.example", None)],
)
def test_an_http_api_names_an_allowed_origin_on_refusals_too(
    origin: str, allowed: str | None, http: Served
) -> None:
    refused = http.get("/v2/apps", ("origin", origin))
    assert refused.status == 401
    assert header("access-control-allow-origin", refused) == allowed


def test_an_http_backends_own_cors_headers_are_ignored(http: Served) -> None:
    http.backend.respond = lambda _: {
        "statusCode": 200,
        "headers": {"Access-Control-Allow-Origin": "*"},
    }
    assert http.get().headers == []


@pytest.mark.parametrize(
    ("path", "headers"), [("/x", [("accept", "*/*")]), ("/x", [AUTHORIZATION]), ("/", [])]
)
def test_the_log_tells_the_reason_and_never_the_credential(
    path: str, headers: list[tuple[str, str]], rest: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "keyscope.local.gateway")
    rest.guard.respond = lambda _: answer(policy("arn:aws:execute-api:::other"))
    rest.get(path, *headers, query="authorization=Basic%20one")
    (record,) = caplog.records
    assert record.getMessage().split(" GET ")[1].startswith(f"{path}: ")
    assert "one" not in caplog.text


def test_the_log_of_a_function_that_fails_tells_where(
    rest: Served, caplog: pytest.LogCaptureFixture
) -> None:
    rest.guard.respond = raising("out of order")
    rest.get()
    (record,) = caplog.records
    assert (record.levelname, record.exc_info is not None) == ("WARNING", True)


def test_a_refusal_is_logged_without_a_trace(
    rest: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "keyscope.local.gateway")
    rest.guard.respond = raising("Unauthorized")
    rest.get()
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("INFO", None)


def test_each_api_has_a_result_cache_of_its_own(rest: Served, http: Served) -> None:
    assert [rest.get().cache, http.get().cache, rest.get().cache] == ["miss", "miss", "hit"]


def test_without_an_origin_there_is_no_cors(http: Served) -> None:
    assert header("access-control-allow-origin", http.get("/v2/apps", AUTHORIZATION)) is None


def test_a_rest_event_tells_the_path_as_it_was_sent(rest: Served) -> None:
    rest.get("/v2//apps/a%2Fb/", query="a=1&a=2&b=%20")
    (event,) = rest.guard.events
    assert event["path"] == "/v2//apps/a%2Fb/"
    assert str(event["methodArn"]).endswith("/prod/GET/v2//apps/a%2Fb/")
    assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [" "]}
    assert event["queryStringParameters"] == {"a": "2", "b": " "}


def test_an_http_event_has_payload_format_2(http: Served) -> None:
    http.get("/v2/apps", AUTHORIZATION, ("x-a", "1"), ("x-a", "2"), query="a=1&a=2")
    (event,) = http.guard.events
    assert (event["version"], event["type"]) == ("2.0", "REQUEST")
    assert str(event["routeArn"]).endswith("/$default/GET/v2/apps")
    assert event["identitySource"] == ["Basic one"]
    assert event["headers"] == {"authorization": "Basic one", "x-a": "1,2"}
    assert event["queryStringParameters"] == {"a": "1,2"}
