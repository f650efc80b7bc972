"""The stops of the tour: the requests to send, and their expected results."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from keyscope.errors import Reason
from keyscope_local.gateway.request import CacheUse

OUTSIDE_SCOPE: Final = "outside the scope"
RECHECKED_WITHIN_SECONDS: Final = 10
"""How long a new secret may take to work. An authorizer's container that has just read the key
refuses the new secret for a second, and a slow machine takes longer."""

RECORDED_WITHIN_SECONDS: Final = 10
"""How long a last use may take to be recorded, on a slow machine."""

_SHORT: Final = "-short"
SHORT_V1_1: Final = f"v1.1{_SHORT}"
"""The route set of v1.1 whose paths leave out the app of an app's key."""
_SHORTENED: Final = re.compile(r"/v1\.1/apps/\{[a-zA-Z]+\}/(appusers)")

_OK, _CREATED = HTTPStatus.OK, HTTPStatus.CREATED
_BAD_REQUEST, _UNAUTHORIZED = HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED
_FORBIDDEN, _NOT_FOUND, _CONFLICT = HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
_HIT, _MISS = CacheUse.HIT, CacheUse.MISS
_DONE, _MADE = "done", "created"


@dataclass(frozen=True, slots=True)
class Stop:
    """One request of the tour and its expected result.

    `credential` is a credential of the session, or `NAME Basic`, `NAME Bearer secret`, `NAME JWT`
    or `NAME JWT, read` of a key that an earlier stop received. The last one is limited to the
    permission `read`. `request` is a method and a path, whose
    placeholders are ids of the session or of what earlier stops received. `gives` names what
    the response contains: an app, a key or a service account. Without `cache`, the response may
    come from the cache or not. The request is repeated for up to `patience_seconds` until its
    result is as expected.
    """

    credential: str
    request: str
    status: int
    reason: str
    cache: CacheUse | None = None
    body: Mapping[str, object] | None = None
    gives: str | None = None
    patience_seconds: int = 0
    on_http_api: bool = False

    @property
    def label(self) -> str:
        """The request in readable form."""
        return f"HTTP API: {self.request}" if self.on_http_api else self.request


def plan(route_sets: Sequence[str], *, caching: bool) -> list[Stop]:
    """Return the stops of the tour.

    `route_sets` are the selected sets of the access map; anything in another set is outside every
    scope. `caching` is whether API Gateway caches the authorizers' results.
    """
    is_short = SHORT_V1_1 in route_sets
    versions = {each.removesuffix(_SHORT) for each in route_sets}
    stops = [_as_selected(stop, versions) for stop in _WITH_WHAT_IS_THERE]
    stops += _life_of_a_key("v2" if "v2" in versions else "v1.1")
    if "v1.1" in versions:
        stops += _LIFE_OF_A_SERVICE_ACCOUNT
    if is_short:
        stops = [replace(stop, request=_SHORTENED.sub(r"/v1.1/\1", stop.request)) for stop in stops]
    return stops if caching else [replace(stop, cache=CacheUse.NONE) for stop in stops]


def _as_selected(stop: Stop, versions: Collection[str]) -> Stop:
    if stop.request.split("/")[1] in versions or stop.status == _UNAUTHORIZED:
        return stop
    return replace(stop, status=_FORBIDDEN, reason=OUTSIDE_SCOPE)


def _allowed(credential: str, request: str, scope: str, cache: CacheUse | None) -> Stop:
    return Stop(credential, request, _OK, f"scope {scope}", cache)


def _outside(credential: str, request: str) -> Stop:
    return Stop(credential, request, _FORBIDDEN, OUTSIDE_SCOPE, _HIT)


def _refused(credential: str, reason: Reason) -> Stop:
    return Stop(credential, "GET /v2/apps/{app}/users", _UNAUTHORIZED, reason, _MISS)


