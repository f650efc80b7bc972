from dataclasses import replace

import pytest

from keyscope.access.method_arn import ApiStage
from keyscope.authorize.event import (
    AuthorizerRequest,
    read_http_event,
    read_rest_event,
    request_id_of,
)
from keyscope.errors import Reason, Refused, Unavailable
from tests.support.builders import METHOD_ARN, http_event, rest_request_event

STAGE = ApiStage("arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod")
TOKEN_EVENT = {"type": "TOKEN", "authorizationToken": "Basic x", "methodArn": METHOD_ARN}


def websocket_event(**members: object) -> dict[str, object]:
    context = {"eventType": "CONNECT", "identity": {"sourceIp": "192.0.2.7"}}
    arn = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod/$connect"
    return rest_request_event(None, requestContext=context, methodArn=arn, **members)


def test_a_token_event_tells_no_source_address() -> None:
    assert read_rest_event(TOKEN_EVENT) == AuthorizerRequest(
        "Basic x", STAGE, None, has_usage_plans=True
    )


def test_a_request_event_tells_the_source_address() -> None:
    expected = AuthorizerRequest("Basic x", STAGE, "192.0.2.7", has_usage_plans=True)
    assert read_rest_event(rest_request_event("Basic x")) == expected


def test_the_header_name_ignores_case() -> None:
    event = rest_request_event(None, multiValueHeaders={"AUTHORIZATION": ["Basic x"]})
    assert read_rest_event(event).authorization == "Basic x"


def test_single_value_headers_are_enough() -> None:
    event = rest_request_event(None, headers={"Authorization": "Basic x"}, multiValueHeaders=None)
    assert read_rest_event(event).authorization == "Basic x"


def test_no_headers_are_no_credential() -> None:
    event = rest_request_event(None, headers=None, multiValueHeaders=None)
    assert read_rest_event(event).authorization is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ["Basic x", "Basic x"]},
        {"Authorization": ["Basic x"], "authorization": ["Basic y"]},
    ],
)
def test_two_authorization_headers_are_refused(headers: dict[str, list[str]]) -> None:
    with pytest.raises(Refused) as refused:
        read_rest_event(rest_request_event(None, multiValueHeaders=headers))
    assert refused.value.reason is Reason.AMBIGUOUS_CREDENTIAL


def test_a_rest_api_takes_no_credential_from_the_query() -> None:
    event = rest_request_event(None, queryStringParameters={"authorization": "Basic x"})
    assert read_rest_event(event).authorization is None


def test_a_websocket_takes_the_credential_from_the_header() -> None:
    request = read_rest_event(websocket_event(headers={"Authorization": "Basic x"}))
    assert request == AuthorizerRequest("Basic x", STAGE, "192.0.2.7", opens_websocket=True)


def test_a_websocket_takes_the_credential_from_the_query() -> None:
    request = read_rest_event(websocket_event(queryStringParameters={"authorization": "Basic x"}))
    assert request.authorization == "Basic x"


def test_a_websocket_with_a_credential_in_both_places_is_refused() -> None:
    event = websocket_event(
        headers={"Authorization": "Basic x"}, queryStringParameters={"authorization": "Basic x"}
    )
    with pytest.raises(Refused) as refused:
        read_rest_event(event)
    assert refused.value.reason is Reason.AMBIGUOUS_CREDENTIAL


def test_an_http_event_tells_credential_stage_and_address() -> None:
    assert read_http_event(http_event("Basic x")) == AuthorizerRequest(
        "Basic x", replace(STAGE, decodes_path=True), "192.0.2.7"
    )


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="a list"),
        pytest.param({}, id="empty"),
        pytest.param({**TOKEN_EVENT, "type": "OTHER"}, id="another type"),
        pytest.param({**TOKEN_EVENT, "authorizationToken": 1}, id="token a number"),
        pytest.param({**TOKEN_EVENT, "methodArn": None}, id="no method ARN"),
        pytest.param(rest_request_event("x", requestContext=None), id="no context"),
        pytest.param(rest_request_event("x", requestContext={}), id="no identity"),
        pytest.param(rest_request_event("x", multiValueHeaders=[1]), id="headers a list"),
        pytest.param(http_event("x"), id="an HTTP API's event"),
    ],
)
def test_an_event_that_no_rest_api_sends_fails(event: object) -> None:
    with pytest.raises(Unavailable) as unavailable:
        read_rest_event(event)
    assert unavailable.value.reason is Reason.MALFORMED_EVENT


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(rest_request_event("x"), id="a REST API's event"),
        pytest.param(http_event("x", version="1.0"), id="payload 1.0"),
        pytest.param(http_event("x", requestContext={}), id="no context"),
        pytest.param(http_event("x", routeArn="arn"), id="no route ARN"),
    ],
)
def test_an_event_that_no_http_api_sends_fails(event: object) -> None:
    with pytest.raises(Unavailable) as unavailable:
        read_http_event(event)
    assert unavailable.value.reason is Reason.MALFORMED_EVENT


def test_payload_format_1_names_the_setting_to_change() -> None:
    with pytest.raises(Unavailable) as unavailable:
        read_http_event(http_event("x", version="1.0"))
    assert unavailable.value.detail == (
        'payload format 1.0: set AuthorizerPayloadFormatVersion to "2.0"'
    )


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (rest_request_event("x"), "request-1"),
        (http_event("x"), "request-1"),
        (TOKEN_EVENT, None),
        (None, None),
        ({"requestContext": {"requestId": 7}}, None),
    ],
)
def test_the_request_id_is_told_where_there_is_one(event: object, expected: str | None) -> None:
    assert request_id_of(event) == expected


def test_a_request_does_not_print_its_credential() -> None:
    assert "c2VjcmV0" not in repr(read_rest_event(rest_request_event("Basic c2VjcmV0")))


def test_a_request_through_a_vpc_endpoint_is_private() -> None:
    event = rest_request_event("Basic x")
    context = event["requestContext"]
    assert isinstance(context, dict)
    context["identity"] = {"sourceIp": "10.0.0.7", "vpceId": "vpce-0a1b2c3d4e5f"}
    assert read_rest_event(event).api_stage == replace(STAGE, is_private=True)
