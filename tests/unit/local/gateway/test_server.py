"""The gateway over real HTTP."""

import os
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from threading import Event
from typing import cast
from urllib.parse import urlsplit

import httpx
import pytest

from keyscope_local.gateway.server import MAX_BODY_BYTES, PortTaken, bound, serving
from tests.support import plain_http
from tests.support.faulty_aws import wait_until
from tests.support.local_gateway import Served, policy, served, small_stack
from tests.support.local_gateway import answer as answer_of_guard

HEADERS = {"Authorization": "Basic one"}


@pytest.fixture
def rest() -> Served:
    return served(small_stack(), "Rest")


@pytest.fixture
def http() -> Served:
    return served(small_stack(), "Http")


@pytest.fixture
def urls(rest: Served, http: Served) -> Iterator[list[str]]:
    with serving([rest.gateway, http.gateway], 0) as urls:
        yield urls


def raw_get(url: str, target: str) -> int:
    """Send a request line exactly as given, which no client library does."""
    address = urlsplit(url)
    connection = HTTPConnection(str(address.hostname), address.port)
    connection.putrequest("GET", target)
    connection.putheader("authorization", "Basic one")
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_each_api_is_served_on_the_loopback_address(urls: list[str]) -> None:
    assert [plain_http.get(f"{url}/v2/apps", headers=HEADERS).status_code for url in urls] == [
        200,
        200,
    ]
    assert {urlsplit(url).hostname for url in urls} == {"127.0.0.1"}


def test_an_answer_tells_its_request_id_and_the_use_of_the_cache(urls: list[str]) -> None:
    answers = [plain_http.get(f"{urls[0]}/v2/apps", headers=HEADERS) for _ in range(2)]
    assert [answer.headers["x-keyscope-cache"] for answer in answers] == ["miss", "hit"]
    assert answers[0].headers["x-amzn-requestid"] != answers[1].headers["x-amzn-requestid"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
def test_every_method_is_served(method: str, urls: list[str]) -> None:
    assert plain_http.request(method, f"{urls[0]}/v2/apps", headers=HEADERS).status_code == 200


def test_the_body_and_the_source_address_reach_the_backend(urls: list[str], rest: Served) -> None:
    plain_http.post(f"{urls[0]}/v2/apps?a=1", headers=HEADERS, content="\u00fc".encode())
    (event,) = rest.backend.events
    assert (event["body"], event["queryStringParameters"]) == ("\u00fc", {"a": "1"})
    context = event["requestContext"]
    assert isinstance(context, dict)
    assert context["identity"]["sourceIp"] == "127.0.0.1"


@pytest.mark.parametrize("api", [0, 1], ids=["REST", "HTTP"])
def test_how_and_from_where_it_was_called_is_no_callers_claim(
    api: int, urls: list[str], rest: Served, http: Served
) -> None:
    claims = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    plain_http.get(f"{urls[api]}/v2/apps", headers={**HEADERS, **claims})
    (event,) = (rest, http)[api].backend.events
    headers = cast("Mapping[str, str]", event["headers"])
    context = cast("Mapping[str, Mapping[str, str]]", event["requestContext"])
    caller = context.get("identity") or context["http"]
    assert (headers["x-forwarded-proto"], caller["sourceIp"]) == ("http", "127.0.0.1")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/v2/apps/a%2Fb", "/v2/apps/a%2Fb"),
        ("/v2//apps/../x/", "/v2//apps/../x/"),
        ("/v2/%2A", "/v2/%2A"),
        ("/v2/*?x=%2F", "/v2/*"),
    ],
)
def test_a_rest_api_keeps_the_path_as_it_was_sent(
    target: str, path: str, urls: list[str], rest: Served
) -> None:
    assert raw_get(urls[0], target) == 200
    assert rest.guard.events[0]["path"] == path


@pytest.mark.parametrize(
    ("target", "path"), [("/v2/apps/a%2Fb", "/v2/apps/a/b"), ("/v2/%2A", "/v2/*")]
)
def test_an_http_api_decodes_the_path(
    target: str, path: str, urls: list[str], http: Served
) -> None:
    assert raw_get(urls[1], target) == 200
    assert http.guard.events[0]["rawPath"] == path


def test_a_body_that_is_too_large_is_413(urls: list[str], rest: Served) -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)
    assert plain_http.post(f"{urls[0]}/v2/apps", headers=HEADERS, content=body).status_code == 413
    assert rest.guard.events == []


def test_a_body_of_the_largest_size_passes(urls: list[str], rest: Served) -> None:
    body = b"x" * MAX_BODY_BYTES
    assert plain_http.post(f"{urls[0]}/v2/apps", headers=HEADERS, content=body).status_code == 200
    assert rest.backend.events[0]["body"] == body.decode()


@pytest.mark.parametrize(
    "header", [{"Content-Length": "99"}, {"transfer-encoding": "chunked"}, {"Connection": "close"}]
)
def test_how_the_answer_is_framed_is_the_servers_own_matter(
    header: dict[str, str], urls: list[str], rest: Served
) -> None:
    rest.backend.respond = lambda _: {"statusCode": 200, "headers": header, "body": "text"}
    answer = plain_http.get(f"{urls[0]}/v2/apps", headers=HEADERS)
    assert (answer.text, answer.headers["content-length"]) == ("text", "4")
    assert "connection" not in answer.headers


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_may_have_no_body_has_none(
    status: int, urls: list[str], rest: Served, caplog: pytest.LogCaptureFixture
) -> None:
    rest.backend.respond = lambda _: {"statusCode": status, "body": "text"}
    answer = plain_http.get(f"{urls[0]}/v2/apps", headers=HEADERS)
    assert (answer.status_code, answer.content) == (status, b"")
    assert caplog.records == []


