"""Callers grant only what they have: keys are created and changed within the caller's own limits.

Each test has one account, whose key creates and changes the keys of one app.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import pytest

from keyscope.errors import Forbidden
from keyscope.lifecycle.directory import Key
from keyscope.lifecycle.management import KeyChange, Management
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.lifecycle.own_limits import ExceedsOwnLimits
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import NO_LIMITS, KeyLimits
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from tests.support.builders import NOW, limited
from tests.support.dynamodb_local import Store
from tests.support.operations import (
    InterruptedClient,
    dynamodb_of,
    operations_over,
    over_client,
)
from tests.support.stores import SteppedClock

APP: Final = OwnerType.APP
ADDRESS: Final = "192.0.2.7"
PERMISSIONS: Final = ("keys:write", "users:read")


@dataclass(frozen=True)
class World:
    """An account with an app, and the account's own key."""

    operations: Provisioning
    account_id: str
    own_key_id: str
    app_id: str

    def caller(
        self, own: KeyLimits = NO_LIMITS, *, token: tuple[str, ...] | None = None
    ) -> Management:
        """Return what the account may do with a key of such limits, or a token with fewer."""
        self.operations.update_key(
            self.account_id, self.own_key_id, lambda key: replace(key, limits=own)
        )
        principal = Principal(
            Scope.ACCOUNT,
            self.own_key_id,
            OwnerType.ACCOUNT,
            self.account_id,
            limits=own._replace(permissions=token or own.permissions),
        )
        return Management(self.operations, principal, ADDRESS)

    def key(self, limits: KeyLimits = NO_LIMITS) -> str:
        """Return the id of a key of the app that the operator created with some limits."""
        request = KeyRequest(limits=limits)
        return self.operations.create_key(APP, self.app_id, request).key.key_id


@pytest.fixture
def world(moto_store: Store, emptied: None) -> World:
    del emptied
    operations = operations_over(moto_store, SteppedClock(NOW))
    account, own = operations.create_account("Acme", KeyRequest())
    app = operations.create_app(account.owner_id, "app")
    return World(operations, account.owner_id, own.key.key_id, app.owner_id)


Act = Callable[[Management, World, str], object]
RENAME: Final = KeyChange("renamed")
DISABLE: Final = KeyChange(chosen=frozenset({"disabled_at"}), limits=KeyLimits(disabled_at=NOW))
ENABLE: Final = KeyChange(chosen=frozenset({"disabled_at"}))
CHANGES: Final[Mapping[str, Act]] = {
    "rename": lambda by, at, key: by.update_key(APP, at.app_id, key, RENAME),
    "disable": lambda by, at, key: by.update_key(APP, at.app_id, key, DISABLE),
    "enable": lambda by, at, key: by.update_key(APP, at.app_id, key, ENABLE),
    "rotate": lambda by, at, key: by.rotate_key(APP, at.app_id, key, 60),
    "end overlap": lambda by, at, key: by.end_overlap(APP, at.app_id, key),
    "delete": lambda by, at, key: by.delete_key(APP, at.app_id, key),
}


def exceeded(act: Callable[[], object]) -> str | None:
    """Return which limit of the caller's key an act would exceed, `None` where it is done."""
    try:
        act()
    except ExceedsOwnLimits as error:
        return error.member
    return None


def created(by: Management, at: World, limits: KeyLimits) -> Key:
    return by.create_key(APP, at.app_id, KeyRequest(limits=limits)).key


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        (None, "permissions"),
        (("users:read", "users:write"), "permissions"),
        (("gone",), "permissions"),
        (("users:read",), None),
        (PERMISSIONS, None),
    ],
)
def test_a_limited_key_creates_keys_of_its_own_permissions_alone(
    world: World, permissions: tuple[str, ...] | None, expected: str | None
) -> None:
    by = world.caller(KeyLimits(permissions=PERMISSIONS))
    assert exceeded(lambda: created(by, world, KeyLimits(permissions=permissions))) == expected


@pytest.mark.parametrize("act", CHANGES.values(), ids=CHANGES)
def test_a_limited_key_changes_no_key_that_has_more_permissions(world: World, act: Act) -> None:
    by = world.caller(KeyLimits(permissions=PERMISSIONS))
    wide, other, narrow = (
        world.key(),
        world.key(KeyLimits(permissions=("read",))),
        world.key(KeyLimits(permissions=("users:read",))),
    )
    for key_id in (wide, other):
        before = world.operations.get_key(world.app_id, key_id)
        assert exceeded(partial(act, by, world, key_id)) == "permissions"
        assert world.operations.get_key(world.app_id, key_id) == before
    assert exceeded(lambda: act(by, world, narrow)) is None


