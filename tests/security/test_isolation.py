"""Tenants stay apart: the policy of one never lets through what a backend may take for another's.

What belongs to whom comes from the route tables, not from the access map. `tests/support/tenants`
holds the tenants, the paths that they try and the ways in which backends read these.
"""

import re
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.access.method_arn import ApiStage
from keyscope.access.policy import websocket_policy_document
from keyscope.model.ids import percent_encoded
from tests.support.builders import NOW
from tests.support.path_readers import readings
from tests.support.profile import EXAMPLES
from tests.support.route_tables import ROWS, V1_1_SHORT, V2, Row
from tests.support.tenants import (
    KINDS,
    METHODS,
    STAGE,
    STAGES,
    TENANTS,
    UNRESERVED,
    Tenant,
    allows,
    hostile_paths,
    pairs,
    policies_of,
    policy_of,
    strangers,
    tenant,
)

APP_ID: Final = "0a1b2c3d4e5f" + "c0de" + "12345678"
OTHER_APP_ID: Final = "f" * 12 + "c0de" + "12345678"
ROWS_OF_APPS: Final = [row for row in ROWS if "{appId}" in row.path]
ROWS_OF_OTHERS: Final = [row for row in ROWS if re.search(r"\{(app|user|service)", row.path)]
NEVER: Final = "/v1.1/apps/{appId}/attachments/cookie"
FOUR: Final = st.sampled_from([tenant(kind, APP_ID, "jane") for kind in KINDS])
"""One tenant of each kind, where any ids will do: their patterns are compiled once."""


def own_row(kind: str) -> st.SearchStrategy[Row]:
    return st.sampled_from([row for row in ROWS if row.lets(kind)])


@given(st.data(), pairs(), STAGES)
@settings(max_examples=EXAMPLES, deadline=None)
def test_no_path_is_let_through_that_a_backend_may_take_for_another_tenants(
    data: st.DataObject, tenants: tuple[Tenant, Tenant], stage: ApiStage
) -> None:
    one, other = tenants
    own = data.draw(own_row(one.kind)).filled(one.ids)
    others = data.draw(st.sampled_from(ROWS_OF_OTHERS)).filled(other.ids)
    path = data.draw(hostile_paths(own, others, decoded=stage.decodes_path))
    if allows(policy_of(one, stage=stage), data.draw(METHODS), path):
        assert [reading for reading in readings(path) if strangers(one, reading)] == [], path


@given(st.data(), pairs())
@settings(max_examples=EXAMPLES, deadline=None)
def test_no_path_of_another_tenant_is_let_through(
    data: st.DataObject, tenants: tuple[Tenant, Tenant]
) -> None:
    one, other = tenants
    row = data.draw(st.sampled_from(ROWS_OF_OTHERS))
    path = row.filled(other.ids)
    expected = row.lets(one.kind) and not strangers(one, path)
    assert allows(policy_of(one), row.method, path) <= expected


def test_an_app_user_reaches_no_user_whose_id_begins_with_its_own() -> None:
    one, other = (tenant("appUser", APP_ID, user_id) for user_id in ("jane", "jane2"))
    policy = policy_of(one)
    reached = [
        f"{row.method} {path}"
        for row in ROWS_OF_OTHERS
        if strangers(one, path := row.filled(other.ids)) and allows(policy, row.method, path)
    ]
    assert reached == []


@given(st.data(), TENANTS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_every_own_path_of_the_tables_is_let_through(data: st.DataObject, one: Tenant) -> None:
    row = data.draw(own_row(one.kind))
    rest = data.draw(st.text(UNRESERVED, min_size=1).filter(lambda text: text.strip(".") == text))
    user_id = data.draw(st.sampled_from([one.user_id, percent_encoded(one.user_id)]))
    users = dict.fromkeys(("userId", "userIdOrExternalId", "zendeskId"), user_id)
    names = dict.fromkeys(re.findall(r"\{(\w+)\}", row.path), rest)
    path = row.filled({**names, **one.ids, **users})
    assert allows(policy_of(one), row.method, path)


@given(st.text(min_size=1))
@settings(max_examples=EXAMPLES, deadline=None)
def test_an_app_reaches_a_user_by_any_external_id_but_those_that_look_like_climbing(
    external_id: str,
) -> None:
    text = external_id.encode("utf-8", "ignore").decode()
    looks_like_climbing = re.search(r"(^|[/\\]|2f|5c)\.\.|^\.$|[%\x00-\x0f]", text, re.IGNORECASE)
    path = f"/v2/apps/{APP_ID}/users/{quote(text, safe='')}"
    allowed = allows(policy_of(tenant("app", APP_ID, "jane")), "GET", path)
    assert allowed or looks_like_climbing is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "climb",
    [
        "/x/../../../OTHER/users/bob",
        "/x/..;/..;/..;/OTHER/users/bob",
        "/x/..",
        "/x%2f..%2f..%2f..%2fOTHER/users/bob",
        "/x%2F..%2F..%2F..%2FOTHER/users/bob",
        "/x/%2e%2e/.%2e/%2e./OTHER/users/bob",
        "/x/%2E./.%2E/%2E%2E/OTHER/users/bob",
        "/x\\..\\..\\..\\OTHER\\users\\bob",
        "/x%5c..%5C..%5c..%5cOTHER%5cusers%5cbob",
        "/x/%252e%252e/%252E%252E/%252e%252e/OTHER/users/bob",
        "/x%252f..%252F..%252f..%252fOTHER/users/bob",
        "/x%255c..%255C..%255c..%255cOTHER/users/bob",
    ],
)
def test_climbing_out_of_a_subtree_is_denied(kind: str, climb: str) -> None:
    one = tenant(kind, APP_ID, "jane")
    subtrees = {"appUser": f"/v2/apps/{APP_ID}/users/jane/devices"}
    start = subtrees.get(kind, f"/v2/apps/{APP_ID}/conversations")
    path = start + climb.replace("OTHER", OTHER_APP_ID)
    assert not allows(policy_of(one, policies_of(V2)), "GET", path)
    assert allows(policy_of(one, policies_of(V2)), "GET", f"{start}/x")


