"""One call for all threads that want the same result at the same time."""

from collections.abc import Callable, Hashable
from threading import Event, Lock
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Result = TypeVar("_Result")


class WaitedTooLong(Exception):  # noqa: N818 - a state
    """Another thread's call did not finish in the time that this thread may wait."""


class _Flight(Generic[_Result]):
    def __init__(self) -> None:
        self.ended = Event()
        self.result: _Result
        self.error: BaseException | None = None


class SingleFlight(Generic[_Key, _Result]):
    """Lets one thread make a call, and shares its outcome with threads that ask in the meantime.

    Different keys never wait for each other, and outcomes are not cached. `wait_seconds` returns
    how long a thread may wait for another thread's call.
    """

    def __init__(self, wait_seconds: Callable[[], float]) -> None:
        """Start with no call in progress."""
        self._wait_seconds = wait_seconds
        self._lock = Lock()
        self._flights: dict[_Key, _Flight[_Result]] = {}

    def run(self, key: _Key, call: Callable[[], _Result]) -> _Result:
        """Return the result of the call, or of the call that is in progress for this key.

        Raises:
            WaitedTooLong: when another thread's call takes longer than this thread may wait.
            Exception: what the call raised.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                leads = False
            else:
                leads = True
                flight = self._flights[key] = _Flight()
        return self._lead(key, flight, call) if leads else self._follow(flight)

    def _lead(self, key: _Key, flight: _Flight[_Result], call: Callable[[], _Result]) -> _Result:
        try:
            flight.result = call()
        except BaseException as error:
            flight.error = error
            raise
        finally:
            # From now on, a thread that asks starts a new call.
            with self._lock:
                del self._flights[key]
            flight.ended.set()
        return flight.result

    def _follow(self, flight: _Flight[_Result]) -> _Result:
        if not flight.ended.wait(max(0, self._wait_seconds())):
            raise WaitedTooLong
        if flight.error is not None:
            raise flight.error
        return flight.result
