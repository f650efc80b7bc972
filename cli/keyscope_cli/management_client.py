"""The management API over HTTP, with errors that people can read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import httpx

from keyscope.model.ids import KEY_ID_PREFIXES, OwnerType
from keyscope_cli.credential_input import HeldKey
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.output import sentences

TIMEOUT_SECONDS = 35
"""Slightly more than API Gateway waits for a function (29 s)."""
_ERROR_NUMBER: Final = re.compile(r"^\[Errno -?\d+\] ")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_MANAGING: Final = (
    KEY_ID_PREFIXES[OwnerType.ACCOUNT, None],
    KEY_ID_PREFIXES[OwnerType.SERVICE_ACCOUNT, None],
)
"""What the ids of keys begin with that can manage apps and keys."""
_ADVICE: Final[Mapping[int, str]] = {
    HTTPStatus.NOT_FOUND: "Check the ID. It does not exist, or it belongs to another account.",
    HTTPStatus.TOO_MANY_REQUESTS: "Wait a few seconds, then try again.",
}
_OUTSIDE_THE_POLICY: Final = "forbidden"
"""The code of a response whose message does not say more than its status."""
_NO_SUCH_SCOPE: Final = (
    "It cannot manage apps and keys. Use the key of an account (act_...) or of a service account"
    " (svc_...)."
)
_OUT_OF_REACH: Final = (
    "It reaches only the apps of its account, and a service account's key only the apps that it"
    " created. A key that is limited to permissions reaches less. Check the ID, or use another key."
)


@dataclass(frozen=True, slots=True)
class ManagementClient:
    """Calls the management API at a URL with a key; `session` is a local stack's session file."""

    url: str
    key: HeldKey
    session: Path | None = None

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
        parts = self._parts()
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            message = (
                f"{self.url} is not encrypted, so your secret would be readable. Nothing was sent."
            )
            raise Failure(ExitStatus.USAGE, message, "Use an https:// URL.")
        try:
            response = httpx.request(
                method,
                self.url + path,
                json=body,
                params=query,
                headers={"Authorization": self.key.basic()},
                timeout=TIMEOUT_SECONDS,
                trust_env=parts.hostname not in _LOOPBACK,
                # Loading the trusted certificates takes longer than a call without encryption.
                verify=parts.scheme == "https",
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unreachable(error, method) from None
        try:
            members = response.json()
        except ValueError:
            message = (
                f"{self.url} is not a Keyscope API: it returned {response.status_code} and no JSON."
            )
            raise Failure(ExitStatus.UNAVAILABLE, message, self._if_another_server()) from None
        if response.is_success and isinstance(members, dict):
            return members
        raise self._failure(response.status_code, members, method)

    def _parts(self) -> SplitResult:
        try:
            parts = urlsplit(self.url)
        except ValueError:
            raise self._malformed() from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise self._malformed()
        return parts

    def _malformed(self) -> Failure:
        message = f"Malformed URL: {self.url!r}."
        advice = "Use one such as https://abc123.execute-api.us-east-1.amazonaws.com/prod."
        return Failure(ExitStatus.USAGE, message, advice)

    def _unreachable(self, error: httpx.HTTPError | httpx.InvalidURL, method: str) -> Failure:
        advice = "Check the URL and your network."
        match error:
            case httpx.InvalidURL():
                return self._malformed()
            case httpx.ConnectTimeout():
                message = f"{self.url} did not respond in time."
            case httpx.TimeoutException():
                message = f"{self.url} did not respond in time."
                advice = _maybe_done(method) or advice
            case httpx.ConnectError() if self.session is not None:
                message = f"The local stack at {self.url} is not running."
                advice = (
                    f"{self.session} is left from an earlier run. Start the local stack with"
                    " `keyscope up`, or use --session FILE with the running one's session file."
                )
            case httpx.ConnectError():
                message = f"Cannot connect to {self.url}: {_ERROR_NUMBER.sub('', str(error))}."
            case _:
                message = f"The connection to {self.url} failed: {error}."
                advice = _maybe_done(method) or advice
        return Failure(ExitStatus.UNAVAILABLE, message, advice)

    def _if_another_server(self) -> str:
        if self.session is None:
            return (
                "Check the URL. It must include the stage, unless the API has its own domain name."
            )
        return (
            f"{self.session} may be left from an earlier run. Start the local stack again with"
            " `keyscope up`."
        )

    def _failure(self, status: int, members: object, method: str) -> Failure:
        errors = _errors(members)
        codes = dict.fromkeys(code for code, _ in errors)
        place = ", ".join([str(status), *codes])
        title = sentences(title for _, title in errors) or "The response has no error message."
        named = f"key {self.key.key_id} from {self.key.source}"
        if status == HTTPStatus.UNAUTHORIZED:
            message = f"Your credential was rejected (401): {named}."
            return Failure(ExitStatus.REFUSED, message, self._if_rejected())
        if status == HTTPStatus.FORBIDDEN:
            advice = f"This command used the {named}."
            if [*codes] == [_OUTSIDE_THE_POLICY]:
                can_manage = self.key.key_id.startswith(_MANAGING)
                advice = f"{advice} {_OUT_OF_REACH if can_manage else _NO_SUCH_SCOPE}"
            return Failure(ExitStatus.REFUSED, f"Access denied ({place}): {title}", advice)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            message = f"The API failed ({place}): {title}"
            return Failure(ExitStatus.UNAVAILABLE, message, _maybe_done(method))
        if status == HTTPStatus.NOT_FOUND:
            return Failure(ExitStatus.NOT_DONE, f"Not found ({place}): {title}", _ADVICE[status])
        message = f"Request rejected ({place}): {title}"
        return Failure(ExitStatus.NOT_DONE, message, _ADVICE.get(status, ""))

    def _if_rejected(self) -> str:
        if self.session is not None and self.key.source == str(self.session):
            return (
                f"{self.session} may be left from an earlier run. Start the local stack again with"
                " `keyscope up`, or use --session FILE with the session file of the running one."
            )
        return (
            "Check that the secret is right and that the key belongs to this stack. The key may"
            " also be expired, disabled or revoked, or its account suspended. To see the reason,"
            " ask an operator to run `keyscope explain`."
        )


def _maybe_done(method: str) -> str:
    """Return what to do first if a request of this method may have been carried out."""
    return "" if method == "GET" else "The change may have been made. Check before you try again."


def _errors(members: object) -> list[tuple[str, str]]:
    """Return the codes and titles of the errors of a v2 or v1.1 response."""
    match members:
        case {"errors": [*errors]}:
            return [(str(one.get("code")), str(one.get("title"))) for one in errors]
        case {"error": {"code": code, "description": description}}:
            return [(str(code), str(description))]
        case _:
            return []
