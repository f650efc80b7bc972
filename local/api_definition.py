"""The REST and HTTP APIs of a stack: routes, authorizers, identity sources, gateway responses.

They are read from the OpenAPI documents that SAM makes of the template. What the local gateway
does not support is refused here, before it serves anything.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast

from local.intrinsics import Json, TemplateError
from local.template import Stack, physical_id_of, properties_of

ANY_METHOD: Final = "ANY"
DEFAULT_TTL_SECONDS: Final = {"REST": 300, "HTTP": 0}
"""How long results are cached when the template does not say (`authorizerResultTtlInSeconds`)."""

_METHODS = {"get", "head", "post", "put", "patch", "delete", "options"}
_FUNCTION_URI = re.compile(r".*:lambda:path/2015-03-31/functions/arn:[^/]*:function:([^:/]+).*")
_IDENTITY_SOURCE = re.compile(
    r"(?:method\.request|\$request)\.(header|querystring)\.([A-Za-z0-9_-]+)"
)
_SOURCE_ADDRESS = ("context.identity.sourceIp", "$context.identity.sourceIp")


class ApiKind(StrEnum):
    """What sort of API it is."""

    REST = "REST"
    HTTP = "HTTP"


class AuthorizerKind(StrEnum):
    """Which event an authorizer gets."""

    TOKEN = "token"  # noqa: S105 - the name of an event type
    REQUEST = "request"


class IdentityPlace(StrEnum):
    """Where an identity source is in a request."""

    HEADER = "header"
    QUERY = "querystring"
    SOURCE_ADDRESS = "source address"


@dataclass(frozen=True, slots=True)
class IdentitySource:
    """A part of the request that the authorizer's results are cached by."""

    place: IdentityPlace
    name: str = ""


@dataclass(frozen=True, slots=True)
class Authorizer:
    """An authorizer as an API attaches it. `function` is the logical id of its function."""

    name: str
    kind: AuthorizerKind
    function: str
    identity_sources: Sequence[IdentitySource]
    ttl_seconds: int
    validation_expression: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionIntegration:
    """The function that answers a route, by logical id, called by proxy."""

    function: str


@dataclass(frozen=True, slots=True)
class MockIntegration:
    """An answer that API Gateway itself gives."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """A path template with a method, or `ANY`; `authorizer` names one of the API's."""

    method: str
    template: str
    integration: FunctionIntegration | MockIntegration
    authorizer: str | None


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """How a REST API answers one type of error; `status` is nothing where the type's own stays."""

    status: int | None
    headers: Mapping[str, str]
    template: str | None


@dataclass(frozen=True, slots=True)
class Cors:
    """An HTTP API's CORS settings."""

    allow_origins: Sequence[str]
    allow_methods: Sequence[str]
    allow_headers: Sequence[str]
    max_age_seconds: int


@dataclass(frozen=True, slots=True)
class Api:
    """One API with its one stage."""

    kind: ApiKind
    logical_id: str
    api_id: str
    stage: str
    routes: Sequence[Route]
    authorizers: Mapping[str, Authorizer]
    gateway_responses: Mapping[str, GatewayResponse]
    cors: Cors | None = None


_API_TYPES = {"AWS::ApiGateway::RestApi": ApiKind.REST, "AWS::ApiGatewayV2::Api": ApiKind.HTTP}
_STAGE_TYPES = {"AWS::ApiGateway::Stage": "RestApiId", "AWS::ApiGatewayV2::Stage": "ApiId"}


def read_apis(stack: Stack) -> Sequence[Api]:
    """Return the APIs of a stack, in the template's order.

    Raises:
        TemplateError: naming what the local gateway does not support.
    """
    return [
        _read_api(stack, logical_id, _API_TYPES[str(resource["Type"])])
        for logical_id, resource in stack.resources.items()
        if resource["Type"] in _API_TYPES
    ]


def _read_api(stack: Stack, logical_id: str, kind: ApiKind) -> Api:
    body = cast("Json", properties_of(stack, logical_id)["Body"])
    # OpenAPI 3 has them among its components; without `OpenApiVersion` SAM writes Swagger 2.
    components = cast("Json", body.get("components", {}))
    schemes = cast(
        "Mapping[str, Json]", components.get("securitySchemes", body.get("securityDefinitions", {}))
    )
    authorizers = {
        name: _read_authorizer(stack, kind, name, scheme) for name, scheme in schemes.items()
    }
    responses = cast("Mapping[str, Json]", body.get("x-amazon-apigateway-gateway-responses", {}))
    cors = body.get("x-amazon-apigateway-cors")
    return Api(
        kind=kind,
        logical_id=logical_id,
        api_id=physical_id_of(stack, logical_id),
        stage=_stage_of(stack, logical_id),
        routes=list(_read_routes(stack, body, authorizers)),
        authorizers=authorizers,
        gateway_responses={
            name: _read_gateway_response(response) for name, response in responses.items()
        },
        cors=_read_cors(cast("Json", cors)) if cors else None,
    )


def _stage_of(stack: Stack, api: str) -> str:
    api_id = physical_id_of(stack, api)
    names = [
        str(properties["StageName"])
        for resource in stack.resources.values()
        if (member := _STAGE_TYPES.get(str(resource["Type"])))
        and (properties := cast("Json", resource["Properties"]))[member] == api_id
    ]
    if len(names) != 1:
        message = f"{api} has the stages {names}; the local gateway serves exactly one"
        raise TemplateError(message)
    return names[0]


