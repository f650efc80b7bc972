"""Serves the local gateway over HTTP on 127.0.0.1, on one port for each API."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from keyscope_local.emulators.listening_program import LOOPBACK
from keyscope_local.gateway.gateway import Gateway
from keyscope_local.gateway.request import GatewayRequest

CACHE_HEADER: Final = "x-keyscope-cache"
REQUEST_ID_HEADER: Final = "x-amzn-requestid"
START_SECONDS: Final = 10
MAX_BODY_BYTES: Final = 10 * 1024 * 1024
"""API Gateway's payload quota."""
_FRAMING: Final = {"connection", "content-length", "transfer-encoding"}
"""Headers that the server sets; a function's values would contradict them."""
_FORWARDED_PROTO: Final = "x-forwarded-proto"
"""The header that tells functions which protocol the API was called with; API Gateway sets it."""
_BODILESS: Final = {204, 304}
"""Statuses for which HTTP allows no body (RFC 9110, section 6.4.1)."""


class PortTaken(Exception):  # noqa: N818 - a state
    """Another program listens on the port; the text says how to choose another port."""


def application(gateway: Gateway) -> ASGIApp:
    """Build the ASGI application of one API."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await _answer(gateway, request)
        await response(scope, receive, send)

    return serve


def read_request(request: Request, body: bytes) -> GatewayRequest:
    """Read an HTTP request, with its path as sent."""
    headers = [
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in request.scope["headers"]
    ]
    return GatewayRequest(
        method=request.method,
        path=request.scope["raw_path"].decode("latin-1"),
        query=request.scope["query_string"].decode("latin-1"),
        headers=[
            *(header for header in headers if header[0] != _FORWARDED_PROTO),
            (_FORWARDED_PROTO, request.url.scheme),
        ],
        body=body,
        source_address=request.client.host if request.client else LOOPBACK,
    )


async def _answer(gateway: Gateway, request: Request) -> Response:
    received = read_request(request, await request.body())
    if len(received.body) > MAX_BODY_BYTES:
        return Response('{"message":"Request Too Long"}', 413, media_type="application/json")
    answer = await run_in_threadpool(gateway.answer, received)
    response = Response(b"" if answer.status in _BODILESS else answer.body, answer.status)
    for name, value in answer.headers:
        if name.lower() not in _FRAMING:
            response.headers.append(name, value)
    response.headers[CACHE_HEADER] = answer.cache
    response.headers[REQUEST_ID_HEADER] = received.request_id
    return response


@contextmanager
def serving(gateways: Sequence[Gateway], first_port: int) -> Iterator[list[str]]:
    """Serve each gateway on the next port, counted from the first; yield their base URLs.

    With a first port of 0, the system chooses free ports.

    Raises:
        PortTaken: a port is in use.
    """
    with ExitStack() as running:
        ports = [first_port and first_port + index for index in range(len(gateways))]
        sockets = [running.enter_context(bound(port)) for port in ports]
        with served(*zip(map(application, gateways), sockets, strict=True)):
            yield [url_of(listener) for listener in sockets]


def url_of(listener: socket.socket) -> str:
    """Return the base URL served on a socket that `bound` returned."""
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"


def bound(port: int) -> socket.socket:
    """Return a socket bound to a port of 127.0.0.1; for 0, the system chooses a free one.

    Raises:
        PortTaken: the port is in use.
    """
    # With an explicit protocol, asyncio turns Nagle's algorithm off for the connections.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as error:
        listener.close()
        message = (
            f"Port {port} of {LOOPBACK} is in use ({error.strerror}). "
            "Choose another, as in `keyscope up --port 3100`."
        )
        raise PortTaken(message) from error
    return listener


@contextmanager
def served(*applications: tuple[ASGIApp, socket.socket]) -> Iterator[None]:
    """Serve each application on its bound socket, in a thread of its own.

    A server takes 0.3 s to stop, so all of them stop at the same time.
    """
    servers = [_server(app) for app, _ in applications]
    threads = [
        threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        for server, (_, listener) in zip(servers, applications, strict=True)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + START_SECONDS
    for server, thread in zip(servers, threads, strict=True):
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
    try:
        yield
    finally:
        for server in servers:
            server.should_exit = True
        for thread in threads:
            thread.join()


def _server(app: ASGIApp) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        # As in API Gateway, the source address is the connection's, regardless of the headers.
        proxy_headers=False,
        lifespan="off",
        ws="none",
    )
    return uvicorn.Server(config)
