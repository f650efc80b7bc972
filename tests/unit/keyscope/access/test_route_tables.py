"""Who reaches which route: every row of both Sunshine tables, for every kind of principal.

What is expected comes from the tables' rows, not from the access map; each policy is evaluated as
IAM does.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.access.access_map import read_access_map
from keyscope.access.method_arn import read_api_stage
from keyscope.access.policy import Policies, policy_document, prepare_policies
from keyscope.access.policy_evaluation import AccessRequest, Verdict, evaluate
from keyscope.model.ids import OwnerType
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from tests.support.builders import (
    ACCOUNT,
    APP,
    APP_OF_SERVICE_ACCOUNT,
    INTEGRATION,
    METHOD_ARN,
    NOW,
    OTHER_APP,
    OTHER_INTEGRATION,
    SERVICE_ACCOUNT,
    USER,
)
from tests.support.profile import UNIT_EXAMPLES
from tests.support.route_tables import (
    DIFFERENCES,
    ROUTES,
    ROWS,
    ROWS_BY_SET,
    SERVED,
    V1_1,
    V1_1_SHORT,
    V2,
    Difference,
    Row,
    kinds_by_route,
    read_rows,
)
from tests.support.tenants import USER_IDS

PACKAGED: Final = (files("keyscope.access") / "scopes.toml").read_text("utf-8")
STAGE: Final = read_api_stage(METHOD_ARN)
BASE: Final = METHOD_ARN.removesuffix("/GET/v2/apps")

PRINCIPALS: Final[Mapping[str, Principal]] = {
    "appUser": Principal(Scope.APP_USER, "app_1", OwnerType.APP, APP, user_id=USER),
    "app": Principal(Scope.APP, "app_1", OwnerType.APP, APP),
    "integration": Principal(
        Scope.INTEGRATION, "int_1", OwnerType.APP, APP, integration_id=INTEGRATION
    ),
    "account": Principal(Scope.ACCOUNT, "act_1", OwnerType.ACCOUNT, ACCOUNT),
    "service account": Principal(
        Scope.ACCOUNT, "svc_1", OwnerType.SERVICE_ACCOUNT, SERVICE_ACCOUNT
    ),
}
OWN_IDS: Final = {
    "appId": APP,
    "integrationId": INTEGRATION,
    "userId": USER,
    "userIdOrExternalId": USER,
    "zendeskId": USER,
    "serviceAccountId": SERVICE_ACCOUNT,
}
SELECTIONS: Final = ((V2,), (V1_1,), (V1_1_SHORT,), (V2, V1_1), SERVED)


@cache
def policies_of(route_sets: tuple[str, ...]) -> Policies:
    return prepare_policies(read_access_map(PACKAGED, route_sets), max_stage_length=10)


@cache
def document_of(principal: Principal, route_sets: tuple[str, ...]) -> object:
    return policy_document(principal, STAGE, policies_of(route_sets), NOW)


def reaches(principal: Principal, route_sets: tuple[str, ...], method: str, path: str) -> bool:
    request = AccessRequest("execute-api:Invoke", f"{BASE}/{method}{path}", NOW, "192.0.2.1")
    return evaluate(document_of(principal, route_sets), request) is Verdict.ALLOWED


def ids_of(kind: str) -> dict[str, str]:
    app_ids = {"service account": APP_OF_SERVICE_ACCOUNT}
    return {**OWN_IDS, "appId": app_ids.get(kind, APP)}


def reached(kind: str, paths: Iterable[str], route_sets: tuple[str, ...] = SERVED) -> list[str]:
    """Return the requests, of every method on some paths, that a principal gets through."""
    return [
        f"{method} {path}"
        for path in paths
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        if reaches(PRINCIPALS[kind], route_sets, method, path)
    ]


def test_the_tables_are_whole() -> None:
    assert [len([*read_rows(each)]) for each in (V2, V1_1)] == [68, 82]


def test_each_difference_from_the_tables_opens_what_a_row_leaves_closed() -> None:
    rows = {f"{row.method} {row.path}": row for row in ROWS_BY_SET[V2] + ROWS_BY_SET[V1_1]}
    published = [
        f"{kind}: {route}"
        for each in DIFFERENCES
        for kind in each.kinds
        for route in each.routes
        if rows[route].is_published_for(kind)
    ]
    assert published == []


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda each: "+".join(sorted(each.kinds)))
def test_each_difference_from_the_tables_is_documented_with_its_reason(
    difference: Difference,
) -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "access-map.md").read_text("utf-8")
    assert difference.reason in " ".join(page.split())


def misjudged(
    kind: str,
    ids: Mapping[str, str],
    route_sets: tuple[str, ...] = SERVED,
    is_own: Callable[[Row], bool] = lambda _: True,
) -> list[str]:
    """Return the routes, filled with some ids, that a principal wrongly reaches or does not reach.

    All routes of all sets are tried in one test, since a test for each would take pytest longer
    than the routes do.
    """
    kinds = kinds_by_route(route_sets)
    return [
        f"{row.method} {row.path}"
        for row in ROUTES
        if reaches(PRINCIPALS[kind], route_sets, row.method, row.filled(ids))
        is not (is_own(row) and kind in kinds.get((row.method, row.path), ()))
    ]


@pytest.mark.parametrize("kind", PRINCIPALS)
@pytest.mark.parametrize("route_sets", SELECTIONS)
def test_each_route_is_decided_as_its_table_says(kind: str, route_sets: tuple[str, ...]) -> None:
    assert misjudged(kind, ids_of(kind), route_sets) == []


@pytest.mark.parametrize("kind", PRINCIPALS)
@pytest.mark.parametrize("route_sets", [SERVED, (V2, V1_1)])
@pytest.mark.parametrize(
    "app_id",
    [
        pytest.param(OTHER_APP, id="of another account"),
        pytest.param(f"{ACCOUNT}000099999999", id="of the same account"),
    ],
)
def test_no_route_is_reached_in_another_app(
    kind: str, app_id: str, route_sets: tuple[str, ...]
) -> None:
    own_accounts = kind == "account" and app_id.startswith(ACCOUNT)

    def is_own(row: Row) -> bool:
        return "{appId}" not in row.path or own_accounts

    assert misjudged(kind, {**ids_of(kind), "appId": app_id}, route_sets, is_own) == []


@pytest.mark.parametrize("route_sets", [SERVED, (V2, V1_1)])
def test_an_integration_reaches_no_route_of_another_integration(
    route_sets: tuple[str, ...],
) -> None:
    ids = {**OWN_IDS, "integrationId": OTHER_INTEGRATION}

    def is_own(row: Row) -> bool:
        return "{integrationId}" not in row.path

    assert misjudged("integration", ids, route_sets, is_own) == []


@pytest.mark.parametrize("route_sets", [SERVED, (V2, V1_1)])
def test_an_app_user_reaches_no_route_of_another_user(route_sets: tuple[str, ...]) -> None:
    others = dict.fromkeys(("userId", "userIdOrExternalId", "zendeskId"), "someone-else")

    def is_own(row: Row) -> bool:
        return re.search(r"\{(userId|userIdOrExternalId|zendeskId)\}", row.path) is None

    assert misjudged("appUser", {**OWN_IDS, **others}, route_sets, is_own) == []


@pytest.mark.parametrize("route_sets", [SERVED, (V2, V1_1)])
def test_an_account_reaches_no_service_account_of_another(route_sets: tuple[str, ...]) -> None:
    ids = {**OWN_IDS, "serviceAccountId": "ffffffffffffc0de"}

    def is_own(row: Row) -> bool:
        return "{serviceAccountId}" not in row.path

    assert misjudged("account", ids, route_sets, is_own) == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v2",
        "/v2/",
        "/v2/appsx",
        "/V2/apps",
        "/v2//apps",
        "/v2/apps/",
        "/v3/apps",
        "/oauth/token",
        "/console",
        f"/v2/apps/{APP.upper()}",
        f"/v2/apps/{ACCOUNT[:-1]}0",
        f"/v2/apps/{ACCOUNT[:-1]}/users",
        f"/v2/app/{APP}/users",
        f"/x/v2/apps/{APP}/users",
        f"/v2/apps/{OTHER_APP}/x/v2/apps/{APP}/users",
        f"/v2/apps/{OTHER_APP}/users/{USER}",
        "/v1.1/serviceaccountsx",
        "/v1.1/whatsapp",
        "/v1/apps",
    ],
)
def test_an_unlisted_path_is_reached_by_nobody(path: str) -> None:
    requests = [(kind, request) for kind in PRINCIPALS for request in reached(kind, [path])]
    assert requests == []


@pytest.mark.parametrize("route_sets", SELECTIONS)
def test_every_key_sees_and_ends_itself_and_an_app_user_has_none(
    route_sets: tuple[str, ...],
) -> None:
    own = ["GET /v2/keys/self", "DELETE /v2/keys/self"]
    found = {kind: reached(kind, ["/v2/keys/self"], route_sets) for kind in PRINCIPALS}
    assert found == dict.fromkeys(PRINCIPALS, own) | {"appUser": []}


def test_nothing_next_to_the_own_key_is_reached() -> None:
    paths = [
        "/v2/keys",
        "/v2/keys/",
        "/v2/keys/self/",
        "/v2/keys/self/x",
        "/v2/keys/selfx",
        "/v2/keys/%73elf",
        "/v2/keys/x",
        "/v1.1/keys/self",
        "/V2/keys/self",
        "//v2/keys/self",
        f"/v2/apps/{OTHER_APP}/v2/keys/self",
    ]
    assert [found for kind in PRINCIPALS for found in reached(kind, paths)] == []


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        ("app", [f"/v2/apps/{APP}/keys", f"/v2/apps/{APP}/keys/k1", f"/v2/apps/{APP}x"]),
        ("app", [f"/v2/apps/{APP}/", f"/v2/apps/{APP}/attachments/", "/v2/apps"]),
        ("appUser", [f"/v2/apps/{APP}", f"/v2/apps/{APP}/users", f"/v2/apps/{APP}/users/{USER}x"]),
        ("appUser", [f"/v2/apps/{APP}/users/", f"/v1.1/apps/{APP}/appusers/merge"]),
        ("service account", [f"/v2/apps/{APP}", "/v1.1/serviceaccounts", f"/v1/apps/{APP}/x"]),
    ],
)
def test_what_is_next_to_a_scope_is_outside(kind: str, paths: list[str]) -> None:
    assert reached(kind, paths) == []


def test_an_app_user_deletes_not_the_user_not_even_with_a_trailing_slash() -> None:
    user = f"/v2/apps/{APP}/users/{USER}"
    requests = reached("appUser", [user, f"{user}/", f"{user}//"])
    assert [request for request in requests if request.startswith("DELETE")] == []


HEX: Final = st.text("0123456789abcdef", min_size=8, max_size=8)


@given(user_id=USER_IDS, encoded=st.booleans())
def test_an_app_user_reaches_its_user_whatever_its_id(user_id: str, *, encoded: bool) -> None:
    principal = replace(PRINCIPALS["appUser"], user_id=user_id)
    path = f"/v2/apps/{APP}/users/{quote(user_id, safe='') if encoded else user_id}"
    assert reaches(principal, (V2,), "GET", path)
    assert reaches(principal, (V2,), "PATCH", path)


@given(own=HEX, other=HEX, row=st.sampled_from([row for row in ROWS if "{appId}" in row.path]))
@settings(max_examples=2 * UNIT_EXAMPLES)
def test_an_account_reaches_no_app_of_an_account_with_another_id(
    own: str, other: str, row: Row
) -> None:
    principal = replace(PRINCIPALS["account"], owner_id=f"{own}0000")
    path = row.filled({**OWN_IDS, "appId": f"{other}0000" + "0000" + "12345678"})
    expected = own == other and row.lets("account")
    assert reaches(principal, SERVED, row.method, path) is expected
