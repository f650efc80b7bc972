"""A request to the local gateway and its response, independent of any HTTP server."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl

Headers = Sequence[tuple[str, str]]


class CacheUse(StrEnum):
    """How a response used the authorizer's result cache."""

    HIT = "hit"
    MISS = "miss"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """One HTTP request. `query` is as sent; `headers` have names in lower case.

    `path` is as sent until the gateway decodes it for routes and functions; `sent_path` then keeps
    the path as sent.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    source_address: str = "127.0.0.1"
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    sent_path: str = ""

    def header_values(self, name: str) -> list[str]:
        """Return every value of a header, in order; the name is case-insensitive."""
        return [value for known, value in self.headers if known == name.lower()]

    def multi_value_headers(self) -> dict[str, list[str]]:
        """Return all headers with all their values."""
        return _grouped(self.headers)

    def multi_value_query(self) -> dict[str, list[str]]:
        """Return all query parameters, decoded, with all their values."""
        return _grouped(parse_qsl(self.query, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class GatewayAnswer:
    """One HTTP response."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    cache: CacheUse = CacheUse.NONE


@dataclass(frozen=True, slots=True)
class MatchedRoute:
    """The route of a request: method, template, and the values of its placeholders."""

    method: str
    template: str
    path_parameters: Mapping[str, str]


def _grouped(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups
