"""What the tests of clients compare with."""

import pytest

from tests.clients.expected import FORBIDDEN, UNAUTHORIZED, Call, contains, expected, left_out
from tests.support.route_tables import V2, read_rows

WHOLE = {"apps": [{"id": "a1", "metadata": {"floor": 3}}], "meta": {"hasMore": False}}


@pytest.mark.parametrize(
    "part", [WHOLE, {}, {"apps": [{}]}, {"apps": [{"id": "a1"}]}, {"meta": {"hasMore": False}}]
)
def test_an_answer_contains_its_parts(part: object) -> None:
    assert contains(WHOLE, part)


@pytest.mark.parametrize(
    "part",
    [{"links": {}}, {"apps": []}, {"apps": [{"id": "a2"}]}, {"apps": [{}, {}]}, [], {"apps": {}}],
)
def test_an_answer_does_not_contain_what_it_lacks(part: object) -> None:
    assert not contains(WHOLE, part)


def test_a_client_that_calls_nothing_leaves_every_resource_out() -> None:
    left = left_out([])
    assert {"POST /v2/apps", "GET /v2/apps/{appId}/keys/{keyId}"} <= set(left)
    assert {"read Messages", "write Messages", "read Devices"} <= set(left)
    assert "write Devices" not in left
    assert [route for route in left if "OAuth" in route] == []


def test_a_client_that_calls_every_route_leaves_nothing_out() -> None:
    assert left_out(Call(row.method, row.path, "") for row in read_rows(V2)) == []


def test_one_write_of_a_resource_is_enough_except_in_management() -> None:
    calls = [Call("POST", "/v2/apps/{appId}/users", ""), Call("POST", "/v2/apps", "")]
    left = left_out(calls)
    assert "write Users" not in left
    assert "POST /v2/apps" not in left
    assert "DELETE /v2/apps/{appId}" in left


@pytest.mark.parametrize(
    ("call", "kind", "refusal"),
    [
        ("GET /v2/apps", "account", None),
        ("GET /v2/apps", "app", FORBIDDEN),
        ("GET /v2/apps", None, UNAUTHORIZED),
        ("GET /v2/apps/{appId} of another account", "account", FORBIDDEN),
        ("GET /v2/apps/{appId}/users/{userIdOrExternalId} of another user", "app", None),
        ("GET /v2/apps/{appId}/users/{userIdOrExternalId} of another user", "appUser", FORBIDDEN),
    ],
)
def test_a_call_ends_as_its_row_and_its_circumstances_say(
    call: str, kind: str | None, refusal: object
) -> None:
    assert expected(Call.read(call), kind) == refusal
