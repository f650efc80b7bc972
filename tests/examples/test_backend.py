"""The backend's own check: the context is present, and the path is the caller's."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from app import PATHS, handler
from authorized import NotAuthorized, authorized
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import OwnerType, percent_encoded
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from tests.support.builders import INTEGRATION, OTHER_INTEGRATION
from tests.support.path_readers import readings
from tests.support.profile import EXAMPLES
from tests.support.route_tables import V1_1_SHORT
from tests.support.tenants import (
    TENANTS,
    Tenant,
    allows,
    hostile_paths,
    pairs,
    policies_of,
    policy_of,
    tenant,
)

ROOT: Final = Path(__file__).parents[2]
ACCOUNT: Final = "0a1b2c3d4e5f"
APP: Final = ACCOUNT + "0000" + "12345678"
NEIGHBOR: Final = ACCOUNT + "0000" + "87654321"
STRANGERS: Final = "ffff2c3d4e5f" + "0000" + "12345678"
KINDS: Final = ("rest", "http")
SAYS: Final = {"accountId": ACCOUNT, "appId": APP, "userId": "jane"}
MEMBER: Final = f"/tenants/{ACCOUNT}/projects/{APP}/members/jane"


def event_of(kind: str, path: str, context: object) -> dict[str, Any]:
    if kind == "http":
        return {"version": "2.0", "rawPath": path, "requestContext": {"authorizer": context}}
    return {"path": path, "requestContext": {"authorizer": context}}


def event(kind: str, path: str, principal: Principal) -> dict[str, Any]:
    """Return a backend's event; the members that a REST API adds are there, too."""
    context = principal.context()
    if kind == "http":
        return event_of(kind, path, {"lambda": context})
    return event_of(kind, path, {**context, "principalId": principal.name, "integrationLatency": 9})


def principal(kind: str) -> Principal:
    return tenant(kind, APP, "jane").principal


def is_refused(event: Mapping[str, Any], *paths: str) -> bool:
    try:
        authorized(event, *(paths or PATHS))
    except NotAuthorized:
        return True
    return False


def test_the_check_takes_at_most_50_lines() -> None:
    source = (ROOT / "examples" / "backend" / "authorized.py").read_text("utf-8")
    assert len([line for line in source.splitlines() if line.strip()]) <= 50


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("caller", ["appUser", "app", "account"])
def test_ones_own_path_is_authorized_with_its_ids(kind: str, caller: str) -> None:
    found = authorized(event(kind, MEMBER, principal(caller)), *PATHS)
    assert {name: found[name] for name in SAYS} == SAYS


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_without_an_app_is_authorized_by_its_account(kind: str) -> None:
    path = f"/tenants/{ACCOUNT}/projects"
    assert authorized(event(kind, path, principal("account")), *PATHS)["accountId"] == ACCOUNT


OVERRIDES: Final = ("X-HTTP-Method-Override", "x-http-method", "X-Method-Override")


@pytest.mark.parametrize("name", OVERRIDES)
@pytest.mark.parametrize("member", ["headers", "multiValueHeaders"])
def test_a_request_that_asks_for_another_method_than_its_policy_saw_is_refused(
    member: str, name: str
) -> None:
    plain = event("rest", MEMBER, principal("app"))
    assert not is_refused({**plain, member: {"Accept": "*/*"}})
    assert is_refused({**plain, "headers": None, member: {"Accept": "*/*", name: "DELETE"}})


CUT_CONTEXTS: Final[dict[str, object]] = {
    "none": None,
    "empty": {},
    "empty, HTTP": {"lambda": {}},
    "null, HTTP": {"lambda": None},
    "another authorizer's": {"jwt": {"claims": {"scope": "account"}}},
    "a principal alone": {"principalId": "account/0a1b2c3d4e5f"},
    "no key": {"scope": "account", "accountId": ACCOUNT},
    "no account": {"scope": "account", "keyId": "act_1"},
    "no such scope": {"scope": "root", "keyId": "act_1", "accountId": ACCOUNT},
    "app, no app": {"scope": "app", "keyId": "app_1", "accountId": ACCOUNT},
}


