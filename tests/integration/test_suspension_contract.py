"""What every directory promises of suspended accounts, of their limits and of lists of accounts.

What comes in between two calls of DynamoDB is in `test_suspension_interleavings.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import pytest

from keyscope.aws.dynamodb import accounts
from keyscope.errors import Forbidden
from keyscope.lifecycle.account import (
    Account,
    AccountState,
    ListedAccount,
    Marking,
    Suspension,
)
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    AccountSuspended,
    Key,
    KeyState,
    NewSecret,
    Owner,
    OwnerNotFound,
    OwnsApps,
    OwnsServiceAccounts,
    TooManyApps,
)
from keyscope.model.ids import is_account_id
from tests.support.builders import INTEGRATION, NOW
from tests.support.worlds import IAM, World, requested_world

SECRET: Final = NewSecret(b"s" * 32, b"sealed")
MISSING: Final = "0" * 12
SUSPENDING, RESUMING = Marking.SUSPENDING, Marking.RESUMING


DYNAMODB_LOCAL: Final = pytest.param(
    "dynamodb_local_store", id="dynamodb-local", marks=pytest.mark.dynamodb_local
)
by_moto_too = pytest.mark.parametrize(
    "world", ["memory", pytest.param("moto_store", id="moto"), DYNAMODB_LOCAL], indirect=True
)
"""A test that `make test` also runs by the tables' own code; a call of moto costs 10 ms."""


@pytest.fixture(params=["memory", DYNAMODB_LOCAL])
def world(request: pytest.FixtureRequest) -> World:
    return requested_world(request)


@pytest.fixture
def account(world: World) -> Owner:
    return world.account()


def begin(world: World, account: Owner, marking: Marking = SUSPENDING, now: int = NOW) -> Account:
    _, after = world.directory.begin_marking(account.owner_id, marking, now)
    return after


def finish(world: World, account: Owner) -> Account:
    """Mark keys until none is left; no step may be without effect."""
    seen = world.directory.get_account(account.owner_id)
    while seen.suspension is not None and seen.suspension.marking is not None:
        seen = world.directory.mark_next_keys(account.owner_id)
    return seen


def suspend(world: World, account: Owner, now: int = NOW) -> Account:
    begin(world, account, SUSPENDING, now)
    return finish(world, account)


def resume(world: World, account: Owner) -> Account:
    begin(world, account, RESUMING)
    return finish(world, account)


def suspended_at(world: World, key: Key) -> int | None:
    """Return since when authorizers refuse a key."""
    return world.record(key).suspended_at


class Populated:
    """An account with a service account, an app of each, and a key of every kind."""

    def __init__(self, world: World, account: Owner) -> None:
        self.world, self.account = world, account
        self.robot = world.service_account(account)
        self.app, self.robots_app = world.app(account), world.app(self.robot)
        owners = (account, self.robot, self.app, self.robots_app)
        self.keys = [(owner, world.key(owner)) for owner in owners]
        bound = world.key(self.app, integration_id=INTEGRATION)
        (first,) = [
            key
            for key in world.directory.list_keys(account.owner_id)
            if key.key_id != self.keys[0][1].key_id
        ]
        self.keys += [(self.app, bound), (account, first)]

    def marks(self) -> set[int | None]:
        return {suspended_at(self.world, key) for _, key in self.keys}


@pytest.fixture
def populated(world: World, account: Owner) -> Populated:
    return Populated(world, account)


def test_an_account_is_active_until_it_is_suspended(world: World, account: Owner) -> None:
    shown = world.directory.get_account(account.owner_id)
    assert shown == Account(account)
    assert shown.state is AccountState.ACTIVE


def test_every_key_of_a_suspended_account_is_marked(populated: Populated) -> None:
    done = suspend(populated.world, populated.account)
    assert done.suspension == Suspension(NOW, None, len(populated.keys))
    assert populated.marks() == {NOW}


def test_no_key_of_another_account_is_marked(world: World, populated: Populated) -> None:
    other = world.account()
    key = world.key(world.app(other))
    suspend(world, populated.account)
    assert suspended_at(world, key) is None
    assert world.directory.get_account(other.owner_id).state is AccountState.ACTIVE


@by_moto_too
def test_a_resumed_account_is_as_it_was(world: World, populated: Populated) -> None:
    app, key = populated.keys[2]
    disabled = world.change(key, app, disabled_at=NOW - 5)
    suspend(world, populated.account)
    assert resume(world, populated.account).suspension is None
    assert populated.marks() == {None}
    # What somebody disabled before stays disabled.
    assert world.directory.get_key(app.owner_id, key.key_id) == disabled


