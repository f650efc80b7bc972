"""What every directory of owners and keys promises, whatever it keeps them in.

A new directory is one more `World` here. Another caller's change that comes in between is made
by the function that `update_owner` and `update_key` call. What only racing threads can show is in
`test_races.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import pytest

from keyscope.errors import Forbidden
from keyscope.lifecycle.account import Marking
from keyscope.lifecycle.caller import Caller
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    REVOKED_RECORD_SECONDS,
    AccountSuspended,
    After,
    Before,
    ChangedMeanwhile,
    Directory,
    ExternalIdTaken,
    IdTaken,
    Key,
    KeyNotFound,
    KeyState,
    NameTaken,
    NewSecret,
    Offset,
    Owner,
    OwnerNotFound,
    OwnsApps,
    Position,
    Reservation,
    TooManyApps,
    TooManyKeys,
)
from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import OwnerType, new_account_id, new_service_account_id
from keyscope.model.key_limits import NO_LIMITS, KeyLimits
from keyscope.model.key_record import PreviousSecret
from tests.support.builders import INTEGRATION, NOW, OTHER_INTEGRATION, limited, make_key
from tests.support.directories import MAX_APPS
from tests.support.worlds import (
    APP,
    IAM,
    World,
    ids,
    new_app,
    new_key,
    new_service_account,
    next_generation,
    requested_world,
)

SECRETS: Final = [NewSecret(bytes([n]) * 32, f"sealed {n}".encode()) for n in (1, 2)]
LIMITS: Final = KeyLimits(NOW + 60, ("192.0.2.0/24", "2001:db8::/32"), NOW)
METADATA: Final[dict[str, Any]] = {
    "text": "Grüße \U0001f511 \udcff",
    "big": 10**30,
    "small": 1e-300,
    "negative": -0.1,
    "yes": True,
    "": "empty name",
}


def renamed(name: str) -> Callable[[Owner], Owner]:
    return lambda owner: replace(owner, display_name=name)


def first(happens: Callable[[], object]) -> Callable[[], bool]:
    """Return what does something the first time it is called, and then says so."""
    calls: list[None] = []

    def call() -> bool:
        calls.append(None)
        if len(calls) == 1:
            happens()
        return len(calls) == 1

    return call


@pytest.fixture(
    params=[
        "memory",
        pytest.param("moto_store", id="moto"),
        pytest.param("dynamodb_local_store", id="dynamodb-local", marks=pytest.mark.dynamodb_local),
    ]
)
def world(request: pytest.FixtureRequest) -> World:
    return requested_world(request)


@pytest.fixture
def account(world: World) -> Owner:
    return world.account()


@pytest.fixture
def app(world: World, account: Owner) -> Owner:
    return world.app(account)


@pytest.fixture
def key(world: World, app: Owner) -> Key:
    return world.key(app)


MISSING: Final = [
    Owner(OwnerType.ACCOUNT, "0" * 12, "", NOW),
    Owner(OwnerType.SERVICE_ACCOUNT, "0" * 15 + "1", "", NOW),
    Owner(APP, "0" * 24, "", NOW),
]


def test_an_account_has_its_first_key_and_authorizers_read_it(world: World) -> None:
    account = Owner(OwnerType.ACCOUNT, new_account_id(), "Acme", NOW)
    key, record = new_key(account, display_name="first", **LIMITS._asdict())
    world.directory.add_account(account, key, record, IAM)
    assert world.directory.get_owner(account.owner_id) == account
    assert world.directory.list_keys(account.owner_id) == [key]
    assert world.record(key) == record


def test_an_account_whose_id_is_taken_writes_nothing(world: World, account: Owner) -> None:
    key, record = new_key(account)
    other = replace(account, display_name="Other")
    with pytest.raises(IdTaken):
        world.directory.add_account(other, key, record, IAM)
    assert world.directory.get_owner(account.owner_id) == account
    assert world.records.get(key.key_id).record is None


def test_an_account_whose_keys_id_is_taken_writes_nothing(world: World, key: Key) -> None:
    before = world.record(key)
    account = Owner(OwnerType.ACCOUNT, new_account_id(), "Acme", NOW)
    _, record = new_key(account)
    with pytest.raises(IdTaken):
        world.directory.add_account(account, key, replace(record, key_id=key.key_id), IAM)
    with pytest.raises(OwnerNotFound):
        world.directory.get_owner(account.owner_id)
    assert world.record(key) == before


def test_owners_are_found_as_they_were_added(world: World, account: Owner) -> None:
    robot = world.service_account(account)
    settings = {"useAnimalNames": False, "conversationRetentionSeconds": 2**53 - 1}
    app = replace(new_app(robot), settings=settings, metadata=METADATA)
    world.directory.add_app(app, 1, IAM)
    assert [world.directory.get_owner(it.owner_id) for it in (robot, app)] == [robot, app]
    assert type(world.directory.get_owner(app.owner_id).metadata["big"]) is int


def test_an_owner_counts_the_keys_that_take_a_place(world: World, account: Owner) -> None:
    app = new_app(account)
    world.directory.add_app(app, 1, IAM)
    key, record = new_key(app)
    world.directory.add_key(key, record, IAM)

    def counts() -> set[int]:
        listed = world.directory.list_owners(APP, account.owner_id, After(), 10).owners
        renamed, _ = world.directory.update_owner(app.owner_id, lambda owner: owner, IAM)
        found = world.directory.get_owner(app.owner_id)
        return {owner.key_count for owner in (found, renamed, *listed)}

    assert counts() == {1}
    world.directory.revoke_key(app.owner_id, key.key_id, NOW, IAM)
    assert counts() == {0}


def test_only_an_account_that_exists_gets_service_accounts(world: World) -> None:
    with pytest.raises(OwnerNotFound):
        world.service_account(MISSING[0])


def test_only_a_creator_that_exists_gets_apps_and_is_not_taken_for_a_full_one(
    world: World, account: Owner
) -> None:
    robot_id = new_service_account_id(account.owner_id)
    for creator in (MISSING[0], Owner(OwnerType.SERVICE_ACCOUNT, robot_id, "", NOW)):
        with pytest.raises(OwnerNotFound):
            world.app(creator, limit=0)


def test_a_taken_id_is_told_and_changes_nothing(world: World, account: Owner) -> None:
    robot = world.service_account(account)
    app = world.app(account)
    with pytest.raises(IdTaken):
        world.directory.add_service_account(replace(robot, display_name="android"), IAM)
    with pytest.raises(IdTaken):
        world.directory.add_app(replace(app, display_name="Other"), 2, IAM)
    assert [world.directory.get_owner(it.owner_id) for it in (robot, app)] == [robot, app]
    # Neither the name nor a place among the apps is lost.
    world.service_account(account, "android")
    world.app(account, limit=2)


def test_a_name_is_that_of_one_service_account_of_an_account(world: World, account: Owner) -> None:
    names = ["robot", "Röbot", "#", "robot#1", "x" * 100, "\U0001f916" * 100]
    robots = [world.service_account(account, name) for name in names]
    for name in names:
        with pytest.raises(NameTaken):
            world.service_account(account, name)
    listed = world.directory.list_owners(
        OwnerType.SERVICE_ACCOUNT, account.owner_id, After(), MAX_APPS
    )
    assert sorted(ids(listed)) == sorted(robot.owner_id for robot in robots)
    assert world.service_account(world.account(), names[0]).display_name == names[0]


def test_apps_may_have_one_name(world: World, account: Owner) -> None:
    assert len(world.apps(account, 2)) == 2


def test_a_creator_has_no_more_apps_than_its_limit(world: World, account: Owner) -> None:
    for creator in (account, world.service_account(account)):
        app, _ = (world.app(creator, limit=2) for _ in range(2))
        with pytest.raises(TooManyApps) as refused:
            world.app(creator, limit=2)
        assert refused.value.limit == 2
        world.directory.delete_owner(app.owner_id, NOW, IAM)
        world.app(creator, limit=2)
        with pytest.raises(TooManyApps):
            world.app(creator, limit=2)


def test_a_limit_below_what_is_there_keeps_it_and_adds_none(world: World, account: Owner) -> None:
    added = world.apps(account, 3)
    with pytest.raises(TooManyApps):
        world.app(account, limit=1)
    assert world.list_apps(account, After()) == added
    world.app(account, limit=4)


def test_apps_are_paged_forwards(world: World, account: Owner) -> None:
    added = world.apps(account, 5)
    pages = [
        world.directory.list_owners(APP, account.owner_id, position, 2)
        for position in (After(), After(added[1]), After(added[3]), After(added[4]))
    ]
    assert [ids(page) for page in pages] == [added[:2], added[2:4], added[4:], []]
    assert [page.has_more for page in pages] == [True, True, False, False]


def test_apps_are_paged_backwards_in_the_same_order(world: World, account: Owner) -> None:
    added = world.apps(account, 5)
    pages = [
        world.directory.list_owners(APP, account.owner_id, Before(added[before]), 2)
        for before in (4, 2, 1, 0)
    ]
    assert [ids(page) for page in pages] == [added[2:4], added[:2], added[:1], []]
    assert [page.has_more for page in pages] == [True, False, False, False]


def test_apps_are_paged_by_offset(world: World, account: Owner) -> None:
    added = world.apps(account, 5)
    pages = [
        world.directory.list_owners(APP, account.owner_id, Offset(skipped), 2)
        for skipped in (0, 3, 4, 5, 6, 10_000)
    ]
    assert [ids(page) for page in pages] == [added[:2], added[3:], added[4:], [], [], []]
    assert [page.has_more for page in pages] == [True, False, False, False, False, False]


@pytest.mark.parametrize("position", [After(), Offset(0)])
def test_a_page_that_holds_exactly_the_rest_is_the_last(
    position: Position, world: World, account: Owner
) -> None:
    world.apps(account, 3)
    assert not world.directory.list_owners(APP, account.owner_id, position, 3).has_more


def test_a_cursor_whose_app_is_gone_still_pages(world: World, account: Owner) -> None:
    added = world.apps(account, 4)
    world.directory.delete_owner(added[1], NOW, IAM)
    assert world.list_apps(account, After(added[1])) == added[2:]
    assert world.list_apps(account, Before(added[1])) == added[:1]


def test_a_list_has_what_its_creator_added_and_an_accounts_list_all_of_it(
    world: World, account: Owner
) -> None:
    stranger = world.account()
    robot, other = (world.service_account(account, name) for name in ("robot", "other"))
    own, by_robot = world.app(account).owner_id, world.app(robot).owner_id
    assert world.list_apps(robot, After()) == [by_robot]
    assert world.list_apps(account, After()) == sorted([own, by_robot])
    assert world.list_apps(other, After()) == world.list_apps(stranger, After()) == []
    robots = world.directory.list_owners(
        OwnerType.SERVICE_ACCOUNT, account.owner_id, After(), MAX_APPS
    )
    assert ids(robots) == sorted([robot.owner_id, other.owner_id])


@pytest.mark.parametrize("owner", MISSING, ids=lambda owner: owner.owner_type.value)
def test_an_owner_that_does_not_exist_is_told_by_every_call(owner: Owner, world: World) -> None:
    directory, owner_id, key_id = world.directory, owner.owner_id, make_key().key_id
    calls: Sequence[Callable[[], object]] = (
        lambda: directory.get_owner(owner_id),
        lambda: directory.update_owner(owner_id, renamed("new"), IAM),
        lambda: directory.delete_owner(owner_id, NOW, IAM),
        lambda: directory.list_keys(owner_id),
        lambda: directory.list_former_keys(owner_id),
        lambda: directory.get_key(owner_id, key_id),
        lambda: world.key(owner),
    )
    for call in calls:
        with pytest.raises(OwnerNotFound):
            call()


def test_a_change_is_told_before_and_after_and_keeps_the_rest(
    world: World, app: Owner, key: Key
) -> None:
    after = replace(app, display_name="new", metadata=METADATA)
    assert world.directory.update_owner(app.owner_id, lambda _: after, IAM) == (app, after)
    assert world.directory.get_owner(app.owner_id) == after
    assert world.directory.list_keys(app.owner_id) == [key]


def test_a_change_that_comes_second_is_made_to_what_the_first_one_left(
    world: World, app: Owner
) -> None:
    come_first = first(lambda: world.directory.update_owner(app.owner_id, renamed("new"), IAM))

    def change(owner: Owner) -> Owner:
        come_first()
        return replace(owner, metadata={**owner.metadata, "plan": "gold"})

    before, after = world.directory.update_owner(app.owner_id, change, IAM)
    assert before == replace(app, display_name="new")
    assert after == replace(app, display_name="new", metadata={"plan": "gold"})
    assert world.directory.get_owner(app.owner_id) == after


def test_a_change_that_changes_nothing_is_in_nobodys_way(world: World, app: Owner) -> None:
    seen: list[Owner] = []

    def change(owner: Owner) -> Owner:
        seen.append(owner)
        world.directory.update_owner(app.owner_id, lambda same: same, IAM)
        return replace(owner, display_name="new")

    world.directory.update_owner(app.owner_id, change, IAM)
    assert seen == [app]


def test_an_owner_that_is_deleted_before_its_change_stays_deleted(world: World, app: Owner) -> None:
    delete = first(lambda: world.directory.delete_owner(app.owner_id, NOW, IAM))

    def change(owner: Owner) -> Owner:
        delete()
        return replace(owner, display_name="new")

    with pytest.raises(OwnerNotFound):
        world.directory.update_owner(app.owner_id, change, IAM)
    with pytest.raises(OwnerNotFound):
        world.directory.get_owner(app.owner_id)


def test_a_new_name_frees_the_old_one_and_takes_its_own(world: World, account: Owner) -> None:
    robot = world.service_account(account, "robot")
    world.directory.update_owner(robot.owner_id, renamed("android"), IAM)
    other = world.service_account(account, "robot")
    with pytest.raises(NameTaken):
        world.service_account(account, "android")
    with pytest.raises(NameTaken):
        world.directory.update_owner(other.owner_id, renamed("android"), IAM)
    assert world.directory.get_owner(other.owner_id) == other


def test_a_service_account_may_be_given_the_name_that_it_has_by_now(
    world: World, account: Owner
) -> None:
    robot = world.service_account(account)

    def rename() -> object:
        return world.directory.update_owner(robot.owner_id, renamed("android"), IAM)

    come_first = first(rename)

    def change(owner: Owner) -> Owner:
        come_first()
        return replace(owner, display_name="android")

    android = replace(robot, display_name="android")
    assert world.directory.update_owner(robot.owner_id, change, IAM) == (android, android)


def test_a_deleted_app_takes_its_keys_with_it(world: World, app: Owner) -> None:
    keys = sorted((world.key(app) for _ in range(3)), key=lambda key: key.key_id)
    keys[0] = world.rotate(keys[0], app, SECRETS[0], NOW + 60)
    assert world.directory.delete_owner(app.owner_id, NOW, IAM) == (app, keys)
    for record in map(world.record, keys):
        assert (record.revoked_at, record.secret_hash, record.previous) == (NOW, b"", None)
        assert record.limits.expires_at == NOW + REVOKED_RECORD_SECONDS
    with pytest.raises(OwnerNotFound):
        world.directory.get_owner(app.owner_id)
    with pytest.raises(OwnerNotFound):
        world.key(app)
    with pytest.raises(KeyNotFound):
        world.directory.find_key(keys[0].key_id)


def test_a_service_account_goes_once_its_apps_are_gone_and_leaves_its_name(
    world: World, account: Owner
) -> None:
    robot = world.service_account(account)
    key = world.key(robot)
    app_ids = world.apps(robot, 2)
    for app_id in app_ids:
        with pytest.raises(OwnsApps):
            world.directory.delete_owner(robot.owner_id, NOW, IAM)
        assert world.record(key).revoked_at is None
        world.directory.delete_owner(app_id, NOW, IAM)
    world.directory.delete_owner(robot.owner_id, NOW, IAM)
    assert world.record(key).revoked_at == NOW
    assert world.service_account(account, robot.display_name) != robot
    with pytest.raises(OwnerNotFound):
        world.app(robot)


def test_a_key_that_was_cleared_away_does_not_hinder_a_deletion(world: World, app: Owner) -> None:
    world.clear_away(world.key(app).key_id)
    assert world.directory.delete_owner(app.owner_id, NOW, IAM) == (app, [])


@pytest.mark.parametrize("owner_type", list(OwnerType))
def test_each_kind_of_owner_has_keys_that_authorizers_read(
    owner_type: OwnerType, world: World, account: Owner
) -> None:
    robot, app = world.service_account(account), world.app(account)
    owner = {
        OwnerType.ACCOUNT: account,
        OwnerType.SERVICE_ACCOUNT: robot,
        OwnerType.APP: app,
    }[owner_type]
    key, record = new_key(owner, display_name="key", **LIMITS._asdict())
    world.directory.add_key(key, record, IAM)
    assert world.record(key) == record
    assert world.directory.get_key(owner.owner_id, key.key_id) == key
    found = world.directory.find_key(key.key_id)
    assert (found.owner_id, found.key) == (owner.owner_id, key)


def test_a_key_of_an_integration_is_one_of_its_apps_keys(world: World, app: Owner) -> None:
    key, record = new_key(app, integration_id=INTEGRATION, **LIMITS._asdict())
    world.directory.add_key(key, record, IAM)
    assert world.record(key) == record
    assert world.directory.get_key(app.owner_id, key.key_id) == key
    assert list(world.directory.list_keys(app.owner_id)) == [key]
    renamed = world.change(key, app, display_name="CRM")
    rotated = world.rotate(key, app, SECRETS[0], NOW + 60)
    assert {renamed.integration_id, rotated.integration_id} == {INTEGRATION}
    world.directory.revoke_key(app.owner_id, key.key_id, NOW, IAM)
    (former,) = world.directory.list_former_keys(app.owner_id)
    assert (former.key_id, former.integration_id) == (key.key_id, INTEGRATION)
    assert world.record(key).revoked_at == NOW


def test_the_ten_keys_of_an_app_are_its_own_and_its_integrations(
    world: World, account: Owner, app: Owner
) -> None:
    own = [world.key(app) for _ in range(4)]
    bound = [world.key(app, integration_id=each) for each in [INTEGRATION, OTHER_INTEGRATION] * 3]
    for integration_id in (None, INTEGRATION):
        with pytest.raises(TooManyKeys):
            world.key(app, integration_id=integration_id)
    world.directory.revoke_key(app.owner_id, own[0].key_id, NOW, IAM)
    # The place goes to the one who comes first, whichever kind of key that is.
    caller = world.interrupted(account, lambda: world.key(app, integration_id=INTEGRATION))
    with pytest.raises(TooManyKeys):
        world.directory.add_key(*new_key(app), caller)
    listed = world.directory.list_keys(app.owner_id)
    assert len(listed) == MAX_KEYS_PER_OWNER
    assert {key.key_id for key in (*own[1:], *bound)} < {key.key_id for key in listed}


def test_a_deleted_app_takes_the_keys_of_its_integrations_with_it(world: World, app: Owner) -> None:
    keys = [world.key(app), world.key(app, integration_id=INTEGRATION)]
    _, ended = world.directory.delete_owner(app.owner_id, NOW, IAM)
    assert {key.key_id for key in ended} == {key.key_id for key in keys}
    assert [world.record(key).revoked_at for key in keys] == [NOW, NOW]


def test_keys_are_listed_the_oldest_first_and_those_of_their_owner(
    world: World, account: Owner, app: Owner
) -> None:
    keys = [world.key(app, created_at=NOW + second) for second in (2, 0, 1)]
    world.key(account)
    expected = sorted(keys, key=lambda key: key.created_at)
    assert list(world.directory.list_keys(app.owner_id)) == expected


def test_ten_keys_are_the_most_until_one_is_revoked_or_cleared_away(
    world: World, account: Owner, app: Owner
) -> None:
    keys = world.fill(app)
    rooms: Sequence[Callable[[], object]] = (
        lambda: world.directory.revoke_key(app.owner_id, keys[0].key_id, NOW, IAM),
        lambda: world.clear_away(keys[1].key_id),
    )
    for make_room in rooms:
        with pytest.raises(TooManyKeys):
            world.key(app)
        make_room()
        # The place goes to the one who comes first.
        caller = world.interrupted(account, lambda: world.key(app))
        with pytest.raises(TooManyKeys):
            world.directory.add_key(*new_key(app), caller)
        assert len(world.directory.list_keys(app.owner_id)) == MAX_KEYS_PER_OWNER == 10


def test_expired_keys_make_room_once_it_is_needed_and_stay_expired(
    world: World, app: Owner
) -> None:
    expired = sorted(world.fill(app, expires_at=NOW + 60), key=lambda key: key.key_id)
    with pytest.raises(TooManyKeys):
        world.key(app, created_at=NOW + 59)
    assert list(world.directory.list_keys(app.owner_id)) == expired
    created = world.key(app, created_at=NOW + 60)
    assert list(world.directory.list_keys(app.owner_id)) == [created]
    assert list(world.directory.list_former_keys(app.owner_id)) == expired
    key = expired[0]
    with pytest.raises(KeyNotFound):
        world.change(key, app, expires_at=None)
    with pytest.raises(KeyNotFound):
        world.directory.get_key(app.owner_id, key.key_id)
    assert world.directory.find_key(key.key_id).key == key
    world.directory.revoke_key(app.owner_id, key.key_id, NOW + 60, IAM)
    assert world.record(key).revoked_at == NOW + 60


def test_a_key_whose_id_is_taken_takes_no_place(world: World, account: Owner, key: Key) -> None:
    owned = world.directory.list_keys(account.owner_id)
    _, record = new_key(account)
    with pytest.raises(IdTaken):
        world.directory.add_key(key, replace(record, key_id=key.key_id), IAM)
    assert world.directory.list_keys(account.owner_id) == owned


def test_a_key_is_changed_and_its_record_with_it(world: World, app: Owner, key: Key) -> None:
    changes = [
        {"display_name": "new"},
        {"usage_identifier_key": "gold" * 5},
        LIMITS._asdict(),
        {"display_name": None, "usage_identifier_key": None, **NO_LIMITS._asdict()},
    ]
    record = world.record(key)
    for members in changes:
        expected = limited(key, **members)
        assert world.change(key, app, **members) == expected
        assert world.directory.get_key(app.owner_id, key.key_id) == expected
        record = replace(
            record, limits=expected.limits, usage_identifier_key=expected.usage_identifier_key
        )
        assert world.record(key) == record
        key = expected


def test_every_change_of_a_key_gives_it_another_revision_and_no_change_keeps_it(
    world: World, app: Owner, key: Key
) -> None:
    def revision() -> int:
        return world.directory.find_key(key.key_id).revision

    seen = [revision()]
    world.change(key, app)
    assert [revision()] == seen
    acts: Sequence[Callable[[], object]] = (
        lambda: world.change(key, app, display_name="new"),
        lambda: world.rotate(key, app, SECRETS[0], NOW + 60),
        lambda: world.change(key, app, previous_ends_at=None),
        lambda: world.change(key, app, disabled_at=NOW),
    )
    for act in acts:
        act()
        assert revision() not in seen
        seen.append(revision())


def test_a_new_secret_keeps_the_one_before_it_for_an_overlap_and_no_other(
    world: World, app: Owner, key: Key
) -> None:
    original, (one, two) = world.record(key), SECRETS
    previous = PreviousSecret(original.secret_hash, original.secret_ciphertext, NOW + 60)
    rotated = world.rotate(key, app, one, NOW + 60)
    expected = replace(
        original,
        secret_hash=one.secret_hash,
        secret_ciphertext=one.secret_ciphertext,
        secret_generation=2,
        previous=previous,
    )
    assert world.record(key) == expected
    assert world.directory.list_keys(app.owner_id) == [rotated]
    world.change(key, app, display_name="new")
    assert world.record(key) == expected
    world.change(key, app, previous_ends_at=NOW + 30)
    assert world.record(key).previous == replace(previous, ends_at=NOW + 30)
    world.rotate(key, app, two, NOW + 90)
    assert world.record(key).previous == PreviousSecret(
        one.secret_hash, one.secret_ciphertext, NOW + 90
    )
    world.change(key, app, previous_ends_at=None)
    ended = replace(
        expected,
        secret_hash=two.secret_hash,
        secret_ciphertext=two.secret_ciphertext,
        secret_generation=3,
        previous=None,
    )
    assert world.record(key) == ended
    # What ended stays ended, and a rotation without an overlap keeps nothing.
    world.change(key, app, display_name="newer")
    world.rotate(key, app, one, None)
    assert world.record(key).previous is None


def test_a_key_that_another_one_changed_first_is_changed_as_it_is_by_then(
    world: World, app: Owner, key: Key
) -> None:
    come_first = first(lambda: world.change(key, app, disabled_at=NOW))

    def change(seen: Key) -> Key:
        come_first()
        return replace(seen, display_name="new")

    disabled = limited(key, disabled_at=NOW)
    assert world.directory.update_key(app.owner_id, key.key_id, change, None, IAM) == (
        disabled,
        replace(disabled, display_name="new"),
    )


def test_of_two_new_secrets_at_once_the_first_one_is_kept(
    world: World, app: Owner, key: Key
) -> None:
    one, two = SECRETS

    def change(seen: Key) -> Key:
        world.rotate(key, app, one, None)
        return next_generation(seen, None)

    with pytest.raises(ChangedMeanwhile):
        world.directory.update_key(app.owner_id, key.key_id, change, two, IAM)
    assert world.record(key).secret_hash == one.secret_hash


@pytest.mark.parametrize("secret", [None, SECRETS[0]], ids=["no secret", "a new secret"])
def test_a_key_that_is_revoked_before_its_change_stays_revoked(
    secret: NewSecret | None, world: World, app: Owner, key: Key
) -> None:
    def change(seen: Key) -> Key:
        world.directory.revoke_key(app.owner_id, key.key_id, NOW, IAM)
        return replace(seen, display_name="new")

    with pytest.raises(KeyNotFound):
        world.directory.update_key(app.owner_id, key.key_id, change, secret, IAM)
    record = world.record(key)
    assert (record.revoked_at, record.secret_hash) == (NOW, b"")


def test_a_key_is_reached_through_its_own_owner_alone(
    world: World, account: Owner, app: Owner, key: Key
) -> None:
    for owner_id in (world.app(account).owner_id, account.owner_id):
        for call in calls_by_owner(world.directory, owner_id, key.key_id):
            with pytest.raises(KeyNotFound):
                call()
    assert world.directory.get_key(app.owner_id, key.key_id) == key


def calls_by_owner(
    directory: Directory, owner_id: str, key_id: str
) -> Sequence[Callable[[], object]]:
    def change(key: Key) -> Key:
        return replace(key, display_name="new")

    return (
        lambda: directory.get_key(owner_id, key_id),
        lambda: directory.update_key(owner_id, key_id, change, None, IAM),
        lambda: directory.update_key(owner_id, key_id, change, SECRETS[0], IAM),
        lambda: directory.revoke_key(owner_id, key_id, NOW, IAM),
    )


def test_a_revoked_key_loses_its_secrets_and_its_plan_and_is_remembered_for_a_while(
    world: World, app: Owner, key: Key
) -> None:
    key = world.change(key, app, usage_identifier_key="gold" * 5, **LIMITS._asdict())
    key = world.rotate(key, app, SECRETS[0], NOW + 60)
    before = world.record(key)
    assert world.directory.revoke_key(app.owner_id, key.key_id, NOW, IAM) == key
    assert world.record(key) == replace(
        before,
        secret_hash=b"",
        secret_ciphertext=b"",
        previous=None,
        limits=LIMITS._replace(expires_at=NOW + REVOKED_RECORD_SECONDS),
        revoked_at=NOW,
        usage_identifier_key=None,
    )
    revoked = limited(
        key, expires_at=None, previous_ends_at=None, revoked_at=NOW, usage_identifier_key=None
    )
    assert world.directory.list_keys(app.owner_id) == []
    assert world.directory.list_former_keys(app.owner_id) == [revoked]
    *calls, _ = calls_by_owner(world.directory, app.owner_id, key.key_id)
    for call in calls:
        with pytest.raises(KeyNotFound):
            call()
    with pytest.raises(KeyNotFound):
        world.directory.find_key(key.key_id)


def test_to_revoke_a_key_again_changes_nothing(world: World, app: Owner, key: Key) -> None:
    world.directory.revoke_key(app.owner_id, key.key_id, NOW, IAM)
    before = world.record(key)
    again = world.directory.revoke_key(app.owner_id, key.key_id, NOW + 5, IAM)
    assert (again.revoked_at, world.record(key)) == (NOW, before)


def test_a_key_that_was_cleared_away_is_not_found(world: World, app: Owner, key: Key) -> None:
    world.clear_away(key.key_id)
    assert world.directory.list_keys(app.owner_id) == []
    for call in calls_by_owner(world.directory, app.owner_id, key.key_id):
        with pytest.raises(KeyNotFound):
            call()


def test_an_expired_key_that_still_has_its_place_can_be_prolonged(world: World, app: Owner) -> None:
    key = world.key(app, expires_at=NOW + 1)
    world.change(key, app, expires_at=NOW + 99)
    assert world.directory.get_key(app.owner_id, key.key_id).state(NOW + 2) is KeyState.ACTIVE


@pytest.fixture
def text() -> str:
    """An external id that no other test gives: some directories outlive a test."""
    return f"Acme-{new_account_id()}"


def test_an_external_id_is_reserved_with_its_account(world: World, text: str) -> None:
    account, key = named_account(world, text)
    found = world.directory.find_external_id(OwnerType.ACCOUNT, text.swapcase())
    assert found == Reservation(OwnerType.ACCOUNT, text, account.owner_id, key.key_id, "again")
    assert world.directory.get_owner(account.owner_id).external_ids == ExternalIds(text)


def test_an_external_id_is_one_accounts_whatever_its_letters_case(world: World, text: str) -> None:
    named_account(world, text)
    other = Owner(
        OwnerType.ACCOUNT, new_account_id(), "Other", NOW, external_ids=ExternalIds(text.swapcase())
    )
    key, record = new_key(other)
    with pytest.raises(ExternalIdTaken):
        world.directory.add_account(other, key, record, IAM)
    with pytest.raises(OwnerNotFound):
        world.directory.get_owner(other.owner_id)
    with pytest.raises(KeyNotFound):
        world.directory.find_key(key.key_id)


def test_an_account_and_an_app_may_have_one_external_id(world: World, text: str) -> None:
    account, _ = named_account(world, text)
    app = named_app(world, account, text)
    assert world.directory.get_owner(app.owner_id).external_ids == ExternalIds(text, text)
    assert world.directory.find_external_id(APP, text).owner_id == app.owner_id


def test_an_external_id_of_an_app_is_that_of_one_app_in_all_accounts(
    world: World, text: str
) -> None:
    named_app(world, world.account(), text)
    with pytest.raises(ExternalIdTaken):
        named_app(world, world.account(), text.swapcase())


def test_a_deleted_apps_external_id_is_never_given_again(
    world: World, account: Owner, text: str
) -> None:
    app = named_app(world, account, text)
    world.directory.delete_owner(app.owner_id, NOW, IAM)
    assert world.directory.find_external_id(APP, text).owner_id == app.owner_id
    with pytest.raises(ExternalIdTaken):
        named_app(world, account, text)


def test_an_app_that_cannot_be_added_reserves_nothing(
    world: World, account: Owner, text: str
) -> None:
    world.app(account)
    full = replace(new_app(account), external_ids=ExternalIds(app=text))
    with pytest.raises(TooManyApps):
        world.directory.add_app(full, 1, IAM)
    with pytest.raises(OwnerNotFound):
        world.directory.find_external_id(APP, text)


def test_an_app_may_come_with_its_first_key(world: World, account: Owner, text: str) -> None:
    app = replace(new_app(account), external_ids=ExternalIds("acme", text))
    key, record = new_key(app)
    key = replace(key, external_ids=app.external_ids)
    record = replace(record, external_ids=app.external_ids)
    world.directory.add_app(app, MAX_APPS, IAM, (key, record), "again")
    assert world.directory.list_keys(app.owner_id) == [key]
    assert world.record(key) == record
    found = world.directory.find_external_id(APP, text)
    assert found == Reservation(APP, text, app.owner_id, key.key_id, "again")
    assert len(world.fill(app)) == MAX_KEYS_PER_OWNER - 1


def test_an_app_whose_first_keys_id_is_taken_writes_nothing(
    world: World, account: Owner, key: Key, text: str
) -> None:
    app = replace(new_app(account), external_ids=ExternalIds(app=text))
    _, record = new_key(app)
    with pytest.raises(IdTaken):
        world.directory.add_app(app, MAX_APPS, IAM, (key, replace(record, key_id=key.key_id)))
    with pytest.raises(OwnerNotFound):
        world.directory.get_owner(app.owner_id)
    with pytest.raises(OwnerNotFound):
        world.directory.find_external_id(APP, text)


def test_a_key_keeps_its_external_ids_through_every_change(
    world: World, account: Owner, text: str
) -> None:
    app = named_app(world, account, text)
    key, record = new_key(app)
    key = replace(key, external_ids=app.external_ids)
    record = replace(record, external_ids=app.external_ids)
    world.directory.add_key(key, record, IAM)
    world.change(key, app, display_name="renamed")
    world.rotate(key, app, SECRETS[0], NOW + 60)
    assert world.record(key).external_ids == app.external_ids
    assert world.directory.get_key(app.owner_id, key.key_id).external_ids == app.external_ids
    before = world.directory.revoke_key(app.owner_id, key.key_id, NOW, IAM)
    assert before.external_ids == app.external_ids
    assert world.record(key).external_ids == app.external_ids


def test_a_deleted_accounts_external_id_is_never_given_again(world: World, text: str) -> None:
    account, _ = named_account(world, text)
    world.directory.delete_owner(account.owner_id, NOW, IAM)
    assert world.directory.find_external_id(OwnerType.ACCOUNT, text).owner_id == account.owner_id
    with pytest.raises(ExternalIdTaken):
        named_account(world, text.swapcase())


def test_a_suspended_account_gets_no_named_app_and_reserves_nothing(
    world: World, account: Owner, text: str
) -> None:
    world.directory.begin_marking(account.owner_id, Marking.SUSPENDING, NOW)
    with pytest.raises(AccountSuspended):
        named_app(world, account, text)
    with pytest.raises(OwnerNotFound):
        world.directory.find_external_id(APP, text)


def test_accounts_are_listed_with_their_external_ids(world: World, text: str) -> None:
    account, _ = named_account(world, text)
    before = f"{int(account.owner_id, 16) - 1:012x}"
    (listed, *_) = world.directory.list_accounts(before, 1).accounts
    assert listed.owner == account


def test_an_external_id_that_was_never_given_is_not_found(
    world: World, app: Owner, text: str
) -> None:
    for owner_type in (OwnerType.ACCOUNT, APP):
        for each in (text, app.owner_id):
            with pytest.raises(OwnerNotFound):
                world.directory.find_external_id(owner_type, each)


def named_account(world: World, external_id: str) -> tuple[Owner, Key]:
    account = Owner(
        OwnerType.ACCOUNT, new_account_id(), "Acme", NOW, external_ids=ExternalIds(external_id)
    )
    key, record = new_key(account)
    world.directory.add_account(account, key, record, IAM, "again")
    return account, key


def named_app(world: World, account: Owner, external_id: str) -> Owner:
    ids = ExternalIds(account.external_ids.account, external_id)
    app = replace(new_app(account), external_ids=ids)
    world.directory.add_app(app, MAX_APPS, IAM)
    return app


@dataclass(frozen=True)
class Scene:
    """What a caller's write may be about."""

    directory: Directory
    account: Owner
    app: Owner
    key: Key

    def state(self) -> tuple[object, ...]:
        """Return what a write may change."""
        account_id = self.account.owner_id
        apps = self.directory.list_owners(APP, account_id, After(), MAX_APPS)
        return (
            self.directory.list_owners(OwnerType.SERVICE_ACCOUNT, account_id, After(), MAX_APPS),
            apps,
            [list(self.directory.list_keys(app.owner_id)) for app in apps.owners],
        )


