"""The parts of AWS's own endpoints that the stack and its operators call.

Flushes of authorizer caches have the paths, statuses and errors of `FlushStageAuthorizersCache`
(Amazon API Gateway API reference, version 1) and `ResetAuthorizersCache` (version 2). Invocations
of functions have those of `Invoke` (AWS Lambda API reference).
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from keyscope_local.emulators.listening_program import LOOPBACK
from keyscope_local.gateway.api_definition import ApiKind
from keyscope_local.gateway.gateway import Gateway
from keyscope_local.template.function_failure import FunctionFailed
from keyscope_local.template.function_loader import LocalFunction

SIGNED_BY_AN_SDK = "AWS4-HMAC-SHA256 "
"""The beginning of every AWS client's `Authorization`, which no page in a browser can send."""


def control_plane(
    gateways: Sequence[Gateway], functions: Mapping[str, LocalFunction] | None = None
) -> ASGIApp:
    """Build the ASGI application that flushes these gateways' caches and invokes these functions.

    It finds `functions` by their name or ARN, not by their keys in the mapping. A version or an
    alias in the name is ignored, because each function has only one code here.
    """
    cache = "{api}/stages/{stage}/cache/authorizers"
    invocations = "/2015-03-31/functions/{name}/invocations"
    return Starlette(
        routes=[
            Route(f"/restapis/{cache}", _flush(gateways, ApiKind.REST, 202), methods=["DELETE"]),
            Route(f"/v2/apis/{cache}", _flush(gateways, ApiKind.HTTP, 204), methods=["DELETE"]),
            Route(invocations, _invoke(functions or {}), methods=["POST"]),
        ],
        # Otherwise a web page could reach it through a host name of its own that leads to this
        # machine.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK])],
    )


def control_plane_environment(url: str) -> Mapping[str, str]:
    """Return the variables through which botocore finds a control plane at a URL."""
    return {
        "AWS_ENDPOINT_URL_API_GATEWAY": url,
        "AWS_ENDPOINT_URL_APIGATEWAYV2": url,
        "AWS_ENDPOINT_URL_LAMBDA": url,
    }


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


def _invoke(functions: Mapping[str, LocalFunction]) -> Callable[[Request], Awaitable[Response]]:
    by_name = {name: each for each in functions.values() for name in (each.name, each.arn)}

    async def answer(request: Request) -> Response:
        if not request.headers.get("authorization", "").startswith(SIGNED_BY_AN_SDK):
            return _lambda_error(403, "MissingAuthenticationTokenException", "Sign the request")
        name = request.path_params["name"]
        function = by_name.get(name) or by_name.get(name.rpartition(":")[0])
        if function is None:
            return _lambda_error(404, "ResourceNotFoundException", "Function not found")
        try:
            event = json.loads(await request.body() or b"{}")
        except ValueError:
            return _lambda_error(400, "InvalidRequestContentException", "The payload is not JSON")
        try:
            return JSONResponse(await run_in_threadpool(function.invoke, event))
        except FunctionFailed as failed:
            return JSONResponse(
                {"errorType": failed.error_type, "errorMessage": failed.error_message},
                headers={"X-Amz-Function-Error": "Unhandled"},
            )

    return answer


def _lambda_error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"Message": message}, status, headers={"x-amzn-ErrorType": code})
