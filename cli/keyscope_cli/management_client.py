"""The management API over HTTP, with errors that people can read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from keyscope_cli.failures import ExitStatus, Failure

TIMEOUT_SECONDS = 35
"""Slightly more than API Gateway waits for a function (29 s)."""
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_ADVICE: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: (
        "Look at the key id, the secret and which stack they are of; `keyscope explain` as the"
        " operator tells the reason."
    ),
    HTTPStatus.FORBIDDEN: (
        "Use a key of account scope: a user account's (act_), or a service account's (svc_) for its"
        " own apps. Service accounts need the route set v1.1."
    ),
    HTTPStatus.NOT_FOUND: "Look at the id: it is not there, or not yours.",
    HTTPStatus.TOO_MANY_REQUESTS: "Wait a little and try again.",
}


@dataclass(frozen=True, slots=True)
class ManagementClient:
    """Calls the management API at a URL with a key."""

    url: str
    authorization: str = field(repr=False)

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        """Return the JSON object of the response.

        Raises:
            Failure: the API cannot be reached, or rejects the request.
        """
        parts = urlsplit(self.url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            message = f"{self.url} would send your secret unencrypted; nothing was sent."
            raise Failure(ExitStatus.USAGE, message, "Use https.")
        try:
            response = httpx.request(
                method,
                self.url + path,
                json=body,
                params=query,
                headers={"Authorization": self.authorization},
                timeout=TIMEOUT_SECONDS,
                trust_env=parts.hostname not in _LOOPBACK,
                # Loading the trusted certificates takes longer than a call without encryption.
                verify=parts.scheme == "https",
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            message = f"{self.url} cannot be reached: {type(error).__name__}."
            advice = "Look at the URL and the network; with --local, at `make run`."
            raise Failure(ExitStatus.UNAVAILABLE, message, advice) from None
        try:
            members = response.json()
        except ValueError:
            message = f"{self.url} answered {response.status_code} and no JSON."
            raise Failure(ExitStatus.UNAVAILABLE, message, "Look at the URL.") from None
        if response.is_success and isinstance(members, dict):
            return members
        raise _failure(response.status_code, members)


def _failure(status: int, members: object) -> Failure:
    title = "; ".join(_titles(members)) or f"status {status}"
    advice = _ADVICE.get(status, "")
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Failure(ExitStatus.REFUSED, f"Refused ({status}): {title}", advice)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        advice = "Nothing or all of it was done: look before you try again."
        return Failure(ExitStatus.UNAVAILABLE, f"Failed ({status}): {title}", advice)
    return Failure(ExitStatus.NOT_DONE, f"Not done ({status}): {title}", advice)


def _titles(members: object) -> list[str]:
    """Return the error titles from a v2 or v1.1 response."""
    match members:
        case {"errors": [*errors]}:
            return [f"{one.get('title')} [{one.get('code')}]" for one in errors]
        case {"error": {"code": code, "description": description}}:
            return [f"{description} [{code}]"]
        case _:
            return []