@pytest.fixture
def scene(world: World, account: Owner, app: Owner, key: Key) -> Scene:
    return Scene(world.directory, account, app, key)


WRITES: Final[Sequence[Callable[[Scene, Caller], object]]] = (
    lambda at, by: at.directory.add_service_account(new_service_account(at.account, "robot"), by),
    lambda at, by: at.directory.add_app(new_app(at.account), MAX_APPS, by),
    lambda at, by: at.directory.update_owner(at.app.owner_id, renamed("new"), by),
    lambda at, by: at.directory.add_key(*new_key(at.app), by),
    lambda at, by: at.directory.update_key(
        at.app.owner_id, at.key.key_id, lambda seen: replace(seen, display_name="new"), None, by
    ),
    lambda at, by: at.directory.revoke_key(at.app.owner_id, at.key.key_id, NOW, by),
    lambda at, by: at.directory.delete_owner(at.app.owner_id, NOW, by),
)


def test_a_caller_whose_key_ends_before_the_write_writes_nothing(
    world: World, scene: Scene
) -> None:
    own = world.key(scene.account)
    caller = world.judged(own)
    world.directory.revoke_key(scene.account.owner_id, own.key_id, NOW, IAM)
    before = scene.state()
    for write in WRITES:
        with pytest.raises(Forbidden):
            write(scene, caller)
    assert scene.state() == before


