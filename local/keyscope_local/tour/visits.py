"""A tour of requests that shows what each credential may and may not do.

Nothing is simulated: each row is an HTTP request to the running gateway, and its reason comes from
the response or from the authorizer's own decision log.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import httpx
from rich.table import Table

from keyscope.errors import Reason
from keyscope.model.scopes import scope_of_secret
from keyscope.model.secret import new_secret
from keyscope_local.gateway.request import CacheUse
from keyscope_local.gateway.server import CACHE_HEADER, REQUEST_ID_HEADER
from keyscope_local.tour.event_values import basic, bearer, bearer_secret
from keyscope_local.tour.seed import INTEGRATION_ID, USER_ID, IssuedKey
from keyscope_local.tour.session import Session
from keyscope_local.tour.stops import OUTSIDE_SCOPE, Stop

_PAUSE_SECONDS: Final = 0.1
_EITHER: Final = "*"
_ABOUT_EITHER: Final = (
    f"{_EITHER} Hit or miss: Keyscope flushes the cache one second after a key changes."
)
_ABOUT_PATIENCE: Final = (
    "The tour repeats two requests until the response is as expected, which can take a second:\n"
    "the first one with a new secret, and the list that shows a key's last use."
)


@dataclass(frozen=True, slots=True)
class Visit:
    """A stop with its result; `milliseconds` is the time of its last request."""

    stop: Stop
    status: int
    reason: str
    cache: str
    milliseconds: float

    @property
    def as_expected(self) -> bool:
        """Whether status, reason and cache use are what the stop expects."""
        expected = (self.stop.status, self.stop.reason, self.stop.cache or self.cache)
        return (self.status, self.reason, self.cache) == expected


def credentials_of(session: Session) -> dict[str, str | None]:
    """Return the `Authorization` value of each credential of the session."""
    store = session.store
    expired = {"scope": "app", "exp": int(time.time()) - 1}
    return {
        "none": None,
        "account Basic": basic(store.account_key),
        "account JWT": bearer(store.account_key, {"scope": "account"}),
        "app Basic": basic(store.app_key),
        "integration Basic": basic(store.integration_key),
        "app Bearer secret": bearer_secret(store.app_key.secret),
        "app JWT": bearer(store.app_key, {"scope": "app"}),
        "appUser JWT": f"Bearer {session.app_user_token}",
        "svc account Basic": basic(store.service_account_key),
        "svc account JWT": bearer(store.service_account_key, {"scope": "account"}),
        "wrong secret": basic(store.app_key, new_secret(store.app_key.key_id)),
        "revoked key": basic(store.revoked_key),
        "expired key": basic(store.expired_key),
        "wrong address": basic(store.cidr_key),
        "expired JWT": bearer(store.app_key, expired),
        "app JWT, account": bearer(store.app_key, {"scope": "account"}),
        "Digest": 'Digest username="x"',
    }


def ids_of(session: Session) -> dict[str, str]:
    """Return the values of the placeholders in the tour's paths."""
    return {
        "app": session.store.app_id,
        "svcApp": session.store.service_account_app_id,
        "strangersApp": session.strangers_app_id,
        "integration": INTEGRATION_ID,
        "user": USER_ID,
    }


class _NotGiven(Exception):  # noqa: N818 - a state
    """An earlier stop did not provide what this one needs."""


@dataclass(frozen=True, slots=True)
class _Belongings:
    """The ids and credentials of the tour: the session's, and those that its stops received."""

    ids: dict[str, str]
    credentials: dict[str, str | None] = field(repr=False)

    def request(self, client: httpx.Client, stop: Stop, url: str) -> httpx.Request:
        """Build a stop's request; raises `_NotGiven`."""
        try:
            method, path = stop.request.format_map(self.ids).split(" ")
            authorization = self.credentials[stop.credential]
        except KeyError as missing:
            raise _NotGiven(missing.args[0]) from None
        headers = {} if authorization is None else {"authorization": authorization}
        return client.build_request(method, url + path, headers=headers, json=stop.body)

    def keep(self, name: str, answer: Mapping[str, Any]) -> None:
        """Keep what a response provides: the id, and a key's secret."""
        (given,) = answer.values()
        given_id = given.get("id") or given["_id"]
        self.ids[name] = given_id
        if "secret" in given:
            key = IssuedKey(given_id, given["secret"])
            self.credentials[f"{name} Basic"] = basic(key)
            self.credentials[f"{name} Bearer secret"] = bearer_secret(key.secret)
            scope = scope_of_secret(key.key_id)
            claims: dict[str, object] = {"scope": scope.value}
            self.credentials[f"{name} JWT"] = bearer(key, claims)
            self.credentials[f"{name} JWT, read"] = bearer(key, {**claims, "permissions": ["read"]})


