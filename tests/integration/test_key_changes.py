"""Changes of keys over real tables, and what an authorizer reads of a key afterwards."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pytest

from keyscope.errors import Unavailable
from keyscope.lifecycle.audit import AuditEvent
from keyscope.lifecycle.directory import (
    MAX_KEYS_PER_OWNER,
    Key,
    KeyNotFound,
    KeyState,
    OverlapRunning,
    OwnerNotFound,
    TooManyKeys,
)
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import NO_LIMITS, KeyLimits
from keyscope.model.secret import hash_secret
from tests.support.builders import NOW, limited
from tests.support.dynamodb_local import Store
from tests.support.operations import (
    InterruptedClient,
    dynamodb_of,
    key_item,
    over_client,
    record_of,
)
from tests.support.stores import SteppedClock

APP: Final = OwnerType.APP
OVERLAP: Final = 60

pytestmark = pytest.mark.usefixtures("emptied")


@pytest.fixture
def app_id(operations: Provisioning) -> str:
    account, _ = operations.create_account("Acme", KeyRequest())
    return operations.create_app(account.owner_id, "app").owner_id


@pytest.fixture
def created(operations: Provisioning, app_id: str) -> CreatedKey:
    return operations.create_key(APP, app_id, KeyRequest("key"))


def test_a_key_is_found_as_it_was_created(
    operations: Provisioning, app_id: str, created: CreatedKey
) -> None:
    assert operations.get_key(app_id, created.key.key_id) == created.key


def test_each_rotation_gives_the_secret_the_next_generation(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    key_id = created.key.key_id
    assert record_of(store, key_id).secret_generation == 1
    operations.rotate_key(app_id, key_id, OVERLAP)
    operations.update_key(app_id, key_id, lambda key: limited(key, disabled_at=NOW))
    operations.end_overlap(app_id, key_id)
    assert record_of(store, key_id).secret_generation == 2
    operations.rotate_key(app_id, key_id, 0)
    assert record_of(store, key_id).secret_generation == 3


def test_a_usage_plan_is_chosen_kept_by_other_changes_and_left(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    key_id = created.key.key_id
    operations.set_usage_identifier_key(key_id, "gold" * 5)
    operations.update_key(app_id, key_id, lambda key: limited(key, disabled_at=NOW))
    operations.rotate_key(app_id, key_id, OVERLAP)
    assert record_of(store, key_id).usage_identifier_key == "gold" * 5
    operations.set_usage_identifier_key(key_id, None)
    assert "usage_identifier_key" not in key_item(store, key_id)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda to, app_id, key_id: to.revoke_key(app_id, key_id), id="revoked"),
        pytest.param(lambda to, app_id, _: to.delete_owner(app_id), id="its app deleted"),
    ],
)
def test_a_key_that_ends_leaves_its_usage_plan(
    end: Callable[[Provisioning, str, str], None],
    operations: Provisioning,
    app_id: str,
    created: CreatedKey,
    store: Store,
) -> None:
    key_id = created.key.key_id
    operations.set_usage_identifier_key(key_id, "gold" * 5)
    end(operations, app_id, key_id)
    assert "usage_identifier_key" not in key_item(store, key_id)
    with pytest.raises(KeyNotFound):
        operations.set_usage_identifier_key(key_id, "gold" * 5)


def test_limits_and_state_reach_the_authorizers_record(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    cidrs = ("192.0.2.0/24",)
    operations.update_key(
        app_id,
        created.key.key_id,
        lambda key: limited(key, expires_at=NOW + 9, allowed_cidrs=cidrs, disabled_at=NOW),
    )
    record = record_of(store, created.key.key_id)
    assert record.limits == KeyLimits(NOW + 9, cidrs, NOW)
    assert record.secret_hash == hash_secret(created.secret)


def test_limits_that_are_taken_away_are_gone_from_the_record(
    operations: Provisioning, app_id: str, store: Store
) -> None:
    request = KeyRequest(
        "key", limits=KeyLimits(expires_at=NOW + 9, allowed_cidrs=("192.0.2.0/24",))
    )
    key_id = operations.create_key(APP, app_id, request).key.key_id
    operations.update_key(
        app_id, key_id, lambda key: limited(key, expires_at=None, allowed_cidrs=())
    )
    record = record_of(store, key_id)
    assert record.limits == NO_LIMITS


def test_a_rotated_key_has_a_new_secret_and_keeps_the_old_one_for_the_overlap(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    before = record_of(store, created.key.key_id)
    rotated = operations.rotate_key(app_id, created.key.key_id, OVERLAP)
    record = record_of(store, created.key.key_id)
    assert record.secret_hash == hash_secret(rotated.secret)
    assert record.previous is not None
    assert record.previous.secret_hash == before.secret_hash
    assert record.previous.secret_ciphertext == before.secret_ciphertext
    assert record.previous.ends_at == NOW + OVERLAP


def test_a_rotated_key_tells_when_it_was_and_when_its_overlap_ends(
    operations: Provisioning, app_id: str, created: CreatedKey
) -> None:
    rotated = operations.rotate_key(app_id, created.key.key_id, OVERLAP).key
    expected = replace(
        created.key, rotated_at=NOW, previous_ends_at=NOW + OVERLAP, secret_generation=2
    )
    assert rotated == expected
    assert operations.list_keys(app_id) == [expected]


def test_a_rotation_without_overlap_destroys_the_old_secret(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    operations.rotate_key(app_id, created.key.key_id, 0)
    assert record_of(store, created.key.key_id).previous is None
    names = {name for name in key_item(store, created.key.key_id) if "previous" in name}
    assert names == set()


def test_while_an_overlap_runs_another_one_is_refused_and_changes_nothing(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    operations.rotate_key(app_id, created.key.key_id, OVERLAP)
    before = key_item(store, created.key.key_id)
    with pytest.raises(OverlapRunning):
        operations.rotate_key(app_id, created.key.key_id, OVERLAP)
    assert key_item(store, created.key.key_id) == before


def test_when_an_overlap_is_over_another_one_may_begin(
    operations: Provisioning, app_id: str, created: CreatedKey, clock: SteppedClock
) -> None:
    operations.rotate_key(app_id, created.key.key_id, OVERLAP)
    clock.now += OVERLAP
    again = operations.rotate_key(app_id, created.key.key_id, OVERLAP)
    assert again.key.previous_ends_at == NOW + 2 * OVERLAP


def test_a_leaked_secret_is_replaced_at_once_also_while_an_overlap_runs(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    operations.rotate_key(app_id, created.key.key_id, OVERLAP)
    replaced = operations.rotate_key(app_id, created.key.key_id, 0)
    record = record_of(store, created.key.key_id)
    assert (record.secret_hash, record.previous) == (hash_secret(replaced.secret), None)


def test_an_overlap_can_be_ended_at_once(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    rotated = operations.rotate_key(app_id, created.key.key_id, OVERLAP)
    assert operations.end_overlap(app_id, created.key.key_id).previous_ends_at is None
    record = record_of(store, created.key.key_id)
    assert (record.secret_hash, record.previous) == (hash_secret(rotated.secret), None)


def test_another_change_keeps_the_overlap(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    operations.rotate_key(app_id, created.key.key_id, OVERLAP)
    before = record_of(store, created.key.key_id).previous
    operations.update_key(app_id, created.key.key_id, lambda key: replace(key, display_name="new"))
    assert record_of(store, created.key.key_id).previous == before


def test_a_revoked_key_has_lost_both_secrets(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    operations.rotate_key(app_id, created.key.key_id, OVERLAP)
    operations.revoke_key(app_id, created.key.key_id)
    names = {name for name in key_item(store, created.key.key_id) if "secret" in name}
    assert names == set()


def change(key: Key) -> Key:
    return replace(key, display_name="new")


def test_a_revoked_key_cannot_be_changed(
    operations: Provisioning, app_id: str, created: CreatedKey
) -> None:
    key_id = created.key.key_id
    operations.revoke_key(app_id, key_id)
    for call in (
        lambda: operations.get_key(app_id, key_id),
        lambda: operations.update_key(app_id, key_id, change),
        lambda: operations.rotate_key(app_id, key_id, 0),
        lambda: operations.end_overlap(app_id, key_id),
    ):
        with pytest.raises(KeyNotFound):
            call()


def test_a_key_of_another_app_cannot_be_reached(
    operations: Provisioning, app_id: str, created: CreatedKey
) -> None:
    other = operations.create_app(app_id[:12], "other").owner_id
    key_id = created.key.key_id
    for call in (
        lambda: operations.get_key(other, key_id),
        lambda: operations.update_key(other, key_id, change),
        lambda: operations.rotate_key(other, key_id, 0),
        lambda: operations.end_overlap(other, key_id),
        lambda: operations.revoke_key(other, key_id),
    ):
        with pytest.raises(KeyNotFound):
            call()
    assert operations.get_key(app_id, key_id) == created.key


def test_a_key_of_an_app_that_is_gone_is_told_by_the_app(operations: Provisioning) -> None:
    with pytest.raises(OwnerNotFound):
        operations.get_key("0" * 24, "app_" + "0" * 24)


def test_an_expired_key_that_is_still_listed_can_be_prolonged(
    operations: Provisioning, app_id: str, clock: SteppedClock
) -> None:
    key_id = operations.create_key(
        APP, app_id, KeyRequest(limits=KeyLimits(expires_at=NOW + 1))
    ).key.key_id
    clock.now += 2
    assert operations.get_key(app_id, key_id).state(clock.now) is KeyState.EXPIRED
    operations.update_key(app_id, key_id, lambda key: limited(key, expires_at=NOW + 99))
    assert operations.get_key(app_id, key_id).state(clock.now) is KeyState.ACTIVE


def test_an_expired_key_whose_place_was_given_away_stays_expired(
    operations: Provisioning, app_id: str, clock: SteppedClock
) -> None:
    key_id = operations.create_key(
        APP, app_id, KeyRequest(limits=KeyLimits(expires_at=NOW + 1))
    ).key.key_id
    clock.now += 2
    for _ in range(MAX_KEYS_PER_OWNER):
        operations.create_key(APP, app_id, KeyRequest())
    with pytest.raises(KeyNotFound):
        operations.update_key(app_id, key_id, lambda key: limited(key, expires_at=None))
    assert key_id not in {key.key_id for key in operations.list_keys(app_id)}
    assert [key.key_id for key in operations.list_former_keys(app_id)] == [key_id]


def gives_places_away(_: str, request: Mapping[str, object]) -> bool:
    return "expires_at <= :now" in str(request)


def test_a_key_that_is_prolonged_right_before_its_place_is_given_away_keeps_it(
    operations: Provisioning, app_id: str, clock: SteppedClock, store: Store
) -> None:
    key_id = operations.create_key(
        APP, app_id, KeyRequest(limits=KeyLimits(expires_at=NOW + 1))
    ).key.key_id
    for _ in range(MAX_KEYS_PER_OWNER - 1):
        operations.create_key(APP, app_id, KeyRequest())
    clock.now += 2

    def prolong() -> None:
        operations.update_key(app_id, key_id, lambda key: limited(key, expires_at=NOW + 99))

    client = InterruptedClient(dynamodb_of(store), gives_places_away, prolong)
    with pytest.raises(TooManyKeys):
        over_client(operations, store, client).create_key(APP, app_id, KeyRequest())
    assert operations.get_key(app_id, key_id).state(clock.now) is KeyState.ACTIVE
    assert len(operations.list_keys(app_id)) == MAX_KEYS_PER_OWNER


def test_an_expired_key_makes_room_although_another_one_is_prolonged_right_before(
    operations: Provisioning, app_id: str, clock: SteppedClock, store: Store
) -> None:
    request = KeyRequest(limits=KeyLimits(expires_at=NOW + 1))
    prolonged, expired = (operations.create_key(APP, app_id, request).key.key_id for _ in range(2))
    for _ in range(MAX_KEYS_PER_OWNER - 2):
        operations.create_key(APP, app_id, KeyRequest())
    clock.now += 2

    def prolong() -> None:
        operations.update_key(app_id, prolonged, lambda key: limited(key, expires_at=None))

    client = InterruptedClient(dynamodb_of(store), gives_places_away, prolong)
    created = over_client(operations, store, client).create_key(APP, app_id, KeyRequest())
    listed = {key.key_id for key in operations.list_keys(app_id)}
    assert {prolonged, created.key.key_id} <= listed
    assert expired not in listed


def test_a_key_that_is_revoked_while_keys_are_listed_is_not_listed(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    client = InterruptedClient(
        dynamodb_of(store),
        lambda operation, _: operation == "batch_get_item",
        lambda: operations.revoke_key(app_id, created.key.key_id),
    )
    assert over_client(operations, store, client).list_keys(app_id) == []


@dataclass
class Trail:
    """An audit trail to look at."""

    events: list[AuditEvent] = field(default_factory=list)

    def record(self, events: Sequence[AuditEvent], /) -> None:
        self.events += events


def test_of_two_who_revoke_a_key_at_once_one_is_audited(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    trail = Trail()
    audited = replace(operations, audit_trail=trail)
    client = InterruptedClient(
        dynamodb_of(store),
        lambda operation, _: operation == "transact_write_items",
        lambda: audited.revoke_key(app_id, created.key.key_id),
    )
    over_client(audited, store, client).revoke_key(app_id, created.key.key_id)
    assert len(trail.events) == 1


def test_to_revoke_a_key_again_changes_nothing(
    operations: Provisioning,
    app_id: str,
    created: CreatedKey,
    clock: SteppedClock,
    store: Store,
) -> None:
    operations.revoke_key(app_id, created.key.key_id)
    before = key_item(store, created.key.key_id)
    clock.now += 99
    operations.revoke_key(app_id, created.key.key_id)
    assert key_item(store, created.key.key_id) == before


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda to, *key: to.update_key(*key, lambda seen: seen), id="as it was"),
        pytest.param(lambda to, *key: to.end_overlap(*key), id="no overlap"),
        pytest.param(lambda to, *key: to.set_usage_identifier_key(key[1], None), id="no plan"),
    ],
)
def test_what_changes_nothing_of_a_key_writes_nothing(
    act: Callable[..., object],
    operations: Provisioning,
    app_id: str,
    created: CreatedKey,
    store: Store,
) -> None:
    before = key_item(store, created.key.key_id)
    act(operations, app_id, created.key.key_id)
    assert key_item(store, created.key.key_id) == before


@dataclass
class Flushes:
    """Cached policies that note what is asked of them, and whether the key was disabled then."""

    is_disabled: Callable[[], bool]
    asked: list[tuple[str, bool]] = field(default_factory=list)

    def flush_in_any_case(self) -> None:
        self.asked.append(("promise", self.is_disabled()))

    def flush(self) -> None:
        self.asked.append(("flush", self.is_disabled()))


@pytest.mark.parametrize(
    ("at_first", "meanwhile", "flushes"),
    [
        pytest.param(NOW - 1, None, [("promise", False), ("flush", True)], id="another enables it"),
        pytest.param(
            None, NOW - 1, [("promise", False), ("flush", True)], id="another disables it, too"
        ),
        pytest.param(
            None, None, [("promise", False), ("flush", True)], id="another leaves it enabled"
        ),
        pytest.param(NOW - 1, NOW - 2, [], id="another disables it anew"),
    ],
)
def test_whether_policies_are_flushed_is_told_by_the_key_that_the_change_is_made_to(  # noqa: PLR0913, PLR0917 - a table and fixtures
    at_first: int | None,
    meanwhile: int | None,
    flushes: list[tuple[str, bool]],
    operations: Provisioning,
    app_id: str,
    created: CreatedKey,
    store: Store,
) -> None:
    key_id = created.key.key_id

    def is_disabled_since(at: int | None) -> None:
        operations.update_key(app_id, key_id, lambda key: limited(key, disabled_at=at))

    def disable(key: Key) -> Key:
        return limited(key, display_name="new", disabled_at=key.limits.disabled_at or NOW)

    def interrupt() -> None:
        operations.update_key(app_id, key_id, lambda key: limited(key, expires_at=NOW + 9))
        is_disabled_since(meanwhile)

    is_disabled_since(at_first)
    client = InterruptedClient(
        dynamodb_of(store), lambda operation, _: operation == "transact_write_items", interrupt
    )
    policies = Flushes(lambda: "disabled_at" in key_item(store, key_id))
    racing = replace(over_client(operations, store, client), policies=policies)
    racing.update_key(app_id, key_id, disable)
    assert policies.asked == flushes


def lose_revision(store: Store, key_id: str) -> None:
    update = {
        "TableName": store.keys_table,
        "Key": {"key_id": {"S": key_id}},
        "UpdateExpression": "REMOVE revision",
    }
    dynamodb_of(store).transact_write_items(TransactItems=[{"Update": update}])


def test_a_damaged_key_is_not_changed(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    lose_revision(store, created.key.key_id)
    with pytest.raises(Unavailable, match="damaged_record: attribute revision"):
        operations.update_key(app_id, created.key.key_id, change)
    with pytest.raises(Unavailable, match="damaged_record: attribute revision"):
        operations.rotate_key(app_id, created.key.key_id, 0)


def test_a_damaged_key_can_be_revoked(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    lose_revision(store, created.key.key_id)
    operations.revoke_key(app_id, created.key.key_id)
    assert record_of(store, created.key.key_id).revoked_at == NOW


def test_a_damaged_key_goes_with_its_app(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    lose_revision(store, created.key.key_id)
    operations.delete_owner(app_id)
    assert record_of(store, created.key.key_id).revoked_at == NOW


def test_no_stored_attribute_holds_a_secret_after_a_rotation(
    operations: Provisioning, app_id: str, created: CreatedKey, store: Store
) -> None:
    rotated = operations.rotate_key(app_id, created.key.key_id, OVERLAP)
    item = str(key_item(store, created.key.key_id))
    assert created.secret not in item
    assert rotated.secret not in item
