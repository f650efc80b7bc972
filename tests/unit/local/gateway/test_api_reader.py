"""The APIs of a template: what is read, and what is refused by name."""

import pytest

from keyscope_local.gateway.api_definition import (
    ApiKind,
    AuthorizerKind,
    Cors,
    FunctionIntegration,
    GatewayResponse,
    IdentityPlace,
    IdentitySource,
    MockIntegration,
)
from keyscope_local.gateway.api_reader import read_apis
from keyscope_local.template.intrinsics import TemplateError
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


FOREIGN_ARN = "arn:aws:lambda:us-east-1:123456789012:function:elsewhere"
WEB_SOCKET_API = "{Type: AWS::ApiGatewayV2::Api, Properties: {ProtocolType: WEBSOCKET}}"
LONE_METHOD = "{Type: AWS::ApiGateway::Method, Properties: {HttpMethod: GET}}"
BARE_API = "{Type: AWS::ApiGateway::RestApi, Properties: {Policy: {}, Body: {paths: {}}}}"
MOCK = "x-amazon-apigateway-integration: {type: mock}"
VALIDATED = f"get: {{x-amazon-apigateway-request-validator: all, {MOCK}}}"
ELSEWHERE = "get: {x-amazon-apigateway-integration: {type: http_proxy}}"
UNDECLARED = (
    "get: {security: [{Other: []}], x-amazon-apigateway-integration:"
    ' {type: mock, responses: {default: {statusCode: "200"}}}}'
)


def with_operation(operation: str) -> str:
    """Write an API with one path and its stage, without SAM."""
    return (
        "{Type: AWS::ApiGateway::RestApi, Properties: {Body: {paths: {/a: {OPERATION}}}}}\n"
        "  BareStage:"
        " {Type: AWS::ApiGateway::Stage, Properties: {RestApiId: !Ref Bare, StageName: one}}"
    ).replace("OPERATION", operation)


def replaced(old: str, new: str) -> str:
    """Return the template with its one place changed."""
    assert TEMPLATE.count(old) == 1
    return TEMPLATE.replace(old, new)


def refusal_of(**changes: str) -> str:
    with pytest.raises(TemplateError) as refused:
        read_apis(small_stack(**changes))
    return str(refused.value)


def test_both_apis_are_read_with_their_stages() -> None:
    apis = read_apis(small_stack())
    assert [(api.logical_id, api.kind, api.stage) for api in apis] == [
        ("Rest", ApiKind.REST, "prod"),
        ("Http", ApiKind.HTTP, "$default"),
    ]


@pytest.mark.parametrize(("api", "ttl_seconds"), [("Rest", 60), ("Http", 60)])
def test_a_request_authorizer_is_read(api: str, ttl_seconds: int) -> None:
    guard = api_of(small_stack(), api).authorizers["Guard"]
    assert (guard.kind, guard.function) == (AuthorizerKind.REQUEST, "Guard")
    assert guard.identity_sources == [IdentitySource(IdentityPlace.HEADER, "Authorization")]
    assert guard.ttl_seconds == ttl_seconds


def test_a_token_authorizer_is_read() -> None:
    guard = api_of(small_stack(TOKEN_AUTHORIZER), "Rest").authorizers["Guard"]
    assert guard.kind is AuthorizerKind.TOKEN
    assert guard.identity_sources == [IdentitySource(IdentityPlace.HEADER, "X-Token")]
    assert guard.validation_expression == "t.*"


@pytest.mark.parametrize(
    ("api", "authorizer", "seconds"),
    [("rest_authorizer", REQUEST_AUTHORIZER, 300), ("http_authorizer", HTTP_AUTHORIZER, 0)],
)
def test_without_a_time_in_the_template_aws_own_default_counts(
    api: str, authorizer: str, seconds: int
) -> None:
    stack = small_stack(**{api: authorizer.replace(", ReauthorizeEvery: 60", "")})
    name = {"rest_authorizer": "Rest", "http_authorizer": "Http"}[api]
    assert api_of(stack, name).authorizers["Guard"].ttl_seconds == seconds


@pytest.mark.parametrize(
    "settings",
    [
        "AuthorizerPayloadFormatVersion: 2.0",
        'AuthorizerPayloadFormatVersion: "2.0", EnableSimpleResponses: "false"',
        "AuthorizerPayloadFormatVersion: 2.0, EnableSimpleResponses: false",
    ],
)
def test_values_count_with_and_without_quotes(settings: str) -> None:
    authorizer = HTTP_AUTHORIZER.replace('AuthorizerPayloadFormatVersion: "2.0"', settings)
    authorizer = authorizer.replace("ReauthorizeEvery: 60", 'ReauthorizeEvery: "60"')
    guard = api_of(small_stack(http_authorizer=authorizer), "Http").authorizers["Guard"]
    assert guard.ttl_seconds == 60


