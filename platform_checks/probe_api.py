"""Sends requests to a probe API, with a script for its authorizer, and reads the responses."""

import base64
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, cast
from urllib.parse import urlsplit

from platform_checks.evidence import Evidence

TIMEOUT_SECONDS: Final = 35
"""More than API Gateway's 29 s for an integration."""
ATTEMPTS: Final = 4
"""How often a request that gets no response is sent."""
ALLOWED_ORIGIN: Final = "access-control-allow-origin"
_TOLD_HEADERS: Final = {
    "date",
    "x-amzn-errortype",
    "x-amzn-requestid",
    "apigw-requestid",
    ALLOWED_ORIGIN,
}

Script = Mapping[str, object]
"""The answer that the probe authorizer should give (`probe_authorizer/index.py`)."""


class Unanswered(Exception):  # noqa: N818 - a state
    """A request got no response; the text says where and why."""


@dataclass(frozen=True, slots=True)
class ProbeResponse:
    """A response. `evidence` names its line in the evidence file.

    `allowed_origin` is the value of `Access-Control-Allow-Origin`, `None` without the header.
    """

    status: int
    body: Mapping[str, object]
    evidence: str
    allowed_origin: str | None = None

    @property
    def context(self) -> Mapping[str, object]:
        """The authorizer's context, as the backend saw it; empty if the backend was not reached."""
        context = self.body.get("context")
        return context if isinstance(context, dict) else {}

    @property
    def name(self) -> object:
        """The name of the script that answered: an earlier one, if the answer was cached."""
        return self.context.get("name")


@dataclass(frozen=True, slots=True)
class ProbeApi:
    """One of the probe APIs. `token` opens its authorizer and stays out of the evidence."""

    url: str
    token: str = field(repr=False)
    evidence: Evidence

    def ask(
        self,
        script: Script,
        key: str | None = None,
        *,
        target: str = "/probe",
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
    ) -> ProbeResponse:
        """Send a request whose authorizer result is cached under a key; an empty key sends none.

        `target` is sent exactly as it is. Without `key`, a new key is used.

        Raises:
            Unanswered: the request repeatedly got no response.
        """
        key = secrets.token_hex(8) if key is None else key
        text = base64.urlsafe_b64encode(json.dumps(script).encode()).decode()
        sent = [("x-probe-script", text), *headers, *([("x-probe-key", key)] if key else [])]
        base = urlsplit(self.url)
        status, received, body = self._send(method, base.path + target, sent)
        name = self.evidence.add(
            {
                "at": time.time(),
                "request": {
                    "host": base.hostname,
                    "line": f"{method} {base.path}{target}",
                    "key": key,
                    "script": dict(script),
                    "headers": list(headers),
                },
                "answer": {"status": status, "headers": received, "body": body},
            }
        )
        allowed = {each.lower(): value for each, value in received.items()}.get(ALLOWED_ORIGIN)
        return ProbeResponse(status, _members(body), name, allowed)

    def _send(
        self, method: str, target: str, headers: Sequence[tuple[str, str]]
    ) -> tuple[int, dict[str, str], str]:
        reason: Exception | None = None
        for _ in range(ATTEMPTS):
            try:
                return self._send_once(method, target, headers)
            except (OSError, HTTPException) as error:
                reason = error
        message = f"{urlsplit(self.url).hostname} does not answer: {type(reason).__name__}"
        raise Unanswered(message) from reason

    def _send_once(
        self, method: str, target: str, headers: Sequence[tuple[str, str]]
    ) -> tuple[int, dict[str, str], str]:
        # HTTP libraries normalize the path; this one sends it as it is.
        with closing(connection_to(self.url)) as connection:
            connection.putrequest(method, target)
            for name, value in [*headers, ("x-probe-token", self.token)]:
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return response.status, dict(_told(response.getheaders())), response.read().decode()


def _told(headers: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in headers if name.lower() in _TOLD_HEADERS)


def _members(body: str) -> Mapping[str, object]:
    try:
        value: object = json.loads(body)
    except ValueError:
        return {}
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def connection_to(url: str) -> HTTPConnection:
    """Return a connection that is not open yet, over TLS if the URL requires it."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(str(parts.hostname), parts.port, timeout=TIMEOUT_SECONDS)