def test_a_caller_whose_key_changed_and_is_still_good_writes(world: World, scene: Scene) -> None:
    own = world.key(scene.account)
    caller = world.judged(own)
    world.change(own, scene.account, display_name="new")
    states = [scene.state()]
    for write in WRITES:
        write(scene, caller)
        states.append(scene.state())
    assert [before for before, after in pairwise(states) if before == after] == []


def test_a_caller_whose_key_is_narrowed_before_the_write_writes_nothing(
    world: World, account: Owner, app: Owner
) -> None:
    callers_key = world.key(account)
    caller = world.judged(callers_key)
    world.change(callers_key, account, allowed_cidrs=("198.51.100.0/24",))
    with pytest.raises(Forbidden):
        world.directory.update_owner(app.owner_id, renamed("new"), caller)
    assert world.directory.get_owner(app.owner_id) == app


def test_a_caller_whose_key_expires_before_the_write_writes_nothing(
    world: World, account: Owner, app: Owner
) -> None:
    callers_key = world.key(account, expires_at=NOW + 1)
    caller = replace(world.judged(callers_key), clock=lambda: NOW + 1)
    with pytest.raises(Forbidden):
        world.directory.update_owner(app.owner_id, renamed("new"), caller)
    assert world.directory.get_owner(app.owner_id) == app


