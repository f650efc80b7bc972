"""One call for all who ask for the same thing at the same time."""

from collections.abc import Callable, Hashable
from threading import Event, Lock
from typing import Generic, TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Result = TypeVar("_Result")


class WaitedTooLong(Exception):  # noqa: N818 - a state
    """The call of another thread did not end in the time that this one may wait."""


class _Flight(Generic[_Result]):
    def __init__(self) -> None:
        self.ended = Event()
        self.result: _Result
        self.error: BaseException | None = None


class SingleFlight(Generic[_Key, _Result]):
    """Lets one thread make a call, and hands its outcome to those who asked meanwhile.

    Different keys never wait for each other, and no outcome is kept. `wait_seconds` tells how long
    the asking thread may wait for another one's call.
    """

    def __init__(self, wait_seconds: Callable[[], float]) -> None:
        """Start with no call under way."""
        self._wait_seconds = wait_seconds
        self._lock = Lock()
        self._flights: dict[_Key, _Flight[_Result]] = {}

    def run(self, key: _Key, call: Callable[[], _Result]) -> _Result:
        """Return what the call gives, or what the one under way for this key gives.

        Raises:
            WaitedTooLong: when another thread's call takes longer than this one may wait.
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
            # Who asks from now on makes a call of its own.
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
