"""How the program calls the management API, and what it says of an error."""

import ssl
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx
import pytest

from keyscope_cli.credential_input import HeldKey
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.management_client import ManagementClient
from tests.support.builders import make_key

NOBODY_LISTENS: Final = 1
URL: Final = "https://api.example/prod"
LOCAL_URL: Final = "http://127.0.0.1:3000"
SESSION: Final = Path(".local/session.json")
ACCOUNT_KEY: Final = HeldKey("act_" + "0" * 24, make_key().secret, "account.json")
APP_KEY: Final = HeldKey("app_" + "0" * 24, make_key().secret, "KEYSCOPE_SECRET")
SESSION_KEY: Final = HeldKey(ACCOUNT_KEY.key_id, ACCOUNT_KEY.secret, str(SESSION))


def failure_of(
    client: ManagementClient,
    answer: httpx.Response | httpx.HTTPError,
    monkeypatch: pytest.MonkeyPatch,
    method: str = "GET",
) -> Failure:
    """Return the failure of a call that gets this response, or fails so."""

    def request(*_: object, **__: object) -> httpx.Response:
        if isinstance(answer, httpx.HTTPError):
            raise answer
        return answer

    monkeypatch.setattr(httpx, "request", request)
    with pytest.raises(Failure) as failed:
        client.call(method, "/v2/apps")
    assert client.key.secret not in failed.value.message + failed.value.advice
    return failed.value


def response(status: int, title: str = "A title", code: str = "a_code") -> httpx.Response:
    return httpx.Response(status, json={"errors": [{"title": title, "code": code}]})


@pytest.mark.parametrize(("scheme", "contexts"), [("http", 0), ("https", 1)])
def test_only_an_encrypted_call_loads_whom_the_world_trusts(
    scheme: str, contexts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[ssl.SSLContext] = []
    make = ssl.create_default_context

    def making(*arguments: object, **options: object) -> ssl.SSLContext:
        context = make(*arguments, **options)  # type: ignore[arg-type]
        made.append(context)
        return context

    monkeypatch.setattr(ssl, "create_default_context", making)
    client = ManagementClient(f"{scheme}://127.0.0.1:{NOBODY_LISTENS}", ACCOUNT_KEY)
    with pytest.raises(Failure):
        client.call("GET", "/v2/apps")
    assert [context.verify_mode for context in made] == [ssl.CERT_REQUIRED] * contexts


def test_a_rejected_credential_is_named_with_where_it_came_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = ManagementClient(URL, APP_KEY)
    failure = failure_of(client, response(401, "Authorization is required"), monkeypatch)
    assert failure.status is ExitStatus.REFUSED
    assert failure.message == (
        f"Your credential was rejected (401): key {APP_KEY.key_id} from KEYSCOPE_SECRET."
    )
    assert "keyscope explain" in failure.advice


def test_the_rejected_key_of_a_session_means_that_the_session_may_be_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = ManagementClient(LOCAL_URL, SESSION_KEY, SESSION)
    failure = failure_of(client, response(401), monkeypatch)
    assert f"{SESSION} may be left from an earlier run." in failure.advice
    assert "keyscope up" in failure.advice


@pytest.mark.parametrize(
    ("key", "remedy"),
    [(APP_KEY, "It cannot manage apps and keys."), (ACCOUNT_KEY, "Check the ID")],
)
def test_denied_access_depends_on_what_the_key_can_manage(
    key: HeldKey, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = response(403, "Not allowed", "forbidden")
    failure = failure_of(ManagementClient(URL, key), answer, monkeypatch)
    assert failure.status is ExitStatus.REFUSED
    assert failure.message == "Access denied (403, forbidden): Not allowed."
    assert f"the key {key.key_id} from {key.source}." in failure.advice
    assert remedy in failure.advice


def test_a_denial_with_a_reason_of_its_own_has_no_other_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = response(403, "permissions exceeds the limits of your key", "exceeds_own_limits")
    failure = failure_of(ManagementClient(URL, ACCOUNT_KEY), answer, monkeypatch)
    assert failure.message.startswith("Access denied (403, exceeds_own_limits): permissions exceed")
    assert failure.advice.endswith("from account.json.")


@pytest.mark.parametrize(("method", "is_maybe_done"), [("GET", False), ("POST", True)])
@pytest.mark.parametrize(
    "answer", [response(500), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")], ids=repr
)
def test_only_a_change_may_have_been_made(
    answer: httpx.Response | httpx.HTTPError,
    method: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_maybe_done: bool,
) -> None:
    client = ManagementClient(URL, ACCOUNT_KEY)
    failure = failure_of(client, answer, monkeypatch, method)
    assert ("The change may have been made." in failure.advice) is is_maybe_done


@pytest.mark.parametrize(
    ("status", "exit_status", "message"),
    [
        (HTTPStatus.NOT_FOUND, ExitStatus.NOT_DONE, "Not found (404, a_code): A title."),
        (HTTPStatus.BAD_REQUEST, ExitStatus.NOT_DONE, "Request rejected (400, a_code): A title."),
        (
            HTTPStatus.TOO_MANY_REQUESTS,
            ExitStatus.NOT_DONE,
            "Request rejected (429, a_code): A title.",
        ),
        (HTTPStatus.BAD_GATEWAY, ExitStatus.UNAVAILABLE, "The API failed (502, a_code): A title."),
    ],
)
def test_other_errors_have_their_title_and_code(
    status: int, exit_status: ExitStatus, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = failure_of(ManagementClient(URL, ACCOUNT_KEY), response(status), monkeypatch)
    assert failure.status is exit_status
    assert message in failure.message


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            httpx.ConnectError("[Errno 111] Connection refused"),
            f"connect to {URL}: Connection refused.",
        ),
        (httpx.ConnectTimeout("x"), "did not respond in time"),
        (httpx.ReadTimeout("x"), "did not respond in time"),
        (httpx.RemoteProtocolError("closed"), f"The connection to {URL} failed: closed."),
    ],
)
def test_a_failed_connection_says_how_and_what_to_check(
    error: httpx.HTTPError, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = failure_of(ManagementClient(URL, ACCOUNT_KEY), error, monkeypatch)
    assert failure.status is ExitStatus.UNAVAILABLE
    assert message in failure.message
    assert failure.advice == "Check the URL and your network."


def test_a_local_stack_that_has_ended_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    client = ManagementClient(LOCAL_URL, SESSION_KEY, SESSION)
    failure = failure_of(client, httpx.ConnectError("Connection refused"), monkeypatch)
    assert failure.message == f"The local stack at {LOCAL_URL} is not running."
    assert failure.advice.startswith(f"{SESSION} is left from an earlier run.")
    assert "keyscope up" in failure.advice


@pytest.mark.parametrize("session", [None, SESSION])
def test_a_server_that_is_not_keyscopes_is_recognized(
    session: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = ManagementClient(LOCAL_URL, SESSION_KEY, session)
    failure = failure_of(client, httpx.Response(200, text="<html>"), monkeypatch)
    assert "is not a Keyscope API" in failure.message
    assert ("keyscope up" in failure.advice) is (session is not None)


@pytest.mark.parametrize("url", ["https://[x", "x", "https://", "ftp://api.example"])
def test_a_malformed_url_is_wrong_usage_with_an_example(url: str) -> None:
    with pytest.raises(Failure) as failed:
        ManagementClient(url, ACCOUNT_KEY).call("GET", "/v2/apps")
    assert failed.value.status is ExitStatus.USAGE
    assert "execute-api" in failed.value.advice
