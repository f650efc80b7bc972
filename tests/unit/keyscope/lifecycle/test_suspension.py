"""What the operator does with accounts: what it flushes and tells, and how far one call goes."""

from typing import Final

import pytest

from keyscope.lifecycle import suspension
from keyscope.lifecycle.account import AccountState
from keyscope.lifecycle.directory import (
    Key,
    Owner,
    OwnerNotFound,
    OwnsApps,
    OwnsServiceAccounts,
)
from keyscope.lifecycle.operations import Provisioning
from keyscope.lifecycle.suspension import resume_account, set_max_apps, suspend_account
from keyscope.model.ids import OwnerType
from tests.support.builders import ACCOUNT, APP, NOW, SERVICE_ACCOUNT
from tests.support.directories import MAX_APPS, Operations
from tests.support.stores import SteppedClock

KEY_ID: Final = "app_" + "0" * 24
TIME: Final = "2027-01-15T08:00:00Z"
ACTIVE: Final = {"displayName": "Acme", "state": "active"}


@pytest.fixture
def made() -> Operations:
    made = Operations(SteppedClock(NOW))
    made.directory.hold(Owner(OwnerType.ACCOUNT, ACCOUNT, "Acme", NOW))
    made.directory.hold(Owner(OwnerType.APP, APP, "Shop", NOW), Key(KEY_ID, NOW))
    return made


@pytest.fixture
def operations(made: Operations) -> Provisioning:
    return made.provisioning()


def told(made: Operations) -> list[tuple[object, object, object]]:
    """Return the events' actions, and what they show from before and from after."""
    details = [event.detail() for event in made.trail.events]
    return [(each["action"], each.get("before"), each.get("after")) for each in details]


def test_a_suspension_flushes_policies_and_is_one_event(
    made: Operations, operations: Provisioning
) -> None:
    assert suspend_account(operations, ACCOUNT).state is AccountState.SUSPENDED
    assert (made.flushes.promised, made.flushes.asked) == (1, 1)
    suspending = {"displayName": "Acme", "state": "suspending", "suspendedAt": TIME}
    assert told(made) == [("account.suspended", ACTIVE, suspending)]


def test_the_flush_is_scheduled_before_anything_is_written(
    made: Operations, operations: Provisioning
) -> None:
    def promise() -> None:
        assert operations.directory.get_account(ACCOUNT).state is AccountState.ACTIVE
        raise InterruptedError

    made.flushes.flush_in_any_case = promise  # type: ignore[method-assign]
    with pytest.raises(InterruptedError):
        suspend_account(operations, ACCOUNT)
    assert operations.directory.get_account(ACCOUNT).state is AccountState.ACTIVE


def test_to_suspend_a_suspended_account_writes_flushes_and_tells_nothing(
    made: Operations, operations: Provisioning
) -> None:
    suspend_account(operations, ACCOUNT)
    assert suspend_account(operations, ACCOUNT).state is AccountState.SUSPENDED
    assert (made.flushes.promised, made.flushes.asked, len(made.trail.events)) == (1, 1, 1)


def test_one_call_goes_no_further_than_its_bound_and_the_next_one_goes_on(
    made: Operations, operations: Provisioning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspension, "MAX_STEPS", 1)
    states = [suspend_account(operations, ACCOUNT).state for _ in range(3)]
    assert states == [AccountState.SUSPENDING, AccountState.SUSPENDING, AccountState.SUSPENDED]
    # Each call may have narrowed keys, so each flushes; the event that names the caller is sent
    # once.
    assert (made.flushes.promised, made.flushes.asked, len(made.trail.events)) == (3, 3, 1)


def test_a_resumption_is_one_event_and_flushes_nothing(
    made: Operations, operations: Provisioning
) -> None:
    suspend_account(operations, ACCOUNT)
    assert resume_account(operations, ACCOUNT).state is AccountState.ACTIVE
    assert resume_account(operations, ACCOUNT).state is AccountState.ACTIVE
    assert (made.flushes.promised, made.flushes.asked) == (1, 1)
    assert told(made)[1:] == [
        (
            "account.resumed",
            {"displayName": "Acme", "state": "suspended", "suspendedAt": TIME},
            {"displayName": "Acme", "state": "resuming", "suspendedAt": TIME},
        )
    ]


def test_a_suspension_that_another_call_turns_round_stops(
    made: Operations, operations: Provisioning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspension, "MAX_STEPS", 1)
    suspend_account(operations, ACCOUNT)
    mark = made.directory.mark_next_keys
    calls: list[None] = []

    def interrupted(account_id: str, /) -> object:
        calls.append(None)
        if len(calls) == 1:
            resume_account(operations, account_id)
        return mark(account_id)

    monkeypatch.setattr(suspension, "MAX_STEPS", 20)
    monkeypatch.setattr(made.directory, "mark_next_keys", interrupted)
    assert suspend_account(operations, ACCOUNT).state is AccountState.ACTIVE


def test_a_changed_limit_is_an_event_and_an_unchanged_one_is_none(
    made: Operations, operations: Provisioning
) -> None:
    assert set_max_apps(operations, ACCOUNT, 7).max_apps == 7
    set_max_apps(operations, ACCOUNT, 7)
    assert told(made) == [("account.updated", ACTIVE, {**ACTIVE, "maxApps": 7})]
    assert made.flushes.promised == 0


def test_an_account_without_a_limit_of_its_own_has_the_stacks(
    made: Operations, operations: Provisioning
) -> None:
    set_max_apps(operations, ACCOUNT, 7)
    set_max_apps(operations, ACCOUNT, None)
    operations.create_app(ACCOUNT, "app")
    assert made.directory.app_limits == [MAX_APPS]


def test_only_an_empty_account_is_deleted(made: Operations, operations: Provisioning) -> None:
    with pytest.raises(OwnsApps):
        operations.delete_account(ACCOUNT)
    operations.delete_owner(APP)
    made.directory.hold(Owner(OwnerType.SERVICE_ACCOUNT, SERVICE_ACCOUNT, "robot", NOW))
    with pytest.raises(OwnsServiceAccounts):
        operations.delete_account(ACCOUNT)
    # A call that is refused early flushes nothing.
    assert made.flushes.promised == 1


def test_a_deleted_accounts_keys_are_revoked_and_told(made: Operations) -> None:
    made.directory.owners.clear()
    made.directory.keys.clear()
    key = Key("act_" + "0" * 24, NOW)
    made.directory.hold(Owner(OwnerType.ACCOUNT, ACCOUNT, "Acme", NOW), key)
    operations = made.provisioning()
    operations.delete_account(ACCOUNT)
    assert (made.flushes.promised, made.flushes.asked) == (1, 1)
    actions = [(action, before) for action, before, _ in told(made)]
    assert [action for action, _ in actions] == ["key.revoked", "account.deleted"]
    assert actions[1][1] == {"displayName": "Acme"}
    with pytest.raises(OwnerNotFound):
        operations.delete_account(ACCOUNT)
