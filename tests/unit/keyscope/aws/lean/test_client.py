"""Attempts, clocks and credentials of the lean client."""

import json
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from socket import socket

import pytest

from keyscope.aws.calls import CallError, ServiceError
from keyscope.aws.deadline import Deadlines
from keyscope.aws.lean.client import LeanClient
from keyscope.aws.lean.credentials import Credentials, CredentialsFailed
from keyscope.aws.lean.endpoint import UnknownSetting
from tests.support.tls import served
from tests.unit.keyscope.aws.lean.clients import PLAIN, noted, read
from tests.unit.keyscope.aws.lean.test_hostile_servers import EMPTY, reply

NOW = 1_800_000_000.0


class Clock:
    """A clock that is told the time."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Server:
    """Answers each request with the next of its answers, and keeps what was asked."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, connection: socket) -> None:
        self.asked += 1
        connection.sendall(self.answers.pop(0) if self.answers else EMPTY)


def client_of(port: int, clock: Callable[[], float] = time.time, **variables: str) -> LeanClient:
    environment = {**PLAIN, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", **variables}
    return noted(LeanClient(environment, Deadlines(), clock=clock, sleep=lambda _: None))


def error(code: str, status: int = 400, date: str = "") -> bytes:
    body = json.dumps({"__type": code}).encode()
    head = f"HTTP/1.1 {status} X\r\ndate: {date}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize(
    "answer", [error("ThrottlingException"), error("InternalServerError", 500), reply(b"", "503 X")]
)
def test_what_may_pass_is_tried_once_more(answer: bytes) -> None:
    server = Server(answer)
    with served(server) as port:
        assert read(client_of(port)) == {}
    assert server.asked == 2


@pytest.mark.parametrize(
    ("answers", "asked"),
    [([error("ThrottlingException")] * 3, 2), ([error("AccessDeniedException")], 1)],
)
def test_there_are_two_attempts_at_most_and_one_if_another_would_not_help(
    answers: list[bytes], asked: int
) -> None:
    server = Server(*answers)
    with served(server) as port, pytest.raises(ServiceError):
        read(client_of(port))
    assert server.asked == asked


def test_there_is_no_second_attempt_that_would_begin_too_late() -> None:
    server = Server(error("ThrottlingException"))
    with served(server) as port:
        environment = {**PLAIN, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        client = noted(LeanClient(environment, Deadlines(), pause_seconds=10_000_000))
        with pytest.raises(ServiceError, match="ThrottlingException"):
            read(client)
    assert server.asked == 1


@pytest.mark.parametrize("seconds", [-3_000, 3_000])
def test_a_clock_that_is_wrong_is_corrected_by_what_aws_says(seconds: int) -> None:
    date = formatdate(NOW + seconds, usegmt=True)
    server = Server(error("InvalidSignatureException", date=date))
    with served(server) as port:
        client = client_of(port, Clock())
        assert [read(client), read(client)] == [{}, {}]
    assert server.asked == 3


@pytest.mark.parametrize("date", ["", "yesterday", formatdate(NOW + 100, usegmt=True)])
def test_a_signature_that_is_wrong_for_another_reason_is_an_error(date: str) -> None:
    server = Server(error("InvalidSignatureException", date=date))
    with served(server) as port, pytest.raises(ServiceError, match="InvalidSignature"):
        read(client_of(port, Clock()))
    assert server.asked == 1


def given(number: int, ends_at: float) -> bytes:
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends_at))
    credentials = {
        "AccessKeyId": f"AKID{number}",
        "SecretAccessKey": "secret",
        "Token": "token",
        "Expiration": ends,
    }
    return reply(json.dumps(credentials).encode())


def without_keys(port: int, **variables: str) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{port}/creds?a=b",
        **variables,
    }


def used(server: Server, clock: Clock, *moments: float) -> list[int]:
    """Return how often credentials were asked for by the end of a call at each moment."""
    asked = []
    with served(server) as container, served(Server()) as port:
        client = client_of(port, clock, **without_keys(container))
        for moment in moments:
            clock.now = moment
            read(client)
            asked.append(server.asked)
    return asked


def test_credentials_of_the_container_are_renewed_before_they_end() -> None:
    server = Server(given(1, NOW + 3_600), given(2, NOW + 7_200))
    asked = used(server, Clock(), NOW, NOW + 2_600, NOW + 2_701, NOW + 6_000)
    assert asked == [1, 1, 2, 2]


def test_credentials_that_cannot_be_renewed_serve_to_their_end() -> None:
    server = Server(given(1, NOW + 3_600), reply(b"", "500 X"), given(2, NOW + 7_200))
    asked = used(server, Clock(), NOW, NOW + 2_701, NOW + 2_702, NOW + 2_712)
    assert asked == [1, 2, 2, 3]


@pytest.mark.parametrize(
    "answer",
    [reply(b"", "404 X"), reply(b"<html>"), reply(b"{}"), reply(b"[]"), given(1, NOW - 1)],
    ids=["404", "HTML", "no members", "no object", "ended"],
)
def test_without_credentials_nothing_is_sent(answer: bytes) -> None:
    server = Server()
    with served(Server(answer)) as container, served(server) as port:
        client = client_of(port, Clock(), **without_keys(container))
        with pytest.raises(CallError):
            read(client)
    assert server.asked == 0


def test_closing_forgets_the_credentials() -> None:
    server = Server(given(1, NOW + 3_600), given(2, NOW + 3_600))
    with served(server) as container, served(Server()) as port:
        client = client_of(port, Clock(), **without_keys(container))
        read(client)
        client.close()
        read(client)
    assert server.asked == 2


def test_the_token_of_the_container_is_sent_and_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("Basic dG9rZW4=\n", "utf-8")
    name = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
    with served(Server(given(1, NOW + 3_600))) as container:
        client = client_of(1, Clock(), **without_keys(container, **{name: str(file)}))
        with pytest.raises(CredentialsFailed):
            read(client)
        client = client_of(1, Clock(), **without_keys(container, **{name: str(tmp_path)}))
        with pytest.raises(CredentialsFailed):
            read(client)


@pytest.mark.parametrize(
    ("uri", "is_allowed"),
    [
        ("http://127.0.0.1/a", True),
        ("http://127.9.9.9:81/", True),
        ("http://[::1]/", True),
        ("http://localhost", True),
        ("http://169.254.170.2/", True),
        ("http://169.254.170.23/v1/credentials", True),
        ("http://[fd00:ec2::23]/v1/credentials", True),
        ("https://anywhere.example/a", True),
        ("http://anywhere.example/a", False),
        ("http://169.254.169.254/", False),
        ("http://localhost.example/", False),
        ("ftp://localhost/", False),
        ("localhost", False),
        ("http://[::1", False),
    ],
)
def test_credentials_come_from_where_botocore_allows(uri: str, is_allowed: bool) -> None:  # noqa: FBT001
    variables = without_keys(1, AWS_CONTAINER_CREDENTIALS_FULL_URI=uri)
    if is_allowed:
        client_of(1, time.time, **variables)
    else:
        with pytest.raises(UnknownSetting, match="AWS_CONTAINER_CREDENTIALS_FULL_URI"):
            client_of(1, time.time, **variables)


def test_credentials_show_no_secret() -> None:
    assert "secret" not in repr(Credentials("AKID", "secret", "token"))
