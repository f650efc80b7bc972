"""The explanation function: events of a REST API in, explanations out, over moto."""

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from importlib.resources import files
from typing import Any, Final, cast

import pytest

from keyscope.access.access_map import read_access_map
from keyscope.entry.explanation import explanation_handler
from keyscope.entry.management import ManagementHandler
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType, new_key_id
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from keyscope.model.secret import new_secret
from keyscope_local.tour.seed import SeededStore, local_provisioning, seed
from tests.support.builders import basic, limited, token
from tests.support.dynamodb_local import Store
from tests.support.logs import functions_log_here
from tests.support.management import Caller, ProxyResponse
from tests.support.operations import damage_key

EXPLAIN: Final = "/v2/explain"
PERMISSIONS: Final = "/v2/permissions"


PACKAGED: Final = (files("keyscope.access") / "scopes.toml").read_text("utf-8")


def variables_of(store: Store) -> dict[str, str]:
    return {
        "KEYSCOPE_KEYS_TABLE": store.keys_table,
        "KEYSCOPE_KMS_KEY_ARN": store.kms_key_arn,
    }


def handler_over(store: Store, **endpoints: str) -> ManagementHandler:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {**store.environment, **endpoints}.items():
            patched.setenv(name, value)
        return explanation_handler({**variables_of(store), "KEYSCOPE_LOG_LEVEL": "DEBUG"})


@pytest.fixture(scope="module")
def provisioning(moto_store: Store) -> Provisioning:
    environment = {
        **moto_store.environment,
        **variables_of(moto_store),
        "KEYSCOPE_DIRECTORY_TABLE": moto_store.directory_table,
    }
    return local_provisioning(environment)


@pytest.fixture(scope="module")
def filled(provisioning: Provisioning) -> SeededStore:
    return seed(provisioning)


@pytest.fixture(scope="module")
def handler(moto_store: Store) -> ManagementHandler:
    return handler_over(moto_store)