def _read_authorizer(stack: Stack, kind: ApiKind, name: str, scheme: Json) -> Authorizer:
    members = cast("Json", scheme.get("x-amazon-apigateway-authorizer", {}))
    if members.get("type") not in {*AuthorizerKind}:
        message = f"The authorizer {name} is not a Lambda authorizer; no other is supported here"
        raise TemplateError(message)
    if kind is ApiKind.HTTP and (
        members.get("authorizerPayloadFormatVersion") != "2.0"
        or members.get("enableSimpleResponses")
    ):
        message = f"The authorizer {name} must use payload format 2.0 without simple responses"
        raise TemplateError(message)
    authorizer_kind = AuthorizerKind(str(members["type"]))
    source = members.get("identitySource", "")
    sources = source.split(",") if isinstance(source, str) else cast("list[str]", source)
    if authorizer_kind is AuthorizerKind.TOKEN:
        sources = [f"method.request.header.{scheme['name']}"]
    expression = members.get("identityValidationExpression")
    return Authorizer(
        name=name,
        kind=authorizer_kind,
        function=_function_of(stack, members["authorizerUri"]),
        identity_sources=[_read_identity_source(name, text) for text in sources if text],
        ttl_seconds=int(
            str(members.get("authorizerResultTtlInSeconds", DEFAULT_TTL_SECONDS[kind]))
        ),
        validation_expression=None if expression is None else str(expression),
    )


def _read_identity_source(authorizer: str, text: str) -> IdentitySource:
    if text.strip() in _SOURCE_ADDRESS:
        return IdentitySource(IdentityPlace.SOURCE_ADDRESS)
    if found := _IDENTITY_SOURCE.fullmatch(text.strip()):
        return IdentitySource(IdentityPlace(found[1]), found[2])
    message = f"The identity source {text!r} of the authorizer {authorizer} is not supported here"
    raise TemplateError(message)


def _read_routes(
    stack: Stack, body: Json, authorizers: Mapping[str, Authorizer]
) -> Iterator[Route]:
    for template, methods in cast("Mapping[str, Json]", body["paths"]).items():
        for key, operation in cast("Mapping[str, Json]", methods).items():
            where = f"{key} {template}"
            yield Route(
                method=_method_of(key, where),
                template=template,
                integration=_read_integration(
                    stack, cast("Json", operation["x-amazon-apigateway-integration"]), where
                ),
                authorizer=_authorizer_of(operation, authorizers, where),
            )


def _method_of(key: str, where: str) -> str:
    if key == "x-amazon-apigateway-any-method":
        return ANY_METHOD
    if key not in _METHODS:
        message = f"{where}: the local gateway does not know this method"
        raise TemplateError(message)
    return key.upper()


def _authorizer_of(
    operation: Json, authorizers: Mapping[str, Authorizer], where: str
) -> str | None:
    security = cast("list[Json]", operation.get("security", []))
    names = [name for requirement in security for name in requirement if name != "NONE"]
    if not names:
        return None
    if len(names) > 1 or names[0] not in authorizers:
        message = f"{where}: is guarded by {names}; the API's authorizers are {[*authorizers]}"
        raise TemplateError(message)
    return names[0]


def _read_integration(
    stack: Stack, integration: Json, where: str
) -> FunctionIntegration | MockIntegration:
    match str(integration["type"]).lower():
        case "aws_proxy":
            return FunctionIntegration(_function_of(stack, integration["uri"]))
        case "mock":
            responses = cast("Mapping[str, Json]", integration["responses"])
            response = responses["default"]
            parameters = cast("Mapping[str, str]", response.get("responseParameters", {}))
            return MockIntegration(
                status=int(str(response["statusCode"])),
                headers=_static_headers(parameters, "method.response.header."),
            )
        case other:
            message = f"{where}: an integration of type {other} is not supported here"
            raise TemplateError(message)


def _function_of(stack: Stack, uri: object) -> str:
    found = _FUNCTION_URI.fullmatch(str(uri))
    for logical_id, physical_id in stack.physical_ids.items():
        if found and physical_id == found[1]:
            return logical_id
    message = f"{uri!r} calls no function of this template"
    raise TemplateError(message)


def _read_gateway_response(response: Json) -> GatewayResponse:
    templates = cast("Mapping[str, str]", response.get("responseTemplates", {}))
    parameters = cast("Mapping[str, str]", response.get("responseParameters", {}))
    status = response.get("statusCode")
    return GatewayResponse(
        status=None if status is None else int(str(status)),
        headers=_static_headers(parameters, "gatewayresponse.header."),
        template=templates.get("application/json"),
    )


def _static_headers(parameters: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Read `PREFIX.Name: "'value'"`; the inner quotes mark a static value."""
    headers = {}
    for key, value in parameters.items():
        if not key.startswith(prefix) or not re.fullmatch(r"'.*'", str(value)):
            message = f"{key}: {value!r} is not a header with a static value"
            raise TemplateError(message)
        headers[key.removeprefix(prefix)] = str(value)[1:-1]
    return headers


def _read_cors(cors: Json) -> Cors:
    return Cors(
        allow_origins=cast("list[str]", cors.get("allowOrigins", [])),
        allow_methods=cast("list[str]", cors.get("allowMethods", [])),
        allow_headers=cast("list[str]", cors.get("allowHeaders", [])),
        max_age_seconds=int(str(cors.get("maxAge", 0))),
    )
