"""Requests of every kind of caller, good and bad, each with the status that it must get."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from keyscope_local.tour.event_values import VALUES, basic
from keyscope_local.tour.seed import USER_ID, IssuedKey, SeededStore
from tests.support.load import Call
from tests.support.local_run import LocalRun

GOOD: Final[Mapping[str, tuple[str, str, Sequence[str], Sequence[str]]]] = {
    "basic app": (
        "app_key",
        "app",
        ("GET /v2/apps/{app}/users", "POST /v2/apps/{app}/conversations"),
        ("DELETE /v2/apps/{app}", "GET /v2/apps/{svcApp}/users", "POST /v2/apps"),
    ),
    "jwt app": (
        "app_key",
        "app",
        ("GET /v2/apps/{app}/conversations/c1/messages", "PATCH /v2/apps/{app}/users/u1"),
        ("GET /v2/apps/{app}/keys", "GET /v2/apps/{strangersApp}/users"),
    ),
    "jwt app_user": (
        "app_key",
        "appUser",
        ("GET /v2/apps/{app}/users/{user}", "POST /v2/apps/{app}/users/{user}/clients"),
        (
            "GET /v2/apps/{app}/users/someone-else",
            "GET /v2/apps/{app}/users/{user}-2",
            "DELETE /v2/apps/{app}/users/{user}",
            "GET /v2/apps/{app}/conversations/c1",
        ),
    ),
    "basic account": (
        "account_key",
        "account",
        ("GET /v2/apps/{app}/integrations", "DELETE /v2/apps/{svcApp}/users/u1"),
        ("GET /v2/apps/{strangersApp}/users",),
    ),
    "jwt account": (
        "account_key",
        "account",
        ("POST /v2/apps/{app}/switchboards", "GET /v2/apps/{svcApp}/users"),
        ("GET /v2/apps/{strangersApp}",),
    ),
    "basic service_account": (
        "service_account_key",
        "account",
        ("PATCH /v2/apps/{svcApp}/conversations/c1",),
        ("PATCH /v2/apps/{app}", "GET /v2/apps/{app}/users"),
    ),
    "jwt service_account": (
        "service_account_key",
        "account",
        ("GET /v2/apps/{svcApp}/users",),
        ("GET /v2/apps/{app}/users", "GET /v2/apps/{strangersApp}/users"),
    ),
}
"""By the credential's name: its key, its scope, and what is inside and outside of that."""

REFUSED: Final = (
    "basic wrong_secret",
    "basic mistyped_secret",
    "basic secret_of_another_key",
    "secret mistyped",
    "basic unknown_key",
    "basic revoked_key",
    "basic expired_key",
    "basic wrong_address",
    "jwt expired_token",
    "jwt not_yet_valid",
    "jwt wrong_scope",
    "jwt wrong_signature",
    "jwt unsigned",
    "jwt no_user_id",
    "jwt unknown_key",
)
MALFORMED: Final[Mapping[str, Sequence[str]]] = {
    "no credential": [],
    "empty header": [""],
    "no scheme": ["app_0123456789abcdef01234567"],
    "other scheme": ['Digest username="x"'],
    "no base64": ["Basic !!!"],
    "no colon": ["Basic YXBw"],
    "no UTF-8": ["Basic /////w=="],
    "beyond ASCII": ["Basic \xe4\xf6\xfc"],
    "two segments": ["Bearer e30.e30"],
    "too long": ["Bearer " + "A" * 8_000],
    "two credentials": ["Basic YTpi", "Bearer e30.e30.e30"],
}


@dataclass(frozen=True, slots=True)
class Case:
    """A request of one kind of caller, whatever API it goes to, and its status.

    `kind` names the credential. `context` holds what the backend must be told of the caller.
    """

    kind: str
    request: str
    expected: int
    authorization: Callable[[], Sequence[str]] = field(repr=False)
    context: Mapping[str, str] = field(default_factory=dict)

    def at(self, url: str) -> Call:
        """Return the request to an API, by its base URL."""
        method, path = self.request.split(" ")
        return Call(self.kind, method, url + path, self.expected, self.authorization, self.context)


def good_cases(store: SeededStore, strangers_app_id: str) -> list[Case]:
    """Return what every good credential may and may not; each has one value, to be cached."""
    ids = {
        "app": store.app_id,
        "svcApp": store.service_account_app_id,
        "strangersApp": strangers_app_id,
        "user": USER_ID,
    }
    cases: list[Case] = []
    for name, (key_name, scope, inside, outside) in GOOD.items():
        key: IssuedKey = getattr(store, key_name)
        context = {"keyId": key.key_id, "scope": scope, "accountId": store.account_id}
        credential = always(VALUES[name](store))
        cases += [Case(name, each.format_map(ids), 200, credential, context) for each in inside]
        cases += [Case(name, each.format_map(ids), 403, credential) for each in outside]
    return cases


def bad_cases(store: SeededStore) -> list[Case]:
    """Return what proves nobody; unknown keys, wrong secrets and the like are new each time."""
    request = f"GET /v2/apps/{store.app_id}/users"
    return [
        *(Case(name, request, 401, partial(_anew, name, store)) for name in REFUSED),
        *(Case(name, request, 401, always(*values)) for name, values in MALFORMED.items()),
    ]


def mixed_calls(run: LocalRun, local_key: IssuedKey) -> list[Call]:
    """Return every case at both APIs; `local_key` is an app key for this machine only."""
    store = run.store
    users, credential = f"GET /v2/apps/{store.app_id}/users", always(basic(local_key))
    context = {"keyId": local_key.key_id, "scope": "app", "appId": store.app_id}
    cases = [
        *good_cases(store, run.strangers_app_id),
        *bad_cases(store),
        Case("allowed address", users, 200, credential, context),
    ]
    managing = [
        # The HTTP API has no management function behind it.
        Case(f"{name}, managing", "GET /v2/apps", 200, always(VALUES[name](store))).at(run.rest_url)
        for name in ("basic account", "jwt service_account")
    ]
    return [*(case.at(url) for case in cases for url in (run.rest_url, run.http_url)), *managing]


def always(*values: str) -> Callable[[], Sequence[str]]:
    """Return what makes these values of the header for each request."""
    return lambda: values


def _anew(name: str, store: SeededStore) -> Sequence[str]:
    return [VALUES[name](store)]
