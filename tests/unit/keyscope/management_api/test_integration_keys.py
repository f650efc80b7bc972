"""The keys of an app's integrations over HTTP: who manages them, and what is answered."""

from dataclasses import replace
from typing import Any, Final

import pytest

from keyscope.model.ids import OwnerType
from keyscope.model.principal import CredentialKind, Principal
from keyscope.model.scopes import Scope
from tests.support.builders import INTEGRATION, OTHER_INTEGRATION, limited
from tests.support.management import V1_1, V2, Caller, app_of, as_app, key_of

SELF: Final = "/v2/keys/self"


@pytest.fixture
def app_id(caller: Caller) -> str:
    return app_of(caller)


def keys_of(app_id: str, integration_id: str = INTEGRATION) -> str:
    return f"{V2}/{app_id}/integrations/{integration_id}/keys"


def created(by: Caller, app_id: str, integration_id: str = INTEGRATION) -> dict[str, Any]:
    answer = by.call("POST", keys_of(app_id, integration_id), {"displayName": "CRM"})
    assert answer.status == 201
    key: dict[str, Any] = answer.json["key"]
    return key


def as_integration(caller: Caller, app_id: str) -> Caller:
    """Create a key of an integration, and become it."""
    key_id = created(caller, app_id)["id"]
    principal = Principal(
        Scope.INTEGRATION, key_id, OwnerType.APP, app_id, integration_id=INTEGRATION
    )
    return replace(caller, principal=principal)


@pytest.mark.parametrize("scope", ["account", "app"])
def test_a_key_of_an_integration_lives(scope: str, caller: Caller, app_id: str) -> None:
    by = caller if scope == "account" else as_app(caller, app_id)
    key = created(by, app_id)
    secret, path = key.pop("secret"), f"{keys_of(app_id)}/{key['id']}"
    assert (key["id"][:4], key["integrationId"]) == ("int_", INTEGRATION)
    assert secret.startswith(f"ks_{key['id']}_")
    assert by.call("GET", path).json == {"key": key}
    assert by.call("GET", keys_of(app_id)).json == {"keys": [key]}
    changed = by.call("PATCH", path, {"displayName": "Sales", "disabled": True}).json["key"]
    assert (changed["displayName"], changed["state"]) == ("Sales", "disabled")
    rotated = by.call("POST", f"{path}/rotate", {"overlapSeconds": 60}).json["key"]
    assert rotated["secret"] != secret
    ended = by.call("DELETE", f"{path}/overlap").json["key"]
    assert "previousSecretEndsAt" not in ended
    deleted = by.call("DELETE", path)
    assert (deleted.status, deleted.json) == (200, {})
    assert by.call("GET", path).codes == ["not_found"]
    assert by.call("GET", keys_of(app_id)).json == {"keys": []}


def test_an_apps_list_has_the_keys_of_its_integrations(caller: Caller, app_id: str) -> None:
    own, key = key_of(caller, app_id)["id"], created(caller, app_id)["id"]
    assert [it["id"] for it in caller.call("GET", f"{V2}/{app_id}/keys").json["keys"]] == sorted(
        [own, key]
    )
    shown = caller.call("GET", f"{V2}/{app_id}/keys/{key}").json["key"]
    assert shown["integrationId"] == INTEGRATION
    shown = caller.call("GET", f"{V1_1}/{app_id}/keys/{key}").json["key"]
    assert shown["integrationId"] == INTEGRATION
    assert caller.call("DELETE", f"{V2}/{app_id}/keys/{key}").status == 200
    assert caller.call("GET", keys_of(app_id)).json == {"keys": []}


def test_an_account_creates_a_key_of_an_integration_among_the_apps(
    caller: Caller, app_id: str
) -> None:
    body = {"displayName": "CRM", "integrationId": INTEGRATION}
    key = caller.call("POST", f"{V2}/{app_id}/keys", body).json["key"]
    assert (key["id"][:4], key["integrationId"]) == ("int_", INTEGRATION)
    assert [it["id"] for it in caller.call("GET", keys_of(app_id)).json["keys"]] == [key["id"]]


@pytest.mark.parametrize("value", ["", "me", INTEGRATION.upper(), INTEGRATION + "\n", 7, ["x"]])
def test_a_malformed_id_of_an_integration_is_told(
    value: object, caller: Caller, app_id: str
) -> None:
    body = {"displayName": "CRM", "integrationId": value}
    answer = caller.call("POST", f"{V2}/{app_id}/keys", body)
    assert answer.status == 400
    assert answer.titles[0].startswith("integrationId must be")


@pytest.mark.parametrize("path", [V1_1, "integrations"])
def test_only_v2s_list_of_an_apps_keys_binds_by_a_member(
    path: str, caller: Caller, app_id: str
) -> None:
    keys = f"{V1_1}/{app_id}/keys" if path == V1_1 else keys_of(app_id)
    name = "name" if path == V1_1 else "displayName"
    body = {name: "CRM", "integrationId": INTEGRATION}
    assert caller.call("POST", keys, body).status == 400