@pytest.mark.parametrize(
    "context", [pytest.param(context, id=name) for name, context in CUT_CONTEXTS.items()]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_context_that_is_missing_or_cut_is_refused_whatever_the_path(
    kind: str, context: object
) -> None:
    assert is_refused(event_of(kind, MEMBER, context))
    assert is_refused(event_of(kind, "/ping", context), "/ping")


def test_an_event_without_a_request_is_refused() -> None:
    assert is_refused({})


HOSTILE: Final = {
    "another account": f"/tenants/ffff2c3d4e5f/projects/{APP}/members/jane",
    "another app": f"/tenants/{ACCOUNT}/projects/{NEIGHBOR}/members/jane",
    "another user": f"/tenants/{ACCOUNT}/projects/{APP}/members/bob",
    "another user by case": f"/tenants/{ACCOUNT}/projects/{APP}/members/Jane",
    "trailing slash": f"{MEMBER}/",
    "two slashes": MEMBER.replace("/members", "//members"),
    "a stage before it": f"/prod{MEMBER}",
    "no route": f"/tenants/{ACCOUNT}",
    "nothing": "",
    "encoded slash": f"/tenants/{ACCOUNT}/projects/{APP}%2Fmembers/jane",
    "encoded slash in an id": f"/tenants/{ACCOUNT}/projects/{APP}/members/jane%2Fbob",
    "slash encoded twice": f"/tenants/{ACCOUNT}/projects/{APP}/members/jane%252Fbob",
    "backslash": f"/tenants/{ACCOUNT}/projects/{APP}/members/jane\\bob",
    "encoded backslash": f"/tenants/{ACCOUNT}/projects/{APP}/members/jane%5Cbob",
    "dot segments": f"/tenants/{ACCOUNT}/projects/{APP}/members/jane/../bob",
    "dot segment for an id": f"/tenants/{ACCOUNT}/projects/{APP}/members/..",
    "encoded dot segments": f"/tenants/{ACCOUNT}/projects/{APP}/members/%2e%2e",
    "one dot": f"/tenants/{ACCOUNT}/projects/./{APP}/members/jane",
    "a parameter": f"/tenants/{ACCOUNT}/projects/{APP}/members/..;a=b",
    "a star": f"/tenants/{ACCOUNT}/projects/*/members/jane",
    "encoded NUL": f"/tenants/{ACCOUNT}/projects/{APP}/members/jane%00",
    "a line's end": f"/tenants/{ACCOUNT}/projects/{APP}/members/jane\n",
    "an account's prefix": f"/tenants/{ACCOUNT[:6]}/projects/{APP}/members/jane",
}


@pytest.mark.parametrize("path", [pytest.param(path, id=name) for name, path in HOSTILE.items()])
@pytest.mark.parametrize("kind", KINDS)
def test_a_path_that_does_not_fit_the_context_is_refused(kind: str, path: str) -> None:
    assert is_refused(event(kind, path, principal("appUser")))


ODD_SEGMENTS: Final = [
    ".",
    "..",
    "..;a",
    "..a",
    "%2e%2E",
    "a;b",
    "a b",
    "a%20b",
    "a\\b",
    "a%5Cb",
    "a%00",
    "a%252F",
    "*",
    "é",
]


@pytest.mark.parametrize("segment", ODD_SEGMENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_segment_that_a_backend_could_read_otherwise_is_no_id(kind: str, segment: str) -> None:
    path = f"/tenants/{ACCOUNT}/projects/{APP}/members/{segment}"
    assert is_refused(event(kind, path, principal("app")))


def test_the_path_never_replaces_what_the_authorizer_said() -> None:
    found = authorized(event("rest", "/as/account", principal("app")), "/as/{scope}")
    assert found["scope"] == "app"


@pytest.mark.parametrize(
    "app_id",
    [
        pytest.param(STRANGERS, id="another account's"),
        pytest.param(ACCOUNT, id="its own id"),
        pytest.param(APP + "0", id="too long"),
        pytest.param(ACCOUNT + "..........", id="not hexadecimal"),
    ],
)
def test_an_account_reaches_ids_of_its_own_apps_only(app_id: str) -> None:
    path = f"/tenants/{ACCOUNT}/projects/{app_id}/members"
    assert is_refused(event("rest", path, principal("account")))


def test_a_service_account_reaches_the_apps_that_it_created_only() -> None:
    owner = Principal(Scope.ACCOUNT, "svc_1", OwnerType.SERVICE_ACCOUNT, ACCOUNT + "c0de")
    own = f"/tenants/{ACCOUNT}/projects/{ACCOUNT}c0de12345678"
    assert not is_refused(event("rest", own, owner))
    assert is_refused(event("rest", own.replace("c0de", "0000"), owner))


@pytest.mark.parametrize("caller", ["appUser", "app", "account"])
def test_a_service_account_s_id_in_a_path_is_bound_to_the_account(caller: str) -> None:
    path = "/accounts/{serviceAccountId}"
    strangers = event("rest", "/accounts/ffff2c3d4e5fc0de", principal(caller))
    own = event("rest", f"/accounts/{ACCOUNT}c0de", principal(caller))
    assert is_refused(strangers, path)
    assert is_refused(own, path) == (caller != "account")


def test_the_first_path_that_fits_counts() -> None:
    found = authorized(
        event("rest", "/files/a.b", principal("app")), "/files/{name}", "/files/{userId}"
    )
    assert (found["name"], found.get("userId")) == ("a.b", None)


@pytest.mark.parametrize("caller", ["integration", "app", "account"])
def test_an_integration_reaches_its_own_integration_only(caller: str) -> None:
    path = "/apps/{appId}/integrations/{integrationId}/webhooks"
    own, other = (
        event("rest", f"/apps/{APP}/integrations/{each}/webhooks", principal(caller))
        for each in (INTEGRATION, OTHER_INTEGRATION)
    )
    assert authorized(own, path)["integrationId"] == INTEGRATION
    assert is_refused(other, path) == (caller == "integration")
    assert is_refused(event("rest", f"/apps/{NEIGHBOR}/x", principal("integration")), path)


EXTERNAL_PATHS: Final = (
    "/tenants/{accountExternalId}/projects/{appExternalId}/members/{userId}",
    "/tenants/{accountExternalId}/projects/{appExternalId}",
    "/tenants/{accountExternalId}",
    "/projects/{appExternalId}",
)
EXTERNAL_ROWS: Final = [
    ("app", "/tenants/Acme/projects/Shop", True),
    ("app", "/tenants/Acme/projects/Shop/members/jane", True),
    ("app", "/projects/Shop", True),
    ("app", "/projects/shop", False),
    ("app", "/projects/Other", False),
    ("app", "/tenants/Other/projects/Shop", False),
    ("appUser", "/tenants/Acme/projects/Shop/members/jane", True),
    ("appUser", "/tenants/Acme/projects/Shop/members/bob", False),
    ("account", "/tenants/Acme", True),
    ("account", "/tenants/acme", False),
    ("account", "/tenants/Acme/projects/Any", True),
    ("account", "/tenants/Acme/projects/Any/members/jane", True),
    ("account", "/tenants/Other/projects/Shop", False),
    ("account", "/projects/Shop", False),
    ("service account", "/tenants/Acme", True),
    ("service account", "/tenants/Acme/projects/Shop", False),
]
"""Paths with external ids, and whether they are those of a caller of the account `Acme`."""


def named_event(kind: str, caller: str, path: str) -> dict[str, Any]:
    one = principal(caller)
    ids = ExternalIds("Acme", "Shop" if one.owner_type is OwnerType.APP else None)
    return event(kind, path, replace(one, external_ids=ids))


@pytest.mark.parametrize("kind", KINDS)
def test_external_ids_in_a_path_are_the_caller_s_own(kind: str) -> None:
    refused = {
        (caller, path)
        for caller, path, _ in EXTERNAL_ROWS
        if is_refused(named_event(kind, caller, path), *EXTERNAL_PATHS)
    }
    assert refused == {(caller, path) for caller, path, is_own in EXTERNAL_ROWS if not is_own}


def test_external_ids_in_a_path_mean_nothing_to_a_caller_without_them() -> None:
    for caller in ("app", "appUser", "account"):
        for path in ("/tenants/Acme", "/projects/Shop", "/tenants/None", "/projects/None"):
            assert is_refused(event("rest", path, principal(caller)), *EXTERNAL_PATHS)


def test_a_path_s_own_characters_stand_for_themselves() -> None:
    assert is_refused(event("rest", "/v1x1/a", principal("app")), "/v1.1/{name}")


@pytest.mark.parametrize("user_id", ["jane@example.com", "a+b", "urn:x:7", "a..b", ".a"])
def test_a_user_id_is_taken_in_both_its_forms(user_id: str) -> None:
    one = replace(principal("appUser"), user_id=user_id)
    for form in (user_id, percent_encoded(user_id)):
        path = f"/tenants/{ACCOUNT}/projects/{APP}/members/{form}"
        assert authorized(event("rest", path, one), *PATHS)["userId"] == user_id


SHORT_PATHS: Final = ("/v1.1/appusers/{userId}", "/v1.1/apps/{appId}/appusers/{userId}")
"""Paths of a route set whose app comes from the key, and one that names the app."""
RECORDS: Final = {(APP, "jane"): "Jane of one app", (NEIGHBOR, "jane"): "Jane of the other"}
"""What a backend stores for two apps, each of which has a user of the same id."""


def record_for(event: Mapping[str, Any]) -> str | None:
    """Answer as a backend that looks up what it stores by what the check returns."""
    try:
        ids = authorized(event, *SHORT_PATHS)
    except NotAuthorized:
        return None
    return RECORDS[ids["appId"], ids["userId"]]


@pytest.mark.parametrize("caller", ["appUser", "app"])
@pytest.mark.parametrize("kind", KINDS)
def test_of_two_apps_with_the_same_user_each_reaches_its_own_by_one_path(
    kind: str, caller: str
) -> None:
    path = "/v1.1/appusers/jane"
    found = {}
    for app_id in (APP, NEIGHBOR):
        one = tenant(caller, app_id, "jane")
        assert allows(policy_of(one, policies_of(V1_1_SHORT)), "GET", path)
        found[app_id, "jane"] = record_for(event(kind, path, one.principal))
    assert found == RECORDS


@pytest.mark.parametrize("caller", ["appUser", "app"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_path_that_names_the_other_app_reaches_its_user_neither_by_policy_nor_by_the_check(
    kind: str, caller: str
) -> None:
    one, path = tenant(caller, APP, "jane"), f"/v1.1/apps/{NEIGHBOR}/appusers/jane"
    assert not allows(policy_of(one, policies_of(V1_1_SHORT)), "GET", path)
    assert record_for(event(kind, path, one.principal)) is None


@pytest.mark.parametrize("caller", ["account", "service account"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_key_without_an_app_reaches_no_user_by_a_path_without_one(kind: str, caller: str) -> None:
    one, path = tenant(caller, f"{ACCOUNT}c0de12345678", "jane"), "/v1.1/appusers/jane"
    assert not allows(policy_of(one, policies_of(V1_1_SHORT)), "GET", path)
    assert record_for(event(kind, path, one.principal)) is None


WEBSOCKET: Final = {"connectionId": "c1", "routeKey": "$connect"}


def test_a_websocket_s_message_with_the_context_is_authorized() -> None:
    context = principal("appUser").context()
    asked = {"requestContext": {**WEBSOCKET, "authorizer": context}}
    assert authorized(asked) == context


@pytest.mark.parametrize("authorizer", [{}, {"authorizer": {}}, {"authorizer": {"scope": "app"}}])
def test_a_websocket_s_message_without_the_context_is_refused(
    authorizer: dict[str, object],
) -> None:
    assert is_refused({"requestContext": {**WEBSOCKET, **authorizer}})


@pytest.mark.parametrize(
    ("path", "status"), [(MEMBER, 200), (MEMBER + "/", 403), (HOSTILE["another app"], 403)]
)
def test_the_function_answers_403_to_what_is_refused(path: str, status: int) -> None:
    answer = handler(event("http", path, principal("appUser")), None)
    assert answer["statusCode"] == status


def fill(path: str, one: Tenant, user_id: str) -> str:
    return path.format_map({"accountId": one.app_id[:12], "appId": one.app_id, "userId": user_id})


@given(one=TENANTS, path=st.sampled_from(PATHS[1:]), kind=st.sampled_from(KINDS))
@settings(max_examples=EXAMPLES, deadline=None)
def test_every_principal_gets_its_own_paths_in_every_form(
    one: Tenant, path: str, kind: str
) -> None:
    for form in (one.user_id, percent_encoded(one.user_id)):
        found = authorized(event(kind, fill(path, one, form), one.principal), *PATHS)
        assert found["appId"] == one.app_id
        assert found.get("userId", one.user_id) == one.user_id


@given(data=st.data(), tenants=pairs(), kind=st.sampled_from(KINDS))
@settings(max_examples=EXAMPLES, deadline=None)
def test_whatever_the_path_only_own_ids_are_returned(
    data: st.DataObject, tenants: tuple[Tenant, Tenant], kind: str
) -> None:
    one, other = tenants
    own, others = (
        fill(data.draw(st.sampled_from(PATHS)), each, each.user_id) for each in (one, other)
    )
    path = data.draw(st.one_of(st.just(others), hostile_paths(own, others)))
    try:
        found = authorized(event(kind, path, one.principal), *PATHS)
    except NotAuthorized:
        return
    assert found["accountId"] == one.principal.account_id
    assert all(one.owns(name, found[name]) for name in ("appId", "userId") if name in found)
    filled = [p.format_map({**found}) for p in PATHS if _has_ids(p, found)]
    assert not readings(path).isdisjoint(filled)


def _has_ids(path: str, ids: Mapping[str, object]) -> bool:
    return all(name in ids for name in ("appId", "userId") if f"{{{name}}}" in path)
