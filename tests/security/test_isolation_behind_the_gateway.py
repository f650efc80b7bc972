"""Behind greedy routes and real authorizers no backend is given another tenant's path."""

from typing import Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.access.method_arn import read_api_stage
from keyscope.authorize.answer import answer
from keyscope.authorize.event import read_http_event, read_rest_event
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.model.ids import OwnerType
from tests.support.builders import APP, MadeKey, make_integration_key, make_key
from tests.support.local_gateway import NOW, Served, served, small_stack
from tests.support.path_readers import readings
from tests.support.profile import EXAMPLES
from tests.support.route_tables import ROWS, SERVED
from tests.support.stores import MemoryKeyStore, MemorySecretOpener, SteppedClock
from tests.support.tenants import (
    KINDS,
    METHODS,
    STAGE,
    Tenant,
    hostile_paths,
    policies_of,
    strangers,
    tenant,
)

SERVICE_ACCOUNTS_APP: Final = APP[:12] + "c0de" + "12345678"
TENANTS: Final = [tenant(kind, SERVICE_ACCOUNTS_APP, "jane") for kind in KINDS]
OTHER: Final = tenant("app", APP[:11] + "0" + SERVICE_ACCOUNTS_APP[12:], "bob")
OWNERS: Final = {
    "appUser": (OwnerType.APP, SERVICE_ACCOUNTS_APP),
    "app": (OwnerType.APP, SERVICE_ACCOUNTS_APP),
    "account": (OwnerType.ACCOUNT, APP[:12]),
    "service account": (OwnerType.SERVICE_ACCOUNT, SERVICE_ACCOUNTS_APP[:16]),
}
KEYS: Final[dict[str, MadeKey]] = {
    kind: make_key(owner_type, owner_id=owner_id) for kind, (owner_type, owner_id) in OWNERS.items()
} | {"integration": make_integration_key(app_id=SERVICE_ACCOUNTS_APP)}
CREDENTIALS: Final = {
    **{kind: key.basic() for kind, key in KEYS.items()},
    "appUser": KEYS["appUser"].bearer(scope="appUser", userId="jane"),
}
OVERRIDES: Final = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


@pytest.fixture(scope="module", params=["Rest", "Http"])
def gateway(request: pytest.FixtureRequest) -> Served:
    found = served(small_stack(), request.param)
    authorizer = Authorizer(
        keys=MemoryKeyStore({key.key_id: key.record for key in KEYS.values()}),
        secrets=MemorySecretOpener(),
        policies=policies_of(*SERVED),
        clock=SteppedClock(NOW),
        timer=lambda: 0.0,
    )
    read_event = read_http_event if request.param == "Http" else read_rest_event
    found.guard.respond = lambda event: answer(authorize(event, read_event, authorizer))
    return found


def backends_path(gateway: Served) -> str:
    event = gateway.backend.events[-1]
    return cast("str", event["rawPath"] if "rawPath" in event else event["path"])


@st.composite
def hostile_requests(draw: st.DrawFn) -> tuple[Tenant, str, str]:
    """Draw who sends a request, with which method and to which path."""
    one = draw(st.sampled_from(TENANTS))
    own = draw(st.sampled_from([row for row in ROWS if row.lets(one.kind)])).filled(one.ids)
    others = draw(st.sampled_from(ROWS)).filled(OTHER.ids)
    return one, draw(METHODS), draw(hostile_paths(own, others))


@given(request=hostile_requests())
@settings(max_examples=EXAMPLES, deadline=None)
def test_no_backend_is_given_a_path_that_it_may_take_for_another_tenants(
    gateway: Served, request: tuple[Tenant, str, str]
) -> None:
    one, method, path = request
    credential = ("authorization", CREDENTIALS[one.kind])
    status = gateway.status(path, credential, method=method)
    assert status in {200, 403}
    # HTTP APIs decode a path once, for the policy and for the backend alike.
    given = readings(backends_path(gateway)) if status == 200 else set()
    assert [reading for reading in given if strangers(one, reading)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_backend_is_given_the_path_that_was_let_through(gateway: Served, kind: str) -> None:
    (one,) = [found for found in TENANTS if found.kind == kind]
    row = next(row for row in ROWS if row.lets(kind) and row.method == "GET")
    path = row.filled(one.ids)
    assert gateway.status(path, ("authorization", CREDENTIALS[kind])) == 200
    assert backends_path(gateway) == path


@pytest.mark.parametrize("header", OVERRIDES)
def test_a_header_that_names_another_method_opens_nothing(gateway: Served, header: str) -> None:
    path = f"/v2/apps/{SERVICE_ACCOUNTS_APP}/users/jane"
    headers = (("authorization", CREDENTIALS["appUser"]), (header.lower(), "GET"))
    assert gateway.status(path, *headers, method="DELETE") == 403


@given(st.text(), st.sampled_from(["GET", "get", "$connect", "X" * 30, "*"]))
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_stage_is_read_whatever_the_path(path: str, method: str) -> None:
    assert read_api_stage(f"{STAGE.arn}/{method}/{path}") == STAGE
