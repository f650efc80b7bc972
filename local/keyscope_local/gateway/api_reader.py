"""Reads the REST and HTTP APIs of a stack from the OpenAPI documents that SAM generates.

It rejects what the local gateway does not support, by name, before the gateway serves anything.
"""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final, cast

from keyscope_local.gateway.access_log import VARIABLE as LOG_VARIABLE
from keyscope_local.gateway.access_log import is_known
from keyscope_local.gateway.api_definition import (
    ANY_METHOD,
    Api,
    ApiKind,
    Authorizer,
    Cors,
    FunctionIntegration,
    GatewayResponse,
    MockIntegration,
    Route,
)
from keyscope_local.gateway.authorizer_reader import function_of, read_authorizer
from keyscope_local.gateway.platform_behavior import PlatformBehavior
from keyscope_local.gateway.responses import AUTHORIZER_VARIABLE, VARIABLE, VARIABLES
from keyscope_local.gateway.usage_plan_reader import read_usage_plans
from keyscope_local.template.intrinsics import Json, TemplateError, is_true, text_of, whole_number
from keyscope_local.template.stack import MISSHAPEN, Stack, physical_id_of, properties_of

_EXTENSION: Final = "x-amazon-apigateway-"
_ANY_METHOD: Final = f"{_EXTENSION}any-method"
_METHODS: Final = {"get", "head", "post", "put", "patch", "delete", "options", _ANY_METHOD}
_INTEGRATION: Final = f"{_EXTENSION}integration"
_GATEWAY_RESPONSES: Final = f"{_EXTENSION}gateway-responses"
_CORS: Final = f"{_EXTENSION}cors"
_UNSUPPORTED_PROPERTIES: Final = frozenset({"BinaryMediaTypes", "BodyS3Location", "Policy"})
_API_TYPES = {"AWS::ApiGateway::RestApi": ApiKind.REST, "AWS::ApiGatewayV2::Api": ApiKind.HTTP}
_UNSUPPORTED_TYPES: Final = {
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGateway::GatewayResponse",
    "AWS::ApiGateway::Method",
    "AWS::ApiGatewayV2::Authorizer",
    "AWS::ApiGatewayV2::Route",
}
_ACCESS_LOG_SETTINGS: Final = {
    ApiKind.REST: "AccessLogSetting",
    ApiKind.HTTP: "AccessLogSettings",
}
_STAGE_TYPES = {"AWS::ApiGateway::Stage": "RestApiId", "AWS::ApiGatewayV2::Stage": "ApiId"}


def read_apis(stack: Stack, behaviors: Mapping[ApiKind, PlatformBehavior] = {}) -> list[Api]:
    """Return the APIs of a stack, in the template's order; `behaviors` says what to assume.

    Raises:
        TemplateError: with the name of what the local gateway does not support.
    """
    for logical_id, resource in stack.resources.items():
        if resource["Type"] in _UNSUPPORTED_TYPES:
            message = f"{logical_id}: {resource['Type']} is not supported here"
            raise TemplateError(message)
    return [
        replace(api, behavior=behaviors.get(api.kind))
        for logical_id, resource in stack.resources.items()
        if resource["Type"] in _API_TYPES
        for api in [_checked_api(stack, logical_id, _API_TYPES[str(resource["Type"])])]
    ]


def _checked_api(stack: Stack, logical_id: str, kind: ApiKind) -> Api:
    try:
        return _read_api(stack, logical_id, kind)
    except KeyError as error:
        message = f"{logical_id}: its definition has no {error}"
        raise TemplateError(message) from error
    except MISSHAPEN as error:
        message = f"{logical_id}: its definition cannot be read: {error}"
        raise TemplateError(message) from error