def test_a_header_may_be_answered_twice(urls: list[str], http: Served) -> None:
    http.backend.respond = lambda _: {"statusCode": 200, "cookies": ["a=1", "b=2"]}
    answer = plain_http.get(f"{urls[1]}/v2/apps", headers=HEADERS)
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_backend_cannot_forge_the_use_of_the_cache(urls: list[str], rest: Served) -> None:
    rest.backend.respond = lambda _: {"statusCode": 200, "headers": {"x-keyscope-cache": "hit"}}
    answer = plain_http.get(f"{urls[0]}/v2/apps", headers=HEADERS)
    assert answer.headers.get_list("x-keyscope-cache") == ["miss"]


def test_the_request_id_is_that_of_the_functions_events(urls: list[str], rest: Served) -> None:
    answer = plain_http.get(f"{urls[0]}/v2/apps", headers=HEADERS)
    ids = [
        cast("Mapping[str, str]", event["requestContext"])["requestId"]
        for event in (*rest.guard.events, *rest.backend.events)
    ]
    assert ids == [answer.headers["x-amzn-requestid"]] * 2


def verdict_by_caller(event: object) -> object:
    caller = cast("Mapping[str, Mapping[str, str]]", event)["headers"]["authorization"]
    effect = {"Basic 3": "Allow"}.get(caller, "Deny")
    return answer_of_guard(policy("arn:aws:execute-api:*", effect=effect))


def told_path(event: object) -> object:
    path = cast("Mapping[str, str]", event)["path"]
    return {"statusCode": 200, "body": path}


def test_parallel_requests_are_each_answered_with_their_own(urls: list[str], rest: Served) -> None:
    rest.backend.respond = told_path

    def get(number: int) -> str:
        return client.get(f"{urls[0]}/v2/{number}", headers=HEADERS).text

    with httpx.Client() as client, ThreadPoolExecutor(max_workers=20) as pool:
        assert list(pool.map(get, range(100))) == [f"/v2/{number}" for number in range(100)]


def test_parallel_requests_of_many_callers_each_get_their_own_verdict(
    urls: list[str], rest: Served
) -> None:
    rest.guard.respond = verdict_by_caller

    def get(number: int) -> tuple[int, int]:
        headers = {"Authorization": f"Basic {number % 7}"}
        return number, client.get(f"{urls[0]}/v2/{number}", headers=headers).status_code

    with httpx.Client() as client, ThreadPoolExecutor(max_workers=20) as pool:
        statuses = list(pool.map(get, range(140)))
    assert {number for number, status in statuses if status == 200} == {
        number for number in range(140) if number % 7 == 3
    }
    assert {status for _, status in statuses} == {200, 403}


def can_be_bound(port: int) -> bool:
    """Return whether a port is free; to connect would give the server one more socket to close."""
    try:
        bound(port).close()
    except PortTaken:
        return False
    return True


def test_a_request_under_way_is_answered_before_the_server_stops(rest: Served) -> None:
    asked, released = Event(), Event()

    def respond(_: object) -> object:
        asked.set()
        released.wait()
        return {"statusCode": 200, "body": "late"}

    rest.backend.respond = respond
    with ThreadPoolExecutor(2) as pool, ExitStack() as running:
        (url,) = running.enter_context(serving([rest.gateway], 0))
        answer = pool.submit(plain_http.get, f"{url}/v2/apps", headers=HEADERS)
        asked.wait()
        stopped = pool.submit(running.close)
        wait_until(lambda: can_be_bound(cast("int", urlsplit(url).port)))
        released.set()
        stopped.result()
        assert answer.result().text == "late"


def test_a_connection_that_is_kept_open_ends_with_the_server(rest: Served) -> None:
    with httpx.Client() as client:
        with serving([rest.gateway], 0) as (url,):
            stream = client.get(f"{url}/v2/apps", headers=HEADERS).extensions["network_stream"]
        assert stream.get_extra_info("socket").recv(1) == b""


def test_a_response_has_the_date(urls: list[str]) -> None:
    answer = plain_http.get(f"{urls[0]}/v2/apps", headers=HEADERS)
    assert parsedate_to_datetime(answer.headers["date"]).tzinfo is UTC


def test_a_port_in_use_is_told_with_what_to_do(rest: Served) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = rf"Port {port} of 127.0.0.1 is in use .*`keyscope up --port "
        with pytest.raises(PortTaken, match=told), serving([rest.gateway], port):
            pass


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def two_free_ports() -> int:
    """Return the first of two neighbors, from below those that the system itself hands out."""
    ports = range(20_000 + os.getpid() % 5_000 * 2, 32_000, 2)
    return next(port for port in ports if is_free(port) and is_free(port + 1))


def test_the_ports_follow_each_other(rest: Served, http: Served) -> None:
    port = two_free_ports()
    with serving([rest.gateway, http.gateway], port) as urls:
        assert urls == [f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"]
