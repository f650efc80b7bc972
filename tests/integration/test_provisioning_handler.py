"""The provisioning function's handler: JSON in, JSON out, over real stores."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import pytest

from keyscope.entry.provisioning import ProvisioningHandler, provisioning_handler
from keyscope.errors import Misconfigured, Unavailable
from keyscope.lifecycle.key_use import KeyUse
from keyscope.model.secret import key_id_of_secret
from keyscope_local.emulators.listening_program import free_ports
from tests.support.dynamodb_local import Store
from tests.support.operations import operations_over, uses_of

Json = Mapping[str, object]
Key = dict[str, object]
UNKNOWN_ACCOUNT = "0" * 12


@dataclass(frozen=True)
class Context:
    """What Lambda tells of an invocation."""

    aws_request_id: str = "invocation-1"


@pytest.fixture
def handler(store: Store, monkeypatch: pytest.MonkeyPatch) -> ProvisioningHandler:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    return provisioning_handler(variables_of(store))


def variables_of(store: Store) -> dict[str, str]:
    return {
        "KEYSCOPE_KEYS_TABLE": store.keys_table,
        "KEYSCOPE_DIRECTORY_TABLE": store.directory_table,
        "KEYSCOPE_KMS_KEY_ARN": store.kms_key_arn,
        "KEYSCOPE_USE_TABLE": store.use_table,
        "KEYSCOPE_SEES_ALL_USE": "true",
        "KEYSCOPE_FLUSH_QUEUE_URL": store.flush_queue_url,
    }


def create_account(handler: ProvisioningHandler, **key: object) -> tuple[str, Key]:
    event = {"operation": "createAccount", "displayName": "Acme", "key": key}
    answer = handler(event, Context())
    account = cast("Mapping[str, str]", answer["account"])
    return account["id"], cast("Key", answer["key"])


def list_keys(handler: ProvisioningHandler, account_id: str) -> list[Key]:
    answer = handler({"operation": "listKeys", "accountId": account_id}, Context())
    return cast("list[Key]", answer["keys"])


def errors_of(answer: Json) -> list[tuple[str, str]]:
    errors = cast("list[Mapping[str, str]]", answer["errors"])
    return [(error["code"], error["field"]) for error in errors]


def test_an_account_comes_with_its_first_key(handler: ProvisioningHandler) -> None:
    account_id, key = create_account(
        handler,
        displayName="first",
        expiresAt="2099-01-31T12:00:00+01:00",
        allowedCidrs=["192.0.2.0/24", "2001:DB8::/32"],
    )
    assert len(account_id) == 12
    key_id = str(key.pop("id"))
    assert key_id.startswith("act_")
    assert key_id_of_secret(str(key.pop("secret"))) == key_id
    assert key.pop("createdAt")
    assert key == {
        "displayName": "first",
        "state": "active",
        "expiresAt": "2099-01-31T11:00:00Z",
        "allowedCidrs": ["192.0.2.0/24", "2001:db8::/32"],
        "lastUsedAt": None,
    }


def test_the_list_shows_when_each_key_was_last_used(
    handler: ProvisioningHandler, store: Store
) -> None:
    account_id, first = create_account(handler)
    answer = handler({"operation": "createKey", "accountId": account_id}, Context())
    second = cast("Key", answer["key"])
    uses_of(store).record(KeyUse(str(first["id"]), 1_700_000_000))
    shown = {str(key["id"]): key["lastUsedAt"] for key in list_keys(handler, account_id)}
    assert shown == {first["id"]: "2023-11-14T22:13:20Z", second["id"]: None}


def test_a_further_key_is_created(handler: ProvisioningHandler) -> None:
    account_id, first = create_account(handler)
    answer = handler({"operation": "createKey", "accountId": account_id}, Context())
    second = cast("Key", answer["key"])
    assert {key["id"] for key in list_keys(handler, account_id)} == {first["id"], second["id"]}


def test_the_secret_is_in_the_creating_answer_only(handler: ProvisioningHandler) -> None:
    account_id, key = create_account(handler)
    assert str(key["secret"]) not in json.dumps(list_keys(handler, account_id))


def test_a_revoked_key_is_listed_as_revoked(handler: ProvisioningHandler) -> None:
    account_id, key = create_account(handler)
    revoke = {"operation": "revokeKey", "accountId": account_id, "keyId": key["id"]}
    assert handler(revoke, Context()) == {}
    (listed,) = list_keys(handler, account_id)
    assert listed["state"] == "revoked"
    assert listed["revokedAt"]


def test_the_eleventh_key_is_refused(handler: ProvisioningHandler) -> None:
    account_id, _ = create_account(handler)
    event = {"operation": "createKey", "accountId": account_id}
    for _ in range(9):
        handler(event, Context())
    assert errors_of(handler(event, Context())) == [("too_many_keys", "accountId")]
    assert len(list_keys(handler, account_id)) == 10


@pytest.mark.parametrize(
    "operation",
    ["createKey", "listKeys", "showAccount", "suspendAccount", "resumeAccount", "deleteAccount"],
)
def test_an_unknown_account_is_told(operation: str, handler: ProvisioningHandler) -> None:
    answer = handler({"operation": operation, "accountId": UNKNOWN_ACCOUNT}, Context())
    assert errors_of(answer) == [("not_found", "accountId")]


def answered(handler: ProvisioningHandler, operation: str, **members: object) -> Json:
    return handler({"operation": operation, **members}, Context())


def account_in(answer: Json) -> dict[str, object]:
    return cast("dict[str, object]", answer["account"])


def test_an_account_is_shown(handler: ProvisioningHandler) -> None:
    account_id, _ = create_account(handler)
    shown = account_in(answered(handler, "showAccount", accountId=account_id))
    assert shown.pop("createdAt")
    assert shown == {
        "id": account_id,
        "displayName": "Acme",
        "state": "active",
        "apps": 0,
        "maxApps": 1_000,
        "hasOwnMaxApps": False,
        "serviceAccounts": 0,
    }


def test_accounts_are_listed_in_pages(handler: ProvisioningHandler) -> None:
    made = {create_account(handler)[0] for _ in range(3)}
    found: list[str] = []
    page: dict[str, object] = {}
    while True:
        answer = answered(handler, "listAccounts", limit=2, **page)
        accounts = cast("list[Mapping[str, str]]", answer["accounts"])
        assert len(accounts) <= 2
        found += [each["id"] for each in accounts]
        if "next" not in answer:
            break
        page = {"after": answer["next"]}
    assert found == sorted(found)
    assert made <= {*found}


def test_a_suspended_accounts_keys_are_refused_until_it_is_resumed(
    handler: ProvisioningHandler,
) -> None:
    account_id, key = create_account(handler)
    both = {"accountId": account_id, "keyId": key["id"]}
    created = answered(handler, "createApp", accountId=account_id, displayName="Shop")
    app = cast("Mapping[str, str]", created["app"])
    shown = account_in(answered(handler, "suspendAccount", accountId=account_id))
    assert (shown["state"], "keysDone" in shown) == ("suspended", False)
    assert shown["suspendedAt"]
    (listed,) = list_keys(handler, account_id)
    assert (listed["state"], listed["suspendedAt"]) == ("suspended", shown["suspendedAt"])
    refused = answered(handler, "createKey", accountId=account_id)
    assert errors_of(refused) == [("account_suspended", "accountId")]
    refused = answered(handler, "createAppKey", appId=app["id"])
    assert errors_of(refused) == [("account_suspended", "appId")]
    refused = answered(handler, "rotateKey", **both)
    assert errors_of(refused) == [("account_suspended", "accountId")]
    answered(handler, "updateKey", **both, disabled=True)
    refused = answered(handler, "updateKey", **both, disabled=False)
    assert errors_of(refused) == [("account_suspended", "accountId")]
    resumed = account_in(answered(handler, "resumeAccount", accountId=account_id))
    assert resumed["state"] == "active"
    (listed,) = list_keys(handler, account_id)
    assert listed["state"] == "disabled"


def test_an_accounts_key_is_changed_and_rotated(handler: ProvisioningHandler) -> None:
    account_id, key = create_account(handler)
    both = {"accountId": account_id, "keyId": key["id"]}
    changed = cast("Key", answered(handler, "updateKey", **both, permissions=["read"])["key"])
    assert changed["permissions"] == ["read"]
    rotated = cast("Key", answered(handler, "rotateKey", **both)["key"])
    assert rotated["secret"] != key["secret"]
    assert errors_of(answered(handler, "rotateKey", **both)) == [("overlap_running", "keyId")]
    ended = cast("Key", answered(handler, "endOverlap", **both)["key"])
    assert "previousSecretEndsAt" not in ended


def test_an_accounts_limit_is_its_own_until_it_is_removed(handler: ProvisioningHandler) -> None:
    account_id, _ = create_account(handler)
    limit = {"accountId": account_id}
    own = account_in(answered(handler, "setAccountLimits", **limit, maxApps=7))
    assert (own["maxApps"], own["hasOwnMaxApps"]) == (7, True)
    stacks = account_in(answered(handler, "setAccountLimits", **limit, maxApps=None))
    assert (stacks["maxApps"], stacks["hasOwnMaxApps"]) == (1_000, False)


def test_an_empty_account_is_deleted(handler: ProvisioningHandler) -> None:
    account_id, _ = create_account(handler)
    assert answered(handler, "deleteAccount", accountId=account_id) == {}
    shown = answered(handler, "showAccount", accountId=account_id)
    assert errors_of(shown) == [("not_found", "accountId")]


def test_an_account_with_a_service_account_or_an_app_is_not_deleted(
    handler: ProvisioningHandler, store: Store
) -> None:
    account_id, _ = create_account(handler)
    operations = operations_over(store, time.time)
    operations.create_service_account(account_id, "robot")
    refused = answered(handler, "deleteAccount", accountId=account_id)
    assert errors_of(refused) == [("owns_service_accounts", "accountId")]
    operations.create_app(account_id, "app")
    refused = answered(handler, "deleteAccount", accountId=account_id)
    assert errors_of(refused) == [("owns_apps", "accountId")]


def test_an_unknown_key_is_told(handler: ProvisioningHandler) -> None:
    account_id, _ = create_account(handler)
    revoke = {"operation": "revokeKey", "accountId": account_id, "keyId": "act_" + "0" * 24}
    assert errors_of(handler(revoke, Context())) == [("not_found", "keyId")]


def test_a_key_of_another_account_is_as_unknown(handler: ProvisioningHandler) -> None:
    account_id, _ = create_account(handler)
    _, others = create_account(handler)
    revoke = {"operation": "revokeKey", "accountId": account_id, "keyId": others["id"]}
    assert errors_of(handler(revoke, Context())) == [("not_found", "keyId")]


def test_an_invalid_request_is_told_every_fault_and_writes_nothing(
    handler: ProvisioningHandler,
) -> None:
    account_id, _ = create_account(handler)
    event = {
        "operation": "createKey",
        "accountId": account_id,
        "displayName": "",
        "expiresAt": "yesterday",
        "allowedCidrs": ["10.0.0.1/8"],
        "color": "red",
    }
    assert errors_of(handler(event, Context())) == [
        ("bad_request", "color"),
        ("bad_request", "displayName"),
        ("bad_request", "expiresAt"),
        ("bad_request", "allowedCidrs[0]"),
    ]
    assert len(list_keys(handler, account_id)) == 1


def test_a_key_store_that_cannot_answer_is_a_failure(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    (port,) = free_ports(1)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{port}")
    handler = provisioning_handler(variables_of(store))
    with pytest.raises(Unavailable, match="key_store_unavailable"):
        handler({"operation": "listKeys", "accountId": UNKNOWN_ACCOUNT}, Context())


def test_the_log_names_what_was_made_and_holds_no_secret(
    handler: ProvisioningHandler, caplog: pytest.LogCaptureFixture
) -> None:
    account_id, key = create_account(handler)
    (line,) = [vars(record) for record in caplog.records if record.msg == "done"]
    assert (line["operation"], line["account_id"], line["key_id"]) == (
        "CreateAccount",
        account_id,
        key["id"],
    )
    assert str(key["secret"]) not in str(line)


def test_a_function_with_a_missing_setting_does_not_start(store: Store) -> None:
    variables = {**variables_of(store), "KEYSCOPE_DIRECTORY_TABLE": ""}
    with pytest.raises(Misconfigured, match="KEYSCOPE_DIRECTORY_TABLE is not set"):
        provisioning_handler(variables)