def _read_api(stack: Stack, logical_id: str, kind: ApiKind) -> Api:
    body = _body_of(stack, logical_id)
    # OpenAPI 3 has them in its components; without `OpenApiVersion`, SAM writes Swagger 2.
    components = cast("Json", body.get("components", {}))
    schemes = cast(
        "Mapping[str, Json]", components.get("securitySchemes", body.get("securityDefinitions", {}))
    )
    authorizers = {
        name: read_authorizer(stack, kind, logical_id, name, scheme)
        for name, scheme in schemes.items()
        if not _is_api_gateway_key(scheme)
    }
    key_schemes = schemes.keys() - authorizers.keys()
    stage_properties = _stage_of(stack, logical_id)
    stage = text_of(stage_properties["StageName"], f"The stage of {logical_id}")
    responses = cast("Mapping[str, Json]", body.get(_GATEWAY_RESPONSES, {}))
    cors = body.get(_CORS)
    return Api(
        kind=kind,
        logical_id=logical_id,
        api_id=physical_id_of(stack, logical_id),
        stage=stage,
        routes=_read_routes(stack, body, authorizers, key_schemes, logical_id),
        authorizers=authorizers,
        gateway_responses={
            name: _read_gateway_response(name, response) for name, response in responses.items()
        },
        cors=_read_cors(cast("Json", cors)) if cors else None,
        usage_plans=read_usage_plans(stack, logical_id, stage) if kind is ApiKind.REST else {},
        access_log_format=_read_access_log_format(stage_properties, kind, logical_id),
    )


def _body_of(stack: Stack, api: str) -> Json:
    properties = properties_of(stack, api)
    if "Body" not in properties:
        message = f"{api} has no OpenAPI document in the template; WebSocket APIs have none"
        raise TemplateError(message)
    body = cast("Json", properties["Body"])
    _check_members(body, api, {_GATEWAY_RESPONSES, _CORS})
    endpoints = cast("Json", properties.get("EndpointConfiguration") or {})
    if "PRIVATE" in cast("list[str]", endpoints.get("Types") or []):
        message = (
            f"{api}: a PRIVATE API is not supported here, because its requests arrive through a"
            f" VPC endpoint. Use REGIONAL for the local run"
        )
        raise TemplateError(message)
    for name in _UNSUPPORTED_PROPERTIES & properties.keys():
        message = f"{api}: {name} is not supported here"
        raise TemplateError(message)
    return body


def _check_members(members: Json, where: str, known: set[str]) -> None:
    """Reject members that affect API Gateway but that the local gateway would ignore."""
    for name in members:
        if name.startswith(_EXTENSION) and name not in known:
            message = f"{where}: {name} is not supported here"
            raise TemplateError(message)


def _stage_of(stack: Stack, api: str) -> Json:
    api_id = physical_id_of(stack, api)
    stages = [
        properties
        for resource in stack.resources.values()
        if (member := _STAGE_TYPES.get(str(resource["Type"])))
        and (properties := cast("Json", resource["Properties"]))[member] == api_id
    ]
    if len(stages) != 1:
        names = [str(stage["StageName"]) for stage in stages]
        message = f"{api} has the stages {names}; the local gateway serves exactly one"
        raise TemplateError(message)
    return stages[0]


def _read_access_log_format(stage: Json, kind: ApiKind, api: str) -> str | None:
    settings = cast("Json", stage.get(_ACCESS_LOG_SETTINGS[kind], {}))
    if not settings:
        return None
    log_format = str(settings["Format"])
    for variable in LOG_VARIABLE.findall(log_format):
        if not is_known(variable, kind):
            message = f"The access log of {api}: {variable} is not supported here"
            raise TemplateError(message)
    return log_format


def _read_routes(
    stack: Stack,
    body: Json,
    authorizers: Mapping[str, Authorizer],
    keys: AbstractSet[str],
    api: str,
) -> list[Route]:
    routes = list(_each_route(stack, body, authorizers, keys))
    source = properties_of(stack, api).get("ApiKeySourceType", "HEADER")
    if source != "AUTHORIZER" and any(route.api_key_required for route in routes):
        message = f"{api}: ApiKeySourceType {source} is not supported here, only AUTHORIZER"
        raise TemplateError(message)
    return routes