@pytest.mark.parametrize("user_id", ["jane..doe", "jane..", ".jane", "jane@..doe", "a.b:..c"])
def test_dots_that_make_no_dot_segment_are_let_through(user_id: str) -> None:
    one = tenant("appUser", APP_ID, user_id)
    for form in (user_id, percent_encoded(user_id)):
        assert allows(policy_of(one), "GET", f"/v2/apps/{APP_ID}/users/{form}")


BETWEEN: Final = (
    *("//", "/%2f", "%2F/", "%2F%2f", "/./", "/.%2f", "%2f./", "%2f.%2F", "/%2e/", "/./%2f"),
    *(";/", ";x=1/", "/;/", "/;x/", "%3b/", "/%3B/"),
    *("\\", "%5c", "/\\", "\\/", "\\.\\", "/.\\", "/.%5C", "%5c."),
)
"""What a backend may take for one slash."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_route_that_no_key_opens_stays_closed_whatever_stands_for_a_slash(kind: str) -> None:
    head, last = NEVER.replace("{appId}", APP_ID).rsplit("/", 1)
    policy = policy_of(tenant(kind, APP_ID, "jane"))
    assert [it for it in BETWEEN if allows(policy, "GET", f"{head}{it}{last}")] == []


@given(st.data(), FOUR)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_route_that_no_key_opens_stays_closed_however_it_is_spelled(
    data: st.DataObject, one: Tenant
) -> None:
    path = NEVER.replace("{appId}", one.app_id)
    slashes = [found.start() for found in re.finditer("/", path)]
    anywhere = st.integers(len("/v1.1/apps/"), len(path) - 1)
    # Few at a time: a single spelling must be enough.
    spelled = data.draw(st.sets(st.sampled_from(slashes[-2:]) | anywhere, max_size=3))
    characters = [
        data.draw(_forms_of(character)) if position in spelled else character
        for position, character in enumerate(path)
    ]
    ending = data.draw(st.sampled_from(["", "/", "//", "/x", "%2f", ";x"]))
    assert not allows(policy_of(one), "GET", "".join(characters) + ending)


def _forms_of(character: str) -> st.SearchStrategy[str]:
    encoded = f"%{ord(character):02x}"
    more = BETWEEN if character == "/" else ()
    return st.sampled_from([encoded, encoded.upper(), *more])


@given(st.data(), FOUR, st.sampled_from(["get", "Get", "HEAD", "OPTIONS", "TRACE", "*", "ANY"]))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_method_that_no_row_has_is_denied(data: st.DataObject, one: Tenant, method: str) -> None:
    path = data.draw(own_row(one.kind)).filled(one.ids)
    assert not allows(policy_of(one), method, path)


@given(st.data(), FOUR)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_row_in_another_case_is_denied_but_within_a_subtree(
    data: st.DataObject, one: Tenant
) -> None:
    row = data.draw(st.sampled_from(ROWS_OF_APPS))
    assert not allows(policy_of(one), row.method, row.filled(one.ids).upper())


@given(st.data(), FOUR, st.from_regex(r"[A-Za-z0-9_-]{1,10}|\$default", fullmatch=True))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_policy_is_for_its_stage_alone(data: st.DataObject, one: Tenant, stage: str) -> None:
    row = data.draw(own_row(one.kind))
    document = policy_of(one)
    resources = [r for statement in document["Statement"][:1] for r in statement["Resource"]]
    elsewhere = f"/{stage}/{row.method}{row.filled(one.ids)}"
    assert all(resource.startswith(f"{STAGE.arn}/") for resource in resources)
    assert not allows(document, stage, elsewhere)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "integration"])
def test_a_policy_for_a_connection_opens_no_route_and_the_other_way_round(kind: str) -> None:
    one = tenant(kind, APP_ID, "jane")
    connection = websocket_policy_document(one.principal, STAGE, policies_of(V2), NOW)
    opened = [row for row in ROWS if allows(connection, row.method, row.filled(one.ids))]
    assert opened == []
    assert allows(connection, "$connect", "")
    assert not allows(policy_of(one), "$connect", "")


@pytest.mark.parametrize("route_sets", [(V2,), (V1_1_SHORT,)])
def test_a_route_set_that_is_not_selected_is_reached_by_nobody(route_sets: tuple[str, ...]) -> None:
    rows = [row for row in ROWS if row.route_set not in route_sets]
    tenants = [tenant(kind, APP_ID, "jane") for kind in KINDS]
    policies = policies_of(*route_sets)
    documents = [(one, policy_of(one, policies)) for one in tenants]
    reached = [
        row.path
        for one, document in documents
        for row in rows
        if allows(document, row.method, row.filled(one.ids))
    ]
    assert reached == []