def test_keys_are_shown_as_suspended_and_not_as_disabled(
    world: World, populated: Populated
) -> None:
    app, key = populated.keys[2]
    world.change(key, app, disabled_at=NOW - 5)
    suspend(world, populated.account)
    shown = world.directory.get_key(app.owner_id, key.key_id)
    assert (shown.state(NOW), shown.limits.disabled_at) == (KeyState.SUSPENDED, NOW - 5)


CREATIONS: Final[dict[str, Callable[[World, Populated], object]]] = {
    "an account's key": lambda world, its: world.key(its.account),
    "a service account": lambda world, its: world.service_account(its.account, "another"),
    "a service account's key": lambda world, its: world.key(its.robot),
    "an app": lambda world, its: world.app(its.account),
    "a service account's app": lambda world, its: world.app(its.robot),
    "an app's key": lambda world, its: world.key(its.app),
    "an integration's key": lambda world, its: world.key(its.app, integration_id=INTEGRATION),
}
REVIVALS: Final[dict[str, Callable[[World, Owner, Key], object]]] = {
    "rotate": lambda world, owner, key: world.rotate(key, owner, SECRET, None),
    "enable": lambda world, owner, key: world.change(key, owner, disabled_at=None),
}


def refuses_to_create(world: World, populated: Populated) -> None:
    for create in CREATIONS.values():
        with pytest.raises(AccountSuspended):
            create(world, populated)


def test_from_its_mark_until_it_is_active_nothing_of_an_account_is_created(
    world: World, populated: Populated
) -> None:
    begin(world, populated.account)
    refuses_to_create(world, populated)
    finish(world, populated.account)
    refuses_to_create(world, populated)
    begin(world, populated.account, RESUMING)
    refuses_to_create(world, populated)
    finish(world, populated.account)
    for create in CREATIONS.values():
        create(world, populated)


def refuses_to_revive(world: World, populated: Populated) -> None:
    for revive in REVIVALS.values():
        for owner, key in populated.keys:
            before = world.record(key)
            with pytest.raises(AccountSuspended):
                revive(world, owner, key)
            assert world.record(key) == before


def test_from_its_mark_until_it_is_active_no_key_of_an_account_is_rotated_or_enabled(
    world: World, populated: Populated
) -> None:
    for owner, key in populated.keys:
        world.change(key, owner, disabled_at=NOW)
    begin(world, populated.account)
    refuses_to_revive(world, populated)
    finish(world, populated.account)
    refuses_to_revive(world, populated)
    resume(world, populated.account)
    for revive in REVIVALS.values():
        for owner, key in populated.keys:
            revive(world, owner, key)


def test_a_suspended_key_can_be_narrowed_and_keeps_its_mark(
    world: World, populated: Populated
) -> None:
    suspend(world, populated.account)
    for owner, key in populated.keys:
        world.change(key, owner, disabled_at=NOW, expires_at=NOW + 60, display_name="narrow")
        assert suspended_at(world, key) == NOW


def test_a_suspended_key_can_be_revoked_and_its_owner_deleted(
    world: World, populated: Populated
) -> None:
    suspend(world, populated.account)
    app, key = populated.keys[2]
    world.directory.revoke_key(app.owner_id, key.key_id, NOW, IAM)
    world.directory.delete_owner(app.owner_id, NOW, IAM)
    assert resume(world, populated.account).suspension is None
    assert world.record(key).revoked_at == NOW


@by_moto_too
def test_an_account_with_revoked_deleted_and_expired_keys_can_be_suspended(
    world: World, account: Owner
) -> None:
    app = world.app(account)
    revoked, gone, expired = world.key(app), world.key(app), world.key(app, expires_at=NOW - 1)
    world.directory.revoke_key(app.owner_id, revoked.key_id, NOW, IAM)
    world.clear_away(gone.key_id)
    suspend(world, account)
    assert (suspended_at(world, revoked), suspended_at(world, expired)) == (None, NOW)
    resume(world, account)
    assert suspended_at(world, expired) is None


def test_a_key_that_was_prolonged_after_it_expired_is_still_suspended(
    world: World, account: Owner
) -> None:
    app = world.app(account)
    expired = world.key(app, expires_at=NOW - 1)
    suspend(world, account)
    assert world.change(expired, app, expires_at=None).state(NOW) is KeyState.SUSPENDED