@pytest.mark.parametrize("permissions", [None, ("read",), ("users:read", "read")])
def test_a_limited_key_gives_a_key_no_permission_that_it_lacks(
    world: World, permissions: tuple[str, ...] | None
) -> None:
    by = world.caller(KeyLimits(permissions=PERMISSIONS))
    key_id = world.key(KeyLimits(permissions=("users:read",)))
    change = KeyChange(chosen=frozenset({"permissions"}), limits=KeyLimits(permissions=permissions))
    assert exceeded(lambda: by.update_key(APP, world.app_id, key_id, change)) == "permissions"
    assert world.operations.get_key(world.app_id, key_id).limits.permissions == ("users:read",)


def test_a_token_gives_no_more_than_it_claims(world: World) -> None:
    by = world.caller(token=("keys:write", "users:read"))
    assert exceeded(lambda: created(by, world, NO_LIMITS)) == "permissions"
    assert exceeded(lambda: created(by, world, KeyLimits(permissions=("users:read",)))) is None


@pytest.mark.parametrize("act", CHANGES.values(), ids=CHANGES)
def test_a_key_without_limits_changes_every_key(world: World, act: Act) -> None:
    by = world.caller()
    for key_id in (
        world.key(),
        world.key(KeyLimits(permissions=("read",))),
        world.key(KeyLimits(expires_at=NOW + 9)),
    ):
        assert exceeded(partial(act, by, world, key_id)) is None


def test_a_new_key_inherits_expiry_and_networks(world: World) -> None:
    own = KeyLimits(expires_at=NOW + 600, allowed_cidrs=("192.0.2.0/24", "2001:db8::/32"))
    limits = created(world.caller(own), world, NO_LIMITS).limits
    assert (limits.expires_at, limits.allowed_cidrs) == (own.expires_at, own.allowed_cidrs)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (KeyLimits(expires_at=NOW + 600), None),
        (KeyLimits(expires_at=NOW + 599), None),
        (KeyLimits(expires_at=NOW + 601), "expiresAt"),
        (KeyLimits(allowed_cidrs=("192.0.2.128/25", "2001:db8:1::/48")), None),
        (KeyLimits(allowed_cidrs=("192.0.2.0/24", "198.51.100.0/24")), "allowedCidrs"),
        (KeyLimits(allowed_cidrs=("192.0.0.0/16",)), "allowedCidrs"),
        (KeyLimits(allowed_cidrs=("0.0.0.0/0",)), "allowedCidrs"),
        (KeyLimits(allowed_cidrs=("::/0",)), "allowedCidrs"),
    ],
)
def test_a_new_key_is_at_most_as_wide_as_the_callers(
    world: World, limits: KeyLimits, expected: str | None
) -> None:
    own = KeyLimits(expires_at=NOW + 600, allowed_cidrs=("192.0.2.0/24", "2001:db8::/32"))
    assert exceeded(lambda: created(world.caller(own), world, limits)) == expected


@pytest.mark.parametrize(
    ("own", "change", "expected"),
    [
        (KeyLimits(expires_at=NOW + 600), KeyChange(chosen=frozenset({"expires_at"})), "expiresAt"),
        (
            KeyLimits(allowed_cidrs=("192.0.2.0/24",)),
            KeyChange(chosen=frozenset({"allowed_cidrs"})),
            "allowedCidrs",
        ),
        (KeyLimits(expires_at=NOW + 600), ENABLE, "expiresAt"),
        (KeyLimits(expires_at=NOW + 600), RENAME, None),
        (KeyLimits(expires_at=NOW + 600), DISABLE, None),
    ],
)
def test_a_change_makes_no_key_wider_than_the_callers(
    world: World, own: KeyLimits, change: KeyChange, expected: str | None
) -> None:
    by, key_id = world.caller(own), world.key()
    assert exceeded(lambda: by.update_key(APP, world.app_id, key_id, change)) == expected