def test_a_key_may_change_and_revoke_itself_if_nobody_came_first(
    world: World, account: Owner
) -> None:
    key, own = world.key(account), account.owner_id
    caller = world.judged(key)
    come_first = first(lambda: world.change(key, account, allowed_cidrs=("::/0",)))

    def change(seen: Key) -> Key:
        come_first()
        return replace(seen, display_name="new")

    with pytest.raises(Forbidden):
        world.directory.update_key(own, key.key_id, change, None, caller)
    assert world.directory.get_key(own, key.key_id) == limited(key, allowed_cidrs=("::/0",))
    world.change(key, account, allowed_cidrs=())
    world.directory.update_key(own, key.key_id, change, None, caller)
    world.directory.revoke_key(own, key.key_id, NOW, caller)
    assert world.record(key).revoked_at == NOW


def test_a_name_and_a_place_that_are_taken_right_before_are_taken(
    world: World, account: Owner
) -> None:
    caller = world.interrupted(account, lambda: world.service_account(account, "robot"))
    with pytest.raises(NameTaken):
        world.directory.add_service_account(new_service_account(account, "robot"), caller)
    caller = world.interrupted(account, lambda: world.app(account))
    with pytest.raises(TooManyApps):
        world.directory.add_app(new_app(account), 1, caller)


