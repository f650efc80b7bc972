"""Load on a server of this machine, over connections that stay open; each request is checked.

It is bounded in connections and in time, and calls 127.0.0.1 only.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import cycle
from typing import Final
from urllib.parse import urlsplit

from keyscope_local.emulators.listening_program import LOOPBACK
from tests.support.patience import PATIENCE_SECONDS

MAX_WRONG: Final = 20
"""After so many wrong answers a connection ends: more would say no more."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request, and what must come of it.

    `kind` names it in tables. `authorization` makes the header's values anew for each request.
    `context` holds what an echoing backend must have been told, and nothing where none is asked.
    """

    kind: str
    method: str
    url: str
    expected: int
    authorization: Callable[[], Sequence[str]] = field(repr=False)
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load: requests by expected status and kind, times, and wrong answers."""

    counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def percentile(self, percent: float) -> float:
        """Return the time in milliseconds that so many percent of the answers took at most."""
        ordered = sorted(self.milliseconds)
        return ordered[math.ceil(len(ordered) * percent / 100) - 1]

    def by_status(self) -> Counter[int]:
        """Return how many requests expected each status."""
        statuses: Counter[int] = Counter()
        for (status, _), count in self.counts.items():
            statuses[status] += count
        return statuses


def load(calls: Sequence[Call], *, connections: int, seconds: float) -> Load:
    """Send the calls round and round over so many connections for so many seconds."""
    ends_at = time.monotonic() + seconds
    starts = [len(calls) * index // connections for index in range(connections)]
    orders = [[*calls[start:], *calls[:start]] for start in starts]
    with ThreadPoolExecutor(connections) as pool:
        parts = list(pool.map(lambda order: _send_until(ends_at, order), orders))
    return Load(
        counts=sum((part.counts for part in parts), Counter()),
        milliseconds=[each for part in parts for each in part.milliseconds],
        wrong=[each for part in parts for each in part.wrong],
    )


def _send_until(ends_at: float, calls: Sequence[Call]) -> Load:
    done = Load()
    connections: dict[str, HTTPConnection] = {}
    for call in cycle(calls):
        if time.monotonic() >= ends_at or len(done.wrong) >= MAX_WRONG:
            break
        host = urlsplit(call.url).netloc
        connection = connections.get(host) or _connection(call.url)
        connections[host] = connection
        started = time.perf_counter()
        status, body = _send(connection, call)
        done.milliseconds.append((time.perf_counter() - started) * 1_000)
        done.counts[call.expected, call.kind] += 1
        if fault := _fault(call, status, body):
            done.wrong.append(f"{call.kind}: {call.method} {urlsplit(call.url).path}: {fault}")
    for connection in connections.values():
        connection.close()
    return done


def _connection(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    if parts.hostname != LOOPBACK:
        message = f"{parts.hostname} is not this machine"
        raise ValueError(message)
    return HTTPConnection(LOOPBACK, parts.port, timeout=PATIENCE_SECONDS)


def _send(connection: HTTPConnection, call: Call) -> tuple[int, bytes]:
    """Return the answer's status and body; status 0 where there was none."""
    try:
        connection.putrequest(call.method, urlsplit(call.url).path)
        for value in call.authorization():
            connection.putheader("Authorization", value.encode("latin-1"))
        connection.putheader("Content-Length", "0")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException) as error:
        connection.close()
        return 0, type(error).__name__.encode()


def _fault(call: Call, status: int, body: bytes) -> str | None:
    """Tell what is wrong with an answer, without quoting a credential."""
    if status != call.expected:
        return f"{status or body.decode()}, not {call.expected}"
    if not call.context:
        return None
    told = json.loads(body)["context"]
    differing = [name for name, value in call.context.items() if told.get(name) != value]
    return f"the backend was told another {', '.join(differing)}" if differing else None
