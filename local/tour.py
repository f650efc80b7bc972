"""A tour of requests that shows what each credential may and may not do.

Nothing in it is played: each row is an HTTP request to the running gateway, and its reason comes
from the backend's answer or from the authorizer's own decision log.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx
from rich.table import Table

from keyscope.errors import Reason
from keyscope.secret import new_secret
from local.event_values import basic, bearer
from local.gateway_request import CacheUse
from local.seed import USER_ID
from local.server import CACHE_HEADER, REQUEST_ID_HEADER
from local.session import Session

OUTSIDE_SCOPE: Final = "outside the scope"

_ALLOWED, _REFUSED, _OUTSIDE = 200, 401, 403


@dataclass(frozen=True, slots=True)
class Stop:
    """One request of the tour and what must come of it.

    `credential` names one of `credentials_of`; `request` is a method and a path, whose
    placeholders are those of `ids_of`.
    """

    credential: str
    request: str
    status: int
    reason: str
    cache: CacheUse
    on_http_api: bool = False

    @property
    def label(self) -> str:
        """The request as a person would name it."""
        return f"HTTP API: {self.request}" if self.on_http_api else self.request


@dataclass(frozen=True, slots=True)
class Visit:
    """A stop with what came of it."""

    stop: Stop
    status: int
    reason: str
    cache: str
    milliseconds: float

    @property
    def as_expected(self) -> bool:
        """Whether status, reason and cache are what the stop says."""
        expected = (self.stop.status, self.stop.reason, self.stop.cache)
        return (self.status, self.reason, self.cache) == expected


def _allowed(credential: str, request: str, scope: str, cache: CacheUse) -> Stop:
    return Stop(credential, request, _ALLOWED, f"scope {scope}", cache)


def _outside(credential: str, request: str) -> Stop:
    return Stop(credential, request, _OUTSIDE, OUTSIDE_SCOPE, CacheUse.HIT)


def _refused(credential: str, reason: Reason) -> Stop:
    return Stop(credential, "GET /v2/apps/{app}/users", _REFUSED, reason, CacheUse.MISS)


_HIT, _MISS = CacheUse.HIT, CacheUse.MISS
_STOPS: Final = (
    Stop("none", "GET /v2/apps", _REFUSED, Reason.NO_CREDENTIAL, CacheUse.NONE),
    _allowed("account Basic", "GET /v2/apps", "account", _MISS),
    _allowed("account Basic", "DELETE /v2/apps/{app}/keys/app_1", "account", _HIT),
    _outside("account Basic", "GET /v2/apps/{strangersApp}"),
    _allowed("account JWT", "POST /v2/apps", "account", _MISS),
    _outside("account JWT", "GET /v2/apps/{strangersApp}/users"),
    _allowed("app Basic", "GET /v2/apps/{app}/users", "app", _MISS),
    _allowed("app Basic", "POST /v2/apps/{app}/conversations", "app", _HIT),
    _outside("app Basic", "DELETE /v2/apps/{app}"),
    _allowed("app JWT", "GET /v2/apps/{app}/conversations/c1", "app", _MISS),
    _outside("app JWT", "GET /v2/apps/{svcApp}/users"),
    _allowed("appUser JWT", "GET /v2/apps/{app}/users/{user}", "appUser", _MISS),
    _allowed("appUser JWT", "GET /v1.1/apps/{app}/appusers/{user}", "appUser", _HIT),
    _outside("appUser JWT", "GET /v2/apps/{app}/users/someone-else"),
    _outside("appUser JWT", "DELETE /v2/apps/{app}/users/{user}"),
    _allowed("svc account Basic", "PATCH /v2/apps/{svcApp}", "account", _MISS),
    _outside("svc account Basic", "PATCH /v2/apps/{app}"),
    _allowed("svc account JWT", "GET /v2/apps/{svcApp}/keys", "account", _MISS),
    _outside("svc account JWT", "POST /v1.1/serviceaccounts"),
    _refused("wrong secret", Reason.WRONG_SECRET),
    _refused("revoked key", Reason.REVOKED_KEY),
    _refused("expired key", Reason.EXPIRED_KEY),
    _refused("wrong address", Reason.SOURCE_ADDRESS_NOT_ALLOWED),
    _refused("expired JWT", Reason.EXPIRED_TOKEN),
    _refused("app JWT, account", Reason.SCOPE_NOT_OF_OWNER),
    _refused("Digest", Reason.UNSUPPORTED_SCHEME),
    replace(_allowed("app Basic", "GET /v2/apps/{app}/users", "app", _MISS), on_http_api=True),
    replace(_outside("app Basic", "DELETE /v2/apps/{app}"), on_http_api=True),
)


def credentials_of(session: Session) -> Mapping[str, str | None]:
    """Return the `Authorization` value of each credential of the tour."""
    store = session.store
    expired = {"scope": "app", "exp": int(time.time()) - 1}
    return {
        "none": None,
        "account Basic": basic(store.account_key),
        "account JWT": bearer(store.account_key, {"scope": "account"}),
        "app Basic": basic(store.app_key),
        "app JWT": bearer(store.app_key, {"scope": "app"}),
        "appUser JWT": f"Bearer {session.app_user_token}",
        "svc account Basic": basic(store.service_account_key),
        "svc account JWT": bearer(store.service_account_key, {"scope": "account"}),
        "wrong secret": basic(store.app_key, new_secret()),
        "revoked key": basic(store.revoked_key),
        "expired key": basic(store.expired_key),
        "wrong address": basic(store.cidr_key),
        "expired JWT": bearer(store.app_key, expired),
        "app JWT, account": bearer(store.app_key, {"scope": "account"}),
        "Digest": 'Digest username="x"',
    }


def ids_of(session: Session) -> Mapping[str, str]:
    """Return what the placeholders in the tour's paths stand for."""
    return {
        "app": session.store.app_id,
        "svcApp": session.store.service_account_app_id,
        "strangersApp": session.strangers_app_id,
        "user": USER_ID,
    }


