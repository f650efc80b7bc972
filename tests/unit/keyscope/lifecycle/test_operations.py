"""The operations where the store does not decide: ids that are taken, and what is flushed."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import pytest

from keyscope.errors import Unavailable
from keyscope.lifecycle.caller import Caller
from keyscope.lifecycle.directory import Directory, IdTaken, Key, OverlapRunning, Owner, OwnsApps
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope.model.key_record import KeyRecord
from local.tour.seed import NoAuditTrail, NoCachedPolicies
from tests.support.builders import (
    APP,
    APP_OF_SERVICE_ACCOUNT,
    NOW,
    SERVICE_ACCOUNT,
    limited,
)
from tests.support.directories import Operations
from tests.support.stores import SteppedClock


@dataclass
class CrowdedDirectory:
    """A directory in which the first ids that are tried are taken."""

    taken: int
    tried: int = 0

    def add_account(self, account: Owner, key: Key, record: KeyRecord, caller: Caller, /) -> None:
        del account, key, record, caller
        self.tried += 1
        if self.tried <= self.taken:
            raise IdTaken


class PlainSealer:
    """Seals nothing."""

    def seal(self, key_id: str, secret: str, /) -> bytes:
        del key_id
        return secret.encode()


def operations_over(directory: CrowdedDirectory) -> Provisioning:
    return Provisioning(
        directory=cast("Directory", directory),
        sealer=PlainSealer(),
        policies=NoCachedPolicies(),
        audit_trail=NoAuditTrail(),
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
def operations() -> Operations:
    made = Operations(SteppedClock(NOW))
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
