"""The operations where the store does not decide: ids, rotations, and what is flushed."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from keyscope.errors import Unavailable
from keyscope.lifecycle.caller import Caller, ProvenKey
from keyscope.lifecycle.directory import (
    IdTaken,
    Key,
    KeyExpired,
    OverlapRunning,
    Owner,
    OwnerNotFound,
    OwnsApps,
    judge,
)
from keyscope.lifecycle.key_use import LastUses
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope.model.key_record import KeyRecord, PreviousSecret
from keyscope.model.secret import hash_secret
from keyscope_local.tour.seed import NoAuditTrail, NoCachedPolicies, NoUses
from tests.support.builders import (
    ACCOUNT,
    APP,
    APP_OF_SERVICE_ACCOUNT,
    NOW,
    OTHER_ACCOUNT,
    SERVICE_ACCOUNT,
    limited,
)
from tests.support.directories import Operations, PlainSealer
from tests.support.stores import SteppedClock

if TYPE_CHECKING:
    from keyscope.lifecycle.account import OperatorsDirectory


@dataclass
class CrowdedDirectory:
    """A directory in which the first ids that are tried are taken."""

    taken: int
    tried: int = 0

    def add_account(
        self,
        account: Owner,
        key: Key,
        record: KeyRecord,
        caller: Caller,
        /,
        client_token: str | None = None,
    ) -> None:
        del account, key, record, caller, client_token
        self.tried += 1
        if self.tried <= self.taken:
            raise IdTaken


def operations_over(directory: CrowdedDirectory) -> Provisioning:
    return Provisioning(
        directory=cast("OperatorsDirectory", directory),
        sealer=PlainSealer(),
        policies=NoCachedPolicies(),
        audit_trail=NoAuditTrail(),
        uses=LastUses(NoUses(), sees_all=True, report=lambda _: None),
        clock=lambda: NOW,
        max_apps_per_creator=1,
    )


def test_a_taken_id_is_replaced_by_another() -> None:
    directory = CrowdedDirectory(taken=2)
    operations_over(directory).create_account("Acme", KeyRequest())
    assert directory.tried == 3


def test_ids_that_are_always_taken_are_a_failure() -> None:
    with pytest.raises(Unavailable, match="key_store_unavailable"):
        operations_over(CrowdedDirectory(taken=10**6)).create_account("Acme", KeyRequest())


KEY_ID: Final = "app_" + "0" * 24
OTHER_KEY_ID: Final = "app_" + "1" * 24
"""A key whose overlap runs."""


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(NOW)


@pytest.fixture
def operations(clock: SteppedClock) -> Operations:
    made = Operations(clock)
    plain = Key(
        KEY_ID,
        NOW,
        "Server",
        limits=KeyLimits(expires_at=NOW + 60, allowed_cidrs=("192.0.2.0/24",)),
        usage_identifier_key="g" * 20,
    )
    rotated = Key(OTHER_KEY_ID, NOW, rotated_at=NOW, previous_ends_at=NOW + 60)
    made.directory.hold(Owner(OwnerType.APP, APP, "Shop", NOW), plain, rotated)
    made.directory.hold(Owner(OwnerType.APP, APP_OF_SERVICE_ACCOUNT, "Shop 2", NOW))
    made.directory.hold(Owner(OwnerType.SERVICE_ACCOUNT, SERVICE_ACCOUNT, "robot", NOW))
    return made


Act = Callable[[Provisioning], object]


def changing(**members: Any) -> Act:  # noqa: ANN401 - any member of a key
    return lambda to: to.update_key(APP, KEY_ID, lambda key: limited(key, **members))


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(changing(), id="a key stays as it was"),
        pytest.param(changing(display_name="new"), id="a key is renamed"),
        pytest.param(lambda to: to.end_overlap(APP, KEY_ID), id="there is no overlap to end"),
        pytest.param(
            lambda to: to.set_usage_identifier_key(KEY_ID, "g" * 20), id="a key stays in its plan"
        ),
        pytest.param(
            lambda to: to.rotate_key(APP, OTHER_KEY_ID, 60), id="an overlap forbids a rotation"
        ),
        pytest.param(lambda to: to.delete_owner(SERVICE_ACCOUNT), id="apps keep a service account"),
        pytest.param(
            lambda to: to.update_owner(APP, lambda app: replace(app, display_name="new")),
            id="an app is renamed",
        ),
        pytest.param(lambda to: to.create_key(OwnerType.APP, APP, KeyRequest()), id="a key is new"),
    ],
)
def test_what_changes_nothing_of_a_policy_has_nothing_flushed(
    act: Act, operations: Operations
) -> None:
    with suppress(OverlapRunning, OwnsApps):
        act(operations.provisioning())
    assert (operations.flushes.promised, operations.flushes.asked) == (0, 0)


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(changing(expires_at=NOW + 59), id="earlier expiry"),
        pytest.param(changing(allowed_cidrs=("192.0.2.0/25",)), id="fewer networks"),
        pytest.param(changing(disabled_at=NOW), id="disabled"),
        pytest.param(changing(usage_identifier_key=None), id="no plan"),
        pytest.param(changing(display_name="new", disabled_at=NOW), id="renamed and disabled"),
        pytest.param(lambda to: to.rotate_key(APP, KEY_ID, 0), id="rotated at once"),
        pytest.param(lambda to: to.rotate_key(APP, KEY_ID, 60), id="rotated with an overlap"),
        pytest.param(
            lambda to: to.rotate_key(APP, OTHER_KEY_ID, 0), id="rotated while an overlap runs"
        ),
        pytest.param(lambda to: to.end_overlap(APP, OTHER_KEY_ID), id="overlap ended"),
        pytest.param(lambda to: to.revoke_key(APP, KEY_ID), id="revoked"),
        pytest.param(lambda to: to.delete_owner(APP), id="its app deleted"),
    ],
)
def test_what_may_end_or_change_a_policy_has_them_flushed_once(
    act: Act, operations: Operations
) -> None:
    act(operations.provisioning())
    assert (operations.flushes.promised, operations.flushes.asked) == (1, 1)


def test_two_rotations_in_one_second_have_policies_flushed_twice(operations: Operations) -> None:
    for _ in range(2):
        operations.provisioning().rotate_key(APP, KEY_ID, 0)
    assert (operations.flushes.promised, operations.flushes.asked) == (2, 2)


def test_a_service_account_without_apps_goes_and_has_policies_flushed(
    operations: Operations,
) -> None:
    operations.provisioning().delete_owner(APP_OF_SERVICE_ACCOUNT)
    operations.flushes.promised = operations.flushes.asked = 0
    operations.provisioning().delete_owner(SERVICE_ACCOUNT)
    assert (operations.flushes.promised, operations.flushes.asked) == (1, 1)


OVERLAP: Final = 60


@pytest.fixture
def created(operations: Operations) -> CreatedKey:
    return operations.provisioning().create_key(OwnerType.APP, APP, KeyRequest("key"))


def record_of(operations: Operations, created: CreatedKey) -> KeyRecord:
    record = operations.directory.records.get(created.key.key_id).record
    assert record is not None
    return record


def test_each_rotation_gives_the_secret_the_next_generation(
    operations: Operations, created: CreatedKey
) -> None:
    generations = [record_of(operations, created).secret_generation]
    for overlap in (OVERLAP, 0, 0):
        operations.provisioning().rotate_key(APP, created.key.key_id, overlap)
        generations.append(record_of(operations, created).secret_generation)
    assert generations == [1, 2, 3, 4]


def test_a_rotated_key_has_a_new_secret_and_keeps_the_old_one_for_the_overlap(
    operations: Operations, created: CreatedKey
) -> None:
    rotated = operations.provisioning().rotate_key(APP, created.key.key_id, OVERLAP)
    record = record_of(operations, created)
    assert record.secret_hash == hash_secret(rotated.secret)
    assert record.previous == PreviousSecret(
        hash_secret(created.secret), created.secret.encode(), NOW + OVERLAP
    )
    assert rotated.key == replace(
        created.key, rotated_at=NOW, previous_ends_at=NOW + OVERLAP, secret_generation=2
    )


def test_while_an_overlap_runs_another_one_is_refused_and_changes_nothing(
    operations: Operations, created: CreatedKey, clock: SteppedClock
) -> None:
    operations.provisioning().rotate_key(APP, created.key.key_id, OVERLAP)
    before = record_of(operations, created)
    clock.now += OVERLAP - 1
    with pytest.raises(OverlapRunning):
        operations.provisioning().rotate_key(APP, created.key.key_id, OVERLAP)
    assert record_of(operations, created) == before
    clock.now += 1
    again = operations.provisioning().rotate_key(APP, created.key.key_id, OVERLAP)
    assert again.key.previous_ends_at == NOW + 2 * OVERLAP


def test_a_leaked_secret_is_replaced_at_once_also_while_an_overlap_runs(
    operations: Operations, created: CreatedKey
) -> None:
    operations.provisioning().rotate_key(APP, created.key.key_id, OVERLAP)
    replaced = operations.provisioning().rotate_key(APP, created.key.key_id, 0)
    record = record_of(operations, created)
    assert (record.secret_hash, record.previous) == (hash_secret(replaced.secret), None)


def test_an_expired_key_is_not_rotated_and_keeps_its_secret(
    operations: Operations, created: CreatedKey, clock: SteppedClock
) -> None:
    change_limits(operations, created, expires_at=NOW + 1)
    before = record_of(operations, created)
    clock.now = NOW + 1
    for overlap in (0, OVERLAP):
        with pytest.raises(KeyExpired):
            operations.provisioning().rotate_key(APP, created.key.key_id, overlap)
    assert record_of(operations, created) == before
    change_limits(operations, created, expires_at=NOW + 60)
    operations.provisioning().rotate_key(APP, created.key.key_id, 0)


def test_a_disabled_key_is_rotated_and_stays_disabled(
    operations: Operations, created: CreatedKey
) -> None:
    change_limits(operations, created, disabled_at=NOW)
    rotated = operations.provisioning().rotate_key(APP, created.key.key_id, 0)
    record = record_of(operations, created)
    assert record.secret_hash == hash_secret(rotated.secret)
    assert record.limits.disabled_at == rotated.key.limits.disabled_at == NOW


def test_an_overlap_never_ends_after_its_key(operations: Operations, created: CreatedKey) -> None:
    change_limits(operations, created, expires_at=NOW + OVERLAP - 1)
    rotated = operations.provisioning().rotate_key(APP, created.key.key_id, OVERLAP)
    assert ends_of_overlap(operations, rotated) == [NOW + OVERLAP - 1] * 2


def test_an_earlier_expiry_ends_an_overlap_and_a_later_one_does_not_prolong_it(
    operations: Operations, created: CreatedKey
) -> None:
    rotated = operations.provisioning().rotate_key(APP, created.key.key_id, OVERLAP)
    for expires_at, ends_at in (
        (NOW + OVERLAP + 1, NOW + OVERLAP),
        (NOW + 5, NOW + 5),
        (NOW + OVERLAP, NOW + 5),
        (None, NOW + 5),
    ):
        change_limits(operations, rotated, expires_at=expires_at)
        assert ends_of_overlap(operations, rotated) == [ends_at] * 2


def change_limits(operations: Operations, created: CreatedKey, **limits: int | None) -> None:
    operations.provisioning().update_key(
        APP, created.key.key_id, lambda key: limited(key, **limits)
    )


def ends_of_overlap(operations: Operations, created: CreatedKey) -> list[int | None]:
    """Return when the overlap ends by the key that the API shows, and by its record."""
    shown = operations.provisioning().get_key(APP, created.key.key_id)
    previous = record_of(operations, created).previous
    return [shown.previous_ends_at, None if previous is None else previous.ends_at]


def test_an_overlap_can_be_ended_at_once(operations: Operations, created: CreatedKey) -> None:
    rotated = operations.provisioning().rotate_key(APP, created.key.key_id, OVERLAP)
    ended = operations.provisioning().end_overlap(APP, created.key.key_id)
    assert ended.previous_ends_at is None
    record = record_of(operations, created)
    assert (record.secret_hash, record.previous) == (hash_secret(rotated.secret), None)


@pytest.mark.parametrize("owner_id", [ACCOUNT, OTHER_ACCOUNT])
def test_an_account_is_neither_changed_nor_deleted(owner_id: str, operations: Operations) -> None:
    account = Owner(OwnerType.ACCOUNT, ACCOUNT, "Acme", NOW)
    operations.directory.hold(account)
    with pytest.raises(OwnerNotFound):
        operations.provisioning().update_owner(owner_id, lambda it: replace(it, display_name=""))
    with pytest.raises(OwnerNotFound):
        operations.provisioning().delete_owner(owner_id)
    assert operations.provisioning().get_owner(ACCOUNT) == account


def interrupted(operations: Operations, happens: Callable[[], object]) -> Provisioning:
    """Return the operations on behalf of a key; something happens once, right before the write."""
    key = Key("act_" + "0" * 24, NOW)
    operations.directory.hold(Owner(OwnerType.ACCOUNT, ACCOUNT, "Acme", NOW), key)
    proven = ProvenKey(key.key_id, 1, None)
    interruptions = [happens]

    def clock() -> float:
        if interruptions:
            interruptions.pop()()
        return NOW

    # Whether the caller's key is good by then is asked right before the write.
    _, judged = judge(operations.directory.find_key, proven, lambda: NOW)
    return replace(operations.provisioning(), caller=replace(judged, clock=clock))


def test_of_two_who_revoke_a_key_at_once_one_is_audited(
    operations: Operations, created: CreatedKey
) -> None:
    own = (APP, created.key.key_id)
    operations.trail.events.clear()
    second = interrupted(operations, lambda: operations.provisioning().revoke_key(*own))
    second.revoke_key(*own)
    assert len(operations.trail.events) == 1


@dataclass
class WatchedFlushes:
    """Cached policies that note what is asked of them, and whether the key was disabled then."""

    is_disabled: Callable[[], bool]
    asked: list[tuple[str, bool]] = field(default_factory=list)

    def flush_in_any_case(self) -> None:
        self.asked.append(("promise", self.is_disabled()))

    def flush(self) -> None:
        self.asked.append(("flush", self.is_disabled()))


@pytest.mark.parametrize(
    ("at_first", "meanwhile", "is_flushed"),
    [
        pytest.param(NOW - 1, None, True, id="another enables it"),
        pytest.param(None, NOW - 1, True, id="another disables it, too"),
        pytest.param(None, None, True, id="another leaves it enabled"),
        pytest.param(NOW - 1, NOW - 2, False, id="another disables it anew"),
    ],
)
def test_whether_policies_are_flushed_is_told_by_the_key_that_the_change_is_made_to(
    at_first: int | None, meanwhile: int | None, operations: Operations, *, is_flushed: bool
) -> None:
    def disable(key: Key) -> Key:
        return limited(key, display_name="new", disabled_at=key.limits.disabled_at or NOW)

    def interrupt() -> None:
        changing(expires_at=NOW + 9, disabled_at=meanwhile)(operations.provisioning())

    changing(disabled_at=at_first)(operations.provisioning())
    policies = WatchedFlushes(
        lambda: operations.directory.keys[KEY_ID].key.limits.disabled_at is not None
    )
    racing = replace(interrupted(operations, interrupt), policies=policies)
    racing.update_key(APP, KEY_ID, disable)
    assert policies.asked == ([("promise", False), ("flush", True)] if is_flushed else [])