_WITH_WHAT_IS_THERE: Final = (
    Stop("none", "GET /v2/apps", _UNAUTHORIZED, Reason.NO_CREDENTIAL, CacheUse.NONE),
    Stop("account Basic", "GET /v2/apps", _OK, "apps: Shop, Staging", _MISS),
    Stop("account Basic", "GET /v2/apps/{app}/keys/app_1", _NOT_FOUND, "not_found", _HIT),
    _outside("account Basic", "GET /v2/apps/{strangersApp}"),
    _allowed("account JWT", "GET /v2/apps/{svcApp}/users", "account", _MISS),
    _outside("account JWT", "GET /v2/apps/{strangersApp}/users"),
    _allowed("app Basic", "GET /v2/apps/{app}/users", "app", _MISS),
    _allowed("app Basic", "POST /v2/apps/{app}/conversations", "app", _HIT),
    _outside("app Basic", "DELETE /v2/apps/{app}"),
    _allowed("app Bearer secret", "GET /v2/apps/{app}/users", "app", _MISS),
    _outside("app Bearer secret", "DELETE /v2/apps/{app}"),
    _allowed("integration Basic", "GET /v2/apps/{app}/users", "integration", _MISS),
    _outside("integration Basic", "PATCH /v2/apps/{app}"),
    _allowed("app JWT", "GET /v2/apps/{app}/conversations/c1", "app", _MISS),
    _outside("app JWT", "GET /v2/apps/{svcApp}/users"),
    _allowed("appUser JWT", "GET /v2/apps/{app}/users/{user}", "appUser", _MISS),
    _allowed("appUser JWT", "GET /v1.1/apps/{app}/appusers/{user}", "appUser", _HIT),
    _allowed("appUser JWT", "GET /v1.1/apps/{app}/appusers/{user}/messages", "appUser", _HIT),
    _outside("appUser JWT", "GET /v2/apps/{app}/users/someone-else"),
    _outside("appUser JWT", "DELETE /v2/apps/{app}/users/{user}"),
    Stop("svc account Basic", "GET /v2/apps", _OK, "apps: Staging", _MISS),
    Stop("svc account Basic", "PATCH /v2/apps/{svcApp}", _OK, _DONE, _HIT, {"metadata": {"a": 1}}),
    _outside("svc account Basic", "PATCH /v2/apps/{app}"),
    Stop("svc account JWT", "GET /v2/apps/{svcApp}/keys", _OK, "keys: 0", _MISS),
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


def _life_of_a_key(version: str) -> list[Stop]:
    """Return the final stops, which create an app with keys, use the keys and revoke them.

    The rotation flushes the cache, but with a delay. After it, only the first use of a credential
    is certain to be a cache miss.
    """
    account, name = "account Basic", {"v2": "displayName", "v1.1": "name"}[version]
    apps, app, key = f"/{version}/apps", f"/{version}/apps/{{newApp}}", "keys/{newKey}"
    used = {"v2": f"GET {app}/users", "v1.1": f"GET {app}/appusers/{{user}}"}[version]
    written = used.replace("GET", "POST")
    return [
        Stop(account, f"POST {apps}", _BAD_REQUEST, "bad_request", _HIT, {name: ""}),
        Stop(account, f"POST {apps}", _CREATED, _MADE, _HIT, {name: "Tour"}, "newApp"),
        Stop(account, f"GET {apps}", _OK, "apps: Shop, Staging, Tour", _HIT),
        Stop(account, f"POST {app}/keys", _CREATED, _MADE, _HIT, {name: "First"}, "newKey"),
        Stop(account, f"POST {app}/keys", _CREATED, _MADE, _HIT, {name: "Second"}, "spareKey"),
        _allowed("newKey Basic", used, "app", _MISS),
        _allowed("newKey Bearer secret", used, "app", _MISS),
        _allowed("newKey JWT", used, "app", _MISS),
        _outside("newKey JWT", f"GET {app}/keys"),
        Stop(
            account,
            f"GET {app}/keys",
            _OK,
            "keys: 2, last use of 1",
            _HIT,
            patience_seconds=RECORDED_WITHIN_SECONDS,
        ),
        Stop(
            account,
            f"POST {app}/{key}/rotate",
            _OK,
            "new secret",
            _HIT,
            {"overlapSeconds": 3_600},
            "rotated",
        ),
        replace(
            _allowed("rotated Basic", used, "app", _MISS),
            patience_seconds=RECHECKED_WITHIN_SECONDS,
        ),
        _allowed("rotated JWT", used, "app", _MISS),
        _allowed("newKey Basic", used, "app", None),
        _allowed("rotated JWT, read", used, "app", _MISS),
        Stop("rotated JWT, read", written, _FORBIDDEN, OUTSIDE_SCOPE),
        Stop(
            account,
            f"POST {app}/keys",
            _CREATED,
            _MADE,
            None,
            {name: "Dashboard", "permissions": ["read"]},
            "readKey",
        ),
        _allowed("readKey Basic", used, "app", _MISS),
        Stop("readKey Basic", written, _FORBIDDEN, OUTSIDE_SCOPE),
        *(_END_OF_ITSELF if version == "v2" else ()),
        Stop(account, f"PATCH {app}/{key}", _OK, _DONE, body={"disabled": True}),
        Stop(account, f"DELETE {app}/{key}", _OK, _DONE),
        Stop(account, f"GET {app}/{key}", _NOT_FOUND, "not_found"),
        Stop(account, f"DELETE {app}", _OK, _DONE),
        Stop(account, f"GET {app}", _NOT_FOUND, "app_not_found"),
        Stop("spareKey Basic", used, _UNAUTHORIZED, Reason.REVOKED_KEY, _MISS),
    ]


_END_OF_ITSELF: Final = (
    Stop("readKey Basic", "GET /v2/keys/self", _OK, _DONE),
    Stop("readKey Basic", "DELETE /v2/keys/self", _OK, _DONE),
    Stop("account Basic", "GET /v2/apps/{newApp}/keys/{readKey}", _NOT_FOUND, "not_found"),
)


def _by_account(request: str, status: int, reason: str) -> Stop:
    return Stop("account Basic", request, status, reason)


_LIFE_OF_A_SERVICE_ACCOUNT: Final = (
    replace(
        _by_account("POST /v1.1/serviceaccounts", _CREATED, _MADE),
        body={"name": "Robot"},
        gives="robot",
    ),
    replace(
        _by_account("POST /v1.1/serviceaccounts/{robot}/keys", _CREATED, _MADE),
        body={"name": "First"},
        gives="robotKey",
    ),
    Stop(
        "robotKey Basic", "POST /v1.1/apps", _CREATED, _MADE, _MISS, {"name": "Robots"}, "robotsApp"
    ),
    Stop("robotKey JWT", "GET /v1.1/apps", _OK, "apps: Robots", _MISS),
    _by_account("DELETE /v1.1/serviceaccounts/{robot}", _CONFLICT, "owns_apps"),
    _by_account("DELETE /v1.1/apps/{robotsApp}", _OK, _DONE),
    _by_account("DELETE /v1.1/serviceaccounts/{robot}", _OK, _DONE),
)
