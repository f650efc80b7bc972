"""What of a request is checked before it is routed, and what JSON is taken."""

import base64
import json
from http import HTTPStatus
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.management_api.requests import MAX_BODY_BYTES, Event, NotTaken, checked, read_json

JSON_HEADERS: Final = {"Content-Type": "application/json"}
V11_KEYS: Final = "/v1.1/serviceaccounts/s/keys"
OK: Final = HTTPStatus.OK
BAD: Final = HTTPStatus.BAD_REQUEST
TOO_LARGE: Final = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
NOT_JSON: Final = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


def encoded(body: bytes) -> str:
    return base64.b64encode(body).decode()


def status_of(event: Event) -> HTTPStatus:
    try:
        checked(event)
    except NotTaken as not_taken:
        return not_taken.response.status
    return OK


@pytest.mark.parametrize(
    ("event", "text"),
    [
        pytest.param({"body": "{}"}, "{}", id="text"),
        pytest.param({"body": "{}", "isBase64Encoded": False}, "{}", id="text, as it says"),
        pytest.param(
            {"body": encoded('{"a":"é🙂"}'.encode()), "isBase64Encoded": True},
            '{"a":"é🙂"}',
            id="base64",
        ),
        pytest.param({"body": ""}, "", id="empty"),
        pytest.param({"body": "", "isBase64Encoded": True}, "", id="empty, in base64"),
        pytest.param({"body": None}, "", id="null"),
        pytest.param({}, "", id="none"),
    ],
)
def test_a_body_becomes_text(event: Event, text: str) -> None:
    taken = checked({**event, "headers": JSON_HEADERS})
    assert (taken["body"], taken["isBase64Encoded"]) == (text, False)


@pytest.mark.parametrize(
    ("path", "resource", "expected"),
    [
        ("/v2/apps", "/v2/apps", "/v2/apps"),
        ("/chat/v2/apps", "/v2/apps", "/v2/apps"),
        ("/chat/eu/v2/apps/a1", "/v2/apps/{appId}", "/v2/apps/a1"),
        ("/v2/v2/apps/a1/keys", "/v2/apps/{appId}/keys", "/v2/apps/a1/keys"),
        ("/x/v1.1/serviceaccounts/s/keys", "/v1.1/serviceaccounts/{proxy+}", V11_KEYS),
        ("/v2/apps/a1", "/{proxy+}", "/v2/apps/a1"),
        ("/else", "/v2/apps", "/else"),
        ("/v2/apps", None, "/v2/apps"),
        (None, "/v2/apps", None),
    ],
)
def test_the_base_path_of_a_custom_domain_is_taken_off(
    path: str | None, resource: str | None, expected: str | None
) -> None:
    assert checked({"path": path, "resource": resource})["path"] == expected