def _each_route(
    stack: Stack, body: Json, authorizers: Mapping[str, Authorizer], keys: AbstractSet[str]
) -> Iterator[Route]:
    for template, methods in cast("Mapping[str, Json]", body["paths"]).items():
        for key, operation in cast("Mapping[str, Json]", methods).items():
            where = f"{key.removeprefix(_EXTENSION)} {template}"
            _check_members(operation, where, {_INTEGRATION})
            yield Route(
                method=_method_of(key, template),
                template=template,
                integration=_read_integration(stack, cast("Json", operation[_INTEGRATION]), where),
                authorizer=_authorizer_of(operation, authorizers, keys, where),
                api_key_required=not keys.isdisjoint(_guards_of(operation)),
            )


def _method_of(key: str, template: str) -> str:
    if key not in _METHODS or not template.startswith("/"):
        message = f"{key} {template}: such a route is not supported here"
        raise TemplateError(message)
    return ANY_METHOD if key == _ANY_METHOD else key.upper()


def _is_api_gateway_key(scheme: Json) -> bool:
    """Return whether a security scheme is API Gateway's own key, as SAM writes it."""
    return scheme.get("name") == "x-api-key" and "x-amazon-apigateway-authorizer" not in scheme


def _guards_of(operation: Json) -> list[str]:
    security = cast("list[Json]", operation.get("security", []))
    return [name for requirement in security for name in requirement if name != "NONE"]


def _authorizer_of(
    operation: Json, authorizers: Mapping[str, Authorizer], keys: AbstractSet[str], where: str
) -> str | None:
    names = [name for name in _guards_of(operation) if name not in keys]
    if not names:
        return None
    if len(names) > 1 or names[0] not in authorizers:
        message = f"{where}: requires {names}, and the API's authorizers are {[*authorizers]}"
        raise TemplateError(message)
    return names[0]


def _read_integration(
    stack: Stack, integration: Json, where: str
) -> FunctionIntegration | MockIntegration:
    match str(integration["type"]).lower():
        case "aws_proxy" if str(integration.get("payloadFormatVersion")) == "1.0":
            message = (
                f"{where}: payload format 1.0 is not supported here."
                ' Set PayloadFormatVersion to "2.0"'
            )
            raise TemplateError(message)
        case "aws_proxy":
            return FunctionIntegration(function_of(stack, integration["uri"]))
        case "mock":
            responses = cast("Mapping[str, Json]", integration["responses"])
            response = responses["default"]
            parameters = cast("Mapping[str, str]", response.get("responseParameters", {}))
            return MockIntegration(
                status=whole_number(response["statusCode"], where),
                headers=_static_headers(parameters, "method.response.header."),
            )
        case other:
            message = f"{where}: an integration of type {other} is not supported here"
            raise TemplateError(message)


def _read_gateway_response(name: str, response: Json) -> GatewayResponse:
    templates = cast("Mapping[str, str]", response.get("responseTemplates", {}))
    template = templates.get("application/json")
    for variable in VARIABLE.findall(template or ""):
        if variable not in VARIABLES and not variable.startswith(AUTHORIZER_VARIABLE):
            message = f"The gateway response {name}: {variable} is not supported here"
            raise TemplateError(message)
    parameters = cast("Mapping[str, str]", response.get("responseParameters", {}))
    status = response.get("statusCode")
    return GatewayResponse(
        status=None if status is None else whole_number(status, f"The gateway response {name}"),
        headers=_static_headers(parameters, "gatewayresponse.header."),
        template=template,
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
    origins = cast("list[str]", cors.get("allowOrigins", []))
    for origin in origins:
        if "*" in origin and origin != "*":
            message = f"{_CORS}: the origin {origin!r} is not supported here"
            raise TemplateError(message)
    return Cors(
        allow_origins=origins,
        allow_methods=cast("list[str]", cors.get("allowMethods", [])),
        allow_headers=cast("list[str]", cors.get("allowHeaders", [])),
        max_age_seconds=whole_number(cors.get("maxAge", 0), f"{_CORS}: maxAge"),
        expose_headers=cast("list[str]", cors.get("exposeHeaders", [])),
        allow_credentials=is_true(cors.get("allowCredentials")),
    )