def test_identity_sources_may_be_headers_parameters_and_the_source_address() -> None:
    identity = "{Headers: [A], QueryStrings: [b], Context: [identity.sourceIp]"
    authorizer = REQUEST_AUTHORIZER.replace("{Headers: [Authorization]", identity)
    guard = api_of(small_stack(authorizer), "Rest").authorizers["Guard"]
    assert guard.identity_sources == [
        IdentitySource(IdentityPlace.HEADER, "A"),
        IdentitySource(IdentityPlace.QUERY, "b"),
        IdentitySource(IdentityPlace.SOURCE_ADDRESS),
    ]


def test_stage_and_cache_time_may_come_from_parameters() -> None:
    template = "Parameters: {Seconds: {Type: Number, Default: 7}}" + TEMPLATE
    authorizer = REQUEST_AUTHORIZER.replace("60", "!Ref Seconds")
    guard = api_of(small_stack(authorizer, template=template), "Rest").authorizers
    assert guard["Guard"].ttl_seconds == 7


def test_an_authorizer_may_be_attached_through_its_alias() -> None:
    template = TEMPLATE.replace("{CodeUri: guard}", "{CodeUri: guard, AutoPublishAlias: live}")
    authorizer = REQUEST_AUTHORIZER.replace("!GetAtt Guard.Arn", "!Ref Guard.Alias")
    guard = api_of(small_stack(authorizer, template=template), "Rest").authorizers
    assert guard["Guard"].function == "Guard"


def test_a_route_may_do_without_the_authorizer() -> None:
    template = TEMPLATE.replace("!Ref Rest, ", "!Ref Rest, Auth: {Authorizer: NONE}, ")
    (route,) = [
        route
        for route in api_of(small_stack(template=template), "Rest").routes
        if route.method == "ANY"
    ]
    assert route.authorizer is None


def test_open_api_3_is_read_like_swagger_2() -> None:
    template = TEMPLATE.replace("StageName: prod", "StageName: prod\n      OpenApiVersion: 3.0.1")
    by_swagger = api_of(small_stack(), "Rest")
    assert api_of(small_stack(template=template), "Rest") == by_swagger


def test_the_cors_settings_are_read() -> None:
    template = TEMPLATE.replace(
        "MaxAge: 5",
        "MaxAge: 5, AllowHeaders: [X-A], ExposeHeaders: [X-B], AllowCredentials: true",
    )
    assert api_of(small_stack(template=template), "Http").cors == Cors(
        allow_origins=["https://a.example"],
        allow_methods=["GET"],
        allow_headers=["X-A"],
        max_age_seconds=5,
        expose_headers=["X-B"],
        allow_credentials=True,
    )


def test_the_preflight_is_an_answer_of_the_gateway_without_authorizer() -> None:
    routes = {route.method: route for route in api_of(small_stack(), "Rest").routes}
    assert isinstance(routes["OPTIONS"].integration, MockIntegration)
    assert routes["OPTIONS"].authorizer is None


def test_every_other_route_is_a_function_behind_the_authorizer() -> None:
    routes = {route.method: route for route in api_of(small_stack(), "Rest").routes}
    assert routes["ANY"].integration == FunctionIntegration("Backend")
    assert routes["ANY"].authorizer == "Guard"


