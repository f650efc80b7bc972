"""The cache flush function's handler, over the local control plane and its gateways."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from keyscope.entry.cache_flush import CacheFlushHandler, cache_flush_handler
from keyscope.errors import Misconfigured, Unavailable
from keyscope_local.emulators.listening_program import free_ports
from keyscope_local.emulators.tables import DUMMY_CREDENTIALS, REGION
from keyscope_local.gateway.authorization import AuthorizerResult
from keyscope_local.gateway.control_plane import control_plane, control_plane_environment
from keyscope_local.gateway.gateway import Gateway
from keyscope_local.gateway.server import bound, served, url_of
from tests.support import local_gateway
from tests.support.local_gateway import small_stack
from tests.support.logs import functions_log_here

BATCH: Final = {"Records": [{"body": f"message {number}"} for number in range(1_000)]}


@dataclass(frozen=True)
class Context:
    """What Lambda tells of an invocation."""

    aws_request_id: str = "invocation-1"


@dataclass
class CountedPlane:
    """A control plane over a REST and an HTTP API that notes what it was asked."""

    rest: Gateway
    http: Gateway
    requests: list[str] = field(default_factory=list)

    def application(self) -> ASGIApp:
        plane = control_plane([self.rest, self.http])

        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            self.requests.append(f"{scope['method']} {scope['path']}")
            await plane(scope, receive, send)

        return noted

    def settings(self, **changes: str) -> dict[str, str]:
        return {
            "KEYSCOPE_REST_API_ID": self.rest.api.api_id,
            "KEYSCOPE_STAGE_NAME": self.rest.api.stage,
            "KEYSCOPE_HTTP_API_ID": self.http.api.api_id,
            **changes,
        }

    def flushes(self) -> list[str]:
        rest, http = self.rest.api.api_id, self.http.api.api_id
        return [
            f"DELETE /restapis/{rest}/stages/prod/cache/authorizers",
            f"DELETE /v2/apis/{http}/stages/$default/cache/authorizers",
        ]


@pytest.fixture
def plane(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountedPlane]:
    stack = small_stack()
    rest, http = (local_gateway.served(stack, api).gateway for api in ("Rest", "Http"))
    plane = CountedPlane(rest, http)
    with bound(0) as listener, served((plane.application(), listener)):
        reach(url_of(listener), monkeypatch)
        yield plane


def reach(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {**DUMMY_CREDENTIALS, **control_plane_environment(url)}
    for name, value in {**environment, "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)


def written(
    handler: CacheFlushHandler, event: object, capsys: pytest.CaptureFixture[str]
) -> tuple[list[dict[str, Any]], bool]:
    """Return the metrics and the log line of an invocation, and whether it failed."""
    failed = False
    with functions_log_here("cache_flush"):
        try:
            handler(event, Context())
        except Unavailable:
            failed = True
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()], failed


def test_a_flush_empties_the_caches_of_both_stages(plane: CountedPlane) -> None:
    caches = [plane.rest.cache, plane.http.cache]
    for cache in caches:
        cache.put("caller", AuthorizerResult("p", {}, {}), 300)
    cache_flush_handler(plane.settings())(BATCH, Context())
    assert [cache.get("caller") for cache in caches] == [None, None]


def test_a_batch_of_any_size_flushes_each_stage_once(plane: CountedPlane) -> None:
    cache_flush_handler(plane.settings())(BATCH, Context())
    assert plane.requests == plane.flushes()


def test_without_an_http_api_the_rest_api_alone_is_flushed(plane: CountedPlane) -> None:
    cache_flush_handler(plane.settings(KEYSCOPE_HTTP_API_ID=""))(BATCH, Context())
    assert plane.requests == plane.flushes()[:1]


@pytest.mark.parametrize("event", [{}, None, {"Records": "x"}, {"detail": "an event of another"}])
def test_an_invocation_by_hand_flushes_as_well(event: object, plane: CountedPlane) -> None:
    cache_flush_handler(plane.settings())(event, Context())
    assert plane.requests == plane.flushes()


def test_a_batch_is_one_log_line_and_one_metric_set(
    plane: CountedPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = cache_flush_handler(plane.settings())
    (metrics, log), failed = written(handler, BATCH, capsys)
    assert not failed
    assert (metrics["CacheFlushes"], metrics["CacheFlushFailures"]) == ([2.0], [0.0])
    assert metrics["service"] == "cache_flush"
    assert (log["level"], log["message"], log["messages"]) == ("INFO", "flushed", 1_000)
    assert log["flushed"] == [f"{plane.rest.api.api_id}/prod", f"{plane.http.api.api_id}/$default"]
    assert log["invocation_id"] == "invocation-1"


def test_a_stage_that_is_gone_is_a_failure_of_the_batch_and_measured(
    plane: CountedPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = cache_flush_handler(plane.settings(KEYSCOPE_STAGE_NAME="gone"))
    (metrics, log), failed = written(handler, BATCH, capsys)
    assert failed
    assert (metrics["CacheFlushes"], metrics["CacheFlushFailures"]) == ([1.0], [1.0])
    assert (log["level"], log["message"]) == ("ERROR", "failed")
    assert log["failures"] == [f"{plane.rest.api.api_id}/gone: NotFoundException"]


def test_a_stage_whose_flush_fails_does_not_keep_the_next_from_being_flushed(
    plane: CountedPlane,
) -> None:
    handler = cache_flush_handler(plane.settings(KEYSCOPE_STAGE_NAME="gone"))
    with pytest.raises(Unavailable, match="cache_not_flushed"):
        handler(BATCH, Context())
    assert plane.requests[-1:] == plane.flushes()[1:]


def test_a_control_plane_that_does_not_answer_fails_the_batch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reach(f"http://127.0.0.1:{free_ports(1)[0]}", monkeypatch)
    settings = {"KEYSCOPE_REST_API_ID": "a1", "KEYSCOPE_STAGE_NAME": "prod"}
    (metrics, log), failed = written(cache_flush_handler(settings), BATCH, capsys)
    assert failed
    assert (metrics["CacheFlushes"], metrics["CacheFlushFailures"]) == ([0.0], [1.0])
    assert log["failures"] == ["a1/prod: EndpointConnectionError"]


def test_a_missing_setting_keeps_the_function_from_starting() -> None:
    with pytest.raises(Misconfigured) as misconfigured:
        cache_flush_handler({})
    assert str(misconfigured.value) == (
        "KEYSCOPE_REST_API_ID is not set; KEYSCOPE_STAGE_NAME is not set"
    )
