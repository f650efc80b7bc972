"""The function's credentials, from its environment or from the endpoint that SnapStart provides.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from threading import Lock
from typing import NamedTuple
from urllib.parse import urlsplit

from keyscope.aws.calls import CallError
from keyscope.aws.deadline import CallTime
from keyscope.aws.lean.connection import Connections, Request
from keyscope.aws.lean.endpoint import Endpoint, UnknownSetting, endpoint_at

RENEW_SECONDS = 900
"""How long before they expire credentials are renewed."""
PAUSE_SECONDS = 10
"""How long after a failed renewal credentials that have not expired are still used."""
ACCESS_KEY = "AWS_ACCESS_KEY_ID"
CONTAINER_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_HOSTS = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost"})


class Credentials(NamedTuple):
    """What signs a request; its representation contains no secret."""

    access_key: str
    secret_key: str
    token: str

    def __repr__(self) -> str:
        """Return the class's name."""
        return "Credentials(...)"


class CredentialsFailed(CallError):  # noqa: N818 - a state, named as in the log
    """The endpoint returned no credentials, or its token file cannot be read."""


class ContainerCredentials:
    """Reads credentials from the container's endpoint and renews them before they expire.

    While one thread renews them, the others keep using those they have.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        connect: Callable[[Endpoint], Connections],
        clock: Callable[[], float],
    ) -> None:
        """Start without credentials. The environment's token is read for each request.

        Raises:
            UnknownSetting: the endpoint is not one that credentials may come from.
        """
        self._environment = environment
        endpoint, self._target = _parsed(environment.get(CONTAINER_URI, ""))
        self._connections = connect(endpoint)
        self._clock = clock
        self._turn = Lock()
        self._held: Credentials | None = None
        self._renew_at = self._ends_at = 0.0

    def get(self, call: CallTime) -> Credentials:
        """Return credentials that have not expired.

        Raises:
            CallError: there are none, or the time of the call is up.
        """
        held = self._held
        if held is not None and self._clock() < self._renew_at:
            return held
        still_serve = held is not None and self._clock() < self._ends_at
        if not self._turn.acquire(timeout=0 if still_serve else call.left()):
            if held is None or not still_serve:
                raise call.passed()
            return held
        try:
            return self._renewed(call)
        finally:
            self._turn.release()

    def forget(self) -> None:
        """Drop the credentials and the connections; the next call reads new ones."""
        with self._turn:
            self._held = None
        self._connections.close()

    def _renewed(self, call: CallTime) -> Credentials:
        held, now = self._held, self._clock()
        if held is not None and now < self._renew_at:
            return held
        try:
            found, ends_at = self._read(call)
        except Exception:
            if held is None or now >= self._ends_at:
                raise
            self._renew_at = min(now + PAUSE_SECONDS, self._ends_at)
            return held
        if ends_at <= now:
            raise CredentialsFailed
        self._held, self._ends_at = found, ends_at
        self._renew_at = max(ends_at - RENEW_SECONDS, min(now + PAUSE_SECONDS, ends_at))
        return found

    def _read(self, call: CallTime) -> tuple[Credentials, float]:
        headers = {"host": self._connections.authority, "accept": "application/json"}
        if token := self._token():
            headers["authorization"] = token
        request = Request("GET", self._target, headers, b"")
        answer = self._connections.exchange(request, call)
        if answer.status != HTTPStatus.OK:
            raise CredentialsFailed
        try:
            read = json.loads(answer.body)
            texts = [read[name] for name in ("AccessKeyId", "SecretAccessKey", "Token")]
            ends_at = datetime.fromisoformat(read["Expiration"]).timestamp()
        except (ValueError, KeyError, TypeError, RecursionError):
            raise CredentialsFailed from None
        if not all(isinstance(text, str) and text for text in texts):
            raise CredentialsFailed
        return Credentials(*texts), ends_at

    def _token(self) -> str:
        file = self._environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        try:
            token = (
                Path(file).read_text("utf-8")
                if file
                else self._environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
            )
        except (OSError, ValueError):
            raise CredentialsFailed from None
        if not token.isprintable():
            raise CredentialsFailed
        return token


def environment_credentials(environment: Mapping[str, str]) -> Credentials | None:
    """Return the credentials in the environment, if there are any."""
    keys = environment.get(ACCESS_KEY), environment.get("AWS_SECRET_ACCESS_KEY")
    if not all(keys):
        return None
    token = environment.get("AWS_SECURITY_TOKEN") or environment.get("AWS_SESSION_TOKEN") or ""
    return Credentials(str(keys[0]), str(keys[1]), token)


def _parsed(uri: str) -> tuple[Endpoint, str]:
    """Return an endpoint and the target of requests to it, as botocore allows them."""
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
    except ValueError:
        raise UnknownSetting(CONTAINER_URI) from None
    is_secure = parts.scheme == "https"
    if not is_secure and (parts.scheme != "http" or not _is_local(host)):
        raise UnknownSetting(CONTAINER_URI)
    endpoint = endpoint_at(CONTAINER_URI, f"{parts.scheme}://{parts.netloc}")
    return endpoint, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _is_local(host: str) -> bool:
    try:
        return host in _HOSTS or ip_address(host).is_loopback
    except ValueError:
        return False
