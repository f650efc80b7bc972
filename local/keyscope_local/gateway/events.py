"""The events that API Gateway sends to authorizers and to the functions behind the routes.

Their shapes are in "Input to an API Gateway Lambda authorizer", "Set up Lambda proxy integrations"
and "Create AWS Lambda proxy integrations for HTTP APIs" in the Amazon API Gateway developer guide.
"""

import base64
import posixpath
import re
import time
from collections.abc import Mapping, Sequence
from typing import Final, assert_never

from keyscope_local.gateway.api_definition import Api, ApiKind
from keyscope_local.gateway.platform_behavior import PlatformBehavior, RepeatedHeader, decoded
from keyscope_local.gateway.request import GatewayRequest, MatchedRoute
from keyscope_local.template.intrinsics import PSEUDO_PARAMETERS

Event = dict[str, object]

_ACCOUNT: Final = PSEUDO_PARAMETERS["AWS::AccountId"]
_NULL_IF_EMPTY: Final = (
    "multiValueQueryStringParameters",
    "pathParameters",
    "queryStringParameters",
    "stageVariables",
)
_REGION: Final = PSEUDO_PARAMETERS["AWS::Region"]


def method_arn(api: Api, request: GatewayRequest, route: MatchedRoute | None = None) -> str:
    """Return the ARN that a policy is matched against, with the requested path."""
    path = _path_in_arn(request, api.platform)
    if route is not None and api.platform.arn_is_route_template:
        path = route.template
    place = f"arn:{PSEUDO_PARAMETERS['AWS::Partition']}:execute-api:{_REGION}:{_ACCOUNT}"
    return f"{place}:{api.api_id}/{api.stage}/{request.method}{path}"


def _path_in_arn(request: GatewayRequest, platform: PlatformBehavior) -> str:
    path = request.sent_path or request.path
    if platform.arn_is_decoded:
        path = decoded(path, platform)
    if not platform.arn_keeps_inner_slashes:
        path = re.sub("/{2,}", "/", path)
    if not platform.arn_keeps_dot_segments and "/." in path:
        end = "/" if path.endswith("/") else ""
        path = posixpath.normpath(path).removesuffix("/") + end
    if not platform.arn_keeps_trailing_slash:
        path = path.rstrip("/") or "/"
    return path


def token_event(api: Api, request: GatewayRequest, route: MatchedRoute, token: str) -> Event:
    """Return the event of a `TOKEN` authorizer."""
    return {
        "type": "TOKEN",
        "methodArn": method_arn(api, request, route),
        "authorizationToken": token,
    }


def request_event(
    api: Api, request: GatewayRequest, route: MatchedRoute, identity: Sequence[str]
) -> Event:
    """Return the event of a `REQUEST` authorizer: REST, or HTTP with payload format 2.0."""
    if api.kind is ApiKind.HTTP:
        return {
            "version": "2.0",
            "type": "REQUEST",
            "routeArn": method_arn(api, request, route),
            "identitySource": list(identity),
            **_http_members(api, request, route),
        }
    return {
        "type": "REQUEST",
        "methodArn": method_arn(api, request, route),
        **_rest_members(api, request, route),
    }


def proxy_event(
    api: Api,
    request: GatewayRequest,
    route: MatchedRoute,
    authorizer: Mapping[str, object] | None,
) -> Event:
    """Return the event of a route's function; `authorizer` is its part of the context."""
    is_rest = api.kind is ApiKind.REST
    members = _rest_members if is_rest else _http_members
    event = members(api, request, route)
    if is_rest:
        # Without parameters, a backend gets null and an authorizer gets an empty object.
        event = {**event, **{name: event[name] or None for name in _NULL_IF_EMPTY}}
    text, is_base64 = _body(request.body, api.kind)
    context = event["requestContext"]
    if authorizer is not None and isinstance(context, dict):
        context["authorizer"] = dict(authorizer)
    event["isBase64Encoded"] = is_base64
    if is_rest or request.body:
        event["body"] = text
    return event if is_rest else {"version": "2.0", **event}


def _rest_members(api: Api, request: GatewayRequest, route: MatchedRoute) -> Event:
    headers = request.multi_value_headers()
    query = request.multi_value_query()
    return {
        "resource": route.template,
        "path": request.path,
        "httpMethod": request.method,
        "headers": _single_values(headers, api.platform),
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()},
        "multiValueQueryStringParameters": query,
        "pathParameters": dict(route.path_parameters),
        "stageVariables": {},
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": api.api_id,
            "stage": api.stage,
            "requestId": request.request_id,
            "resourcePath": route.template,
            "httpMethod": request.method,
            # As with a custom domain, whose URLs do not contain the stage either.
            "path": request.path,
            "domainName": _last(headers.get("host")),
            "protocol": "HTTP/1.1",
            "requestTimeEpoch": int(time.time() * 1_000),
            "identity": {
                "sourceIp": request.source_address,
                "userAgent": _last(headers.get("user-agent")),
            },
        },
    }


def _http_members(api: Api, request: GatewayRequest, route: MatchedRoute) -> Event:
    headers = request.multi_value_headers()
    query = request.multi_value_query()
    route_key = f"{route.method} {route.template}"
    members: Event = {
        "routeKey": route_key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        # Payload format 2.0 joins repeated headers and parameters with commas.
        "headers": _single_values(headers, api.platform),
        "requestContext": {
            "accountId": _ACCOUNT,
            "apiId": api.api_id,
            "stage": api.stage,
            "domainName": _last(headers.get("host")),
            "requestId": request.request_id,
            "routeKey": route_key,
            "timeEpoch": int(time.time() * 1_000),
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.source_address,
                "userAgent": _last(headers.get("user-agent")),
            },
        },
    }
    if route.path_parameters:
        members["pathParameters"] = dict(route.path_parameters)
    if query:
        members["queryStringParameters"] = {name: ",".join(each) for name, each in query.items()}
    return members


def _body(body: bytes, kind: ApiKind) -> tuple[str | None, bool]:
    if not body:
        return None, False
    if kind is ApiKind.REST:
        # Binary media types are not supported here, and without them every body counts as text.
        return body.decode(errors="replace"), False
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(body).decode(), True


def _single_values(
    headers: Mapping[str, Sequence[str]], platform: PlatformBehavior
) -> dict[str, str]:
    match platform.repeated_header:
        case RepeatedHeader.FIRST:
            return {name: values[0] for name, values in headers.items()}
        case RepeatedHeader.LAST:
            return {name: values[-1] for name, values in headers.items()}
        case RepeatedHeader.JOINED:
            return {name: ",".join(values) for name, values in headers.items()}
        case _:
            assert_never(platform.repeated_header)


def _last(values: Sequence[str] | None) -> str | None:
    return values[-1] if values else None
