"""HTTP connections that outlive a call but wait no longer than its time.

`http.client` and `ssl` do the work; the two streams between them and the socket set its timeout
before each wait.
"""

import select
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPMessage, IncompleteRead
from io import BufferedReader, RawIOBase
from ssl import SSLContext, SSLError
from typing import TYPE_CHECKING, NamedTuple
from weakref import finalize

from keyscope.aws.calls import NoAnswer, UnreadableAnswer
from keyscope.aws.deadline import CallTime, Deadlines
from keyscope.aws.lean.endpoint import Endpoint

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECT_SECONDS = 0.5
"""The longest wait for a connection to one address."""
READ_SECONDS = 1.0
"""The longest wait for the next bytes, and for a TLS handshake."""
MAX_ANSWER_BYTES = 1_048_576
"""The largest response, headers included. An item has at most 400 KB (DynamoDB quotas)."""
MAX_IDLE = 10
"""The number of idle connections that are kept."""


# As botocore names its errors, so that the log has one vocabulary.
_CLOSED = "ConnectionClosedError"
_NOT_CONNECTED = "EndpointConnectionError"
_CONNECT_LATE = "ConnectTimeoutError"
_READ_LATE = "ReadTimeoutError"
_TLS_FAILED = "SSLError"


class Request(NamedTuple):
    """An HTTP request; `http.client` adds the length."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Return the class's name, because the headers and the body may contain secrets."""
        return "Request(...)"


class Answer(NamedTuple):
    """An HTTP response. Without a representation, because its body may be a secret."""

    status: int
    headers: HTTPMessage
    body: bytes

    def __repr__(self) -> str:
        """Return the class's name and the status."""
        return f"Answer({self.status}, ...)"


class Connections:
    """The connections to one endpoint, which threads share but never use at the same time.

    `context` is `None` for an endpoint without TLS. `deadlines` bounds the resolver.
    """

    def __init__(
        self, endpoint: Endpoint, deadlines: Deadlines, context: SSLContext | None
    ) -> None:
        """Start without connections."""
        self._endpoint = endpoint
        self._deadlines = deadlines
        self._context = context
        self._idle: list[_Connection] = []
        # Connections that are dropped without `close` are closed, too.
        finalize(self, _hang_up, self._idle)

    @property
    def authority(self) -> str:
        """The header `Host` of requests to the endpoint."""
        return self._endpoint.authority

    def close(self) -> None:
        """Close the idle connections."""
        _hang_up(self._idle)

    def exchange(self, request: Request, call: CallTime, *, fresh: bool = False) -> Answer:
        """Send a request, and return its response.

        A kept connection may have died since: if nothing is answered on it, the request is sent
        again on a new one. With `fresh`, it is sent on a new one right away.

        Raises:
            NoAnswer: the connection fails, or a wait takes too long.
            UnreadableAnswer: the response is larger or longer than it may be.
            DeadlinePassed, RequestTimeUp, TooManyCallsStuck: the time of the call is up.
        """
        kept = None if fresh else self._kept()
        if kept is not None:
            try:
                return self._exchange(kept, request, call)
            except _Dead:
                pass
        try:
            return self._exchange(self._opened(call), request, call)
        except _Dead:
            raise NoAnswer(_CLOSED) from None

    def _kept(self) -> "_Connection | None":
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.is_quiet():
                return connection
            connection.hang_up()
        return None

    def _opened(self, call: CallTime) -> "_Connection":
        host, port = self._endpoint.host, self._endpoint.port
        with _failures_named(_NOT_CONNECTED, call):
            places = self._deadlines.call(
                lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), call
            )
        error: NoAnswer | None = None
        for family, kind, protocol, _, address in places:
            opened = socket.socket(family, kind, protocol)
            try:
                with _failures_named(_NOT_CONNECTED, call, _CONNECT_LATE):
                    opened.settimeout(call.left(CONNECT_SECONDS))
                    opened.connect(address)
                return self._secured(opened, call)
            except NoAnswer as failed:
                opened.close()
                error = failed
            except BaseException:
                opened.close()
                raise
        raise error or NoAnswer(_NOT_CONNECTED)

    def _secured(self, opened: socket.socket, call: CallTime) -> "_Connection":
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._context is not None:
            with _failures_named(_TLS_FAILED, call, _CONNECT_LATE):
                opened.settimeout(call.left(READ_SECONDS))
                opened = self._context.wrap_socket(opened, server_hostname=self._endpoint.host)
        return _Connection(self._endpoint.host, self._endpoint.port, opened)

    def _exchange(self, connection: "_Connection", request: Request, call: CallTime) -> Answer:
        try:
            answer, may_stay = connection.exchange(request, call)
        except BaseException:
            connection.hang_up()
            raise
        if may_stay and len(self._idle) < MAX_IDLE:
            self._idle.append(connection)
        else:
            connection.hang_up()
        return answer