@pytest.fixture
def caller(
    handler: ManagementHandler,
    filled: SeededStore,
    moto_store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> Caller:
    # KMS's client is made when it is first needed, from the environment of that time.
    for name, value in moto_store.environment.items():
        monkeypatch.setenv(name, value)
    key_id = filled.account_key.key_id
    principal = Principal(Scope.ACCOUNT, key_id, OwnerType.ACCOUNT, filled.account_id)
    return Caller(handler, principal)


@pytest.fixture
def service_account(caller: Caller, filled: SeededStore) -> Caller:
    principal = Principal(
        Scope.ACCOUNT,
        filled.service_account_key.key_id,
        OwnerType.SERVICE_ACCOUNT,
        filled.service_account_id,
    )
    return replace(caller, principal=principal)


def explained(caller: Caller, credential: str, **members: object) -> Mapping[str, Any]:
    answer = asked(caller, credential, **members)
    assert answer.status == 200, answer.text
    return cast("Mapping[str, Any]", answer.json["explanation"])


def asked(caller: Caller, credential: object, **members: object) -> ProxyResponse:
    body = {"credential": credential, "method": "GET", "path": "/v2/apps", **members}
    return caller.call("POST", EXPLAIN, body)


def test_it_explains_a_key_of_an_app_of_the_account(caller: Caller, filled: SeededStore) -> None:
    key = filled.app_key
    path = f"/v2/apps/{filled.app_id}/users"
    explanation = explained(caller, basic(key.key_id, key.secret), path=path)
    assert explanation["answer"] == "passes"
    assert explanation["principal"]["appId"] == filled.app_id
    assert {step["verdict"] for step in explanation["steps"]} == {"passed"}


def test_it_opens_secrets_to_explain_tokens(caller: Caller, filled: SeededStore) -> None:
    key = filled.app_key
    signed, forged = (
        f"Bearer {token(key.key_id, secret, {'scope': 'app'})}"
        for secret in (key.secret, new_secret(key.key_id))
    )
    assert explained(caller, signed)["answer"] == "403"
    assert explained(caller, forged)["reason"] == "wrong_signature"


def test_the_source_address_is_the_one_asked_about(caller: Caller, filled: SeededStore) -> None:
    credential = basic(filled.cidr_key.key_id, filled.cidr_key.secret)
    path = f"/v2/apps/{filled.app_id}"
    answers = [
        explained(caller, credential, path=path, **members).get("reason")
        for members in ({}, {"sourceAddress": "192.0.2.1"}, {"sourceAddress": "198.51.100.7"})
    ]
    assert answers == ["source_address_unknown", "source_address_not_allowed", None]


def test_a_service_account_gets_its_own_keys_explained(
    service_account: Caller, filled: SeededStore, provisioning: Provisioning
) -> None:
    created = provisioning.create_key(OwnerType.APP, filled.service_account_app_id, KeyRequest())
    own = filled.service_account_key
    for key_id, secret in ((own.key_id, own.secret), (created.key.key_id, created.secret)):
        assert "reason" not in explained(service_account, basic(key_id, secret))


def credentials_like(key_id: str, secret: str) -> list[str]:
    return [
        basic(key_id, secret),
        basic(key_id, new_secret(key_id)),
        f"Bearer {token(key_id, secret, {'scope': 'app'})}",
    ]


def told_of(caller: Caller, key_id: str, secret: str) -> list[str]:
    """Return all that is told of a key, with its id left out."""
    return [
        json.dumps(explained(caller, credential)).replace(key_id, "KEY")
        for credential in credentials_like(key_id, secret)
    ]


def test_a_key_that_is_not_the_callers_is_explained_as_if_it_were_not_there(
    caller: Caller, service_account: Caller, filled: SeededStore, provisioning: Provisioning
) -> None:
    stranger, created = provisioning.create_account("Stranger", KeyRequest())
    app = provisioning.create_app(stranger.owner_id, "Not yours")
    theirs = provisioning.create_key(OwnerType.APP, app.owner_id, KeyRequest())
    provisioning.revoke_key(app.owner_id, theirs.key.key_id)
    unknown_id = new_key_id(OwnerType.APP)
    unknown = told_of(caller, unknown_id, new_secret(unknown_id))
    assert told_of(caller, created.key.key_id, created.secret) == unknown
    assert told_of(caller, theirs.key.key_id, theirs.secret) == unknown
    for key in (filled.app_key, filled.account_key):
        assert told_of(service_account, key.key_id, key.secret) == unknown


def test_a_damaged_record_is_explained_as_if_it_were_not_there(
    caller: Caller, moto_store: Store
) -> None:
    key_id = new_key_id(OwnerType.APP)
    damage_key(moto_store, key_id)
    unknown_id = new_key_id(OwnerType.APP)
    unknown = told_of(caller, unknown_id, new_secret(unknown_id))
    assert told_of(caller, key_id, new_secret(key_id)) == unknown


@pytest.mark.parametrize("scope", [Scope.APP, Scope.APP_USER])
def test_other_scopes_get_nothing_explained(
    scope: Scope, caller: Caller, filled: SeededStore
) -> None:
    user_id = "u" if scope is Scope.APP_USER else None
    principal = Principal(
        scope,
        filled.app_key.key_id,
        OwnerType.APP,
        filled.app_id,
        user_id,
    )
    assert asked(replace(caller, principal=principal), "Basic x").status == 403


def test_without_an_authorizers_context_nothing_is_explained(caller: Caller) -> None:
    body = json.dumps({"credential": "x", "method": "GET", "path": "/"})
    answer = caller.call("POST", EXPLAIN, body, requestContext={})
    assert answer.status == 500


@pytest.mark.parametrize("owner", ["account", "service account"])
def test_an_account_lists_the_permissions_of_the_map_with_what_they_reach(
    owner: str, caller: Caller, service_account: Caller
) -> None:
    asking = caller if owner == "account" else service_account
    answer = asking.call("GET", PERMISSIONS)
    assert answer.status == 200, answer.text
    named = {each["name"]: each for each in answer.json["permissions"]}
    assert list(named) == list(read_access_map(PACKAGED, ["v2", "v1.1-short"]).permissions)
    assert named["apps:write"] == {
        "name": "apps:write",
        "description": "Create, change and delete apps",
        "reach": [
            {"scope": "app", "methods": ["PATCH"], "path": "/v2/apps/{appId}"},
            {"scope": "account", "methods": ["POST"], "path": "/v2/apps"},
            {"scope": "account", "methods": ["PATCH", "DELETE"], "path": "/v2/apps/{appId}"},
            {"scope": "account", "methods": ["POST"], "path": "/v1.1/apps"},
            {"scope": "account", "methods": ["PUT", "DELETE"], "path": "/v1.1/apps/{appId}"},
        ],
        "websocketScopes": [],
    }
    assert named["websocket"]["reach"] == []
    assert named["websocket"]["websocketScopes"] == ["account", "app", "appUser"]


@pytest.mark.parametrize("scope", [Scope.APP, Scope.APP_USER])
def test_other_scopes_list_no_permissions(
    scope: Scope, caller: Caller, filled: SeededStore
) -> None:
    user_id = "u" if scope is Scope.APP_USER else None
    key_id, app_id = filled.app_key.key_id, filled.app_id
    principal = Principal(scope, key_id, OwnerType.APP, app_id, user_id)
    answer = replace(caller, principal=principal).call("GET", PERMISSIONS)
    assert (answer.status, answer.codes) == (403, ["forbidden"])


def test_permissions_can_only_be_read(caller: Caller) -> None:
    answer = caller.call("POST", PERMISSIONS, {})
    assert (answer.status, answer.codes) == (405, ["method_not_allowed"])


@pytest.mark.parametrize(
    ("members", "title"),
    [
        ({"credential": None}, "credential must be a valid string"),
        ({"credential": "x" * 8_193}, "credential String should have at most 8192 characters"),
        ({"method": "get"}, "method must be 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'"),
        ({"path": "v2"}, "path String should match pattern '^/'"),
        ({"sourceAddress": "here"}, "sourceAddress must be an IPv4 or IPv6 address"),
        ({"apiKind": "soap"}, "apiKind must be 'rest', 'rest-token', 'http' or 'websocket'"),
        ({"secret": "x"}, "secret is unknown"),
    ],
)
def test_a_wrong_member_is_told(members: dict[str, object], title: str, caller: Caller) -> None:
    body = {"credential": "x", "method": "GET", "path": "/", **members}
    answer = caller.call("POST", EXPLAIN, body)
    assert answer.status == 400
    assert answer.titles[0].startswith(title)


@pytest.mark.parametrize("developing", ["false", "true"])
def test_a_credential_is_in_no_log_line_and_in_no_answer(
    developing: str,
    caller: Caller,
    filled: SeededStore,
    moto_store: Store,
    capsys: pytest.CaptureFixture[str],
) -> None:
    key = filled.app_key
    sent = credentials_like(key.key_id, key.secret)
    with ExitStack() as stack:
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        patched.setenv("POWERTOOLS_DEV", developing)
        stack.enter_context(functions_log_here("explanation"))
        own = replace(caller, handler=handler_over(moto_store))
        answers = [asked(own, credential) for credential in sent]
        answers += [asked(own, [credential]) for credential in sent]
        answers += [asked(own, credential, path=5, more=credential) for credential in sent]
        answers += [own.call("POST", EXPLAIN, f'{{"credential": "{one}" "x"}}') for one in sent]
        broken = handler_over(moto_store, AWS_ENDPOINT_URL_DYNAMODB="http://127.0.0.1:9")
        answers += [asked(replace(own, handler=broken), credential) for credential in sent]
    logged = capsys.readouterr()
    text = logged.out + logged.err + "".join(answer.text for answer in answers)
    assert '"message":"answered"' in text
    hidden = [part for one in sent for part in one.partition(" ")[2].split(".")]
    assert [each for each in [*hidden, key.secret] if each in text] == []


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda to, *own: to.revoke_key(*own), id="revoked"),
        pytest.param(lambda to, *own: to.rotate_key(*own, 0), id="rotated"),
        pytest.param(
            lambda to, *own: to.update_key(*own, lambda key: limited(key, disabled_at=1)),
            id="disabled",
        ),
        pytest.param(
            lambda to, *own: to.update_key(*own, lambda key: limited(key, expires_at=1)),
            id="expired",
        ),
        pytest.param(
            lambda to, *own: to.update_key(
                *own, lambda key: limited(key, allowed_cidrs=("198.51.100.0/24",))
            ),
            id="narrowed",
        ),
    ],
)
def test_a_caller_whose_credential_is_no_longer_good_gets_no_explanation(
    end: Callable[..., object], caller: Caller, provisioning: Provisioning
) -> None:
    account, own = provisioning.create_account("Acme", KeyRequest())
    key_id = own.key.key_id
    principal = Principal(Scope.ACCOUNT, key_id, OwnerType.ACCOUNT, account.owner_id)
    ended = replace(caller, principal=principal)
    assert asked(ended, "Basic x").status == 200
    end(provisioning, account.owner_id, key_id)
    answer = asked(ended, "Basic x")
    assert (answer.status, answer.codes) == (403, ["forbidden"])
