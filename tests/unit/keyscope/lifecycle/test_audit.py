"""What a change leaves behind for auditors, and what it must not."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from keyscope.lifecycle.audit import Action, Actor, AuditEvent, Change
from keyscope.lifecycle.directory import Key, Owner
from keyscope.lifecycle.key_fields import Json
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.lifecycle.suspension import resume_account, set_max_apps, suspend_account
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from tests.support.builders import ACCOUNT, APP, NOW, SERVICE_ACCOUNT, limited
from tests.support.directories import Operations
from tests.support.stores import SteppedClock

KEY_ID: Final = "app_" + "0" * 24
TIME: Final = "2027-01-15T08:00:00Z"
SETTINGS: Final = {"echoPostback": True}
METADATA: Final = {"plan": "hush-gold", "api token": "hush-hush"}
USER_ACCOUNT_ACTOR: Final = Actor(
    request_id="request-1",
    source_address="192.0.2.7",
    key_id="act_" + "0" * 24,
    scope="account",
    account_id=ACCOUNT,
)


@pytest.fixture
def operations() -> Operations:
    made = Operations(SteppedClock(NOW + 0.9))
    made.directory.hold(Owner(OwnerType.ACCOUNT, ACCOUNT, "Acme", NOW))
    made.directory.hold(Owner(OwnerType.SERVICE_ACCOUNT, SERVICE_ACCOUNT, "robot", NOW))
    made.directory.hold(
        Owner(OwnerType.APP, APP, "Shop", NOW, SETTINGS, METADATA), Key(KEY_ID, NOW, "Server")
    )
    return made


def details(operations: Operations) -> list[Json]:
    return [event.detail() for event in operations.trail.events]


APP_SEEN: Final = {
    "displayName": "Shop",
    "settings": SETTINGS,
    "metadataMembers": ["api token", "plan"],
}
KEY_SEEN: Final = {"displayName": "Server", "state": "active", "createdAt": TIME}
APP_RESOURCE: Final = {"type": "app", "id": APP}
KEY_RESOURCE: Final = {"type": "key", "id": KEY_ID, "ownerId": APP}
ROBOT_RESOURCE: Final = {"type": "serviceAccount", "id": SERVICE_ACCOUNT}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param(
            lambda to: to.update_owner(
                SERVICE_ACCOUNT, lambda owner: replace(owner, display_name="r2")
            ),
            {
                "action": "serviceAccount.updated",
                "resource": ROBOT_RESOURCE,
                "before": {"displayName": "robot"},
                "after": {"displayName": "r2"},
            },
            id="service account updated",
        ),
        pytest.param(
            lambda to: to.delete_owner(SERVICE_ACCOUNT),
            {
                "action": "serviceAccount.deleted",
                "resource": ROBOT_RESOURCE,
                "before": {"displayName": "robot"},
            },
            id="service account deleted",
        ),
        pytest.param(
            lambda to: to.update_owner(
                APP, lambda app: replace(app, settings={}, metadata={"plan": "hush"})
            ),
            {
                "action": "app.updated",
                "resource": APP_RESOURCE,
                "before": APP_SEEN,
                "after": {"displayName": "Shop", "settings": {}, "metadataMembers": ["plan"]},
            },
            id="app updated",
        ),
        pytest.param(
            lambda to: to.update_key(APP, KEY_ID, lambda key: limited(key, disabled_at=NOW)),
            {
                "action": "key.updated",
                "resource": KEY_RESOURCE,
                "before": KEY_SEEN,
                "after": {**KEY_SEEN, "state": "disabled", "disabledAt": TIME},
            },
            id="key updated",
        ),
        pytest.param(
            lambda to: to.set_usage_identifier_key(KEY_ID, "gold" * 5),
            {
                "action": "key.updated",
                "resource": KEY_RESOURCE,
                "before": KEY_SEEN,
                # printf goldgoldgoldgoldgold | sha256sum | head -c 12
                "after": {**KEY_SEEN, "usageIdentifierKeyHash": "ea9247b175cb"},
            },
            id="usage plan chosen",
        ),
        pytest.param(
            lambda to: to.rotate_key(APP, KEY_ID, 60),
            {
                "action": "key.rotated",
                "resource": KEY_RESOURCE,
                "before": KEY_SEEN,
                "after": {
                    **KEY_SEEN,
                    "rotatedAt": TIME,
                    "previousSecretEndsAt": "2027-01-15T08:01:00Z",
                },
            },
            id="key rotated",
        ),
        pytest.param(
            lambda to: to.revoke_key(APP, KEY_ID),
            {
                "action": "key.revoked",
                "resource": KEY_RESOURCE,
                "before": KEY_SEEN,
                "after": {**KEY_SEEN, "state": "revoked", "revokedAt": TIME},
            },
            id="key revoked",
        ),
    ],
)
def test_a_change_is_told_with_what_was_before_and_after(
    change: Callable[[Provisioning], object],
    told: Json,
    operations: Operations,
) -> None:
    change(operations.provisioning())
    (detail,) = details(operations)
    assert detail.pop("id")
    assert detail == {
        "version": 1,
        "time": TIME,
        "accountId": ACCOUNT,
        "actor": {"type": "iam"},
        **told,
    }


def test_what_was_created_has_no_before(operations: Operations) -> None:
    to = operations.provisioning()
    account, first = to.create_account("Other", KeyRequest("first"))
    robot = to.create_service_account(ACCOUNT, "robot 2")
    app = to.create_app(ACCOUNT, "Shop 2", settings=SETTINGS, metadata=METADATA)
    key = to.create_key(
        OwnerType.APP,
        APP,
        KeyRequest("Server", limits=KeyLimits(expires_at=NOW + 60, allowed_cidrs=("::/0",))),
    )
    told = details(operations)
    assert not [detail for detail in told if "before" in detail]
    assert [(detail["action"], detail["resource"], detail["after"]) for detail in told] == [
        (
            "account.created",
            {"type": "account", "id": account.owner_id},
            {"displayName": "Other"},
        ),
        (
            "key.created",
            {"type": "key", "id": first.key.key_id, "ownerId": account.owner_id},
            {**KEY_SEEN, "displayName": "first"},
        ),
        (
            "serviceAccount.created",
            {"type": "serviceAccount", "id": robot.owner_id},
            {"displayName": "robot 2"},
        ),
        (
            "app.created",
            {"type": "app", "id": app.owner_id},
            {**APP_SEEN, "displayName": "Shop 2"},
        ),
        (
            "key.created",
            {"type": "key", "id": key.key.key_id, "ownerId": APP},
            {**KEY_SEEN, "expiresAt": "2027-01-15T08:01:00Z", "allowedCidrs": ["::/0"]},
        ),
    ]


def test_a_deleted_app_is_told_with_each_of_its_keys(operations: Operations) -> None:
    operations.provisioning().delete_owner(APP)
    revoked, deleted = details(operations)
    assert (revoked["action"], revoked["resource"]) == ("key.revoked", KEY_RESOURCE)
    assert revoked["after"] == {**KEY_SEEN, "state": "revoked", "revokedAt": TIME}
    assert (deleted["action"], deleted["before"]) == ("app.deleted", APP_SEEN)
    assert "after" not in deleted


def test_an_overlap_that_is_ended_is_told(operations: Operations) -> None:
    to = operations.provisioning()
    to.rotate_key(APP, KEY_ID, 60)
    to.end_overlap(APP, KEY_ID)
    _, ended = details(operations)
    assert (ended["action"], ended["resource"]) == ("key.overlapEnded", KEY_RESOURCE)
    assert ended["after"] == {**KEY_SEEN, "rotatedAt": TIME}


@pytest.mark.parametrize(
    "nothing",
    [
        pytest.param(lambda to: to.update_owner(APP, lambda app: app), id="an app as it was"),
        pytest.param(lambda to: to.update_key(APP, KEY_ID, lambda key: key), id="a key as it was"),
        pytest.param(lambda to: to.end_overlap(APP, KEY_ID), id="no overlap"),
        pytest.param(lambda to: to.set_usage_identifier_key(KEY_ID, None), id="no usage plan"),
        pytest.param(lambda to: to.get_owner(APP), id="a look at an app"),
        pytest.param(lambda to: to.list_keys(APP), id="a look at keys"),
    ],
)
def test_what_changes_nothing_is_not_told(
    nothing: Callable[[Provisioning], object], operations: Operations
) -> None:
    nothing(operations.provisioning())
    assert details(operations) == []


def live(to: Provisioning) -> list[CreatedKey]:
    """Do everything once that leaves an event; return the keys with the secrets that were made."""
    account, first = to.create_account("Other", KeyRequest("first"))
    robot = to.create_service_account(account.owner_id, "robot")
    to.update_owner(robot.owner_id, lambda owner: replace(owner, display_name="r2"))
    app = to.create_app(account.owner_id, "Shop", settings=SETTINGS, metadata=METADATA)
    to.update_owner(app.owner_id, lambda owner: replace(owner, metadata={"plan": "hush"}))
    second = to.create_key(OwnerType.APP, app.owner_id, KeyRequest("Server"))
    key_id = second.key.key_id
    to.update_key(app.owner_id, key_id, lambda key: limited(key, disabled_at=NOW))
    third = to.rotate_key(app.owner_id, key_id, 60)
    to.end_overlap(app.owner_id, key_id)
    to.revoke_key(app.owner_id, key_id)
    fourth = to.create_key(OwnerType.APP, app.owner_id, KeyRequest())
    to.delete_owner(app.owner_id)
    to.delete_owner(robot.owner_id)
    set_max_apps(to, account.owner_id, 7)
    suspend_account(to, account.owner_id)
    resume_account(to, account.owner_id)
    to.delete_account(account.owner_id)
    return [first, second, third, fourth]


def test_every_action_is_told(operations: Operations) -> None:
    live(operations.provisioning())
    assert {detail["action"] for detail in details(operations)} == set(Action)


def test_no_event_holds_a_secret_or_what_metadata_say(operations: Operations) -> None:
    secrets = [created.secret for created in live(operations.provisioning())]
    text = json.dumps(details(operations))
    assert len(set(secrets)) == 4
    assert not [hidden for hidden in (*secrets, "ks_", "hush") if hidden in text]


def test_no_event_tells_a_secret_when_it_is_printed(operations: Operations) -> None:
    live(operations.provisioning())
    assert "ks_" not in repr(operations.trail.events)


@pytest.mark.parametrize(
    ("actor", "shown"),
    [
        pytest.param(Actor(), {"type": "iam"}, id="nobody known"),
        pytest.param(
            Actor(request_id="invocation-1"), {"type": "iam", "requestId": "invocation-1"}, id="IAM"
        ),
        pytest.param(
            USER_ACCOUNT_ACTOR,
            {
                "type": "apiKey",
                "keyId": "act_" + "0" * 24,
                "scope": "account",
                "accountId": ACCOUNT,
                "sourceAddress": "192.0.2.7",
                "requestId": "request-1",
            },
            id="user account",
        ),
        pytest.param(
            replace(
                USER_ACCOUNT_ACTOR,
                key_id="svc_" + "0" * 24,
                service_account_id=SERVICE_ACCOUNT,
                source_address=None,
            ),
            {
                "type": "apiKey",
                "keyId": "svc_" + "0" * 24,
                "scope": "account",
                "accountId": ACCOUNT,
                "serviceAccountId": SERVICE_ACCOUNT,
                "requestId": "request-1",
            },
            id="service account",
        ),
        pytest.param(
            replace(USER_ACCOUNT_ACTOR, key_id=KEY_ID, scope="app", app_id=APP),
            {
                "type": "apiKey",
                "keyId": KEY_ID,
                "scope": "app",
                "accountId": ACCOUNT,
                "appId": APP,
                "sourceAddress": "192.0.2.7",
                "requestId": "request-1",
            },
            id="app",
        ),
        pytest.param(
            replace(USER_ACCOUNT_ACTOR, key_id=KEY_ID, scope="app", app_id=APP, itself=True),
            {
                "type": "self",
                "keyId": KEY_ID,
                "scope": "app",
                "accountId": ACCOUNT,
                "appId": APP,
                "sourceAddress": "192.0.2.7",
                "requestId": "request-1",
            },
            id="a key that ends itself",
        ),
    ],
)
def test_an_event_tells_who_acted(actor: Actor, shown: Json, operations: Operations) -> None:
    to = operations.provisioning().acting_for(actor)
    to.update_owner(APP, lambda app: replace(app, display_name="New"))
    (detail,) = details(operations)
    assert detail["actor"] == shown


def test_the_operations_of_one_actor_do_not_change_those_of_another(
    operations: Operations,
) -> None:
    shared = operations.provisioning()
    shared.acting_for(USER_ACCOUNT_ACTOR)
    shared.create_app(ACCOUNT, "Shop 2")
    (detail,) = details(operations)
    assert detail["actor"] == {"type": "iam"}


def test_an_event_belongs_to_the_account_of_what_was_changed() -> None:
    event = AuditEvent(Change(Action.APP_DELETED, APP), USER_ACCOUNT_ACTOR, NOW)
    assert event.detail()["accountId"] == ACCOUNT


def test_every_event_has_an_id_of_its_own(operations: Operations) -> None:
    live(operations.provisioning())
    ids = [detail["id"] for detail in details(operations)]
    assert len(set(ids)) == len(ids)