def test_a_suspension_says_how_far_it_is(world: World, populated: Populated) -> None:
    account = begin(world, populated.account)
    assert (account.state, account.suspension) == (
        AccountState.SUSPENDING,
        Suspension(NOW, SUSPENDING, 0),
    )
    counts = [0]
    while account.suspension is not None and account.suspension.marking is not None:
        account = world.directory.mark_next_keys(populated.account.owner_id)
        assert account.suspension is not None
        counts.append(account.suspension.marked_keys)
        assert account == world.directory.get_account(populated.account.owner_id)
    assert counts == sorted(counts)
    assert counts[-1] == len(populated.keys)


def test_the_accounts_own_keys_come_first(world: World, populated: Populated) -> None:
    begin(world, populated.account)
    world.directory.mark_next_keys(populated.account.owner_id)
    own = [key for owner, key in populated.keys if owner == populated.account]
    others = [key for owner, key in populated.keys if owner != populated.account]
    assert {suspended_at(world, key) for key in own} == {NOW}
    assert {suspended_at(world, key) for key in others} == {None}


def test_to_suspend_again_changes_nothing(world: World, populated: Populated) -> None:
    done = suspend(world, populated.account)
    assert world.directory.begin_marking(populated.account.owner_id, SUSPENDING, NOW + 9) == (
        done,
        done,
    )
    assert world.directory.mark_next_keys(populated.account.owner_id) == done


@by_moto_too
def test_to_begin_again_goes_on_where_it_stopped(world: World, populated: Populated) -> None:
    begin(world, populated.account)
    stopped = world.directory.mark_next_keys(populated.account.owner_id)
    assert begin(world, populated.account, now=NOW + 9) == stopped


def test_to_resume_an_active_account_changes_nothing(world: World, account: Owner) -> None:
    shown = Account(account)
    assert world.directory.begin_marking(account.owner_id, RESUMING, NOW) == (shown, shown)
    assert world.directory.mark_next_keys(account.owner_id) == shown


def test_an_account_can_be_resumed_in_the_middle_of_its_suspension(
    world: World, populated: Populated
) -> None:
    for steps in (0, 1, 3):
        begin(world, populated.account)
        for _ in range(steps):
            world.directory.mark_next_keys(populated.account.owner_id)
        resume(world, populated.account)
        assert populated.marks() == {None}


def test_an_account_can_be_suspended_in_the_middle_of_its_resumption(
    world: World, populated: Populated
) -> None:
    suspend(world, populated.account)
    for steps in (0, 1, 3):
        begin(world, populated.account, RESUMING)
        for _ in range(steps):
            world.directory.mark_next_keys(populated.account.owner_id)
        # It has been suspended all the time.
        suspend(world, populated.account, NOW + 9)
        assert populated.marks() == {NOW}


def test_an_account_with_more_keys_than_one_step_takes_is_suspended_in_several(
    world: World, account: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "MAX_MARKS", MAX_KEYS_PER_OWNER)
    apps = [world.app(account) for _ in range(3)]
    keys = [world.key(app) for app in apps for _ in range(4)]
    suspend(world, account)
    assert {suspended_at(world, key) for key in keys} == {NOW}
    resume(world, account)
    assert {suspended_at(world, key) for key in keys} == {None}


def test_a_caller_by_a_suspended_key_changes_nothing(world: World, populated: Populated) -> None:
    app, key = populated.keys[2]
    caller = world.judged(populated.keys[0][1])
    suspend(world, populated.account)
    with pytest.raises(Forbidden):
        world.directory.revoke_key(app.owner_id, key.key_id, NOW, caller)
    with pytest.raises(Forbidden):
        world.judged(populated.keys[0][1])


def test_the_operations_on_a_missing_account_are_told(world: World) -> None:
    directory = world.directory
    for call in (
        lambda: directory.get_account(MISSING),
        lambda: directory.begin_marking(MISSING, SUSPENDING, NOW),
        lambda: directory.mark_next_keys(MISSING),
        lambda: directory.set_max_apps(MISSING, 7),
        lambda: directory.delete_owner(MISSING, NOW, IAM),
    ):
        with pytest.raises(OwnerNotFound):
            call()


