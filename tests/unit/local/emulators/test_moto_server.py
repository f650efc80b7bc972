"""The server that moto answers on, with an app that answers what it was asked."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from http.client import HTTPConnection, RemoteDisconnected
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from werkzeug.wrappers import Request, Response

from keyscope_local.emulators.moto_server import moto_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

NOTHING = "/nothing"


def echo(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
    request = Request(environ)
    status = 204 if request.path == NOTHING else 200
    return Response(request.get_data(), status)(environ, start)


@pytest.fixture
def connection() -> Iterator[HTTPConnection]:
    with moto_server("127.0.0.1", echo) as url, closing(_connected(url)) as connected:
        yield connected


def _connected(url: str) -> HTTPConnection:
    connected = HTTPConnection(urlsplit(url).netloc)
    connected.connect()
    return connected


def asked(connection: HTTPConnection, method: str, path: str, body: bytes | None = None) -> bytes:
    connection.request(method, path, body)
    return connection.getresponse().read()


def test_a_connection_serves_one_request_after_another(connection: HTTPConnection) -> None:
    own_port = connection.sock.getsockname()
    answers = [asked(connection, "POST", "/", body) for body in (b"one", b"", b"three")]
    assert answers == [b"one", b"", b"three"]
    assert connection.sock.getsockname() == own_port


def test_answers_without_a_body_leave_the_connection_usable(connection: HTTPConnection) -> None:
    assert asked(connection, "HEAD", "/", b"of a certain length") == b""
    assert asked(connection, "GET", NOTHING) == b""
    assert asked(connection, "POST", "/", b"still here") == b"still here"


def test_a_client_that_asks_first_may_send_its_body(connection: HTTPConnection) -> None:
    connection.putrequest("PUT", "/")
    connection.putheader("Expect", "100-continue")
    connection.putheader("Content-Length", "4")
    connection.endheaders()
    assert connection.sock.recv(100).startswith(b"HTTP/1.1 100 ")
    connection.send(b"body")
    assert connection.getresponse().read() == b"body"


def test_a_body_in_pieces_arrives_whole(connection: HTTPConnection) -> None:
    connection.request("POST", "/", iter([b"one ", b"two"]), encode_chunked=True)
    assert connection.getresponse().read() == b"one two"


def test_no_connection_outlives_the_server() -> None:
    with moto_server("127.0.0.1", echo) as url:
        connected = _connected(url)
        assert asked(connected, "POST", "/", b"body") == b"body"
    with closing(connected), pytest.raises((RemoteDisconnected, ConnectionError)):
        asked(connected, "POST", "/", b"body")
