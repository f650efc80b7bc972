"""Whatever a server does, a call ends in its time, and only AWS's answers are answers."""

import ssl
import time
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from socket import socket
from typing import Final

import pytest

from keyscope.aws.calls import CallError, NoAnswer, ServiceError, UnreadableAnswer
from keyscope.aws.deadline import DeadlinePassed, Deadlines
from keyscope.aws.lean.client import LeanClient
from keyscope.aws.lean.connection import MAX_ANSWER_BYTES
from tests.support.tls import Act, Authority, served
from tests.unit.keyscope.aws.lean.clients import PLAIN, noted, read

EMPTY: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def client_of(url: str, bundle: Path | None = None, seconds: float = 30) -> LeanClient:
    named = {"AWS_CA_BUNDLE": str(bundle)} if bundle else {}
    environment = {**PLAIN, "AWS_ENDPOINT_URL": url, **named}
    return noted(LeanClient(environment, Deadlines(call_seconds=seconds), sleep=lambda _: None))


def saying(octets: bytes, *, hangs_up: bool = False) -> Act:
    def act(connection: socket) -> None:
        connection.sendall(octets)
        if hangs_up:
            connection.shutdown(2)

    return act


def reply(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\ncontent-length: {size}\r\n\r\n".encode() + body


def dripping(octets: bytes) -> Act:
    def act(connection: socket) -> None:
        for octet in octets:
            connection.sendall(bytes([octet]))
            time.sleep(0.02)

    return act


def flooding(head: bytes, piece: bytes) -> Act:
    def act(connection: socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return act


def silent(connection: socket) -> None:
    connection.recv(1)


UNREADABLE: Final = {
    "no HTTP": saying(b"\x15\x03\x01\x00\x02\x02\x46" * 9 + b"\r\n\r\n"),
    "HTTP 0.9": saying(b"{}", hangs_up=True),
    "HTML": saying(reply(b"<html>")),
    "nothing": saying(reply(b"")),
    "a list": saying(reply(b"[]")),
    "deeply nested": saying(reply(b"[" * 200_000)),
    "a member twice": saying(reply(b'{"Item": {}, "Item": {"key_id": {"S": "app_2"}}}')),
    "not a number": saying(reply(b'{"Item": {"format": {"N": NaN}}}')),
    "an item without types": saying(reply(b'{"Item": {"key_id": "app_1"}}')),
    "no item but a message": saying(reply(b'{"message": "sorry"}')),
    "a wrong checksum": saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-amz-crc32: 1\r\n\r\n{}"),
    "no length": saying(b"HTTP/1.1 200 OK\r\n\r\n{}", hangs_up=True),
    "a negative length": saying(b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}", hangs_up=True),
    "more than it says": saying(reply(b"{}{}", length=2)),
    "a chunk that is no number": saying(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n{}\r\n0\r\n\r\n"
    ),
    "a chunk of negative size": saying(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n"
    ),
    "too many headers": flooding(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
    "a header without an end": flooding(b"HTTP/1.1 200 OK\r\na: ", b"b" * 65_536),
    "interim answers without an end": flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 999),
    "100 MB": flooding(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n", b" " * 65_536),
    "chunks without an end": flooding(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 9_999
    ),
    "a redirect that says success": saying(reply(b"", "204 No Content")),
}
CUT: Final = {
    "before a status": saying(b"", hangs_up=True),
    "in the status": saying(b"HTTP/1.1 2", hangs_up=True),
    "in the headers": saying(b"HTTP/1.1 200 OK\r\ncontent-le", hangs_up=True),
    "in the body": saying(reply(b'{"Item": {"ke', length=99), hangs_up=True),
    "after a body that is whole, but shorter than it says": saying(
        reply(b"{}", length=99), hangs_up=True
    ),
    "in a chunk of a terabyte": saying(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffff\r\n{}", hangs_up=True
    ),
    "between chunks": saying(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n", hangs_up=True
    ),
}


@pytest.mark.parametrize("act", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_answer_of_aws_is_an_outage(act: Act) -> None:
    with served(act) as port, pytest.raises(CallError) as failed:
        read(client_of(f"http://127.0.0.1:{port}"))
    assert isinstance(failed.value, UnreadableAnswer | ServiceError | NoAnswer)


@pytest.mark.parametrize("act", CUT.values(), ids=CUT)
def test_an_answer_that_is_cut_off_is_an_outage(act: Act) -> None:
    with served(act) as port, pytest.raises(CallError):
        read(client_of(f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply(b'{"__type": "com.amazonaws#AccessDeniedException"}', "400 X"), "AccessDenied"),
        (reply(b'{"__type": "ThrottlingException", "message": "m"}', "400 X"), "Throttling"),
        (reply(b"<html>", "400 X"), "400"),
        (reply(b"<html>", "502 X"), "502"),
        (reply(b"", "302 X"), "302"),
        (reply(b'{"__type": "a b\\n"}', "500 X"), "500"),
        (reply(b'{"__type": ["x"]}', "500 X"), "500"),
    ],
)
def test_an_error_is_told_by_its_code_alone(answer: bytes, code: str) -> None:
    with served(saying(answer)) as port, pytest.raises(ServiceError) as failed:
        read(client_of(f"http://127.0.0.1:{port}"))
    assert str(failed.value).removesuffix("Exception") == code


@pytest.mark.parametrize(
    "act",
    [silent, dripping(EMPTY), dripping(reply(b" " * 9_999))],
    ids=["silent", "drips a head", "drips a body"],
)
def test_a_call_ends_in_its_time(act: Act) -> None:
    with served(act) as port, pytest.raises(DeadlinePassed):
        read(client_of(f"http://127.0.0.1:{port}", seconds=0.3))


def test_an_item_of_the_largest_size_is_read() -> None:
    size = 400 * 1024
    assert size < MAX_ANSWER_BYTES
    body = b'{"Item": {"key_id": {"S": "' + b"a" * size + b'"}}}'
    with served(saying(reply(body))) as port:
        assert read(client_of(f"http://127.0.0.1:{port}")) == {
            "Item": {"key_id": {"S": "a" * size}}
        }


def test_an_answer_in_chunks_is_read() -> None:
    chunks = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
    with served(saying(chunks)) as port:
        assert read(client_of(f"http://127.0.0.1:{port}")) == {}


def test_a_connection_is_used_again() -> None:
    connections: set[int] = set()

    def act(connection: socket) -> None:
        connections.add(connection.fileno())
        connection.sendall(EMPTY)

    with served(act) as port:
        client = client_of(f"http://127.0.0.1:{port}")
        for _ in range(3):
            read(client)
    assert len(connections) == 1


@pytest.mark.parametrize("unasked", [b"", EMPTY], ids=["has ended", "says something unasked"])
def test_a_kept_connection_that_is_not_quiet_is_not_used(unasked: bytes) -> None:
    answers = chain([EMPTY + unasked], repeat(reply(b'{"Item": {}}')))

    def act(connection: socket) -> None:
        connection.sendall(next(answers))
        if not unasked:
            connection.shutdown(2)

    with served(act) as port:
        client = client_of(f"http://127.0.0.1:{port}")
        if unasked:
            with pytest.raises(UnreadableAnswer):
                read(client)
        else:
            assert read(client) == {}
        assert read(client) == {"Item": {}}


@pytest.fixture
def good_tls(authority: Authority) -> Iterator[int]:
    with served(saying(EMPTY), authority.context("localhost")) as port:
        yield port


def test_a_server_with_a_good_certificate_is_trusted(authority: Authority, good_tls: int) -> None:
    client = client_of(f"https://localhost:{good_tls}", authority.bundle)
    assert [read(client), read(client)] == [{}, {}]


def test_without_its_root_a_certificate_is_not_trusted(good_tls: int) -> None:
    with pytest.raises(NoAnswer, match="SSLError"):
        read(client_of(f"https://localhost:{good_tls}"))


@pytest.mark.parametrize(("host", "days"), [("elsewhere.example", 1), ("localhost", -1)])
def test_a_certificate_of_another_host_or_another_time_is_not_trusted(
    host: str, days: int, authority: Authority
) -> None:
    context = authority.context(host, days=days)
    with served(saying(EMPTY), context) as port, pytest.raises(NoAnswer, match="SSLError"):
        read(client_of(f"https://localhost:{port}", authority.bundle))


def test_an_old_version_of_tls_is_not_spoken(authority: Authority) -> None:
    context = authority.context("localhost")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with served(saying(EMPTY), context) as port, pytest.raises(NoAnswer):
        read(client_of(f"https://localhost:{port}", authority.bundle))


def test_a_server_that_never_shakes_hands_is_given_up() -> None:
    with served(silent) as port, pytest.raises(DeadlinePassed):
        read(client_of(f"https://localhost:{port}", seconds=0.3))
