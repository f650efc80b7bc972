"""The management function's handler: events of a REST API in, answers out, over moto."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Final
from unittest.mock import ANY

import pytest

from keyscope.entry.management import ManagementHandler, management_handler
from keyscope.errors import Misconfigured
from keyscope.lifecycle.key_use import KeyUse
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from keyscope.model.secret import key_id_of_secret
from keyscope_local.emulators.listening_program import free_ports
from keyscope_local.tour.seed import local_provisioning
from tests.support.builders import limited
from tests.support.dynamodb_local import Store
from tests.support.logs import Lines, functions_log_here, lines_logged_by
from tests.support.management import (
    INTERNAL_ERROR,
    SERVICE_ACCOUNTS,
    V1_1,
    V2,
    Caller,
    ProxyResponse,
    app_of,
    key_of,
    new_caller,
    service_account_of,
)
from tests.support.operations import uses_of

Captured = pytest.CaptureFixture[str]

pytestmark = pytest.mark.usefixtures("emptied")


def variables_of(store: Store) -> dict[str, str]:
    return {
        "KEYSCOPE_KEYS_TABLE": store.keys_table,
        "KEYSCOPE_DIRECTORY_TABLE": store.directory_table,
        "KEYSCOPE_KMS_KEY_ARN": store.kms_key_arn,
        "KEYSCOPE_USE_TABLE": store.use_table,
        "KEYSCOPE_SEES_ALL_USE": "true",
        "KEYSCOPE_FLUSH_QUEUE_URL": store.flush_queue_url,
    }


def handler_over(store: Store, **variables: str) -> ManagementHandler:
    """Make the handler; its clients take their endpoints from the environment, once."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {**store.environment, **variables}.items():
            patched.setenv(name, value)
        return management_handler({**variables_of(store), **variables})


@pytest.fixture(scope="module")
def handler(moto_store: Store) -> ManagementHandler:
    return handler_over(moto_store)


@pytest.fixture(scope="module")
def provisioning(moto_store: Store) -> Provisioning:
    return local_provisioning({**moto_store.environment, **variables_of(moto_store)})


@pytest.fixture
def caller(handler: ManagementHandler, provisioning: Provisioning) -> Caller:
    """An account of its own for each test."""
    return new_caller(handler, provisioning)


PAST: Final = 1_700_000_000
PAST_TEXT: Final = "2023-11-14T22:13:20Z"


def test_every_answer_about_a_key_shows_when_it_was_last_used(
    caller: Caller, moto_store: Store
) -> None:
    app_id = app_of(caller)
    path, keys = f"{V2}/{app_id}/keys", [key_of(caller, app_id) for _ in range(2)]
    uses_of(moto_store).record(KeyUse(keys[0]["id"], PAST))
    used, unused = (f"{path}/{key['id']}" for key in keys)
    listed = caller.call("GET", path).json["keys"]
    assert {key["id"]: key["lastUsedAt"] for key in listed} == {
        keys[0]["id"]: PAST_TEXT,
        keys[1]["id"]: None,
    }
    v1_1 = used.replace("/v2/", "/v1.1/")
    answers = [
        *(caller.call("GET", each) for each in (used, v1_1)),
        caller.call("PATCH", used, {"disabled": True}),
        caller.call("POST", f"{used}/rotate", {}),
        caller.call("DELETE", f"{used}/overlap"),
    ]
    assert {answer.json["key"]["lastUsedAt"] for answer in answers} == {PAST_TEXT}
    assert caller.call("GET", unused).json["key"]["lastUsedAt"] is None


def test_where_other_stacks_use_the_same_keys_a_key_without_a_use_shows_none(
    moto_store: Store, provisioning: Provisioning
) -> None:
    account, created = provisioning.create_account("Acme", KeyRequest())
    principal = Principal(Scope.ACCOUNT, created.key.key_id, OwnerType.ACCOUNT, account.owner_id)
    caller = Caller(handler_over(moto_store, KEYSCOPE_SEES_ALL_USE="false"), principal)
    app_id = app_of(caller)
    path, key_id = f"{V2}/{app_id}/keys", key_of(caller, app_id)["id"]
    assert "lastUsedAt" not in caller.call("GET", path).json["keys"][0]
    uses_of(moto_store).record(KeyUse(key_id, PAST))
    assert caller.call("GET", path).json["keys"][0]["lastUsedAt"] == PAST_TEXT