def plan(route_sets: Sequence[str], *, caching: bool) -> list[Stop]:
    """Return the stops of the tour.

    `route_sets` are those of the access map that are selected: what needs another one is outside
    every scope. `caching` tells whether API Gateway caches the authorizers' results.
    """
    stops = (_as_selected(stop, route_sets) for stop in _STOPS)
    return [stop if caching else replace(stop, cache=CacheUse.NONE) for stop in stops]


def _as_selected(stop: Stop, route_sets: Sequence[str]) -> Stop:
    route_set = stop.request.split("/")[1]
    if route_set in route_sets or stop.status != _ALLOWED:
        return stop
    return replace(stop, status=_OUTSIDE, reason=OUTSIDE_SCOPE)


def visit(
    stops: Sequence[Stop], session: Session, urls: Sequence[str], decision_log: Path
) -> list[Visit]:
    """Send every stop's request, one after the other, and look up the reasons.

    `urls` are those of the REST API and the HTTP API; `decision_log` is where the authorizers'
    standard output goes.
    """
    credentials, ids = credentials_of(session), ids_of(session)
    visits = []
    with httpx.Client(trust_env=False) as client:
        for stop in stops:
            method, path = stop.request.format_map(ids).split(" ")
            authorization = credentials[stop.credential]
            headers = {} if authorization is None else {"authorization": authorization}
            started = time.perf_counter()
            response = client.request(method, urls[stop.on_http_api] + path, headers=headers)
            milliseconds = (time.perf_counter() - started) * 1_000
            reason = _reason(response, decision_log)
            cache = response.headers[CACHE_HEADER]
            visits.append(Visit(stop, response.status_code, reason, cache, milliseconds))
    return visits


def _reason(response: httpx.Response, decision_log: Path) -> str:
    """Tell why a request was answered as it was, from what the backend or the log says."""
    if response.status_code == _ALLOWED:
        return f"scope {response.json()['context']['scope']}"
    if response.status_code == _OUTSIDE:
        return OUTSIDE_SCOPE
    request_id = response.headers[REQUEST_ID_HEADER]
    for line in reversed(decision_log.read_text("utf-8").splitlines()):
        if request_id in line and '"message":"decision"' in line:
            return str(json.loads(line)["reason"])
    # The gateway refused by itself: the authorizer was not asked.
    return Reason.NO_CREDENTIAL


def table_of(visits: Sequence[Visit]) -> Table:
    """Return the tour as a table to print."""
    table = Table(header_style="bold", pad_edge=False, box=None)
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
            one.cache,
            f"{one.milliseconds:.1f}",
        )
    return table


def surprises(visits: Sequence[Visit]) -> list[str]:
    """Return a line for each row that was not as expected, telling what was."""
    return [
        f"{one.stop.credential}, {one.stop.label}: expected"
        f" {one.stop.status} {one.stop.reason} {one.stop.cache}"
        for one in visits
        if not one.as_expected
    ]