def test_of_two_who_revoke_a_key_at_once_the_second_sees_it_revoked(
    world: World, account: Owner, app: Owner, key: Key
) -> None:
    own = (app.owner_id, key.key_id)
    caller = world.interrupted(account, lambda: world.directory.revoke_key(*own, NOW, IAM))
    assert world.directory.revoke_key(*own, NOW + 1, caller).revoked_at == NOW


def test_a_key_that_is_changed_right_before_is_given_no_new_secret(
    world: World, account: Owner, app: Owner, key: Key
) -> None:
    caller = world.interrupted(account, lambda: world.change(key, app, disabled_at=NOW))
    with pytest.raises(ChangedMeanwhile):
        world.directory.update_key(
            app.owner_id, key.key_id, lambda seen: next_generation(seen, None), SECRETS[0], caller
        )
    assert world.directory.get_key(app.owner_id, key.key_id) == limited(key, disabled_at=NOW)


def test_a_key_that_is_added_right_before_its_app_is_deleted_ends_with_it(
    world: World, account: Owner, app: Owner
) -> None:
    added: list[Key] = []
    caller = world.interrupted(account, lambda: added.append(world.key(app)))
    assert world.directory.delete_owner(app.owner_id, NOW, caller) == (app, added)
    assert [world.record(key).revoked_at for key in added] == [NOW]


def test_nothing_is_added_to_an_owner_that_is_deleted_right_before(
    world: World, account: Owner, app: Owner
) -> None:
    robot = world.service_account(account)

    def delete(owner: Owner) -> Callable[[], object]:
        return lambda: world.directory.delete_owner(owner.owner_id, NOW, IAM)

    with pytest.raises(OwnerNotFound):
        world.directory.add_key(*new_key(app), world.interrupted(account, delete(app)))
    with pytest.raises(OwnerNotFound):
        world.directory.add_app(new_app(robot), MAX_APPS, world.interrupted(account, delete(robot)))


def test_a_service_account_that_gets_an_app_right_before_stays(
    world: World, account: Owner
) -> None:
    robot = world.service_account(account)
    caller = world.interrupted(account, lambda: world.app(robot))
    with pytest.raises(OwnsApps):
        world.directory.delete_owner(robot.owner_id, NOW, caller)
    assert world.directory.get_owner(robot.owner_id) == robot