def test_a_key_that_ends_rotates_no_key_that_outlives_it(world: World) -> None:
    by = world.caller(KeyLimits(expires_at=NOW + 600))
    lasting, ending = world.key(), world.key(KeyLimits(expires_at=NOW + 60))
    assert exceeded(lambda: by.rotate_key(APP, world.app_id, lasting, 0)) == "expiresAt"
    assert exceeded(lambda: by.rotate_key(APP, world.app_id, ending, 0)) is None


@pytest.mark.parametrize("now_held", [("read",), ("users:read",)])
@pytest.mark.parametrize("told", [None, ("keys:write", "users:read")])
def test_a_key_that_was_narrowed_since_its_policy_was_cached_does_nothing(
    world: World, told: tuple[str, ...] | None, now_held: tuple[str, ...]
) -> None:
    by = world.caller(KeyLimits(permissions=told))
    world.operations.update_key(
        world.account_id, world.own_key_id, lambda key: limited(key, permissions=now_held)
    )
    key_id = world.key(KeyLimits(permissions=("users:read",)))
    for act in CHANGES.values():
        with pytest.raises(Forbidden):
            act(by, world, key_id)
    with pytest.raises(Forbidden):
        by.list_keys(APP, world.app_id)


NARROWED: Final = {
    "expiresAt": KeyLimits(expires_at=NOW + 600),
    "allowedCidrs": KeyLimits(allowed_cidrs=("192.0.2.0/24",)),
}


def narrowed_before_the_write(world: World, store: Store, own: KeyLimits) -> Management:
    """Return what the account may do with its unlimited key, which is limited before each write."""

    def narrow() -> None:
        world.operations.update_key(
            world.account_id, world.own_key_id, lambda key: replace(key, limits=own)
        )

    client = InterruptedClient(
        dynamodb_of(store), lambda operation, _: operation == "transact_write_items", narrow
    )
    by = world.caller()
    return replace(by, provisioning=over_client(world.operations, store, client))


@pytest.mark.parametrize("own", NARROWED.values(), ids=NARROWED)
def test_a_key_that_is_narrowed_before_the_write_creates_keys_of_its_new_limits(
    world: World, moto_store: Store, own: KeyLimits
) -> None:
    by = narrowed_before_the_write(world, moto_store, own)
    assert created(by, world, NO_LIMITS).limits == own


@pytest.mark.parametrize(("member", "own"), NARROWED.items())
@pytest.mark.parametrize("act", ["enable", "rotate"])
def test_a_key_that_is_narrowed_before_the_write_widens_no_key(
    world: World, moto_store: Store, member: str, own: KeyLimits, act: str
) -> None:
    by, key_id = narrowed_before_the_write(world, moto_store, own), world.key()
    world.operations.update_key(world.app_id, key_id, lambda key: limited(key, disabled_at=NOW - 1))
    before = world.operations.get_key(world.app_id, key_id)
    assert exceeded(lambda: CHANGES[act](by, world, key_id)) == member
    assert world.operations.get_key(world.app_id, key_id) == before


def test_a_new_key_is_in_the_usage_plan_that_the_callers_key_is_in_at_the_write(
    world: World, moto_store: Store
) -> None:
    plan = "p" * 20
    client = InterruptedClient(
        dynamodb_of(moto_store),
        lambda operation, _: operation == "transact_write_items",
        lambda: world.operations.set_usage_identifier_key(world.own_key_id, plan),
    )
    by = replace(world.caller(), provisioning=over_client(world.operations, moto_store, client))
    assert created(by, world, NO_LIMITS).usage_identifier_key == plan


def test_a_key_that_is_widened_before_the_write_keeps_its_overlap(
    world: World, moto_store: Store
) -> None:
    key_id = world.key(KeyLimits(permissions=("users:read",)))
    world.operations.rotate_key(world.app_id, key_id, 60)
    client = InterruptedClient(
        dynamodb_of(moto_store),
        lambda operation, _: operation == "transact_write_items",
        lambda: world.operations.update_key(
            world.app_id, key_id, lambda key: limited(key, permissions=None)
        ),
    )
    by = world.caller(KeyLimits(permissions=PERMISSIONS))
    by = replace(by, provisioning=over_client(world.operations, moto_store, client))
    assert exceeded(lambda: by.end_overlap(APP, world.app_id, key_id)) == "permissions"
    assert world.operations.get_key(world.app_id, key_id).previous_ends_at is not None
