"""What differs from the Sunshine API: each row of the table in the documents, by a test."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeVar, cast

import pytest

from keyscope.access.access_map import read_access_map
from keyscope.access.method_arn import ApiStage
from keyscope.access.policy import Policies, policy_document, prepare_policies
from keyscope.access.policy_evaluation import AccessRequest, Verdict, evaluate
from keyscope.authorize.credential import parse_credential
from keyscope.errors import Contended, Reason, Refused
from keyscope.lifecycle.directory import TooManyKeys
from keyscope.lifecycle.external_ids import ExternalName
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.management_api.error_responses import RETRY_AFTER_SECONDS, error_response_of
from keyscope.management_api.requests import MAX_BODY_BYTES
from keyscope.model.ids import OwnerType
from keyscope.model.principal import CredentialKind, Principal
from keyscope.model.scopes import Scope
from keyscope.model.secret import SECRET_LENGTH, key_id_of_secret
from keyscope_local.template.yaml_reader import parse_yaml
from tests.support.builders import (
    ACCOUNT,
    APP,
    INTEGRATION,
    NOW,
    OTHER_APP,
    compact,
    limited,
    make_key,
)
from tests.support.directories import Operations
from tests.support.management import (
    SERVICE_ACCOUNTS,
    V1_1,
    V2,
    Caller,
    app_of,
    handler_over,
    key_of,
    new_caller,
    service_account_of,
)
from tests.support.stacks import TEMPLATE

ROOT: Final = TEMPLATE.parent
TABLE: Final = (ROOT / "docs/reference/sunshine-differences.md").read_text("utf-8")
VECTORS: Final = ROOT / "tests/vectors"
ROWS: Final = re.findall(r"^\| (?!what |---)(.+?) \|", TABLE, re.MULTILINE)
MAP: Final = (files("keyscope.access") / "scopes.toml").read_text("utf-8")
TESTED: Final[list[str]] = []
OF_MANAGEMENT: Final = re.compile(
    r"/v2/apps(/\{\})?(/keys(/.*)?)?|/v1\.1/(apps|serviceaccounts)(/\{\})?(/keys(/.*)?)?"
)
Operation = tuple[str, str]
_Test = TypeVar("_Test", bound=Callable[..., object])


def row(name: str) -> Callable[[_Test], _Test]:
    """Mark a test as that of a row of the table, by its first cell without back-ticks."""

    def mark(test: _Test) -> _Test:
        TESTED.append(name)
        return test

    return mark


def test_each_row_of_the_table_has_one_test_and_each_test_a_row() -> None:
    assert ROWS
    assert sorted(TESTED) == sorted(cell.replace("`", "") for cell in ROWS)


def line_of(row_name: str) -> str:
    (line,) = [line for line in TABLE.splitlines() if line.startswith(f"| {row_name} |")]
    return line


@cache
def policies_of_v2() -> Policies:
    return prepare_policies(read_access_map(MAP, ["v2"]), 10)


def verdict(principal: Principal, method: str, path: str) -> Verdict:
    """Return what the principal's policy decides on a REST API that serves v2."""
    policies = policies_of_v2()
    stage = ApiStage("arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod")
    document = policy_document(principal, stage, policies, NOW)
    arn = stage.resource(f"{method}{path}")
    return evaluate(document, AccessRequest("execute-api:Invoke", arn, NOW, "192.0.2.7"))


def path_of(path: str) -> str:
    """Return a path without the names of its placeholders."""
    return re.sub(r"\{\w+\}", "{}", path)


def published() -> dict[Operation, set[str]]:
    """Return the published operations, with their statuses."""
    return {
        (row["method"], path_of(row["path"])): set(row.get("declared_statuses", ()))
        for version in ("v2", "v1_1")
        for row in json.loads((VECTORS / f"sunshine_scopes_{version}.json").read_text("utf-8"))
    }


