"""The server that moto answers on.

werkzeug's own server closes each connection, and then listens for another hundredth of a second to
what a client may still send. For most calls, that takes longer than moto does. This one keeps a
connection open, as AWS does, and sends each answer in one piece.
"""

import contextlib
import socket
from collections.abc import Iterator
from io import BytesIO
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final, cast

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer
from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

POLL_SECONDS: Final = 0.05
"""The longest time until the server notices that it must stop."""
WITHOUT_BODY: Final = (204, 304)


@contextlib.contextmanager
def moto_server(host: str, app: "WSGIApplication") -> Iterator[str]:
    """Serve an app on a free port, and yield its URL. No connection outlives the server."""
    server = _Server(host, app)
    thread = Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadedWSGIServer):
    def __init__(self, host: str, app: "WSGIApplication") -> None:
        self._turn = Lock()
        self._connections: set[socket.socket] = set()
        super().__init__(host, 0, app, _Handler)

    def process_request(self, request: object, client_address: object) -> None:
        connection = cast("socket.socket", request)
        with self._turn:
            self._connections.add(connection)
        super().process_request(connection, client_address)

    def shutdown_request(self, request: object) -> None:
        connection = cast("socket.socket", request)
        with self._turn:
            self._connections.discard(connection)
        super().shutdown_request(connection)

    def server_close(self) -> None:
        super().server_close()
        with self._turn:
            for connection in self._connections:
                # Each thread then reads the end of what its client sends, and closes.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_expect_100(self) -> bool:
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def run_wsgi(self) -> None:
        if "Transfer-Encoding" in self.headers:
            # Where such a body ends is for the app to find out.
            super().run_wsgi()
            return
        environ = self.make_environ()
        environ["wsgi.input"] = BytesIO(self.rfile.read(int(self.headers["Content-Length"] or 0)))
        parts, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        body = b"".join(parts)
        code, _, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        if "Content-Length" not in headers and int(code) not in WITHOUT_BODY:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
