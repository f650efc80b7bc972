"""Connections to APIs that send a request exactly as given."""

from http.client import HTTPConnection, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

TIMEOUT_SECONDS: Final = 35
"""More than API Gateway's 29 s for an integration."""


def connection_to(url: str) -> HTTPConnection:
    """Return a connection that is not open yet, over TLS if the URL requires it."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(str(parts.hostname), parts.port, timeout=TIMEOUT_SECONDS)
