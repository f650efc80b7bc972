"""Accounts and apps with ids of the operator's own, as the provisioning function creates them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

from keyscope.errors import InvalidInput
from keyscope.lifecycle.audit import Action
from keyscope.lifecycle.directory import (
    ChangedMeanwhile,
    ExternalIdTaken,
    KeyExpired,
    KeyNotFound,
    OwnerNotFound,
)
from keyscope.lifecycle.external_ids import ExternalName, NamedOwner
from keyscope.lifecycle.key_use import LastUses
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.lifecycle.provisioning_request import carry_out, read_operation
from keyscope.lifecycle.suspension import set_max_apps, suspend_account
from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope.model.secret import hash_secret
from tests.support.builders import ACCOUNT, APP, NOW
from tests.support.directories import MAX_APPS, Operations
from tests.support.stores import SteppedClock

ACME: Final = ExternalName("Acme", "token-1")
SHOP: Final = ExternalName("Shop", "token-1")


@dataclass
class NotedUses:
    """When keys were used."""

    used: dict[str, int] = field(default_factory=dict)

    def last_uses(self, key_ids: Any, /) -> Mapping[str, int]:  # noqa: ANN401 - any sequence
        return {key_id: self.used[key_id] for key_id in key_ids if key_id in self.used}


@pytest.fixture
def operations() -> Operations:
    return Operations(SteppedClock(NOW))


@pytest.fixture
def uses() -> NotedUses:
    return NotedUses()


@pytest.fixture
def to(operations: Operations, uses: NotedUses) -> Provisioning:
    last_uses = LastUses(uses, sees_all=True, report=lambda _: None)
    return replace(operations.provisioning(), uses=last_uses)


def carried_out(to: Provisioning, **request: object) -> dict[str, Any]:
    return carry_out(read_operation(request, NOW), to, NOW)


def faults_of(to: Provisioning, **request: object) -> set[tuple[str, str]]:
    with pytest.raises(InvalidInput) as invalid:
        carried_out(to, **request)
    return {(fault.field, fault.code) for fault in invalid.value.faults}


def test_every_key_of_a_named_account_has_copies_of_its_external_ids(
    to: Provisioning, operations: Operations
) -> None:
    account, first = to.create_account("Acme", KeyRequest(), ACME)
    app, of_app = to.create_named_app(account.owner_id, "Shop", KeyRequest(), SHOP)
    robot = to.create_service_account(account.owner_id, "robot")
    unnamed = to.create_app(account.owner_id, "Unnamed")
    of_robot = to.create_app(account.owner_id, "Robot's", robot.owner_id)
    assert of_app is not None
    made = {
        first.key.key_id: ExternalIds("Acme"),
        of_app.key.key_id: ExternalIds("Acme", "Shop"),
    }
    for owner, ids in (
        (account, ExternalIds("Acme")),
        (app, ExternalIds("Acme", "Shop")),
        (robot, ExternalIds("Acme")),
        (unnamed, ExternalIds("Acme")),
        (of_robot, ExternalIds("Acme")),
    ):
        assert owner.external_ids == ids
        created = to.create_key(owner.owner_type, owner.owner_id, KeyRequest())
        made[created.key.key_id] = ids
    records = operations.directory.records.records
    assert {key_id: records[key_id].external_ids for key_id in made} == made


def secret_hash(operations: Operations, created: CreatedKey) -> bytes:
    return operations.directory.records.records[created.key.key_id].secret_hash


def test_a_lost_key_is_found_and_given_another_secret(
    to: Provisioning, operations: Operations
) -> None:
    account, lost = to.create_account("Acme", KeyRequest("first"), ACME)
    with pytest.raises(ExternalIdTaken):
        to.create_account("Acme", KeyRequest("first"), ACME)
    assert to.find_owner(OwnerType.ACCOUNT, ACME) == NamedOwner(account, lost.key)
    again, found = to.replace_lost_key(OwnerType.ACCOUNT, ACME, lost.key.secret_generation)
    assert (again, found.key.key_id) == (account, lost.key.key_id)
    assert secret_hash(operations, lost) == hash_secret(found.secret) != hash_secret(lost.secret)
    assert operations.directory.records.records[lost.key.key_id].previous is None
    actions = [event.change.action for event in operations.trail.events]
    assert actions == [Action.ACCOUNT_CREATED, Action.KEY_CREATED, Action.KEY_ROTATED]


def test_a_replacement_that_comes_late_ends_no_later_secret(
    to: Provisioning, operations: Operations
) -> None:
    _, lost = to.create_account("Acme", KeyRequest(), ACME)
    _, found = to.replace_lost_key(OwnerType.ACCOUNT, ACME, 1)
    with pytest.raises(ChangedMeanwhile):
        to.replace_lost_key(OwnerType.ACCOUNT, ACME, 1)
    assert secret_hash(operations, lost) == hash_secret(found.secret)


def test_a_lost_key_of_an_app_is_replaced_likewise(to: Provisioning) -> None:
    account, _ = to.create_account("Acme", KeyRequest(), ACME)
    app, lost = to.create_named_app(account.owner_id, "Shop", KeyRequest(), SHOP)
    assert lost is not None
    again, found = to.replace_lost_key(OwnerType.APP, SHOP, 1)
    assert (again, found.key.key_id) == (app, lost.key.key_id)
    assert found.secret != lost.secret


@pytest.mark.parametrize("token", [None, "token-2"])
def test_only_who_created_a_key_finds_it_lost(
    token: str | None, to: Provisioning, operations: Operations
) -> None:
    account, created = to.create_account("Acme", KeyRequest(), ACME)
    name = ExternalName("acme", token)
    assert to.find_owner(OwnerType.ACCOUNT, name) == NamedOwner(account, None)
    with pytest.raises(KeyNotFound):
        to.replace_lost_key(OwnerType.ACCOUNT, name, 1)
    assert secret_hash(operations, created) == hash_secret(created.secret)


def test_a_key_that_was_created_without_a_token_is_never_lost(to: Provisioning) -> None:
    account, _ = to.create_account("Acme", KeyRequest(), ExternalName("acme"))
    name = ExternalName("acme")
    assert to.find_owner(OwnerType.ACCOUNT, name) == NamedOwner(account, None)


def test_a_key_that_was_used_is_not_lost(
    to: Provisioning, operations: Operations, uses: NotedUses
) -> None:
    account, created = to.create_account("Acme", KeyRequest(), ACME)
    uses.used[created.key.key_id] = NOW
    assert to.find_owner(OwnerType.ACCOUNT, ACME) == NamedOwner(account, None)
    with pytest.raises(KeyNotFound):
        to.replace_lost_key(OwnerType.ACCOUNT, ACME, 1)
    assert secret_hash(operations, created) == hash_secret(created.secret)


def test_a_key_that_was_revoked_or_has_expired_is_not_replaced(to: Provisioning) -> None:
    account, created = to.create_account("Acme", KeyRequest(), ACME)
    to.revoke_key(account.owner_id, created.key.key_id)
    with pytest.raises(KeyNotFound):
        to.replace_lost_key(OwnerType.ACCOUNT, ACME, 1)
    other = ExternalName("other", "token-1")
    to.create_account("Other", KeyRequest(limits=KeyLimits(expires_at=NOW)), other)
    with pytest.raises(KeyExpired):
        to.replace_lost_key(OwnerType.ACCOUNT, other, 1)


def test_requests_find_and_replace_a_lost_key(to: Provisioning) -> None:
    _, lost = to.create_account("Acme", KeyRequest(), ACME)
    asked = {"accountExternalId": "acme", "clientToken": "token-1"}
    found = carried_out(to, operation="getByExternalId", **asked)
    assert found["lostKey"] == {"id": lost.key.key_id, "secretGeneration": 1}
    replacing = {"operation": "replaceLostKey", **asked, "secretGeneration": 1}
    replaced = carried_out(to, **replacing)
    assert replaced["account"] == found["account"]
    assert replaced["key"]["id"] == lost.key.key_id
    assert replaced["key"]["secret"] != lost.secret
    assert faults_of(to, **replacing) == {("secretGeneration", "changed_meanwhile")}
    others = {**replacing, "clientToken": "token-2"}
    assert faults_of(to, **others) == {("clientToken", "not_found")}
    nowhere = {**replacing, "accountExternalId": "nowhere"}
    assert faults_of(to, **nowhere) == {("accountExternalId", "not_found")}


def test_a_deleted_apps_external_id_is_not_given_again(to: Provisioning) -> None:
    account, _ = to.create_account("Acme", KeyRequest(), ACME)
    app, _ = to.create_named_app(account.owner_id, "Shop", KeyRequest(), SHOP)
    to.delete_owner(app.owner_id)
    with pytest.raises(ExternalIdTaken):
        to.create_named_app(account.owner_id, "Shop", KeyRequest(), SHOP)
    with pytest.raises(OwnerNotFound):
        to.find_owner(OwnerType.APP, SHOP)


def test_requests_create_and_find_accounts_and_apps_by_external_id(to: Provisioning) -> None:
    account = carried_out(to, operation="createAccount", displayName="Acme", externalId="Acme")
    account_id = account["account"]["id"]
    assert account["account"] == {"id": account_id, "externalId": "Acme", "displayName": "Acme"}
    request = {"accountId": account_id, "displayName": "Shop", "externalId": "shop"}
    app = carried_out(to, operation="createApp", **request, key={"displayName": "Server"})
    assert app["app"] == {"id": app["app"]["id"], "externalId": "shop", "displayName": "Shop"}
    assert app["key"]["displayName"] == "Server"
    assert app["key"]["secret"].startswith(f"ks_{app['key']['id']}")
    further = carried_out(to, operation="createAppKey", appId=app["app"]["id"])
    assert further["key"]["id"].startswith("app_")
    found = carried_out(to, operation="getByExternalId", accountExternalId="ACME")
    assert found == {"account": account["account"]}
    found = carried_out(to, operation="getByExternalId", appExternalId="Shop")
    assert found == {"app": app["app"]}


def test_an_app_gets_a_key_only_on_request(to: Provisioning) -> None:
    account, _ = to.create_account("Acme", KeyRequest())
    request = {"operation": "createApp", "accountId": account.owner_id, "displayName": "Shop"}
    assert carried_out(to, **request).keys() == {"app"}
    assert carried_out(to, **request, key={}).keys() == {"app", "key"}


@pytest.mark.parametrize(
    ("request_", "faults"),
    [
        ({"operation": "createApp"}, {"accountId", "displayName"}),
        ({"operation": "createApp", "accountId": APP, "displayName": "x"}, {"accountId"}),
        ({"operation": "createAppKey", "appId": ACCOUNT}, {"appId"}),
        ({"operation": "createAppKey", "appId": APP, "externalId": "x"}, {"externalId"}),
        ({"operation": "getByExternalId"}, {""}),
        (
            {"operation": "getByExternalId", "accountExternalId": "a", "appExternalId": "b"},
            {""},
        ),
        ({"operation": "getByExternalId", "appExternalId": ".b"}, {"appExternalId"}),
        ({"operation": "replaceLostKey"}, {"", "clientToken", "secretGeneration"}),
        (
            {"operation": "replaceLostKey", "appExternalId": "a", "clientToken": "t"}
            | {"secretGeneration": True},
            {"secretGeneration"},
        ),
    ],
)
def test_a_wrong_request_is_told_by_member(
    request_: dict[str, object], faults: set[str], to: Provisioning
) -> None:
    assert faults_of(to, **request_) == {(name, "bad_request") for name in faults}


@pytest.mark.parametrize("external_id", ["", ".a", "a/b", "a" * 65, ACCOUNT, APP.upper(), 7, ["a"]])
@pytest.mark.parametrize("operation", ["createAccount", "createApp"])
def test_a_wrong_external_id_is_told(operation: str, external_id: object, to: Provisioning) -> None:
    of_app = {"accountId": ACCOUNT} if operation == "createApp" else {}
    request = {"operation": operation, "displayName": "x", "externalId": external_id, **of_app}
    assert faults_of(to, **request) == {("externalId", "bad_request")}


@pytest.mark.parametrize("members", [{"clientToken": "t"}, {"clientToken": "ü", "externalId": "a"}])
def test_a_client_token_is_a_word_beside_an_external_id(
    members: dict[str, object], to: Provisioning
) -> None:
    request = {"operation": "createAccount", "displayName": "x", **members}
    assert faults_of(to, **request) == {("clientToken", "bad_request")}


def test_what_cannot_be_done_is_told_by_code(to: Provisioning) -> None:
    taken = {"operation": "createAccount", "displayName": "Acme", "externalId": "acme"}
    account_id = carried_out(to, **taken)["account"]["id"]
    assert faults_of(to, **taken) == {("externalId", "external_id_taken")}
    assert faults_of(to, operation="createAppKey", appId=APP) == {("appId", "not_found")}
    missing = {"operation": "getByExternalId", "accountExternalId": "other"}
    assert faults_of(to, **missing) == {("accountExternalId", "not_found")}
    missing = {"operation": "getByExternalId", "appExternalId": "other"}
    assert faults_of(to, **missing) == {("appExternalId", "not_found")}
    app = {"operation": "createApp", "displayName": "Shop"}
    assert faults_of(to, **app, accountId=ACCOUNT) == {("accountId", "not_found")}
    few = replace(to, max_apps_per_creator=0)
    assert faults_of(few, **app, accountId=account_id) == {("accountId", "too_many_apps")}
    app_id = carried_out(to, **app, accountId=account_id)["app"]["id"]
    key = {"operation": "createAppKey", "appId": app_id}
    for _ in range(10):
        carried_out(to, **key)
    assert faults_of(to, **key) == {("appId", "too_many_keys")}


def test_audit_events_name_external_ids(to: Provisioning, operations: Operations) -> None:
    account, _ = to.create_account("Acme", KeyRequest(), ACME)
    app, _ = to.create_named_app(account.owner_id, "Shop", KeyRequest(), SHOP)
    to.delete_owner(app.owner_id)
    set_max_apps(to, account.owner_id, 7)
    suspend_account(to, account.owner_id)
    named = [
        (detail["action"], detail.get("accountExternalId"), detail.get("appExternalId"))
        for detail in (event.detail() for event in operations.trail.events)
    ]
    assert named == [
        ("account.created", "Acme", None),
        ("key.created", "Acme", None),
        ("app.created", "Acme", "Shop"),
        ("key.created", "Acme", "Shop"),
        ("key.revoked", "Acme", "Shop"),
        ("app.deleted", "Acme", "Shop"),
        ("account.updated", "Acme", None),
        ("account.suspended", "Acme", None),
    ]


def test_the_limit_of_apps_holds_for_named_ones(to: Provisioning, operations: Operations) -> None:
    account, _ = to.create_account("Acme", KeyRequest(), ACME)
    to.create_named_app(account.owner_id, "Shop", None, SHOP)
    assert operations.directory.app_limits == [MAX_APPS]
