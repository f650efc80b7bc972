"""A line of the access log for each request, in the format of the API's stage."""

import json
import logging
from typing import Any

import pytest

from keyscope_local.gateway.request import GatewayRequest
from keyscope_local.template.intrinsics import TemplateError
from tests.support.local_gateway import (
    AUTHORIZATION,
    NOW,
    TEMPLATE,
    Served,
    policy,
    raising,
    served,
    small_stack,
)

MEMBERS = {
    "status": "status",
    "error": "error.responseType",
    "authorize": "authorize.status",
    "authorizer": "authorizer.status",
    "integration": "integration.status",
    "principal": "authorizer.principalId",
    "key": "authorizer.keyId",
    "route": "resourcePath",
}
HTTP_MEMBERS = {"path": "path", "route": "routeKey", "principal": "authorizer.principalId"}
STAGES = {"Rest": "StageName: prod\n", "Http": "Type: AWS::Serverless::HttpApi\n    Properties:\n"}
SETTINGS = {"Rest": "AccessLogSetting", "Http": "AccessLogSettings"}


def format_of(members: dict[str, str]) -> str:
    return json.dumps({name: f"$context.{variable}" for name, variable in members.items()})


def logging_gateway(api: str, log_format: str) -> Served:
    setting = f"      {SETTINGS[api]}: {{DestinationArn: x, Format: '{log_format}'}}\n"
    template = TEMPLATE.replace(STAGES[api], STAGES[api] + setting)
    return served(small_stack(template=template), api)


def logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(one.message) for one in caplog.records if one.name.endswith(".access")]


@pytest.fixture
def rest(caplog: pytest.LogCaptureFixture) -> Served:
    caplog.set_level(logging.INFO, "keyscope.local")
    return logging_gateway("Rest", format_of(MEMBERS))


def ask(rest: Served, path: str = "/x", *headers: tuple[str, str]) -> None:
    rest.gateway.answer(GatewayRequest("GET", path, headers=headers or [AUTHORIZATION]))


def test_a_request_that_came_through_is_logged_with_who_sent_it(
    rest: Served, caplog: pytest.LogCaptureFixture
) -> None:
    ask(rest)
    (line,) = logged(caplog)
    assert line["principal"] != "-"
    assert {name: line[name] for name in ("status", "error", "authorize", "authorizer")} == {
        "status": "200",
        "error": "-",
        "authorize": "200",
        "authorizer": "200",
    }
    assert (line["integration"], line["route"]) == ("200", "/{proxy+}")


def test_a_refused_request_is_logged_without_a_principal(
    rest: Served, caplog: pytest.LogCaptureFixture
) -> None:
    rest.guard.respond = raising("Unauthorized")
    ask(rest)
    assert logged(caplog) == [
        {
            "status": "401",
            "error": "UNAUTHORIZED",
            "authorize": "-",
            "authorizer": "401",
            "integration": "-",
            "principal": "-",
            "key": "-",
            "route": "/{proxy+}",
        }
    ]


def test_a_denied_request_is_logged_with_who_sent_it(
    rest: Served, caplog: pytest.LogCaptureFixture
) -> None:
    rest.guard.respond = lambda _: {
        "principalId": "app/1",
        "policyDocument": policy("arn:aws:execute-api:*", effect="Deny"),
        "context": {"keyId": "app_1"},
    }
    ask(rest)
    (line,) = logged(caplog)
    assert (line["status"], line["error"], line["authorize"], line["key"]) == (
        "403",
        "ACCESS_DENIED",
        "403",
        "app_1",
    )


def test_a_failed_authorizer_and_a_failed_backend_are_told_apart(
    rest: Served, caplog: pytest.LogCaptureFixture
) -> None:
    rest.backend.respond = raising("broken")
    ask(rest)
    rest.guard.respond = raising("broken")
    ask(rest, "/x", ("authorization", "Basic two"))
    assert [
        (line["error"], line["authorizer"], line["integration"]) for line in logged(caplog)
    ] == [
        ("INTEGRATION_FAILURE", "200", "500"),
        ("AUTHORIZER_FAILURE", "500", "-"),
    ]


def test_an_http_api_logs_its_route_key_and_what_a_caller_sent_stays_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "keyscope.local")
    http = logging_gateway("Http", format_of(HTTP_MEMBERS))
    ask(http, '/a\n"b')
    (line,) = logged(caplog)
    assert (line["path"], line["route"]) == ('/a\n"b', "ANY /{proxy+}")


def test_a_stage_without_an_access_log_writes_none(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "keyscope.local")
    ask(served(small_stack(), "Rest"))
    assert logged(caplog) == []


def test_times_are_the_gateways(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "keyscope.local")
    members = {"time": "requestTimeEpoch", "took": "responseLatency", "length": "responseLength"}
    ask(logging_gateway("Rest", format_of(members)))
    (line,) = logged(caplog)
    assert (line["time"], line["took"]) == (str(NOW * 1_000), "0")


@pytest.mark.parametrize(
    ("api", "variable"),
    [("Rest", "identity.apiKey"), ("Rest", "routeKey"), ("Http", "authorize.status")],
)
def test_a_variable_that_is_not_known_is_refused_by_name(api: str, variable: str) -> None:
    with pytest.raises(TemplateError, match=rf"access log of {api}: \$context\.{variable}"):
        logging_gateway(api, format_of({"x": variable}))
