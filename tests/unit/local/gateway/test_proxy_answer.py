"""What the caller gets of what a route's function returned.

Sources: "Set up Lambda proxy integrations in API Gateway" and "Create AWS Lambda proxy integrations
for HTTP APIs" in the Amazon API Gateway developer guide.
"""

import pytest

from keyscope_local.gateway.api_definition import ApiKind
from keyscope_local.gateway.proxy_answer import read_proxy_answer
from keyscope_local.gateway.request import CacheUse, GatewayAnswer
from keyscope_local.gateway.responses import NotAnswered, ResponseType

JSON = ("content-type", "application/json")


def read(answer: object, kind: ApiKind = ApiKind.REST) -> GatewayAnswer:
    return read_proxy_answer(kind, answer, CacheUse.NONE)


@pytest.mark.parametrize("kind", ApiKind)
def test_status_headers_and_body_are_passed_on(kind: ApiKind) -> None:
    answer = {"statusCode": 201, "headers": {"Content-Type": "text/plain"}, "body": "\u00fc"}
    assert read(answer, kind) == GatewayAnswer(
        201, [("Content-Type", "text/plain")], "\u00fc".encode()
    )


@pytest.mark.parametrize("kind", ApiKind)
def test_the_status_may_be_text(kind: ApiKind) -> None:
    assert read({"statusCode": "204"}, kind).status == 204


def test_the_use_of_the_cache_is_kept() -> None:
    read_answer = read_proxy_answer(ApiKind.REST, {"statusCode": 200}, CacheUse.HIT)
    assert read_answer.cache is CacheUse.HIT


def test_a_rest_api_says_json_where_the_backend_says_nothing() -> None:
    assert read({"statusCode": 200}).headers == [JSON]


def test_a_rest_api_joins_both_kinds_of_headers() -> None:
    answer = {
        "statusCode": 200,
        "headers": {"x-a": "1", "x-b": "1", **dict([JSON])},
        "multiValueHeaders": {"x-a": ["1", "2"]},
    }
    assert read(answer).headers == [("x-b", "1"), JSON, ("x-a", "1"), ("x-a", "2")]


def test_headers_may_be_numbers_and_booleans() -> None:
    answer = {"statusCode": 200, "headers": {"x-a": 1, "x-b": True, **dict([JSON])}}
    assert read(answer).headers == [("x-a", "1"), ("x-b", "true"), JSON]


def test_an_http_api_takes_cookies_and_no_multiple_headers() -> None:
    answer = {"statusCode": 200, "cookies": ["a=1", "b=2"], "multiValueHeaders": {"x-a": ["1"]}}
    headers = read(answer, ApiKind.HTTP).headers
    assert headers == [("set-cookie", "a=1"), ("set-cookie", "b=2")]


@pytest.mark.parametrize(("kind", "body"), [(ApiKind.HTTP, b"\xff"), (ApiKind.REST, b"/w==")])
def test_without_binary_media_types_only_an_http_api_decodes_the_body(
    kind: ApiKind, body: bytes
) -> None:
    answer = {"statusCode": 200, "body": "/w==", "isBase64Encoded": True}
    assert read(answer, kind).body == body


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        ({"message": "hello"}, b'{"message": "hello"}'),
        ("hello", b'"hello"'),
        ([1], b"[1]"),
        (None, b"null"),
    ],
)
def test_an_http_api_takes_an_answer_without_status_for_the_body(
    answer: object, body: bytes
) -> None:
    assert read(answer, ApiKind.HTTP) == GatewayAnswer(200, [JSON], body)


@pytest.mark.parametrize("malformed", [None, "text", [], {}, {"body": "text"}])
def test_a_rest_api_needs_a_status(malformed: object) -> None:
    with pytest.raises(NotAnswered) as failed:
        read(malformed)
    assert failed.value.response_type is ResponseType.INTEGRATION_FAILURE


@pytest.mark.parametrize("kind", ApiKind)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"statusCode": None}, id="no status"),
        pytest.param({"statusCode": True}, id="a boolean status"),
        pytest.param({"statusCode": "ok"}, id="a word for a status"),
        pytest.param({"statusCode": 99}, id="a status too low"),
        pytest.param({"statusCode": 600}, id="a status too high"),
        pytest.param({"body": {}}, id="an object for a body"),
        pytest.param({"headers": []}, id="a list for headers"),
        pytest.param({"headers": {"x-a": None}}, id="a header without value"),
        pytest.param({"headers": {"x-a": "1\r\nx-b: 2"}}, id="a header that ends its line"),
        pytest.param({"headers": {"x a": "1"}}, id="a header's name with a space"),
        pytest.param({"headers": {"x-a": "\u20ac"}}, id="a header beyond Latin-1"),
    ],
)
def test_what_no_http_answer_can_be_is_a_failure(fault: dict[str, object], kind: ApiKind) -> None:
    with pytest.raises(NotAnswered) as failed:
        read({"statusCode": 200, **fault}, kind)
    assert failed.value.response_type is ResponseType.INTEGRATION_FAILURE


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (ApiKind.REST, {"multiValueHeaders": {"x-a": "1"}}),
        (ApiKind.REST, {"multiValueHeaders": []}),
        (ApiKind.HTTP, {"cookies": "a=1"}),
        (ApiKind.HTTP, {"body": "no base64", "isBase64Encoded": True}),
    ],
)
def test_what_one_kind_of_api_cannot_read_is_a_failure(
    kind: ApiKind, fault: dict[str, object]
) -> None:
    with pytest.raises(NotAnswered):
        read({"statusCode": 200, **fault}, kind)


def test_the_failure_does_not_quote_the_answer() -> None:
    with pytest.raises(NotAnswered) as failed:
        read({"statusCode": 200, "headers": {"x-a": "hidden\n"}})
    assert "hidden" not in str(failed.value)