def test_an_app_has_ten_keys_with_those_of_its_integrations(caller: Caller, app_id: str) -> None:
    for number in range(5):
        key_of(caller, app_id)
        created(caller, app_id, INTEGRATION if number % 2 else OTHER_INTEGRATION)
    body = {"displayName": "one more"}
    for path in (keys_of(app_id), f"{V2}/{app_id}/keys"):
        assert caller.call("POST", path, body).codes == ["too_many_keys"]


@pytest.mark.parametrize(
    ("method", "rest", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"displayName": "x"}),
        ("POST", "/rotate", {}),
        ("DELETE", "/overlap", None),
        ("DELETE", "", None),
    ],
)
def test_below_an_integration_other_keys_are_answered_as_none(
    method: str, rest: str, body: object, caller: Caller, app_id: str
) -> None:
    by = as_app(caller, app_id)
    others = [key_of(caller, app_id)["id"], created(caller, app_id, OTHER_INTEGRATION)["id"]]
    answers = [
        by.call(method, f"{keys_of(app_id)}/{key_id}{rest}", body)
        for key_id in (*others, "int_" + "0" * 24)
    ]
    assert [(it.status, it.codes) for it in answers] == [(404, ["not_found"])] * 3
    kept = {it["id"]: it["state"] for it in caller.call("GET", f"{V2}/{app_id}/keys").json["keys"]}
    assert [kept[key_id] for key_id in others] == ["active", "active"]


def test_an_app_manages_the_keys_of_its_own_integrations_alone(caller: Caller, app_id: str) -> None:
    other = app_of(caller)
    key_id = created(caller, other)["id"]
    by = as_app(caller, app_id)
    for method, path in [("GET", keys_of(other)), ("DELETE", f"{keys_of(other)}/{key_id}")]:
        assert by.call(method, path).codes == ["app_not_found"]
    assert by.call("GET", f"{V2}/{app_id}/keys").codes == ["forbidden"]


@pytest.mark.parametrize("integration_id", ["me", "x1", INTEGRATION[:-1], INTEGRATION.upper()])
def test_an_integration_without_an_id_of_one_is_not_there(
    integration_id: str, caller: Caller, app_id: str
) -> None:
    answer = caller.call("POST", keys_of(app_id, integration_id), {"displayName": "CRM"})
    assert (answer.status, answer.codes) == (404, ["not_found"])


def test_an_integration_manages_no_keys_and_sees_and_ends_its_own(
    caller: Caller, app_id: str
) -> None:
    by = as_integration(caller, app_id)
    key_id = by.principal.key_id
    for method, path in [
        ("GET", keys_of(app_id)),
        ("POST", keys_of(app_id)),
        ("GET", f"{keys_of(app_id)}/{key_id}"),
        ("DELETE", f"{keys_of(app_id)}/{key_id}"),
        ("GET", f"{V2}/{app_id}/keys"),
        ("GET", f"{V2}/{app_id}"),
    ]:
        body = {"displayName": "x"} if method == "POST" else None
        assert by.call(method, path, body).codes == ["forbidden"]
    shown = by.call("GET", SELF).json["key"]
    assert (shown["scope"], shown["integrationId"]) == ("integration", INTEGRATION)
    token = replace(by, principal=replace(by.principal, credential_kind=CredentialKind.JWT))
    assert token.call("GET", SELF).json["key"]["integrationId"] == INTEGRATION
    assert by.call("DELETE", SELF).json == {}
    assert caller.call("GET", keys_of(app_id)).json == {"keys": []}


def test_a_limited_account_manages_these_keys_among_the_apps_and_is_told_so(
    caller: Caller, app_id: str
) -> None:
    key_id = created(caller, app_id)["id"]
    by = replace(caller, principal=limited(caller.principal, permissions=("read",)))
    for method, path in [("GET", keys_of(app_id)), ("DELETE", f"{keys_of(app_id)}/{key_id}")]:
        answer = by.call(method, path)
        assert (answer.status, answer.codes) == (403, ["forbidden"])
        assert "/v2/apps/{appId}/keys" in answer.titles[0]
    listed = by.call("GET", f"{V2}/{app_id}/keys").json["keys"]
    assert key_id in [key["id"] for key in listed]


def test_an_app_with_permissions_gives_its_integrations_no_more(
    caller: Caller, app_id: str
) -> None:
    by = as_app(caller, app_id)
    by = replace(by, principal=limited(by.principal, permissions=("keys:write", "users:read")))
    body: dict[str, Any] = {"displayName": "CRM"}
    assert by.call("POST", keys_of(app_id), body).codes == ["exceeds_own_limits"]
    narrow = by.call("POST", keys_of(app_id), {**body, "permissions": ["users:read"]})
    assert narrow.json["key"]["permissions"] == ["users:read"]
    wide = created(caller, app_id)["id"]
    for method, rest in [("POST", "/rotate"), ("DELETE", "")]:
        path = f"{keys_of(app_id)}/{wide}{rest}"
        answer = by.call(method, path, {} if method == "POST" else None)
        assert answer.codes == ["exceeds_own_limits"]


def test_the_keys_of_integrations_end_with_their_app(caller: Caller, app_id: str) -> None:
    by = as_integration(caller, app_id)
    assert caller.call("DELETE", f"{V2}/{app_id}").status == 200
    assert by.call("GET", SELF).codes == ["forbidden"]
    assert caller.call("GET", keys_of(app_id)).codes == ["app_not_found"]