def served() -> dict[Operation, set[str]]:
    """Return the operations of the management API, with their statuses."""
    document = json.loads((ROOT / "docs/reference/openapi.json").read_text("utf-8"))
    return {
        (method.upper(), path_of(path)): set(operation["responses"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


NEW_KEYS_V1_1: Final = {("POST", f"{owners}/{{}}/keys") for owners in (V1_1, SERVICE_ACCOUNTS)}


def test_every_published_status_of_an_operation_is_served_but_for_the_rows() -> None:
    ours = served()
    differences = {
        operation: statuses - ours[operation]
        for operation, statuses in published().items()
        if operation in ours and statuses - ours[operation]
    }
    assert differences == {
        ("POST", V2): {"402"},
        # For integrations of other types than `custom`.
        ("GET", f"{V2}/{{}}/integrations/{{}}/keys"): {"400"},
        **{one: {"200"} for one in NEW_KEYS_V1_1},
    }


@row("GET .../keys/{keyId}/jwt")
def test_no_endpoint_makes_a_token(caller: Caller) -> None:
    ours = served()
    missing = {
        (method, path)
        for method, path in published()
        if OF_MANAGEMENT.fullmatch(path) and (method, path) not in ours
    }
    assert missing == {("GET", f"{path}/{{}}/jwt") for _, path in NEW_KEYS_V1_1}
    app_id = app_of(caller)
    key_id = key_of(caller, app_id)["id"]
    assert caller.call("GET", f"{V1_1}/{app_id}/keys/{key_id}/jwt").status == 404


@row("more operations")
def test_operations_beyond_the_published_ones_are_listed() -> None:
    keys = [
        "/v2/apps/{}/keys/{}",
        "/v2/apps/{}/integrations/{}/keys/{}",
        "/v1.1/apps/{}/keys/{}",
        "/v1.1/serviceaccounts/{}/keys/{}",
    ]
    assert served().keys() - published().keys() == {
        *(("PATCH", key) for key in keys),
        *(("POST", f"{key}/rotate") for key in keys),
        *(("DELETE", f"{key}/overlap") for key in keys),
        ("POST", "/v2/explain"),
        ("GET", "/v2/permissions"),
        ("GET", "/v2/keys/self"),
        ("DELETE", "/v2/keys/self"),
    }


@row("new keys in v1.1")
def test_a_new_key_is_201_in_v1_1_too(caller: Caller) -> None:
    app_id = app_of(caller)
    assert caller.call("POST", f"{V1_1}/{app_id}/keys", {"name": "x"}).status == 201


@row("secrets")
def test_a_secret_is_shown_once(caller: Caller) -> None:
    app_id = app_of(caller)
    key = key_of(caller, app_id)
    keys = f"{V2}/{app_id}/keys"
    rotated = caller.call("POST", f"{keys}/{key['id']}/rotate", {"overlapSeconds": 0}).json["key"]
    shown = caller.call("GET", keys).text + caller.call("GET", f"{keys}/{key['id']}").text
    assert rotated["secret"] != key["secret"]
    assert [one for one in (key["secret"], rotated["secret"], "secret") if one in shown] == []


@row("form of a secret")
def test_a_secret_names_its_key_and_is_a_bearer_token_alone(caller: Caller) -> None:
    key = key_of(caller, app_of(caller))
    secret = key["secret"]
    assert (len(secret), key_id_of_secret(secret)) == (SECRET_LENGTH, key["id"])
    assert re.fullmatch(rf"ks_{key['id']}_[0-9A-Za-z]{{49}}", secret)
    assert parse_credential(f"Bearer {secret}").kind is CredentialKind.BEARER_SECRET


@row("account keys")
def test_no_endpoint_makes_a_key_of_an_account(caller: Caller) -> None:
    answer = caller.call("POST", "/v2/accounts/keys", {"displayName": "x"})
    assert answer.status == 404
    assert not [path for _, path in served() if "accounts" in path.replace("serviceaccounts", "")]


@row("appToken")
def test_an_app_has_no_app_token(caller: Caller) -> None:
    app_id = app_of(caller)
    assert "appToken" not in caller.call("GET", f"{V1_1}/{app_id}").json["app"]


@row("more members of an app")
def test_an_app_shows_its_external_id(provisioning: Provisioning, caller: Caller) -> None:
    account_id = caller.principal.account_id
    app, _ = provisioning.create_named_app(account_id, "Shop", None, ExternalName("acme-shop"))
    for prefix in (V2, V1_1):
        shown = caller.call("GET", f"{prefix}/{app.owner_id}").json["app"]
        assert shown["externalId"] == "acme-shop"
        unnamed = caller.call("GET", f"{prefix}/{app_of(caller)}").json["app"]
        assert shown.keys() - unnamed.keys() == {"externalId"}
        more = shown.keys() - {"id", "_id", "displayName", "name", "settings", "metadata"}
        assert more == set(re.findall(r"`(\w+)`", line_of("more members of an app")))
    body = {"displayName": "Shop", "externalId": "chosen-by-a-caller"}
    assert caller.call("POST", V2, body).status == 400


@row("more members of a service account")
def test_a_service_account_shows_more_than_the_published_members(caller: Caller) -> None:
    shown = caller.call("POST", SERVICE_ACCOUNTS, {"name": "robot"}).json["serviceAccount"]
    members = re.findall(r"`(\w+)`", line_of("more members of a service account"))
    assert shown.keys() - {"_id", "name"} == set(members)


@row("more members of a key")
def test_a_key_shows_more_than_the_published_members(caller: Caller) -> None:
    app_id = app_of(caller)
    limits = {
        "expiresAt": "2099-01-01T00:00:00Z",
        "allowedCidrs": ["192.0.2.0/24"],
        "permissions": ["read"],
    }
    body = {"displayName": "Server", "integrationId": INTEGRATION, **limits}
    key_id = caller.call("POST", f"{V2}/{app_id}/keys", body).json["key"]["id"]
    one = f"{V2}/{app_id}/keys/{key_id}"
    caller.call("POST", f"{one}/rotate", {"overlapSeconds": 60})
    caller.call("PATCH", one, {"disabled": True})
    shown = caller.call("GET", one).json["key"]
    members = re.findall(r"`(\w+)`", line_of("more members of a key"))
    assert shown.keys() - {"id", "displayName"} == set(members)


@row("limits of the caller's key")
def test_a_key_gives_no_more_than_it_has(provisioning: Provisioning, caller: Caller) -> None:
    own = caller.principal
    provisioning.update_key(
        own.owner_id, own.key_id, lambda key: limited(key, allowed_cidrs=("192.0.2.0/24",))
    )
    app_id = app_of(caller)
    body = {"displayName": "x", "allowedCidrs": ["198.51.100.0/24"]}
    answer = caller.call("POST", f"{V2}/{app_id}/keys", body)
    assert (answer.status, answer.codes) == (403, ["exceeds_own_limits"])


@row("apps of others")
def test_an_app_of_another_creator_is_forbidden_and_not_listed(caller: Caller) -> None:
    _, robot = service_account_of(caller)
    app_id = app_of(caller)
    assert app_id not in robot.call("GET", V2).text
    for principal, app in ((robot.principal, app_id), (caller.principal, OTHER_APP)):
        assert verdict(principal, "GET", f"{V2}/{app}") is not Verdict.ALLOWED
    assert verdict(caller.principal, "GET", f"{V2}/{app_id}") is Verdict.ALLOWED


@row("number of keys")
def test_an_app_a_service_account_and_an_account_have_ten_keys(
    provisioning: Provisioning, caller: Caller
) -> None:
    owner_id, robot = service_account_of(caller)
    app_keys, own_keys = f"{V2}/{app_of(robot)}/keys", f"{SERVICE_ACCOUNTS}/{owner_id}/keys"
    for keys, name, room in ((app_keys, "displayName", 10), (own_keys, "name", 9)):
        statuses = [caller.call("POST", keys, {name: "x"}).status for _ in range(room + 1)]
        assert statuses == [201] * room + [409]
    account_id = caller.principal.owner_id
    for _ in range(9):
        provisioning.create_key(OwnerType.ACCOUNT, account_id, KeyRequest())
    with pytest.raises(TooManyKeys):
        provisioning.create_key(OwnerType.ACCOUNT, account_id, KeyRequest())


@row("keys of integrations")
def test_the_keys_of_any_integration_are_among_the_ten_of_the_app(caller: Caller) -> None:
    app_id = app_of(caller)
    path, body = f"{V2}/{app_id}/integrations/{INTEGRATION}/keys", {"displayName": "x"}
    key_of(caller, app_id)
    statuses = [caller.call("POST", path, body).status for _ in range(10)]
    assert statuses == [201] * 9 + [409]


@row("an app's list of keys")
def test_an_apps_list_of_keys_has_those_of_its_integrations(caller: Caller) -> None:
    app_id = app_of(caller)
    body = {"displayName": "x", "integrationId": INTEGRATION}
    caller.call("POST", f"{V2}/{app_id}/keys", body)
    caller.call("POST", f"{V2}/{app_id}/integrations/{INTEGRATION}/keys", {"displayName": "x"})
    listed = caller.call("GET", f"{V2}/{app_id}/keys").json["keys"]
    assert [key["integrationId"] for key in listed] == [INTEGRATION] * 2


@row("integrations/me")
def test_an_integration_is_not_called_me() -> None:
    principal = Principal(
        Scope.INTEGRATION, "int_" + "0" * 24, OwnerType.APP, APP, integration_id=INTEGRATION
    )
    webhooks = f"{V2}/{APP}/integrations/{{}}/webhooks"
    assert verdict(principal, "GET", webhooks.format("me")) is not Verdict.ALLOWED
    assert verdict(principal, "GET", webhooks.format(INTEGRATION)) is Verdict.ALLOWED


@row("number of apps")
def test_one_app_too_many_is_a_conflict() -> None:
    few = replace(Operations(time.time).provisioning(), max_apps_per_creator=1)
    caller = new_caller(handler_over(few), few)
    app_of(caller)
    answer = caller.call("POST", V2, {"displayName": "Shop"})
    assert (answer.status, answer.codes) == (409, ["too_many_apps"])


@row("settings of an app")
def test_settings_are_stored_as_they_are(caller: Caller) -> None:
    settings = {"conversationRetentionSeconds": 60}
    app_id = app_of(caller, settings=settings)
    shown = caller.call("GET", f"{V2}/{app_id}").json["app"]["settings"]
    assert shown["conversationRetentionSeconds"] == 60


@row("unknown members and parameters")
def test_what_is_unknown_or_repeated_is_refused(caller: Caller) -> None:
    answers = [
        caller.call("POST", V2, {"displayName": "Shop", "color": "red"}),
        caller.call("POST", V2, '{"displayName": "Shop", "displayName": "Shop"}'),
        caller.call("GET", V2, query={"color": "red"}),
        caller.call("GET", V2, multiValueQueryStringParameters={"page[size]": ["1", "2"]}),
    ]
    assert [answer.status for answer in answers] == [400] * 4


@row("bodies")
def test_a_body_is_json_of_limited_size(caller: Caller) -> None:
    xml = caller.call("POST", V2, "<app/>", headers={"Content-Type": "application/xml"})
    large = caller.call("POST", V2, json.dumps({"displayName": "x" * MAX_BODY_BYTES}))
    assert (xml.status, large.status) == (415, 413)


@row("names")
@pytest.mark.parametrize("name", ["", "x" * 101, " ", "a\u202eb", "a\nb"])
def test_a_name_is_visible_text(name: str, caller: Caller) -> None:
    assert caller.call("POST", V2, {"displayName": name}).status == 400


@row("offset in v1.1")
def test_an_offset_is_limited(caller: Caller) -> None:
    statuses = [
        caller.call("GET", V1_1, query={"offset": offset}).status for offset in ("10000", "10001")
    ]
    assert statuses == [200, 400]


@row("changes at the same time")
def test_too_many_changes_are_503() -> None:
    response = error_response_of(Contended(), V2)
    assert (response.status, response.faults[0].code) == (503, "too_many_changes")
    assert RETRY_AFTER_SECONDS > 0


KEY: Final = make_key()


def reason_of(header: Mapping[str, object], claims: object) -> Reason | None:
    try:
        parse_credential(f"Bearer {compact({'alg': 'HS256', 'kid': KEY.key_id, **header}, claims)}")
    except Refused as refused:
        return refused.reason
    return None


@row("userId of a token")
def test_a_user_id_is_of_harmless_characters() -> None:
    reasons = [
        reason_of({}, {"scope": "appUser", "userId": user_id})
        for user_id in ("aZ09-._~@+:", "u" * 64, "u" * 65, "a b", "a/b", "é")
    ]
    assert reasons == [None, None, *[Reason.UNSAFE_USER_ID] * 4]


@row("tokens")
def test_a_token_is_read_strictly() -> None:
    both = {"scope": "appUser", "userId": "u", "external_id": "u"}
    assert [
        reason_of({}, {"scope": "app", "exp": NOW + 0.5}),
        reason_of({}, '{"scope": "app", "scope": "app"}'),
        reason_of({"typ": "at+jwt"}, {"scope": "app"}),
        reason_of({}, both),
        reason_of({}, {"scope": "app", "permissions": ["read"]}),
    ] == [
        Reason.MALFORMED_CLAIM,
        Reason.DUPLICATE_TOKEN_MEMBER,
        Reason.UNSUPPORTED_TOKEN_TYPE,
        Reason.CONFLICTING_CLAIMS,
        None,
    ]


@cache
def gateway_responses() -> Mapping[str, Any]:
    template = cast("Any", parse_yaml(TEMPLATE.read_text("utf-8")))
    found: Mapping[str, Any] = template["Resources"]["RestApi"]["Properties"]["GatewayResponses"]
    return found


@row("error bodies of API Gateway")
def test_an_answer_of_api_gateway_has_the_members_of_both_versions() -> None:
    for response in gateway_responses().values():
        text = response["ResponseTemplates"]["application/json"]
        assert '"errors":[{' in text
        assert '"error":{' in text


@row("CORS headers")
def test_every_answer_of_api_gateway_has_cors_headers_for_every_credential() -> None:
    for response in gateway_responses().values():
        assert "Access-Control-Allow-Origin" in response["ResponseParameters"]["Headers"]


@row("routes of the other resources")
def test_an_account_reaches_webhooks_of_integrations() -> None:
    path = "/v2/apps/{appId}/integrations/{integrationId}/webhooks"
    table = json.loads((VECTORS / "sunshine_scopes_v2.json").read_text("utf-8"))
    (scopes,) = [
        each["scopes"] for each in table if (each["method"], each["path"]) == ("GET", path)
    ]
    assert "account" not in scopes
    principal = Principal(Scope.ACCOUNT, "act_" + "0" * 24, OwnerType.ACCOUNT, ACCOUNT)
    asked = path.format(appId=APP, integrationId="0" * 24)
    assert verdict(principal, "GET", asked) is Verdict.ALLOWED
