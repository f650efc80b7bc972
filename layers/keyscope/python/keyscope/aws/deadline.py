"""Deadlines for AWS calls, because botocore's time limits bound each read of a socket, not a call.

A server that sends a byte now and then, a name that does not resolve, or a TLS handshake that
stalls stays within botocore's limits. So each call runs in a thread, and its caller waits only as
long as it may.
"""

import time
from collections.abc import Callable
from threading import Lock, Thread, local
from typing import Any, Generic, TypeVar

from botocore.exceptions import BotoCoreError

from keyscope.aws.clients import Decrypter, ItemReader
from keyscope.records import dataclass

_Result = TypeVar("_Result")

CALL_SECONDS = 2.5
"""How long one call may take: an attempt that times out, botocore's pause of up to 1 s, and at
least half of a second attempt."""
REQUEST_SECONDS = 6.0
"""How long all calls of one request may take together. The functions' `Timeout` in template.yaml
leaves 2 s for everything else, even in a container with the least memory and so the least CPU."""
MAX_GIVEN_UP = 32
"""The number of abandoned calls still running at which no other call is made."""


class DeadlinePassed(BotoCoreError):  # noqa: N818 - botocore has no types
    """A call did not finish in all the time that one call may take."""

    fmt = "The call did not end in its time"


class HeldUpByOthers(BotoCoreError):  # noqa: N818 - botocore has no types
    """Other calls left no time for this one, which might have succeeded."""


class RequestTimeUp(HeldUpByOthers):
    """The other calls of the request used up its time, so this one was cut short or not made."""

    fmt = "The request has no time left for the call"


class TooManyCallsStuck(HeldUpByOthers):
    """So many abandoned calls are still running that no other call is made."""

    fmt = "Too many calls that were given up still run"


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

    def call(self, operation: Callable[[], _Result]) -> _Result:
        """Return what the operation returns, or raise what it raises.

        Raises:
            DeadlinePassed: when the operation does not finish in time; it is then stopped.
            RequestTimeUp: when it has less time, because the request's other calls used it.
            TooManyCallsStuck: when too many stopped calls are still running.
        """
        if self._given_up and self._stuck() >= self._max_given_up:
            raise TooManyCallsStuck
        seconds = self.remaining_seconds()
        if seconds <= 0:
            raise RequestTimeUp
        call = _Call(operation)
        call.start()
        if call.ended.acquire(timeout=seconds):
            return call.outcome()
        with self._turn:
            self._given_up.append(call)
        call.make_end()
        raise DeadlinePassed if seconds >= self._call_seconds else RequestTimeUp

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
        self._turn = Lock()
        self._is_over = False
        self.ended = Lock()
        self.ended.acquire()

    def run(self) -> None:
        try:
            self._result = self._operation()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._error = error
        with self._turn:
            self._is_over = True
        self.ended.release()

    def outcome(self) -> _Result:
        if self._error is not None:
            raise self._error
        return self._result

    def make_end(self) -> None:
        """Have the thread leave its operation as soon as it runs Python code again.

        That is when a read of its socket ends, so at the latest at botocore's limit for a read. No
        further attempt follows, because botocore and urllib3 do not catch `SystemExit`; they close
        the connection. An operation that hangs outside of Python, such as in the resolver, ends by
        itself.
        """
        import ctypes  # noqa: PLC0415 - a cold start need not pay for it

        with self._turn:
            # After the thread has ended, another thread may have its id.
            if not self._is_over:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self.ident or 0), ctypes.py_object(SystemExit)
                )


@dataclass(frozen=True, slots=True)
class BoundedDynamoDb:
    """A DynamoDB client whose reads have deadlines."""

    client: ItemReader
    deadlines: Deadlines

    def get_item(self, **kwargs: object) -> dict[str, Any]:
        """Read one item, in time."""
        return self.deadlines.call(lambda: self.client.get_item(**kwargs))


@dataclass(frozen=True, slots=True)
class BoundedKms:
    """A KMS client whose decryptions have deadlines."""

    client: Decrypter
    deadlines: Deadlines

    def decrypt(self, **kwargs: object) -> dict[str, Any]:
        """Decrypt, in time."""
        return self.deadlines.call(lambda: self.client.decrypt(**kwargs))
