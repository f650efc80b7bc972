from pathlib import Path

import pytest

from local.api_definition import (
    ApiKind,
    AuthorizerKind,
    FunctionIntegration,
    GatewayResponse,
    IdentityPlace,
    IdentitySource,
    MockIntegration,
    read_apis,
)
from local.intrinsics import TemplateError
from tests.support.local_gateway import (
    HTTP_AUTHORIZER,
    REQUEST_AUTHORIZER,
    TEMPLATE,
    api_of,
    small_stack,
)

TOKEN_AUTHORIZER = (
    "{FunctionArn: !GetAtt Guard.Arn, FunctionPayloadType: TOKEN,"
    ' Identity: {Header: X-Token, ValidationExpression: "t.*"}}'
)


def refusal_of(folder: Path, **changes: str) -> str:
    with pytest.raises(TemplateError) as refused:
        read_apis(small_stack(folder, **changes))
    return str(refused.value)


def test_both_apis_are_read_with_their_stages(tmp_path: Path) -> None:
    apis = read_apis(small_stack(tmp_path))
    assert [(api.logical_id, api.kind, api.stage) for api in apis] == [
        ("Rest", ApiKind.REST, "prod"),
        ("Http", ApiKind.HTTP, "$default"),
    ]


@pytest.mark.parametrize(("api", "ttl_seconds"), [("Rest", 60), ("Http", 60)])
def test_a_request_authorizer_is_read(api: str, ttl_seconds: int, tmp_path: Path) -> None:
    guard = api_of(small_stack(tmp_path), api).authorizers["Guard"]
    assert (guard.kind, guard.function) == (AuthorizerKind.REQUEST, "Guard")
    assert guard.identity_sources == [IdentitySource(IdentityPlace.HEADER, "Authorization")]
    assert guard.ttl_seconds == ttl_seconds


def test_a_token_authorizer_is_read(tmp_path: Path) -> None:
    guard = api_of(small_stack(tmp_path, TOKEN_AUTHORIZER), "Rest").authorizers["Guard"]
    assert guard.kind is AuthorizerKind.TOKEN
    assert guard.identity_sources == [IdentitySource(IdentityPlace.HEADER, "X-Token")]
    assert guard.validation_expression == "t.*"


@pytest.mark.parametrize(
    ("api", "authorizer", "seconds"),
    [("rest_authorizer", REQUEST_AUTHORIZER, 300), ("http_authorizer", HTTP_AUTHORIZER, 0)],
)
def test_without_a_time_in_the_template_aws_own_default_counts(
    api: str, authorizer: str, seconds: int, tmp_path: Path
) -> None:
    stack = small_stack(tmp_path, **{api: authorizer.replace(", ReauthorizeEvery: 60", "")})
    name = {"rest_authorizer": "Rest", "http_authorizer": "Http"}[api]
    assert api_of(stack, name).authorizers["Guard"].ttl_seconds == seconds


def test_identity_sources_may_be_headers_parameters_and_the_source_address(
    tmp_path: Path,
) -> None:
    identity = "{Headers: [A], QueryStrings: [b], Context: [identity.sourceIp]"
    authorizer = REQUEST_AUTHORIZER.replace("{Headers: [Authorization]", identity)
    guard = api_of(small_stack(tmp_path, authorizer), "Rest").authorizers["Guard"]
    assert guard.identity_sources == [
        IdentitySource(IdentityPlace.HEADER, "A"),
        IdentitySource(IdentityPlace.QUERY, "b"),
        IdentitySource(IdentityPlace.SOURCE_ADDRESS),
    ]


def test_the_preflight_is_an_answer_of_the_gateway_without_authorizer(tmp_path: Path) -> None:
    routes = {route.method: route for route in api_of(small_stack(tmp_path), "Rest").routes}
    assert isinstance(routes["OPTIONS"].integration, MockIntegration)
    assert routes["OPTIONS"].authorizer is None


def test_every_other_route_is_a_function_behind_the_authorizer(tmp_path: Path) -> None:
    routes = {route.method: route for route in api_of(small_stack(tmp_path), "Rest").routes}
    assert routes["ANY"].integration == FunctionIntegration("Backend")
    assert routes["ANY"].authorizer == "Guard"


def test_gateway_responses_are_read(tmp_path: Path) -> None:
    responses = api_of(small_stack(tmp_path), "Rest").gateway_responses
    assert responses["UNAUTHORIZED"] == GatewayResponse(
        status=None,
        headers={"WWW-Authenticate": "Basic"},
        template='{"code":"$context.error.responseType","id":"$context.requestId"}',
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        pytest.param(
            {"rest_authorizer": REQUEST_AUTHORIZER.replace("Headers:", "StageVariables:")},
            "The identity source 'stageVariables.Authorization'",
            id="a stage variable",
        ),
        pytest.param(
            {"http_authorizer": HTTP_AUTHORIZER.replace('"2.0"', '"1.0"')},
            "must use payload format 2.0",
            id="payload format 1.0",
        ),
        pytest.param(
            {
                "http_authorizer": HTTP_AUTHORIZER.replace(
                    "Identity", "EnableSimpleResponses: true, Identity"
                )
            },
            "without simple responses",
            id="simple responses",
        ),
        pytest.param(
            {"rest_authorizer": "{UserPoolArn: arn:aws:cognito-idp:us-east-1:1:userpool/x}"},
            "Guard is not a Lambda authorizer",
            id="a Cognito authorizer",
        ),
        pytest.param(
            {"template": TEMPLATE.replace("\"'Basic'\"", "context.requestId")},
            "is not a header with a static value",
            id="a header that is not static",
        ),
        pytest.param(
            {
                "template": TEMPLATE + "  Second: {Type: 'AWS::ApiGateway::Stage', Properties:"
                " {RestApiId: !Ref Rest, StageName: second}}\n"
            },
            "the local gateway serves exactly one",
            id="two stages",
        ),
    ],
)
def test_what_the_gateway_does_not_support_is_refused(
    changes: dict[str, str], told: str, tmp_path: Path
) -> None:
    assert told in refusal_of(tmp_path, **changes)
