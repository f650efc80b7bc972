"""No call of AWS holds a request longer than it may, whatever the other side does."""

import gc
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from threading import enumerate as all_threads
from typing import Final, NoReturn

import pytest

from keyscope.authorize.decision import Outcome
from keyscope.aws.deadline import (
    CALL_SECONDS,
    REQUEST_SECONDS,
    DeadlinePassed,
    Deadlines,
    RequestTimeUp,
    TooManyCallsStuck,
)
from tests.support.builders import make_key, rotated
from tests.support.faulty_aws import (
    FaultyAws,
    dripping_body,
    dripping_for,
    dripping_head,
    faulty_aws,
    wait_until,
    well,
)
from tests.support.handlers import rest_authorizer
from tests.support.patience import PATIENCE_SECONDS
from tests.support.stores import SteppedClock

# What a given-up call leaves is closed by the garbage collector, which warns of it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

OLD: Final = make_key()
ROTATED: Final = rotated(OLD, ends_at=4_000_000_000)
KEY: Final = make_key()


@pytest.fixture(autouse=True, scope="module")
def collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def aws() -> Iterator[FaultyAws]:
    with faulty_aws(KEY, ROTATED) as services:
        yield services


@contextmanager
def hanging() -> Iterator[Event]:
    """Give an event whose `wait` hangs outside of Python, and lets go at the end."""
    event = Event()
    try:
        yield event
    finally:
        event.set()
        wait_until(lambda: calls_under_way() == 0)


def calls_under_way() -> int:
    return sum(thread.name == "keyscope call of AWS" for thread in all_threads())


def short(**bounds: float) -> Deadlines:
    deadlines = Deadlines(**{"call_seconds": 0.1, "request_seconds": 60, **bounds})  # type: ignore[arg-type]
    deadlines.begin_request()
    return deadlines


def test_a_call_gives_what_its_operation_gives() -> None:
    assert short().call(lambda: 7) == 7


def test_a_call_raises_what_its_operation_raises() -> None:
    def fail() -> NoReturn:
        raise MemoryError

    with pytest.raises(MemoryError):
        short().call(fail)


def test_a_call_that_does_not_end_is_given_up() -> None:
    with hanging() as released, pytest.raises(DeadlinePassed):
        short().call(released.wait)


def test_what_a_request_waited_for_one_call_is_lost_to_the_next() -> None:
    timer = SteppedClock(0)
    deadlines = Deadlines(call_seconds=2, request_seconds=5, timer=timer)
    deadlines.begin_request()
    remaining = []
    for _ in range(3):
        remaining.append(deadlines.remaining_seconds())
        timer.now += 2
    assert remaining == [2, 2, 1]


def test_a_request_whose_time_is_up_makes_no_call() -> None:
    timer = SteppedClock(0)
    deadlines = Deadlines(timer=timer)
    deadlines.begin_request()
    timer.now += REQUEST_SECONDS
    made: list[None] = []
    with pytest.raises(RequestTimeUp):
        deadlines.call(lambda: made.append(None))
    assert made == []


def test_a_call_that_its_request_cuts_short_is_not_said_to_have_hung() -> None:
    deadlines = short(call_seconds=60, request_seconds=0.1)
    with hanging() as released, pytest.raises(RequestTimeUp):
        deadlines.call(released.wait)


def test_each_request_has_time_of_its_own() -> None:
    timer = SteppedClock(0)
    deadlines = Deadlines(timer=timer)
    deadlines.begin_request()
    timer.now += REQUEST_SECONDS
    with ThreadPoolExecutor(1) as pool:
        pool.submit(deadlines.begin_request).result()
        assert pool.submit(deadlines.call, lambda: 7).result() == 7
    deadlines.begin_request()
    assert deadlines.remaining_seconds() == CALL_SECONDS


def test_only_so_many_calls_that_hang_outside_of_python_are_left_behind() -> None:
    deadlines = short(max_given_up=3)
    with hanging() as released:
        for _ in range(3):
            with pytest.raises(DeadlinePassed):
                deadlines.call(released.wait)
        before = calls_under_way()
        with pytest.raises(TooManyCallsStuck):
            deadlines.call(lambda: 7)
        assert calls_under_way() == before


def test_calls_are_made_again_when_those_that_hung_have_ended() -> None:
    deadlines = short(max_given_up=1)
    with hanging() as released, pytest.raises(DeadlinePassed):
        deadlines.call(released.wait)
    assert deadlines.call(lambda: 7) == 7


@pytest.mark.parametrize("fault", [dripping_head, dripping_body])
def test_no_call_is_left_behind_by_a_server_that_drips(
    fault: Callable[..., None], aws: FaultyAws
) -> None:
    asked = rest_authorizer(aws)
    aws.dynamodb.fault = fault
    assert asked.outcome(KEY.basic()) is Outcome.FAILED
    wait_until(lambda: calls_under_way() == 0)
    aws.dynamodb.fault = well
    assert asked.outcome(KEY.basic()) is Outcome.ALLOWED


@pytest.mark.parametrize("service", ["dynamodb", "kms"])
def test_a_call_that_drags_on_is_given_up(service: str, aws: FaultyAws) -> None:
    asked = rest_authorizer(aws)
    getattr(aws, service).fault = dripping_for(CALL_SECONDS + 1)
    assert asked.outcome(KEY.bearer(scope="app")) is Outcome.FAILED


def test_a_request_that_needs_three_slow_calls_is_answered_in_the_functions_time(
    aws: FaultyAws,
) -> None:
    asked = rest_authorizer(aws)
    # Each read of the socket is within botocore's limit, so that only the deadline ends them.
    aws.dynamodb.fault = aws.kms.fault = dripping_for(CALL_SECONDS - 0.4)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(asked.outcome, OLD.bearer(scope="app"))
        assert answer.result(PATIENCE_SECONDS) is Outcome.FAILED
    assert aws.decryptions_of(ROTATED) == 2


def test_a_name_that_is_not_resolved_is_given_up(
    aws: FaultyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = rest_authorizer(aws)
    aws.dynamodb.hang_up()
    with hanging() as released, ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait() and [])
        answer = pool.submit(asked.outcome, KEY.basic())
        assert answer.result(PATIENCE_SECONDS) is Outcome.FAILED