def test_the_rest_of_the_event_stays_as_it_is() -> None:
    event = {"path": "/v2/apps", "requestContext": {"stage": "prod"}, "headers": {"Host": "a"}}
    assert checked(event) == {**event, "body": "", "isBase64Encoded": False}


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"body": encoded(b"\xff"), "isBase64Encoded": True}, id="not UTF-8"),
        pytest.param({"body": encoded(b"\xed\xa0\x80"), "isBase64Encoded": True}, id="surrogate"),
        pytest.param({"body": encoded(b"\xff\xfe{\0}\0"), "isBase64Encoded": True}, id="UTF-16"),
        pytest.param({"body": "e30", "isBase64Encoded": True}, id="no padding"),
        pytest.param({"body": "e3 0=", "isBase64Encoded": True}, id="a space"),
        pytest.param({"body": "é", "isBase64Encoded": True}, id="not base64"),
        pytest.param({"body": {"displayName": "x"}}, id="an object"),
        pytest.param({"body": b"{}"}, id="bytes"),
        pytest.param({"body": 5}, id="a number"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused(event: Event) -> None:
    assert status_of({**event, "headers": JSON_HEADERS}) is BAD


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param("x" * MAX_BODY_BYTES, OK, id="the largest"),
        pytest.param("x" * (MAX_BODY_BYTES + 1), TOO_LARGE, id="one more"),
        pytest.param("é" * (MAX_BODY_BYTES // 2), OK, id="the largest, of two bytes each"),
        pytest.param("é" * (MAX_BODY_BYTES // 2) + "x", TOO_LARGE, id="one more byte"),
        pytest.param("\ud800" * (MAX_BODY_BYTES // 3), OK, id="surrogates"),
        pytest.param("\ud800" * MAX_BODY_BYTES, TOO_LARGE, id="too many surrogates"),
    ],
)
def test_a_body_takes_102400_bytes_and_no_more(body: str, status: HTTPStatus) -> None:
    assert MAX_BODY_BYTES == 102_400
    assert status_of({"body": body, "headers": JSON_HEADERS}) is status


@pytest.mark.parametrize(
    ("size", "status"), [(MAX_BODY_BYTES, OK), (MAX_BODY_BYTES + 1, TOO_LARGE)]
)
def test_a_body_in_base64_is_measured_decoded(size: int, status: HTTPStatus) -> None:
    event = {"body": encoded(b"x" * size), "isBase64Encoded": True, "headers": JSON_HEADERS}
    assert status_of(event) is status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json"}, OK),
        ({"content-type": "application/json"}, OK),
        ({"CONTENT-TYPE": "Application/JSON"}, OK),
        ({"Content-Type": "application/json; charset=utf-8"}, OK),
        ({"Content-Type": "application/json;charset=UTF-8"}, OK),
        ({"Content-Type": " application/json "}, OK),
        ({"Content-Type": ""}, OK),
        ({}, OK),
        (None, OK),
        ({"Content-Type": "text/plain"}, NOT_JSON),
        ({"Content-Type": "application/x-www-form-urlencoded"}, NOT_JSON),
        ({"Content-Type": "multipart/form-data; boundary=x"}, NOT_JSON),
        ({"Content-Type": "application/jsonx"}, NOT_JSON),
        ({"Content-Type": "application/json-patch+json"}, NOT_JSON),
        ({"Content-Type": "application/json, text/plain"}, NOT_JSON),
        ({"Content-Type": "text/plain; application/json"}, NOT_JSON),
        ({"Content-Type": "text/html\u00a0"}, NOT_JSON),
    ],
)
def test_a_body_is_json_by_its_type(headers: object, status: HTTPStatus) -> None:
    assert status_of({"body": "{}", "headers": headers}) is status


def test_a_type_does_not_matter_without_a_body() -> None:
    assert status_of({"body": None, "headers": {"Content-Type": "text/plain"}}) is OK


def test_the_type_is_judged_once() -> None:
    event = {"body": None, "headers": {"content-TYPE": "multipart/form-data", "Host": "a"}}
    assert checked(event)["headers"] == {"Host": "a"}


@given(st.text(st.characters()), st.booleans(), st.text(st.characters()))
def test_any_body_is_taken_or_refused(body: str, is_base64: bool, content_type: str) -> None:  # noqa: FBT001 - drawn
    event = {
        "body": body,
        "isBase64Encoded": is_base64,
        "headers": {"Content-Type": content_type},
    }
    assert status_of(event) in {OK, BAD, NOT_JSON}


def fault_of(text: str) -> str:
    with pytest.raises(json.JSONDecodeError) as invalid:
        read_json(text)
    # The text that was read may hold anything: it is not kept.
    assert invalid.value.doc == ""
    return invalid.value.msg


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("{}", {}),
        (' {"a": [1, 2.5, true, null, "\\u00e9"]}\n', {"a": [1, 2.5, True, None, "é"]}),
        ('{"a": {"b": 1}, "b": {"b": 1}}', {"a": {"b": 1}, "b": {"b": 1}}),
        ('{"a": 9007199254740993}', {"a": 9_007_199_254_740_993}),
    ],
)
def test_an_object_is_read(text: str, value: object) -> None:
    assert read_json(text) == value


INVALID: Final = "must be valid JSON"
NO_OBJECT: Final = "must be an object"
REPEATED: Final = "must not contain duplicate members"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", INVALID, id="nothing"),
        pytest.param("{", INVALID, id="half an object"),
        pytest.param("[" * 100_000, INVALID, id="deep, not closed"),
        pytest.param("[]", NO_OBJECT, id="a list"),
        pytest.param('[{"displayName": "x"}]', NO_OBJECT, id="a list of an object"),
        pytest.param('"x"', NO_OBJECT, id="a string"),
        pytest.param("5", NO_OBJECT, id="a number"),
        pytest.param("true", NO_OBJECT, id="a boolean"),
        pytest.param('{"a": 1, "a": 1}', REPEATED, id="a member twice"),
    ],
)
def test_other_text_is_refused(text: str, message: str) -> None:
    assert fault_of(text) == message


@given(st.text(st.characters()) | st.text('{}[]",:0123456789.eE+-ntfalsru\\ '))
def test_any_text_is_an_object_or_refused(text: str) -> None:
    try:
        value = read_json(text)
    except json.JSONDecodeError as invalid:
        assert invalid.msg in {INVALID, NO_OBJECT, REPEATED}  # noqa: PT017 - both outcomes are checked
        return
    assert value is None or isinstance(value, dict)