def visit(
    stops: Sequence[Stop], session: Session, urls: Sequence[str], decision_log: Path
) -> list[Visit]:
    """Send every stop's request, one after the other, and look up the reasons.

    `urls` are the URLs of the REST API and the HTTP API. `decision_log` is the file for the
    authorizers' standard output.
    """
    belongings = _Belongings(ids_of(session), credentials_of(session))
    with httpx.Client(trust_env=False) as client:
        return [
            _visit(client, stop, urls[stop.on_http_api], belongings, decision_log) for stop in stops
        ]


def _visit(
    client: httpx.Client, stop: Stop, url: str, belongings: _Belongings, decision_log: Path
) -> Visit:
    try:
        request = belongings.request(client, stop, url)
    except _NotGiven as missing:
        return Visit(stop, 0, f"without {missing}", CacheUse.NONE, 0)
    deadline = time.monotonic() + stop.patience_seconds
    while True:
        started = time.perf_counter()
        response = client.send(request)
        milliseconds = (time.perf_counter() - started) * 1_000
        reason = _reason(response, decision_log)
        visited = Visit(
            stop, response.status_code, reason, response.headers[CACHE_HEADER], milliseconds
        )
        if visited.as_expected or time.monotonic() >= deadline:
            break
        time.sleep(_PAUSE_SECONDS)
    if stop.gives is not None and response.is_success:
        belongings.keep(stop.gives, response.json())
    return visited


def _reason(response: httpx.Response, decision_log: Path) -> str:
    """Return the reason for a response, from the response or the log."""
    match response.status_code:
        case HTTPStatus.CREATED:
            return "created"
        case HTTPStatus.OK:
            return _reason_of_success(response.json())
        case HTTPStatus.UNAUTHORIZED:
            return _logged_reason(response.headers[REQUEST_ID_HEADER], decision_log)
        case HTTPStatus.FORBIDDEN:
            return OUTSIDE_SCOPE
        case _:
            return _error_code(response)


def _reason_of_success(answer: Mapping[str, Any]) -> str:
    match answer:
        case {"context": {"scope": scope}}:
            return f"scope {scope}"
        case {"apps": apps}:
            names = sorted(app.get("displayName") or app["name"] for app in apps)
            return f"apps: {', '.join(names)}"
        case {"keys": keys}:
            used = sum(key.get("lastUsedAt") is not None for key in keys)
            return f"keys: {len(keys)}" + (f", last use of {used}" if used else "")
        case {"key": {"secret": _}}:
            return "new secret"
        case _:
            return "done"


def _logged_reason(request_id: str, decision_log: Path) -> str:
    for line in reversed(decision_log.read_text("utf-8").splitlines()):
        if request_id in line and '"message":"decision"' in line:
            return str(json.loads(line)["reason"])
    # The gateway refused the request without calling the authorizer.
    return Reason.NO_CREDENTIAL


def _error_code(response: httpx.Response) -> str:
    match response.json():
        case {"errors": [{"code": str(code)}, *_]} | {"error": {"code": str(code)}}:
            return code
        case _:
            return response.reason_phrase


def table_of(visits: Sequence[Visit]) -> Table:
    """Return the tour as a table to print."""
    is_uncertain = any(one.stop.cache is None for one in visits)
    table = Table(
        header_style="bold",
        pad_edge=False,
        box=None,
        caption=f"{_ABOUT_EITHER}\n{_ABOUT_PATIENCE}" if is_uncertain else _ABOUT_PATIENCE,
        caption_justify="left",
    )
    for name in ("", "Credential", "Request", "Status", "Reason", "Cache"):
        table.add_column(name, no_wrap=True)
    table.add_column("ms", justify="right")
    for one in visits:
        table.add_row(
            "[green]ok[/]" if one.as_expected else "[bold red]NOT[/]",
            one.stop.credential,
            one.stop.label,
            str(one.status),
            one.reason,
            one.cache if one.stop.cache else one.cache + _EITHER,
            f"{one.milliseconds:.1f}",
        )
    return table


def surprises(visits: Sequence[Visit]) -> list[str]:
    """Return a line for each row that was not as expected, with what happened."""
    return [
        f"{one.stop.credential}, {one.stop.label}: expected"
        f" {one.stop.status} {one.stop.reason} {one.stop.cache or 'hit or miss'}"
        for one in visits
        if not one.as_expected
    ]