def test_gateway_responses_are_read() -> None:
    responses = api_of(small_stack(), "Rest").gateway_responses
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
            "uses payload format 1.0, which Keyscope does not support."
            ' Set AuthorizerPayloadFormatVersion to "2.0"',
            id="payload format 1.0",
        ),
        pytest.param(
            {
                "http_authorizer": HTTP_AUTHORIZER.replace(
                    "Identity", "EnableSimpleResponses: true, Identity"
                )
            },
            "path. Set EnableSimpleResponses to false",
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
            {"template": replaced("$context.error.responseType", "$context.stage")},
            "The gateway response UNAUTHORIZED: $context.stage is not supported",
            id="a variable of a gateway response",
        ),
        pytest.param(
            {
                "template": TEMPLATE + "  Second: {Type: 'AWS::ApiGateway::Stage', Properties:"
                " {RestApiId: !Ref Rest, StageName: second}}\n"
            },
            "Rest has the stages ['second', 'prod']; the local gateway serves exactly one",
            id="two stages",
        ),
        pytest.param(
            {
                "http_authorizer": HTTP_AUTHORIZER.replace(
                    "Headers: [Authorization], ReauthorizeEvery: 60", "ReauthorizeEvery: 60"
                )
            },
            "The authorizer Guard caches its results, so it needs an identity source",
            id="a cache that everyone would share",
        ),
        pytest.param(
            {"rest_authorizer": REQUEST_AUTHORIZER.replace("!GetAtt Guard.Arn", FOREIGN_ARN)},
            "does not name a function of this template",
            id="an authorizer of another stack",
        ),
        pytest.param(
            {
                "template": replaced(
                    "ANY}}\n        Http", "ANY, Auth: {Authorizer: AWS_IAM}}}\n        Http"
                )
            },
            "AWS_IAM is not a Lambda authorizer",
            id="IAM",
        ),
        pytest.param(
            {
                "template": replaced(
                    "DefaultAuthorizer: Guard\n        Add", "ApiKeyRequired: true\n        Add"
                )
            },
            "Rest: ApiKeySourceType HEADER is not supported",
            id="API Gateway keys from a header",
        ),
        pytest.param(
            {
                "template": replaced(
                    "        AddDefault",
                    "        ResourcePolicy: {IpRangeDenylist: [192.0.2.0/24]}\n        AddDefault",
                )
            },
            "Rest: x-amazon-apigateway-policy is not supported",
            id="a resource policy",
        ),
        pytest.param(
            {
                "template": replaced(
                    "StageName: prod",
                    "StageName: prod\n      EndpointConfiguration: {Type: PRIVATE}",
                )
            },
            "Rest: a PRIVATE API is not supported",
            id="a private API",
        ),
        pytest.param(
            {
                "template": replaced(
                    "StageName: prod", "StageName: prod\n      BinaryMediaTypes: [a/b]"
                )
            },
            "Rest: x-amazon-apigateway-binary-media-types is not supported",
            id="binary media types",
        ),
        pytest.param(
            {"template": replaced("!Ref Http, ", '!Ref Http, PayloadFormatVersion: "1.0", ')},
            "any-method /{proxy+}: payload format 1.0 is not supported",
            id="payload format 1.0 of a backend",
        ),
        pytest.param(
            {
                "http_authorizer": HTTP_AUTHORIZER.replace(
                    "Identity", 'EnableSimpleResponses: "true", Identity'
                )
            },
            "path. Set EnableSimpleResponses to false",
            id="simple responses, with quotes",
        ),
        pytest.param(
            {
                "http_authorizer": HTTP_AUTHORIZER.replace(
                    "ReauthorizeEvery: 60", "ReauthorizeEvery: soon"
                )
            },
            "The cache time of the authorizer Guard: a whole number was expected, not 'soon'",
            id="a time that is no number",
        ),
        pytest.param(
            {"template": f"{TEMPLATE}  Bare: {with_operation('get: {}')}\n"},
            "Bare: its definition has no 'x-amazon-apigateway-integration'",
            id="an operation without an integration",
        ),
        pytest.param(
            {"template": f"{TEMPLATE}  Bare: {with_operation('get: 7')}\n"},
            "Bare: its definition cannot be read: ",
            id="an operation that is none",
        ),
        pytest.param(
            {"template": replaced(', Path: "/{proxy+}", Method: ANY}}\n  Rest', "}}\n  Rest")},
            "$default: such a route is not supported",
            id="the default route",
        ),
        pytest.param(
            {"template": replaced("https://a.example", "https://*")},
            "the origin 'https://*' is not supported",
            id="any origin of a scheme",
        ),
        pytest.param(
            {"template": f"{TEMPLATE}  Talk: {WEB_SOCKET_API}\n"},
            "Talk is a WebSocket API; the local gateway serves only REST and HTTP APIs",
            id="a WebSocket API",
        ),
        pytest.param(
            {"template": f"{TEMPLATE}  More: {LONE_METHOD}\n"},
            "More: AWS::ApiGateway::Method is not supported",
            id="a method outside the OpenAPI document",
        ),
        pytest.param(
            {"template": f"{TEMPLATE}  Bare: {BARE_API}\n"},
            "Bare: Policy is not supported",
            id="a resource policy of an API without SAM",
        ),
        pytest.param(
            {"template": f"{TEMPLATE}  Bare: {with_operation('trace: {}')}\n"},
            "trace /a: such a route is not supported",
            id="an unknown method",
        ),
        pytest.param(
            {"template": f"{TEMPLATE}  Bare: {with_operation(VALIDATED)}\n"},
            "get /a: x-amazon-apigateway-request-validator is not supported",
            id="a request validator",
        ),
        pytest.param(
            {"template": f"{TEMPLATE}  Bare: {with_operation(ELSEWHERE)}\n"},
            "get /a: an integration of type http_proxy is not supported",
            id="an integration over HTTP",
        ),
        pytest.param(
            {"template": f"{TEMPLATE}  Bare: {with_operation(UNDECLARED)}\n"},
            "get /a: requires ['Other'], and the API's authorizers are []",
            id="an authorizer that is not declared",
        ),
    ],
)
def test_what_the_gateway_does_not_support_is_refused(changes: dict[str, str], told: str) -> None:
    assert told in refusal_of(**changes)
