"""The requests that a run prints for an attached API: one for each scope that reaches a route."""

from dataclasses import replace
from typing import Final

import pytest

from keyscope.access.access_map import read_access_map
from keyscope_local.gateway.api_definition import Api, ApiKind, MockIntegration, Route
from keyscope_local.tour.attached_calls import curl_lines
from keyscope_local.tour.event_values import basic
from keyscope_local.tour.seed import ACCOUNT_EXTERNAL_ID, APP_EXTERNAL_ID, INTEGRATION_ID
from keyscope_local.tour.session import Session
from tests.support.builders import ACCOUNT, APP
from tests.unit.local.tour.test_visits import session

__all__ = ["session"]

MAP: Final = """
[own]
account = [
    "POST /tenants/{accountId}/projects",
    "GET,POST /tenants/{accountId}/projects/{appId}/*",
]
app = ["POST /orders", "GET /orders/*"]
appUser = ["PATCH /tenants/{accountId}/projects/{appId}/members/{userId}"]
"""
URL: Final = "http://127.0.0.1:3002"


def api(*templates: str, authorizer: str | None = "Keyscope") -> Api:
    integration = MockIntegration(200, {})
    routes = [Route("ANY", template, integration, authorizer) for template in templates]
    return Api(ApiKind.REST, "Projects", "abc123", "prod", routes, {}, {})


def lines(session: Session, one: Api) -> list[str]:
    return curl_lines(one, URL, read_access_map(MAP, ["own"]), session)


def test_there_is_a_line_for_each_scope_and_it_changes_nothing_if_it_can(session: Session) -> None:
    account, app, user = lines(session, api("/tenants/{proxy+}", "/orders/{id}"))
    key = session.store.account_key
    assert account == (
        f"  curl -i {URL}/tenants/{ACCOUNT}/projects/{APP} -u {key.key_id}:{key.secret}"
    )
    assert app.startswith(f"  curl -i {URL}/orders/example -H 'Authorization: Basic ")
    assert user == (
        f"  curl -i -X PATCH {URL}/tenants/{ACCOUNT}/projects/{APP}/members/customer-7"
        f" -H 'Authorization: Bearer {session.app_user_token}'"
    )


def test_a_scope_that_reaches_no_route_has_no_line(session: Session) -> None:
    (app,) = lines(session, api("/orders"))
    assert app.startswith(f"  curl -i -X POST {URL}/orders -H ")


@pytest.mark.parametrize(
    "other", [api("/elsewhere"), api("/orders", "/tenants/{proxy+}", authorizer=None)]
)
def test_routes_that_ask_no_authorizer_or_fit_no_rule_have_no_line(
    other: Api, session: Session
) -> None:
    assert lines(session, other) == []


def test_a_method_that_no_route_takes_is_not_shown(session: Session) -> None:
    only = api("/tenants/{accountId}/projects")
    taken = replace(only, routes=[replace(only.routes[0], method="GET")])
    assert lines(session, taken) == []


OWN_IDS: Final = """
[own]
app = ["GET /tenants/{accountExternalId}/projects/{appExternalId}"]
integration = ["GET /projects/{appId}/webhooks/{integrationId}"]
userAccount = ["GET /tenants/{accountExternalId}/projects/{appExternalId}/*"]
"""


def test_a_map_with_external_ids_has_lines_with_those_of_the_run(session: Session) -> None:
    one = api("/tenants/{tenant}/projects/{project}")
    account, app = curl_lines(one, URL, read_access_map(OWN_IDS, ["own"]), session)
    url = f"{URL}/tenants/{ACCOUNT_EXTERNAL_ID}/projects/{APP_EXTERNAL_ID}"
    key = session.store.account_key
    assert account == f"  curl -i {url} -u {key.key_id}:{key.secret}"
    assert app == f"  curl -i {url} -H 'Authorization: {basic(session.store.app_key)}'"


def test_a_key_of_an_integration_has_a_line(session: Session) -> None:
    one = api("/projects/{project}/webhooks/{integration}")
    (line,) = curl_lines(one, URL, read_access_map(OWN_IDS, ["own"]), session)
    url = f"{URL}/projects/{APP}/webhooks/{INTEGRATION_ID}"
    assert line == f"  curl -i {url} -H 'Authorization: {basic(session.store.integration_key)}'"
