"""Deadlines for AWS calls: for each call, and for all calls of a request together.

The lean client waits on its sockets no longer than a call's time. The resolver and botocore cannot
be bounded that way, so they run in a thread that its caller waits for only that long.
"""

import time
from collections.abc import Callable
from threading import TIMEOUT_MAX, Lock, Thread, local
from typing import Any, Generic, TypeVar

from keyscope.aws.calls import HeldUpByOthers, NoAnswer

_Result = TypeVar("_Result")

CALL_SECONDS = 2.5
"""How long one call may take: an attempt that times out, a pause, and at least half of a second
attempt."""
REQUEST_SECONDS = 6.0
"""How long all calls of one request may take together. The functions' `Timeout` in template.yaml
leaves 2 s for everything else, even in a container with the least memory and so the least CPU."""
MAX_GIVEN_UP = 32
"""The number of abandoned threads still running at which no new one starts."""


class DeadlinePassed(NoAnswer):
    """A call used the whole time of one call without finishing."""


class RequestTimeUp(HeldUpByOthers):
    """The other calls of the request used up its time, so this one was cut short or not made."""


class TooManyCallsStuck(HeldUpByOthers):
    """Too many abandoned threads are still running to start another."""


class CallTime:
    """The time of one call, which has begun."""

    def __init__(self, seconds: float, timer: Callable[[], float], *, is_whole: bool) -> None:
        """Start with so many seconds; `is_whole` if the request shortened them by none."""
        self._timer = timer
        self._ends_at = timer() + seconds
        self._is_whole = is_whole

    def left(self, at_most: float = TIMEOUT_MAX) -> float:
        """Return how many seconds the next wait may take.

        Raises:
            DeadlinePassed: when the call has had all the time that one call may take.
            RequestTimeUp: when it has had less, because the request's other calls used it.
        """
        seconds = self._ends_at - self._timer()
        if seconds <= 0:
            raise self.passed()
        return min(seconds, at_most)

    def passed(self) -> DeadlinePassed | RequestTimeUp:
        """Return the error of a call whose time is up."""
        return DeadlinePassed() if self._is_whole else RequestTimeUp()


class Deadlines:
    """Bounds the calls of a container: each call, and the calls of each request together.

    `timer` returns monotonic seconds from an arbitrary start.
    """

    def __init__(
        self,
        *,
        call_seconds: float = CALL_SECONDS,
        request_seconds: float = REQUEST_SECONDS,
        max_given_up: int = MAX_GIVEN_UP,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with no call in progress."""
        self._call_seconds = call_seconds
        self._request_seconds = request_seconds
        self._max_given_up = max_given_up
        self._timer = timer
        self._request = local()
        self._turn = Lock()
        self._given_up: list[_Call[Any]] = []

    def begin_request(self) -> None:
        """Start the time of the request that this thread is about to decide."""
        self._request.ends_at = self._timer() + self._request_seconds

    def remaining_seconds(self) -> float:
        """Return how long a call of this thread's request may take; 0 or less: no time is left."""
        ends_at: float = getattr(self._request, "ends_at", self._timer() + self._request_seconds)
        return min(self._call_seconds, ends_at - self._timer())

    def begin_call(self) -> CallTime:
        """Start the time of a call of this thread's request."""
        seconds = self.remaining_seconds()
        return CallTime(seconds, self._timer, is_whole=seconds >= self._call_seconds)

    def call(self, operation: Callable[[], _Result], within: CallTime | None = None) -> _Result:
        """Run an operation in a thread; return what it returns, or raise what it raises.

        It is a part of the call `within` whose time it runs, and by default a call of its own.

        Raises:
            DeadlinePassed: when the operation does not finish in time; it keeps running.
            RequestTimeUp: when it has less time, because the request's other calls used it.
            TooManyCallsStuck: when too many abandoned operations are still running.
        """
        if self._given_up and self._stuck() >= self._max_given_up:
            raise TooManyCallsStuck
        within = within or self.begin_call()
        seconds = within.left()
        call = _Call(operation)
        call.start()
        if call.ended.acquire(timeout=seconds):
            return call.outcome()
        with self._turn:
            self._given_up.append(call)
        raise within.passed()

    def _stuck(self) -> int:
        with self._turn:
            self._given_up = [call for call in self._given_up if call.is_alive()]
            return len(self._given_up)


class _Call(Thread, Generic[_Result]):
    """An operation in a thread that does not keep the process alive."""

    def __init__(self, operation: Callable[[], _Result]) -> None:
        super().__init__(name="keyscope call of AWS", daemon=True)
        self._operation = operation
        self._result: _Result
        self._error: BaseException | None = None
        self.ended = Lock()
        self.ended.acquire()

    def run(self) -> None:
        try:
            self._result = self._operation()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error
        self.ended.release()

    def outcome(self) -> _Result:
        if self._error is not None:
            raise self._error
        return self._result