def test_a_table_of_uses_that_does_not_answer_breaks_no_list(
    moto_store: Store, provisioning: Provisioning, log: Callable[[], Lines]
) -> None:
    account, created = provisioning.create_account("Acme", KeyRequest())
    principal = Principal(Scope.ACCOUNT, created.key.key_id, OwnerType.ACCOUNT, account.owner_id)
    caller = Caller(handler_over(moto_store, KEYSCOPE_USE_TABLE="gone"), principal)
    app_id = app_of(caller)
    path, key_id = f"{V2}/{app_id}/keys", key_of(caller, app_id)["id"]
    log()
    listed = caller.call("GET", path)
    assert (listed.status, [key["id"] for key in listed.json["keys"]]) == (200, [key_id])
    assert "lastUsedAt" not in listed.json["keys"][0]
    (unread,) = (line for line in log() if line["message"] == "last uses not read")
    assert (unread["level"], unread["reason"]) == ("ERROR", "use_table_unavailable")
    assert unread["detail"] == "ResourceNotFoundException"


@pytest.fixture
def log(handler: ManagementHandler) -> Iterator[Callable[[], Lines]]:
    """What was logged since it was last asked for."""
    del handler  # Its loggers are there by now.
    with lines_logged_by("management", "management-audit") as lines:
        yield lines


def test_an_app_lives(caller: Caller) -> None:
    body = {
        "displayName": "Shop",
        "settings": {"echoPostback": True},
        "metadata": {"plan": "gold", "a": 1.5},
    }
    created = caller.call("POST", V2, body)
    assert created.status == 201
    app_id = created.json["app"]["id"]
    app = {"id": app_id, **body, "createdAt": created.json["app"]["createdAt"], "keyCount": 0}
    assert created.json == {"app": app}
    got = caller.call("GET", f"{V2}/{app_id}")
    assert (got.status, got.json) == (200, {"app": app})
    change = {"displayName": "Shop 2", "settings": {"echoPostback": None}, "metadata": {"a": None}}
    changed = caller.call("PATCH", f"{V2}/{app_id}", change)
    after = {**app, "displayName": "Shop 2", "settings": {}, "metadata": {"plan": "gold"}}
    assert (changed.status, changed.json) == (200, {"app": after})
    listed = caller.call("GET", V2)
    assert (listed.status, listed.json) == (
        200,
        {"apps": [after], "meta": {"hasMore": False}, "links": {}},
    )
    deleted = caller.call("DELETE", f"{V2}/{app_id}")
    assert (deleted.status, deleted.text) == (200, "{}")
    assert caller.call("GET", f"{V2}/{app_id}").status == 404


def test_an_app_key_lives(caller: Caller) -> None:
    path = f"{V2}/{app_of(caller)}/keys"
    body = {
        "displayName": "Server",
        "expiresAt": "2099-01-01T01:00:00+01:00",
        "allowedCidrs": ["2001:DB8::/32"],
    }
    created = caller.call("POST", path, body)
    assert created.status == 201
    key = created.json["key"]
    secret = key.pop("secret")
    assert key_id_of_secret(secret) == key["id"]
    assert key == {
        "id": ANY,
        "displayName": "Server",
        "state": "active",
        "createdAt": ANY,
        "expiresAt": "2099-01-01T00:00:00Z",
        "allowedCidrs": ["2001:db8::/32"],
        "lastUsedAt": None,
    }
    one = f"{path}/{key['id']}"
    got, listed = caller.call("GET", one), caller.call("GET", path)
    assert (got.status, got.json) == (200, {"key": key})
    assert (listed.status, listed.json) == (200, {"keys": [key]})
    changed = caller.call("PATCH", one, {"disabled": True, "expiresAt": None, "allowedCidrs": None})
    assert (changed.status, changed.json["key"]) == (
        200,
        {
            "id": key["id"],
            "displayName": "Server",
            "state": "disabled",
            "createdAt": ANY,
            "disabledAt": ANY,
            "lastUsedAt": None,
        },
    )
    rotated = caller.call("POST", f"{one}/rotate", {"overlapSeconds": 60})
    assert rotated.status == 200
    assert key_id_of_secret(rotated.json["key"]["secret"]) == key["id"]
    assert rotated.json["key"]["secret"] != secret
    assert {"rotatedAt", "previousSecretEndsAt"} < rotated.json["key"].keys()
    ended = caller.call("DELETE", f"{one}/overlap")
    assert ended.status == 200
    assert "previousSecretEndsAt" not in ended.json["key"]
    assert "secret" not in ended.json["key"]
    deleted = caller.call("DELETE", one)
    assert (deleted.status, deleted.text) == (200, "{}")
    assert caller.call("GET", path).json == {"keys": []}


