"""Reads the Lambda authorizers of an API from the OpenAPI document that SAM generates."""

import re
from typing import Final, cast

from keyscope_local.gateway.api_definition import (
    ApiKind,
    Authorizer,
    AuthorizerKind,
    IdentityPlace,
    IdentitySource,
)
from keyscope_local.gateway.invoke_permission import what_is_missing
from keyscope_local.template.intrinsics import Json, TemplateError, is_true, text_of, whole_number
from keyscope_local.template.stack import Stack

DEFAULT_TTL_SECONDS: Final = {ApiKind.REST: 300, ApiKind.HTTP: 0}
"""How long results are cached unless the template says otherwise
(`authorizerResultTtlInSeconds`)."""

_FUNCTION_URI = re.compile(
    r".*:lambda:path/2015-03-31/functions/(arn:[^/]*:function:([^:/]+)[^/]*)/invocations"
)
_IDENTITY_SOURCE = re.compile(
    r"(?:method\.request|\$request)\.(header|querystring)\.([A-Za-z0-9_-]+)"
)
_PAYLOAD_FORMAT: Final = "2.0"
_SOURCE_ADDRESS = ("context.identity.sourceIp", "$context.identity.sourceIp")


def read_authorizer(stack: Stack, kind: ApiKind, api: str, name: str, scheme: Json) -> Authorizer:
    """Read a security scheme of the OpenAPI document of an API, by its logical id.

    Raises:
        TemplateError: it is not a Lambda authorizer, or one that is not supported here.
    """
    members = cast("Json", scheme.get("x-amazon-apigateway-authorizer", {}))
    _check_kind(members, kind, name)
    authorizer_kind = AuthorizerKind(str(members["type"]))
    source = members.get("identitySource", "")
    sources = source.split(",") if isinstance(source, str) else cast("list[str]", source)
    if authorizer_kind is AuthorizerKind.TOKEN:
        sources = [f"method.request.header.{scheme['name']}"]
    ttl_seconds = whole_number(
        members.get("authorizerResultTtlInSeconds", DEFAULT_TTL_SECONDS[kind]),
        f"The cache time of the authorizer {name}",
    )
    if ttl_seconds and not any(sources):
        message = f"The authorizer {name} caches its results, so it needs an identity source"
        raise TemplateError(message)
    expression = members.get("identityValidationExpression")
    role = members.get("authorizerCredentials")
    function, arn = _function_and_arn(stack, members.get("authorizerUri"))
    return Authorizer(
        name=name,
        kind=authorizer_kind,
        function=function,
        identity_sources=[_read_identity_source(name, text) for text in sources if text],
        ttl_seconds=ttl_seconds,
        validation_expression=None if expression is None else str(expression),
        not_invocable=what_is_missing(stack, api, arn, None if role is None else str(role)),
    )


def _check_kind(members: Json, kind: ApiKind, name: str) -> None:
    if members.get("type") not in {*AuthorizerKind}:
        message = f"The authorizer {name} is not a Lambda authorizer; no other is supported here"
        raise TemplateError(message)
    if kind is not ApiKind.HTTP:
        return
    version = text_of(members.get("authorizerPayloadFormatVersion", "none"), name)
    if version != _PAYLOAD_FORMAT:
        message = (
            f"The authorizer {name} uses payload format {version}, which Keyscope does not support."
            f' Set AuthorizerPayloadFormatVersion to "{_PAYLOAD_FORMAT}"'
        )
        raise TemplateError(message)
    if is_true(members.get("enableSimpleResponses")):
        message = (
            f"The authorizer {name} enables simple responses, which API Gateway would cache for"
            " every path. Set EnableSimpleResponses to false"
        )
        raise TemplateError(message)


def _read_identity_source(authorizer: str, text: str) -> IdentitySource:
    if text.strip() in _SOURCE_ADDRESS:
        return IdentitySource(IdentityPlace.SOURCE_ADDRESS)
    if found := _IDENTITY_SOURCE.fullmatch(text.strip()):
        return IdentitySource(IdentityPlace(found[1]), found[2])
    message = f"The identity source {text!r} of the authorizer {authorizer} is not supported here"
    raise TemplateError(message)


def function_of(stack: Stack, uri: object) -> str:
    """Return the logical id of the function that an authorizer or an integration calls.

    Raises:
        TemplateError: it is not a function of this stack.
    """
    return _function_and_arn(stack, uri)[0]


def _function_and_arn(stack: Stack, uri: object) -> tuple[str, str]:
    found = _FUNCTION_URI.fullmatch(str(uri))
    for logical_id, physical_id in stack.physical_ids.items():
        if found and physical_id == found[2]:
            return logical_id, found[1]
    message = f"{uri!r} does not name a function of this template"
    raise TemplateError(message)
