"""What holds when a function dies, or a store fails, between any two steps of a change.

Every call that an operation makes of DynamoDB fails once: before it is carried out, or after it,
when only its answer is lost. What the store then holds is nothing or all of the change, and calling
again finishes it or says truthfully that it is done.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pytest
from botocore.exceptions import ReadTimeoutError

from keyscope.aws.clients import DynamoDbClient
from keyscope.errors import KeyscopeError, Reason, Unavailable
from keyscope.lifecycle.audit import AuditEvent
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    After,
    KeyState,
    NameTaken,
    OverlapRunning,
    OwnerNotFound,
)
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from tests.support.builders import NOW, limited
from tests.support.copies import copies_of
from tests.support.dynamodb_local import Store
from tests.support.items import app_count_of
from tests.support.operations import (
    dynamodb_of,
    key_item,
    operations_over,
    over_client,
    owner_item,
    record_of,
    usable_keys,
)
from tests.support.stores import SteppedClock

pytestmark = pytest.mark.dynamodb_local

APP: Final = OwnerType.APP
MAX_CALLS: Final = 12


@dataclass
class FailingClient:
    """A DynamoDB client whose n-th call fails, before it is carried out or after it."""

    client: DynamoDbClient
    failing: int
    carried_out: bool
    calls: int = 0
    written: bool = False
    """Whether a transaction was carried out."""

    def __getattr__(self, operation: str) -> Callable[..., object]:
        def call(**request: object) -> object:
            self.calls += 1
            if self.calls == self.failing and not self.carried_out:
                raise LOST
            try:
                answer: object = getattr(self.client, operation)(**request)
                self.written |= operation == "transact_write_items"
                return answer
            finally:
                # A refusal is an answer, too.
                if self.calls == self.failing:
                    raise LOST

        return call


LOST: Final = ReadTimeoutError(endpoint_url="http://dynamodb")


@dataclass(frozen=True)
class World:
    """An account with a service account, an app of each kind, and a key that is about to change."""

    store: Store
    operations: Provisioning
    account_id: str
    robot_id: str
    app_id: str
    robots_app_id: str
    key_id: str

    def app_count(self) -> int:
        item = owner_item(self.store, self.account_id, f"serviceaccount#{self.robot_id}")
        assert item is not None
        return app_count_of(item)

    def seen(self) -> object:
        """Return all that can be read of the account."""
        operations = self.operations
        apps = operations.list_apps(self.account_id, After(), 100).owners
        robots = operations.list_service_accounts(self.account_id, After(), 100).owners
        keys = {owner.owner_id: operations.list_keys(owner.owner_id) for owner in [*apps, *robots]}
        records = {
            key.key_id: key_item(self.store, key.key_id) for kept in keys.values() for key in kept
        }
        return apps, robots, keys, records


@dataclass(frozen=True)
class Change:
    """A change, and what calling it again says when its answer was lost after it was done."""

    make: Callable[[Provisioning, World], object]
    done_already: type[KeyscopeError] | None = None
    adds: bool = False


CHANGES: Final = {
    "create app": Change(lambda to, at: to.create_app(at.account_id, "new"), adds=True),
    "create app of a service account": Change(
        lambda to, at: to.create_app(at.account_id, "new", at.robot_id), adds=True
    ),
    "create service account": Change(
        lambda to, at: to.create_service_account(at.account_id, "new"), NameTaken
    ),
    "create key": Change(lambda to, at: to.create_key(APP, at.app_id, KeyRequest()), adds=True),
    "update app": Change(
        lambda to, at: to.update_owner(
            at.app_id, lambda app: replace(app, display_name="new", metadata={"a": 1})
        )
    ),
    "rename service account": Change(
        lambda to, at: to.update_owner(
            at.robot_id, lambda robot: replace(robot, display_name="new")
        )
    ),
    "update key": Change(
        lambda to, at: to.update_key(
            at.app_id, at.key_id, lambda key: limited(key, disabled_at=NOW, display_name="new")
        )
    ),
    "rotate key at once": Change(lambda to, at: to.rotate_key(at.app_id, at.key_id, 0), adds=True),
    "end overlap": Change(lambda to, at: to.end_overlap(at.app_id, at.key_id)),
    "revoke key": Change(lambda to, at: to.revoke_key(at.app_id, at.key_id)),
    "delete app": Change(lambda to, at: to.delete_owner(at.app_id), OwnerNotFound),
    "delete app of a service account": Change(
        lambda to, at: to.delete_owner(at.robots_app_id), OwnerNotFound
    ),
}


@pytest.fixture(scope="module")
def store(dynamodb_local_store: Store) -> Store:
    return dynamodb_local_store


@pytest.fixture(scope="module")
def copy(store: Store) -> Callable[[], World]:
    operations = operations_over(store, lambda: NOW)
    account, _ = operations.create_account("Acme", KeyRequest())
    robot = operations.create_service_account(account.owner_id, "robot")
    app = operations.create_app(account.owner_id, "app")
    robots_app = operations.create_app(account.owner_id, "robot's", robot.owner_id)
    key = operations.create_key(APP, app.owner_id, KeyRequest("key")).key
    operations.rotate_key(app.owner_id, key.key_id, 3_600)
    for owner_id in (app.owner_id, robots_app.owner_id):
        operations.create_key(APP, owner_id, KeyRequest("other"))
    world = World(
        store,
        operations,
        account.owner_id,
        robot.owner_id,
        app.owner_id,
        robots_app.owner_id,
        key.key_id,
    )
    return copies_of(world, world.account_id, store)


@pytest.fixture
def new_world(copy: Callable[[], World], store: Store, clock: SteppedClock) -> Callable[[], World]:
    operations = operations_over(store, clock)
    return lambda: replace(copy(), operations=operations)


def failures(
    change: Change, new_world: Callable[[], World], *, carried_out: bool
) -> Iterator[tuple[World, object, bool]]:
    """Yield a fresh world after each failure that the change can meet, and how it was before.

    The third value says whether the change's transaction was carried out.
    """
    for failing in range(1, MAX_CALLS):
        world = new_world()
        before = world.seen()
        client = FailingClient(dynamodb_of(world.store), failing, carried_out)
        operations = over_client(world.operations, world.store, client)
        try:
            change.make(operations, world)
        except Unavailable:
            yield world, before, client.written
        else:
            assert failing > client.calls
            assert failing > 1
            return
    pytest.fail("the change never got through")


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_is_not_carried_out_leaves_everything_as_it_was(
    name: str, new_world: Callable[[], World]
) -> None:
    for world, before, written in failures(CHANGES[name], new_world, carried_out=False):
        assert (world.seen() == before) is not written


@pytest.mark.parametrize("name", CHANGES)
def test_after_a_failure_the_same_call_gets_through(
    name: str, new_world: Callable[[], World]
) -> None:
    for world, before, _ in failures(CHANGES[name], new_world, carried_out=False):
        CHANGES[name].make(world.operations, world)
        assert world.seen() != before


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_whose_answer_was_lost_is_whole_or_not_there(
    name: str, new_world: Callable[[], World]
) -> None:
    change = CHANGES[name]
    for world, before, _ in failures(change, new_world, carried_out=True):
        after = world.seen()
        if after == before:
            change.make(world.operations, world)
        elif change.done_already is not None:
            with pytest.raises(change.done_already):
                change.make(world.operations, world)
        else:
            change.make(world.operations, world)
            assert change.adds or world.seen() == after
        own_apps = world.operations.list_apps(world.robot_id, After(), 100).owners
        assert world.app_count() == len(own_apps)


@pytest.mark.parametrize("number", [0, 1, 10])
@pytest.mark.parametrize("carried_out", [False, True])
def test_no_key_of_an_app_lives_on_once_its_deletion_is_repeated(
    number: int, new_world: Callable[[], World], *, carried_out: bool
) -> None:
    def crowded() -> World:
        world = new_world()
        app_id = world.operations.create_app(world.account_id, "crowded").owner_id
        for _ in range(number):
            world.operations.create_key(APP, app_id, KeyRequest())
        return replace(world, app_id=app_id)

    for world, _, _ in failures(CHANGES["delete app"], crowded, carried_out=carried_out):
        kept = usable_keys(world.store, world.app_id)
        assert len(kept) in (0, number)
        try:
            world.operations.delete_owner(world.app_id)
        except OwnerNotFound:
            assert kept == set()
        assert usable_keys(world.store, world.app_id) == set()


@pytest.mark.parametrize("carried_out", [False, True])
def test_a_key_that_takes_an_expired_ones_place_has_it_or_can_be_created_again(
    new_world: Callable[[], World], clock: SteppedClock, *, carried_out: bool
) -> None:
    def crowded() -> World:
        clock.now = NOW
        world = new_world()
        app_id = world.operations.create_app(world.account_id, "crowded").owner_id
        for _ in range(MAX_KEYS_PER_OWNER):
            world.operations.create_key(
                APP, app_id, KeyRequest(limits=KeyLimits(expires_at=NOW + 1))
            )
        clock.now += 1
        return replace(world, app_id=app_id)

    for world, _, _ in failures(CHANGES["create key"], crowded, carried_out=carried_out):
        listed = [key.state(clock.now) for key in world.operations.list_keys(world.app_id)]
        made = listed.count(KeyState.ACTIVE)
        world.operations.create_key(APP, world.app_id, KeyRequest())
        listed = [key.state(clock.now) for key in world.operations.list_keys(world.app_id)]
        assert listed.count(KeyState.ACTIVE) == made + 1
        assert len(listed) <= MAX_KEYS_PER_OWNER


def test_a_rotation_whose_new_secret_was_lost_leaves_the_old_one_for_the_overlap(
    new_world: Callable[[], World],
) -> None:
    rotate = Change(lambda to, at: to.rotate_key(at.app_id, at.key_id, 60))

    def rested() -> World:
        world = new_world()
        world.operations.end_overlap(world.app_id, world.key_id)
        return world

    for world, before, _ in failures(rotate, rested, carried_out=True):
        record = record_of(world.store, world.key_id)
        if world.seen() == before:
            assert record.previous is None
        else:
            assert record.previous is not None
            assert record.previous.ends_at == NOW + 60
            with pytest.raises(OverlapRunning):
                rotate.make(world.operations, world)
        world.operations.rotate_key(world.app_id, world.key_id, 0)
        assert record_of(world.store, world.key_id).previous is None


@pytest.mark.parametrize("carried_out", [False, True])
def test_a_service_account_goes_with_its_keys_and_its_name_or_stays_with_both(
    new_world: Callable[[], World], *, carried_out: bool
) -> None:
    def lonely() -> World:
        world = new_world()
        world.operations.delete_owner(world.robots_app_id)
        robot = OwnerType.SERVICE_ACCOUNT
        world.operations.create_key(robot, world.robot_id, KeyRequest())
        return world

    delete = Change(lambda to, at: to.delete_owner(at.robot_id))
    for world, _, _ in failures(delete, lonely, carried_out=carried_out):
        name = owner_item(world.store, world.account_id, "serviceaccountname#robot")
        there = owner_item(world.store, world.account_id, f"serviceaccount#{world.robot_id}")
        states = {name is None, there is None, not usable_keys(world.store, world.robot_id)}
        assert len(states) == 1


@dataclass
class Policies:
    """Cached policies whose flush can be made to fail; it notes when it is asked."""

    fails: bool = False
    asked: list[str] = field(default_factory=list)

    def flush_in_any_case(self) -> None:
        if self.fails:
            raise Unavailable(Reason.FLUSH_QUEUE_UNAVAILABLE)
        self.asked.append("before")

    def flush(self) -> None:
        self.asked.append("after")


ENDING: Final = (
    "update key",
    "rotate key at once",
    "end overlap",
    "revoke key",
    "delete app",
)


@pytest.mark.parametrize("name", ENDING)
def test_without_the_promise_of_a_flush_nothing_is_written(
    name: str, new_world: Callable[[], World]
) -> None:
    world = new_world()
    before = world.seen()
    operations = replace(world.operations, policies=Policies(fails=True))
    with pytest.raises(Unavailable, match="flush_queue_unavailable"):
        CHANGES[name].make(operations, world)
    assert world.seen() == before


@pytest.mark.parametrize("owner_id", ["0" * 16, "0" * 24])
def test_no_flush_is_promised_for_an_owner_that_is_not_there(
    owner_id: str, new_world: Callable[[], World]
) -> None:
    policies = Policies()
    with pytest.raises(OwnerNotFound):
        replace(new_world().operations, policies=policies).delete_owner(owner_id)
    assert policies.asked == []


@pytest.mark.parametrize("name", ENDING)
def test_a_flush_is_promised_before_the_write_and_asked_for_after_it(
    name: str, new_world: Callable[[], World]
) -> None:
    world = new_world()
    policies = Policies()
    CHANGES[name].make(replace(world.operations, policies=policies), world)
    assert policies.asked == ["before", "after"]


@pytest.mark.parametrize("name", ENDING)
def test_whatever_is_lost_after_the_write_a_flush_was_promised_before_it(
    name: str, new_world: Callable[[], World]
) -> None:
    policies = Policies()

    def noting() -> World:
        world = new_world()
        policies.asked.clear()
        return replace(world, operations=replace(world.operations, policies=policies))

    for world, before, _ in failures(CHANGES[name], noting, carried_out=True):
        assert world.seen() == before or policies.asked == ["before"]


def test_an_event_is_recorded_after_its_change_only(new_world: Callable[[], World]) -> None:
    world = new_world()
    recorded: list[AuditEvent] = []

    class Trail:
        def record(self, events: Sequence[AuditEvent], /) -> None:
            recorded.extend(events)

    client = FailingClient(dynamodb_of(world.store), 1, carried_out=False)
    operations = replace(over_client(world.operations, world.store, client), audit_trail=Trail())
    with pytest.raises(Unavailable):
        operations.create_app(world.account_id, "new")
    assert recorded == []
    operations.create_app(world.account_id, "new")
    assert len(recorded) == 1