def test_an_app_and_its_keys_live_in_v1_1(caller: Caller) -> None:
    created = caller.call("POST", V1_1, {"name": "Shop", "metadata": {"plan": "gold"}})
    assert created.status == 201
    app = created.json["app"]
    assert app == {
        "_id": ANY,
        "name": "Shop",
        "settings": {},
        "metadata": {"plan": "gold"},
        "createdAt": ANY,
        "keyCount": 0,
    }
    one = f"{V1_1}/{app['_id']}"
    changed = caller.call("PUT", one, {"name": "Shop 2"})
    assert (changed.status, changed.json) == (200, {"app": {**app, "name": "Shop 2"}})
    assert caller.call("GET", one).json == changed.json
    assert caller.call("GET", V1_1, query={"limit": "1"}).json == {
        "apps": [changed.json["app"]],
        "hasMore": False,
        "offset": 0,
    }
    key = caller.call("POST", f"{one}/keys", {"name": "Server"})
    assert (key.status, key.json["key"].keys()) == (
        201,
        {"_id", "name", "state", "createdAt", "lastUsedAt", "secret"},
    )
    key_id = key.json["key"]["_id"]
    shown = {name: value for name, value in key.json["key"].items() if name != "secret"}
    assert caller.call("GET", f"{one}/keys").json == {"keys": [shown]}
    assert caller.call("GET", f"{one}/keys/{key_id}").json == {"key": shown}
    renamed = caller.call("PATCH", f"{one}/keys/{key_id}", {"name": "Server 2"})
    assert renamed.json == {"key": {**shown, "name": "Server 2"}}
    rotated = caller.call("POST", f"{one}/keys/{key_id}/rotate", {})
    assert "secret" in rotated.json["key"]
    assert caller.call("DELETE", f"{one}/keys/{key_id}/overlap").status == 200
    assert caller.call("DELETE", f"{one}/keys/{key_id}").text == "{}"
    assert caller.call("DELETE", one).text == "{}"


def test_a_service_account_and_its_keys_live(caller: Caller) -> None:
    created = caller.call("POST", SERVICE_ACCOUNTS, {"name": "robot"})
    assert created.status == 201
    robot = created.json["serviceAccount"]
    assert robot == {"_id": ANY, "name": "robot", "createdAt": ANY, "keyCount": 0}
    one = f"{SERVICE_ACCOUNTS}/{robot['_id']}"
    assert caller.call("GET", one).json == created.json
    assert caller.call("GET", SERVICE_ACCOUNTS).json == {
        "serviceAccounts": [robot],
        "hasMore": False,
        "offset": 0,
    }
    renamed = caller.call("PUT", one, {"name": "r2"})
    assert (renamed.status, renamed.json) == (200, {"serviceAccount": {**robot, "name": "r2"}})
    key = caller.call("POST", f"{one}/keys", {"name": "CI"})
    assert key.status == 201
    assert key.json["key"]["_id"].startswith("svc_")
    assert key_id_of_secret(key.json["key"]["secret"]) == key.json["key"]["_id"]
    assert [listed["name"] for listed in caller.call("GET", f"{one}/keys").json["keys"]] == ["CI"]
    assert caller.call("DELETE", f"{one}/keys/{key.json['key']['_id']}").text == "{}"
    assert caller.call("DELETE", one).text == "{}"
    assert caller.call("GET", one).status == 404


def test_pages_are_linked_by_the_url_that_was_called(caller: Caller) -> None:
    ids = sorted(app_of(caller) for _ in range(3))
    first = caller.call("GET", V2, query={"page[size]": "2"}).json
    assert [app["id"] for app in first["apps"]] == ids[:2]
    assert first["meta"] == {"hasMore": True, "afterCursor": ids[1]}
    url = "https://api.example/prod/v2/apps"
    assert first["links"] == {"next": f"{url}?page%5Bafter%5D={ids[1]}&page%5Bsize%5D=2"}
    second = caller.call("GET", V2, query={"page": json.dumps({"size": 2, "after": ids[1]})}).json
    assert [app["id"] for app in second["apps"]] == ids[2:]
    assert second["meta"] == {"hasMore": False, "beforeCursor": ids[2]}


