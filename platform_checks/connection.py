"""Connections to APIs, on which a request goes out exactly as it is."""

from http.client import HTTPConnection, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

TIMEOUT_SECONDS: Final = 35
"""More than API Gateway's 29 s for an integration."""


def connection_to(url: str) -> HTTPConnection:
    """Return a connection that is not made yet, over TLS where the URL says so."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(str(parts.hostname), parts.port, timeout=TIMEOUT_SECONDS)
