"""What the published tables say of each call, and what the gateway answers to it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.support.route_tables import FILES, V2, VECTORS, Row, read_rows


@dataclass(frozen=True)
class Refusal:
    """What a client's own error says of a refused call."""

    status: int
    code: str
    title: str


UNAUTHORIZED: Final = Refusal(401, "unauthorized", "Authorization is required")
FORBIDDEN: Final = Refusal(
    403, "forbidden", "The credential is not allowed to access this resource"
)
APP_NOT_FOUND: Final = Refusal(404, "app_not_found", "App not found")

CIRCUMSTANCES: Final[Mapping[str, Refusal | None]] = {
    "": None,
    "with a page": None,
    "after the page": None,
    "of a service account": None,
    "with a created key": None,
    "with a deleted key": UNAUTHORIZED,
    "of another account": FORBIDDEN,
    "that does not exist": APP_NOT_FOUND,
    "after it is deleted": APP_NOT_FOUND,
    "an eleventh time": Refusal(
        409, "too_many_keys", "The limit of 10 keys is reached. Delete one first"
    ),
    "with nested metadata": Refusal(
        400,
        "bad_request",
        "metadata.deep must be a string, a finite number, a boolean or null",
    ),
}
"""What a call's words after its route say of it, and how a call that the scope allows then ends."""
REFUSED_ONLY_TO: Final = {"of another user": "appUser", "of another integration": "integration"}
"""Circumstances that are refused to one kind of caller, which is bound to its own."""
_ROWS: Final = {(row.method, row.path): row for route_set in FILES for row in read_rows(route_set)}


@dataclass(frozen=True)
class Call:
    """A published route that a client calls, and in what circumstances."""

    method: str
    path: str
    circumstance: str

    @classmethod
    def read(cls, text: str) -> "Call":
        method, path, *words = text.split(" ")
        return cls(method, path, " ".join(words))

    @property
    def text(self) -> str:
        return f"{self.method} {self.path} {self.circumstance}".rstrip()

    @property
    def row(self) -> Row:
        """The call's row of the published tables.

        Raises:
            KeyError: no table has the route.
        """
        return _ROWS[self.method, self.path]


def expected(call: Call, kind: str | None) -> Refusal | None:
    """Return how a call ends for a credential of a kind; None means that it is answered.

    A credential that is not valid is of no kind.
    """
    if kind is None:
        return UNAUTHORIZED
    if not call.row.lets(kind):
        return FORBIDDEN
    if (bound := REFUSED_ONLY_TO.get(call.circumstance)) is not None:
        return FORBIDDEN if kind == bound else None
    return CIRCUMSTANCES[call.circumstance]


NO_KEY_OPENS: Final = {"OAuth Endpoints"}
"""Resources that the clients call with an OAuth client's secret, not with an API key."""
MANAGEMENT: Final = {"Apps", "App Keys", "CustomIntegrationApiKeys"}


def _tags() -> Mapping[tuple[str, str], str]:
    rows = json.loads((VECTORS / FILES[V2]).read_text("utf-8"))
    return {(row["method"], row["path"]): row["tag"] for row in rows}


TAGS: Final = _tags()
"""The resource of each route of v2, by method and path."""


def left_out(calls: Iterable[Call]) -> list[str]:
    """Return what of v2 a client does not try: each management route, one read, one write."""
    called = {(call.method, call.path) for call in calls}
    routes = {
        f"{method} {path}" if tag in MANAGEMENT else f"{_sort_of(method)} {tag}": False
        for (method, path), tag in TAGS.items()
        if tag not in NO_KEY_OPENS
    }
    for (method, path), tag in TAGS.items():
        if (method, path) in called:
            routes[f"{method} {path}" if tag in MANAGEMENT else f"{_sort_of(method)} {tag}"] = True
    return [route for route, tried in routes.items() if not tried]


def _sort_of(method: str) -> str:
    return "read" if method == "GET" else "write"


def contains(answer: object, part: object) -> bool:
    """Return whether an answer has every member of a part; it may have more."""
    match part:
        case dict():
            return isinstance(answer, dict) and all(
                name in answer and contains(answer[name], value) for name, value in part.items()
            )
        case list():
            return (
                isinstance(answer, list)
                and len(answer) == len(part)
                and all(map(contains, answer, part))
            )
        case _:
            return answer == part