def test_a_service_account_sees_its_own_apps_only(caller: Caller) -> None:
    app_of(caller)
    owner_id, robot = service_account_of(caller)
    own = app_of(robot)
    assert own.startswith(owner_id)
    assert [app["id"] for app in robot.call("GET", V2).json["apps"]] == [own]
    by_filter = caller.call("GET", V2, query={"filter[serviceAccountId]": owner_id}).json
    assert [app["id"] for app in by_filter["apps"]] == [own]
    in_v11 = caller.call("GET", "/v1.1/apps", query={"serviceAccountId": owner_id}).json
    assert [app["_id"] for app in in_v11["apps"]] == [own]
    assert robot.call("GET", V2, query={"filter[serviceAccountId]": "0" * 15 + "1"}).status == 403


@pytest.mark.parametrize("ended", ["revoked", "disabled_at", "expires_at"])
def test_a_caller_whose_key_ended_while_a_cache_knew_it_is_handed_no_secret(
    ended: str, caller: Caller, provisioning: Provisioning
) -> None:
    app_id = app_of(caller)
    keys = f"{V2}/{app_id}/keys"
    one = caller.call("POST", keys, {"displayName": "Server"}).json["key"]["id"]
    own = (caller.principal.account_id, caller.principal.key_id)
    if ended == "revoked":
        provisioning.revoke_key(*own)
    else:
        provisioning.update_key(*own, lambda key: limited(key, **{ended: 1}))
    for answer in (
        caller.call("POST", keys, {"displayName": "lasting"}),
        caller.call("POST", f"{keys}/{one}/rotate", {"overlapSeconds": 0}),
    ):
        assert (answer.status, answer.codes) == (403, ["forbidden"])
    listed = caller.call("GET", keys)
    assert (listed.status, listed.codes) == (403, ["forbidden"])
    (left,) = provisioning.list_keys(app_id)
    assert (left.key_id, left.rotated_at) == (one, None)


def test_conflicts_are_told(caller: Caller) -> None:
    owner_id, robot = service_account_of(caller)
    app_id = app_of(robot)
    key_id = key_of(caller, app_id)["id"]
    for _ in range(9):
        key_of(caller, app_id)
    keys = f"{V2}/{app_id}/keys"
    assert caller.call("POST", keys, {"displayName": "11"}).codes == ["too_many_keys"]
    caller.call("POST", f"{keys}/{key_id}/rotate", {"overlapSeconds": 60})
    again = caller.call("POST", f"{keys}/{key_id}/rotate", {"overlapSeconds": 60})
    assert (again.status, again.codes) == (409, ["overlap_running"])
    taken = caller.call("POST", SERVICE_ACCOUNTS, {"name": "robot"})
    assert (taken.status, taken.json["error"]["code"]) == (409, "name_taken")
    owner = caller.call("DELETE", f"{SERVICE_ACCOUNTS}/{owner_id}")
    assert (owner.status, owner.json["error"]["code"]) == (409, "owns_apps")


def closed(service: str) -> dict[str, str]:
    """Return the variable that points a service's client at a port where nothing listens."""
    (port,) = free_ports(1)
    return {f"AWS_ENDPOINT_URL_{service}": f"http://127.0.0.1:{port}"}


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ("DYNAMODB", "key_store_unavailable"),
        ("KMS", "kms_unavailable"),
        ("SQS", "flush_queue_unavailable"),
    ],
)
def test_a_service_that_does_not_answer_is_500_and_nothing_is_changed(
    service: str,
    reason: str,
    caller: Caller,
    moto_store: Store,
    log: Callable[[], Lines],
) -> None:
    app_id = app_of(caller)
    key = key_of(caller, app_id)
    caller.call("POST", f"{V2}/{app_id}/keys/{key['id']}/rotate", {"overlapSeconds": 60})
    before = caller.call("GET", f"{V2}/{app_id}/keys").text
    failing = replace(caller, handler=handler_over(moto_store, **closed(service)))
    log()
    answers = [failing.call(*request) for request in requests_that_need(service, app_id, key["id"])]
    assert {answer.status for answer in answers} == {500}
    assert all(answer.json == INTERNAL_ERROR for answer in answers)
    failures = [line for line in log() if line["level"] == "ERROR"]
    assert [line["reason"] for line in failures] == [reason] * len(answers)
    assert {line["detail"] for line in failures} == {"EndpointConnectionError"}
    assert caller.call("GET", f"{V2}/{app_id}/keys").text == before


