"""CORS headers and preflight responses of an HTTP API with CORS settings.

The rules are in "Configure CORS for HTTP APIs" in the Amazon API Gateway developer guide. A REST
API has no such settings: its preflight is a route, and its gateway responses have the headers that
the template gives them.
"""

from typing import Final

from keyscope_local.gateway.api_definition import Api, Cors
from keyscope_local.gateway.request import GatewayAnswer, GatewayRequest, Headers

_PREFIX: Final = "access-control-"


def preflight_answer(api: Api, request: GatewayRequest) -> GatewayAnswer | None:
    """Answer a preflight, which never reaches a route or an authorizer, or return `None`."""
    asks = request.header_values(f"{_PREFIX}request-method")
    if api.cors is None or request.method != "OPTIONS" or not (asks and _origin_of(request)):
        return None
    headers: Headers = []
    if _allowed_origin(api.cors, request):
        headers = [
            (f"{_PREFIX}allow-methods", ",".join(api.cors.allow_methods)),
            (f"{_PREFIX}allow-headers", ",".join(api.cors.allow_headers).lower()),
            (f"{_PREFIX}max-age", str(api.cors.max_age_seconds)),
            *_origin_headers(api.cors, request),
        ]
    return GatewayAnswer(204, headers)


def with_cors(api: Api, request: GatewayRequest, answer: GatewayAnswer) -> GatewayAnswer:
    """Replace the backend's CORS headers, which are ignored, with the API's."""
    if api.cors is None:
        return answer
    own = [pair for pair in answer.headers if not pair[0].lower().startswith(_PREFIX)]
    headers = [*own, *_origin_headers(api.cors, request)]
    return GatewayAnswer(answer.status, headers, answer.body, answer.cache)


def _origin_headers(cors: Cors, request: GatewayRequest) -> Headers:
    origin = _allowed_origin(cors, request)
    if origin is None:
        return []
    headers = [(f"{_PREFIX}allow-origin", origin)]
    if cors.allow_credentials:
        headers.append((f"{_PREFIX}allow-credentials", "true"))
    if cors.expose_headers:
        headers.append((f"{_PREFIX}expose-headers", ",".join(cors.expose_headers)))
    return headers


def _allowed_origin(cors: Cors, request: GatewayRequest) -> str | None:
    origin = _origin_of(request)
    if origin is None:
        return None
    return next((allowed for allowed in cors.allow_origins if allowed in ("*", origin)), None)


def _origin_of(request: GatewayRequest) -> str | None:
    origins = request.header_values("origin")
    return origins[-1] if origins else None