def _hang_up(connections: "list[_Connection]") -> None:
    while connections:
        connections.pop().hang_up()


class _Dead(Exception):  # noqa: N818 - a state
    """A connection closed before any byte of a response arrived."""


@contextmanager
def _failures_named(code: str, call: CallTime, late: str = "") -> Iterator[None]:
    """Raise `NoAnswer` for the network's failures, and the call's own error if its time is up."""
    try:
        yield
    except TimeoutError:
        call.left()
        raise NoAnswer(late or code) from None
    except SSLError:
        raise NoAnswer(_TLS_FAILED) from None
    except OSError:
        raise NoAnswer(code) from None


class _Connection(HTTPConnection):
    """One connection, open from the start, which never opens another one."""

    auto_open = 0

    def __init__(self, host: str, port: int, opened: socket.socket) -> None:
        super().__init__(host, port)
        self._opened = opened

    def is_quiet(self) -> bool:
        """Return whether the other side has neither closed the connection nor sent anything."""
        waiting = select.poll()
        waiting.register(self._opened, select.POLLIN)
        return not waiting.poll(0)

    def hang_up(self) -> None:
        """Close the connection. `close` is what `http.client` calls before it reads a last body."""
        self.close()
        self._opened.close()

    def exchange(self, request: Request, call: CallTime) -> tuple[Answer, bool]:
        """Return the response, and whether the connection can take another request."""
        streams = self.sock = _Streams(self._opened, call)
        with _failures_named(_CLOSED, call, _READ_LATE):
            try:
                self.request(
                    request.method, request.target, request.body or None, dict(request.headers)
                )
                response = self.getresponse()
                if response.length is None and not response.chunked:
                    raise UnreadableAnswer
                # With a limit, `http.client` allocates at most that much, whatever length is
                # announced.
                whole = response.read(MAX_ANSWER_BYTES)
            except TimeoutError:
                raise
            except OSError:
                if streams.source.received == 0:
                    raise _Dead from None
                raise
            except IncompleteRead:
                raise NoAnswer(_CLOSED) from None
            except (HTTPException, ValueError):
                raise UnreadableAnswer from None
        if not response.isclosed():
            raise NoAnswer(_CLOSED)
        if streams.reader.surplus:
            raise UnreadableAnswer
        return Answer(response.status, response.headers, whole), not response.will_close


class _Streams:
    """What `http.client` uses of a socket, with the time of one call."""

    def __init__(self, opened: socket.socket, call: CallTime) -> None:
        self._opened = opened
        self._call = call
        self.source = _Source(opened, call)
        self.reader = _Reader(self.source)

    def sendall(self, octets: bytes) -> None:
        self._opened.settimeout(self._call.left(READ_SECONDS))
        self._opened.sendall(octets)

    def makefile(self, _: str) -> "_Reader":
        return self.reader

    def close(self) -> None:
        """Leave the socket open, which takes the next request or is closed by `hang_up`."""


class _Source(RawIOBase):
    """The bytes of one response, no more than a response may have."""

    def __init__(self, opened: socket.socket, call: CallTime) -> None:
        self._opened = opened
        self._call = call
        self.received = 0
        self.is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        if self.is_over:
            return 0
        self._opened.settimeout(self._call.left(READ_SECONDS))
        count = self._opened.recv_into(buffer)
        self.received += count
        if self.received > MAX_ANSWER_BYTES:
            raise UnreadableAnswer
        return count


class _Reader(BufferedReader):
    """Reads a response; `surplus` is true if bytes were left over at its end."""

    def __init__(self, source: _Source) -> None:
        super().__init__(source)
        self._source = source
        self.surplus = False

    def close(self) -> None:
        if not self.closed:
            self._source.is_over = True
            self.surplus = bool(self.peek(1))
        super().close()
