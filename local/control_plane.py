"""The part of API Gateway's control plane that the stack calls: flushing authorizer caches.

Paths, statuses and errors are those of `FlushStageAuthorizersCache` (Amazon API Gateway API
reference, version 1) and `ResetAuthorizersCache` (version 2).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from local.api_definition import ApiKind
from local.gateway import Gateway


def control_plane(gateways: Sequence[Gateway]) -> ASGIApp:
    """Make the ASGI application that flushes these gateways' caches."""
    cache = "{api}/stages/{stage}/cache/authorizers"
    return Starlette(
        routes=[
            Route(f"/restapis/{cache}", _flush(gateways, ApiKind.REST, 202), methods=["DELETE"]),
            Route(f"/v2/apis/{cache}", _flush(gateways, ApiKind.HTTP, 204), methods=["DELETE"]),
        ]
    )


def control_plane_environment(url: str) -> Mapping[str, str]:
    """Return the variables by which botocore finds a control plane at a URL."""
    return {"AWS_ENDPOINT_URL_API_GATEWAY": url, "AWS_ENDPOINT_URL_APIGATEWAYV2": url}


def _flush(
    gateways: Sequence[Gateway], kind: ApiKind, status: int
) -> Callable[[Request], Awaitable[Response]]:
    by_stage = {
        (gateway.api.api_id, gateway.api.stage): gateway
        for gateway in gateways
        if gateway.api.kind is kind
    }

    async def answer(request: Request) -> Response:
        stage = (request.path_params["api"], request.path_params["stage"])
        if stage not in by_stage:
            return JSONResponse(
                {"message": "Invalid stage identifier specified"},
                404,
                headers={"x-amzn-ErrorType": "NotFoundException"},
            )
        gateway = by_stage[stage]
        gateway.cache.flush(gateway.api.platform.flush_delay_seconds)
        return Response(status_code=status)

    return answer
