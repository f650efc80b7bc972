"""Hostile events: whatever a handler is given, it never allows what was not proven."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.authorize.answer import AuthorizerFailed, Unauthorized
from keyscope.authorize.event import read_http_event, read_rest_event, request_id_of
from keyscope.entry.authorizer import AuthorizerHandler, authorizer_handler
from keyscope.model.secret import new_secret
from tests.support.builders import METHOD_ARN, basic, http_event, rest_request_event
from tests.support.logs import functions_log_here
from tests.support.profile import EXAMPLES
from tests.support.seeded_aws import Context, SeededAws, seeded_aws

NAMES: Final = (
    "type",
    "version",
    "methodArn",
    "routeArn",
    "authorizationToken",
    "headers",
    "multiValueHeaders",
    "Authorization",
    "queryStringParameters",
    "requestContext",
    "identity",
    "http",
    "sourceIp",
    "eventType",
    "requestId",
)
ANY_TEXT: Final = st.text(st.characters(), max_size=20)
WORDS: Final = st.sampled_from(["REQUEST", "TOKEN", "2.0", "CONNECT", METHOD_ARN, "Basic x"])
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | ANY_TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | ANY_TEXT, inner, max_size=8)
    ),
    max_leaves=20,
)


@dataclass(frozen=True)
class Served:
    """Both handlers, and events with a credential that is wrong and one that is right."""

    handlers: Mapping[str, AuthorizerHandler]
    wrong: Mapping[str, dict[str, Any]]
    right: Mapping[str, dict[str, Any]]


def events_with(value: str) -> dict[str, dict[str, Any]]:
    token = {"type": "TOKEN", "methodArn": METHOD_ARN, "authorizationToken": value}
    websocket = rest_request_event(value)
    context = cast("Mapping[str, object]", websocket["requestContext"])
    websocket["requestContext"] = {**context, "eventType": "CONNECT"}
    return {
        "rest": rest_request_event(value),
        "token": token,
        "websocket": websocket,
        "http": http_event(value),
    }


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with seeded_aws() as aws:
        yield served_over(aws)


def served_over(aws: SeededAws) -> Served:
    key = aws.keys.app_key
    rest = authorizer_handler("events_rest", read_rest_event, aws.variables)
    return Served(
        {
            "rest": rest,
            "token": rest,
            "websocket": rest,
            "http": authorizer_handler("events_http", read_http_event, aws.variables),
        },
        events_with(basic(key.key_id, new_secret(key.key_id))),
        events_with(basic(key.key_id, key.secret)),
    )


KINDS: Final = ("rest", "token", "websocket", "http")


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_credential_is_let_in(kind: str, served: Served) -> None:
    assert served.handlers[kind](served.right[kind], Context())["policyDocument"]["Statement"]


@pytest.mark.parametrize("kind", ["rest", "http"])
@given(JSON)
@settings(max_examples=EXAMPLES)
def test_no_json_is_allowed(kind: str, served: Served, event: object) -> None:
    with pytest.raises((Unauthorized, AuthorizerFailed)):
        served.handlers[kind](event, Context())


def replaced(event: dict[str, Any], steps: Sequence[int], value: object) -> dict[str, Any]:
    """Return the event with the member that the steps lead to replaced."""
    changed = copy.deepcopy(event)
    inside: Any = changed
    place, name = changed, next(iter(changed))
    for step in steps:
        place, name = inside, sorted(inside)[step % len(inside)]
        inside = place[name]
        if not isinstance(inside, dict) or not inside:
            break
    place[name] = value
    return changed


STEPS: Final = st.lists(st.integers(0, 11), min_size=1, max_size=4)


@pytest.mark.parametrize("kind", KINDS)
@given(STEPS, JSON)
@settings(max_examples=EXAMPLES)
def test_no_change_of_an_event_lets_a_wrong_secret_in(
    kind: str, served: Served, steps: list[int], value: object
) -> None:
    event = replaced(served.wrong[kind], steps, value)
    with pytest.raises((Unauthorized, AuthorizerFailed)):
        served.handlers[kind](event, Context())


def allowed_resources(handler: AuthorizerHandler, event: object) -> list[str]:
    """Return what is allowed, nothing for a refusal or a failure."""
    try:
        statements = handler(event, Context())["policyDocument"]["Statement"]
    except (Unauthorized, AuthorizerFailed):
        return []
    return [
        resource
        for statement in statements
        if statement["Effect"] == "Allow"
        for resource in statement["Resource"]
    ]


@pytest.mark.parametrize("kind", KINDS)
@given(STEPS, JSON)
@settings(max_examples=EXAMPLES)
def test_no_change_of_an_event_widens_what_the_right_secret_reaches(
    kind: str, served: Served, steps: list[int], value: object
) -> None:
    stage = METHOD_ARN.removesuffix("GET/v2/apps")
    resources = allowed_resources(served.handlers[kind], replaced(served.right[kind], steps, value))
    assert [resource for resource in resources if not resource.startswith(stage)] == []


def test_a_request_id_that_cannot_be_written_is_not_told() -> None:
    assert request_id_of({"requestContext": {"requestId": "half a pair \ud800"}}) is None


def test_a_request_id_that_cannot_be_written_does_not_lose_the_log_line(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {**served.wrong["rest"], "requestContext": {"requestId": "\ud800", "identity": {}}}
    with functions_log_here("events_rest"), pytest.raises(Unauthorized):
        served.handlers["rest"](event, Context())
    written = capsys.readouterr()
    assert '"reason":"wrong_secret"' in written.out
    assert written.err == ""