def requests_that_need(service: str, app_id: str, key_id: str) -> list[tuple[str, str, object]]:
    key = f"{V2}/{app_id}/keys/{key_id}"
    create = ("POST", f"{V2}/{app_id}/keys", {"displayName": "x"})
    rotate: tuple[str, str, object] = ("POST", f"{key}/rotate", {"overlapSeconds": 0})
    match service:
        case "KMS":
            return [create, rotate]
        case "SQS":
            return [
                rotate,
                ("PATCH", key, {"disabled": True}),
                ("DELETE", f"{key}/overlap", None),
                ("DELETE", key, None),
                ("DELETE", f"{V2}/{app_id}", None),
            ]
        case _:
            return [("GET", V2, None), ("POST", V2, {"displayName": "x"}), create]


def test_an_event_bus_that_does_not_answer_holds_nothing_up(
    caller: Caller, moto_store: Store, log: Callable[[], Lines]
) -> None:
    failing = replace(caller, handler=handler_over(moto_store, **closed("EVENTBRIDGE")))
    log()
    assert failing.call("POST", V2, {"displayName": "Shop"}).status == 201
    messages = [line.get("message") for line in log()]
    assert {"audit", "audit event undelivered", "answered"} <= set(messages)


def test_a_change_is_told_with_who_made_it(caller: Caller, log: Callable[[], Lines]) -> None:
    app_id = app_of(caller)
    audit, _ = log()
    assert (audit["message"], audit["audit"]["resource"]) == (
        "audit",
        {"type": "app", "id": app_id},
    )
    assert audit["audit"]["actor"] == {
        "type": "apiKey",
        "keyId": caller.principal.key_id,
        "scope": "account",
        "accountId": caller.principal.account_id,
        "sourceAddress": "192.0.2.7",
        "requestId": "request-1",
    }


@pytest.mark.parametrize("developing", ["false", "true"])
def test_no_log_line_holds_a_secret_or_a_credential(
    developing: str, caller: Caller, moto_store: Store, capsys: Captured
) -> None:
    with ExitStack() as stack:
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        patched.setenv("POWERTOOLS_DEV", developing)
        patched.setenv("KEYSCOPE_LOG_LEVEL", "DEBUG")
        stack.enter_context(functions_log_here("management", "management-audit"))
        own = replace(caller, handler=handler_over(moto_store))
        credential = "Basic " + base64.b64encode(b"act_x:ks_hush").decode()
        headers = {"Authorization": credential, "Content-Type": "application/json"}
        app_id = app_of(own, metadata={"token": "hush-hush"})
        keys = f"{V2}/{app_id}/keys"
        created = own.call("POST", keys, {"displayName": "x"}, headers=headers)
        one = f"{keys}/{created.json['key']['id']}"
        rotated = own.call("POST", f"{one}/rotate", {}, headers=headers)
        own.call("PATCH", one, {"secret": "ks_hush", "displayName": 5}, headers=headers)
        own.call("DELETE", f"{V2}/{app_id}", headers=headers)
    logged = capsys.readouterr()
    text = logged.out + logged.err
    assert "audit" in text
    secrets = [answer.json["key"]["secret"] for answer in (created, rotated)]
    hidden = [*secrets, "ks_", "hush", credential.partition(" ")[2]]
    assert [each for each in hidden if each in text] == []


def test_a_secret_is_in_the_answer_that_makes_it_only(caller: Caller) -> None:
    app_id = app_of(caller)
    key = key_of(caller, app_id)
    one = f"{V2}/{app_id}/keys/{key['id']}"
    later: list[ProxyResponse] = [
        caller.call("GET", one),
        caller.call("GET", f"{V2}/{app_id}/keys"),
        caller.call("PATCH", one, {"displayName": "New"}),
        caller.call("POST", f"{one}/rotate", {}),
        caller.call("DELETE", f"{one}/overlap"),
        caller.call("DELETE", one),
    ]
    assert {answer.status for answer in later} == {200}
    assert not [answer.text for answer in later if key["secret"] in answer.text]
    assert ["ks_" in answer.text for answer in later] == [False, False, False, True, False, False]


def test_two_functions_in_one_process_answer_each_for_itself(
    caller: Caller, moto_store: Store
) -> None:
    second = replace(caller, handler=handler_over(moto_store))
    app_id = app_of(caller)
    assert second.call("GET", f"{V2}/{app_id}").status == 200
    assert caller.call("GET", f"{V2}/{app_id}").status == 200


def test_a_function_with_a_missing_setting_does_not_start(moto_store: Store) -> None:
    variables = {**variables_of(moto_store), "KEYSCOPE_KEYS_TABLE": ""}
    with pytest.raises(Misconfigured, match="KEYSCOPE_KEYS_TABLE is not set"):
        management_handler(variables)