def test_an_account_counts_its_apps_and_service_accounts(
    world: World, populated: Populated
) -> None:
    account_id = populated.account.owner_id
    shown = world.directory.get_account(account_id)
    assert (shown.app_count, shown.service_account_count) == (1, 1)
    world.directory.delete_owner(populated.robots_app.owner_id, NOW, IAM)
    world.directory.delete_owner(populated.robot.owner_id, NOW, IAM)
    world.directory.delete_owner(populated.app.owner_id, NOW, IAM)
    shown = world.directory.get_account(account_id)
    assert (shown.app_count, shown.service_account_count) == (0, 0)


@by_moto_too
def test_only_an_empty_account_is_deleted_and_its_keys_die_with_it(
    world: World, account: Owner
) -> None:
    (key,) = world.directory.list_keys(account.owner_id)
    app, robot = world.app(account), world.service_account(account)
    with pytest.raises(OwnsApps):
        world.directory.delete_owner(account.owner_id, NOW, IAM)
    world.directory.delete_owner(app.owner_id, NOW, IAM)
    with pytest.raises(OwnsServiceAccounts):
        world.directory.delete_owner(account.owner_id, NOW, IAM)
    world.directory.delete_owner(robot.owner_id, NOW, IAM)
    assert world.directory.delete_owner(account.owner_id, NOW, IAM) == (account, [key])
    assert world.record(key).revoked_at == NOW
    with pytest.raises(OwnerNotFound):
        world.directory.get_account(account.owner_id)
    assert account.owner_id not in ids_of(listed(world))


@by_moto_too
@pytest.mark.parametrize("marking", [None, SUSPENDING])
def test_a_suspended_account_can_be_deleted(
    marking: Marking | None, world: World, account: Owner
) -> None:
    begin(world, account)
    if marking is None:
        finish(world, account)
    world.directory.delete_owner(account.owner_id, NOW, IAM)
    with pytest.raises(OwnerNotFound):
        world.directory.mark_next_keys(account.owner_id)


@by_moto_too
def test_an_accounts_own_limit_of_apps_counts_for_it_and_for_its_service_accounts(
    world: World, account: Owner
) -> None:
    robot = world.service_account(account)
    before, after = world.directory.set_max_apps(account.owner_id, 1)
    assert (before.max_apps, after.max_apps) == (None, 1)
    for creator in (account, robot):
        world.app(creator)
        with pytest.raises(TooManyApps) as refused:
            world.app(creator)
        assert refused.value.limit == 1
    world.directory.set_max_apps(account.owner_id, None)
    for creator in (account, robot):
        world.app(creator)
        with pytest.raises(TooManyApps):
            world.app(creator, limit=2)


def test_a_limit_below_the_number_of_apps_deletes_none(world: World, account: Owner) -> None:
    app = world.app(account)
    world.directory.set_max_apps(account.owner_id, 0)
    assert world.directory.get_owner(app.owner_id) == app
    with pytest.raises(TooManyApps):
        world.app(account)


def test_to_set_the_limit_that_is_set_changes_nothing(world: World, account: Owner) -> None:
    world.directory.set_max_apps(account.owner_id, 7)
    before, after = world.directory.set_max_apps(account.owner_id, 7)
    assert before == after == replace(Account(account), max_apps=7)


def listed(world: World, size: int = 100) -> list[ListedAccount]:
    """Return all accounts, in pages of a size."""
    found: list[ListedAccount] = []
    after = None
    while True:
        page = world.directory.list_accounts(after, size)
        assert len(page.accounts) <= size
        found += page.accounts
        if not page.has_more:
            return found
        after = page.accounts[-1].owner.owner_id


def ids_of(found: Sequence[ListedAccount]) -> list[str]:
    return [each.owner.owner_id for each in found]


@by_moto_too
def test_accounts_are_listed_by_id_in_pages_of_any_size(world: World) -> None:
    made = sorted(world.account().owner_id for _ in range(5))
    world.app(world.directory.get_owner(made[0]))
    everything = ids_of(listed(world))
    assert [each for each in everything if each in made] == made
    assert everything == sorted(everything)
    assert ids_of(listed(world, 2)) == everything
    assert not world.directory.list_accounts(everything[-1], 1).accounts


@by_moto_too
def test_the_list_shows_which_accounts_are_suspended(world: World, account: Owner) -> None:
    begin(world, account)
    (shown,) = [each for each in listed(world) if each.owner.owner_id == account.owner_id]
    assert (shown.owner, shown.state) == (account, AccountState.SUSPENDING)


def test_owners_of_other_kinds_are_no_accounts(world: World, populated: Populated) -> None:
    account_ids = ids_of(listed(world))
    assert populated.account.owner_id in account_ids
    assert all(map(is_account_id, account_ids))
