"""Deadlines for calls of AWS: botocore's time limits bound each read of a socket, not a call.

A server that sends a byte now and then, a name that is not resolved, a TLS handshake that drags
on: none of them ends by botocore's limits. So a call runs in a thread of its own, and whoever made
it waits no longer than it may.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, Thread, local
from typing import Any, Generic, TypeVar

from botocore.exceptions import BotoCoreError

from keyscope.aws.clients import Decrypter, ItemReader

_Result = TypeVar("_Result")

CALL_SECONDS = 2.5
"""How long one call may take: an attempt that times out, botocore's pause of up to 1 s, and half
of a second attempt at least."""
REQUEST_SECONDS = 6.0
"""How long all the calls of one request may take together. The functions' `Timeout` in
template.yaml leaves 2 s beside it for all else, on a container with the least memory and so the
least CPU, too."""
MAX_GIVEN_UP = 32
"""Calls that were given up and still run, from which on no other is made."""


class DeadlinePassed(BotoCoreError):  # noqa: N818 - botocore has no types
    """A call had all the time that one may take, and did not end."""

    fmt = "The call did not end in its time"


class HeldUpByOthers(BotoCoreError):  # noqa: N818 - botocore has no types
    """Other calls left this one no time; it might have succeeded."""


class RequestTimeUp(HeldUpByOthers):
    """The other calls of the request took its time: this one was cut short, or not made."""

    fmt = "The request has no time left for the call"


class TooManyCallsStuck(HeldUpByOthers):
    """So many calls were given up and still run that no other is made."""

    fmt = "Too many calls that were given up still run"


class Deadlines:
    """Bounds the calls of a container: each by itself, and those of one request together.

    `timer` gives seconds from any beginning.
    """

    def __init__(
        self,
        *,
        call_seconds: float = CALL_SECONDS,
        request_seconds: float = REQUEST_SECONDS,
        max_given_up: int = MAX_GIVEN_UP,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with no call under way."""
        self._call_seconds = call_seconds
        self._request_seconds = request_seconds
        self._max_given_up = max_given_up
        self._timer = timer
        self._request = local()
        self._turn = Lock()
        self._given_up: list[_Call[Any]] = []

    def begin_request(self) -> None:
        """Start the time of a request, which this thread is about to decide."""
        self._request.ends_at = self._timer() + self._request_seconds

    def remaining_seconds(self) -> float:
        """Return how long a call of this thread's request may take; not more than 0: none."""
        ends_at: float = getattr(self._request, "ends_at", self._timer() + self._request_seconds)
        return min(self._call_seconds, ends_at - self._timer())

    def call(self, operation: Callable[[], _Result]) -> _Result:
        """Return what the operation returns, or raise what it raises.

        Raises:
            DeadlinePassed: when it does not end in time; it is made to end then.
            RequestTimeUp: when it gets less time, because the request's other calls took it.
            TooManyCallsStuck: when too many others have not ended although they were made to.
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
    """An operation in a thread that keeps no process alive."""

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
        """Have the thread leave its operation as soon as it next runs Python.

        That is when a read of its socket ends, so after botocore's limit for one at the latest. No
        attempt follows, because botocore and urllib3 do not catch `SystemExit`; they close the
        connection. What hangs outside of Python, such as the resolver, ends by itself.
        """
        import ctypes  # noqa: PLC0415 - a cold start need not pay for it

        with self._turn:
            # Once over, the thread's id may be another one's.
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
