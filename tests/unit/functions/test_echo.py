import json
from collections.abc import Mapping

import pytest

from functions.echo.app import handler

SECRET = "Basic c2VjcmV0"
CONTEXT = {"keyId": "app_1", "scope": "app"}
REST = {
    "httpMethod": "GET",
    "path": "/v2/apps",
    "headers": {"Authorization": SECRET},
    "requestContext": {
        "authorizer": {**CONTEXT, "principalId": "app/1", "integrationLatency": 3},
    },
}
HTTP = {
    "version": "2.0",
    "rawPath": "/v2/apps",
    "headers": {"authorization": SECRET},
    "requestContext": {"http": {"method": "GET"}, "authorizer": {"lambda": CONTEXT}},
}


def body_of(event: Mapping[str, object]) -> object:
    return json.loads(handler(event, None)["body"])


def test_a_rest_api_is_answered_with_its_authorizers_context() -> None:
    assert body_of(REST) == {
        "method": "GET",
        "path": "/v2/apps",
        "context": {**CONTEXT, "principalId": "app/1"},
    }


def test_an_http_api_is_answered_with_its_authorizers_context() -> None:
    assert body_of(HTTP) == {"method": "GET", "path": "/v2/apps", "context": CONTEXT}


@pytest.mark.parametrize("event", [REST, HTTP], ids=["REST", "HTTP"])
def test_the_credential_is_not_answered(event: Mapping[str, object]) -> None:
    assert SECRET not in str(handler(event, None))


@pytest.mark.parametrize(
    "context", [None, {}, {"authorizer": None}, {"authorizer": {"lambda": None}}]
)
def test_without_a_context_there_is_none_in_the_answer(context: object) -> None:
    event = {"httpMethod": "GET", "path": "/", "requestContext": context}
    assert body_of(event) == {"method": "GET", "path": "/", "context": {}}
