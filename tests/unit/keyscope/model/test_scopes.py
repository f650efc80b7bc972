"""The tables of scopes and owners are complete, and what derives from them is unambiguous."""

from string import Formatter
from typing import Final

import pytest

from keyscope.access.rules import GRANTEES, OtherGrantee
from keyscope.model.ids import (
    KEY_KINDS,
    OWNERS,
    IdName,
    OwnerType,
    ids_of_owner,
    is_owner_id,
    new_key_id,
)
from keyscope.model.principal import Principal
from keyscope.model.scopes import SCOPES, Scope, scope_of_secret, scopes_of_key
from tests.support.builders import APP, INTEGRATION, USER
from tests.support.builders import OWNERS as OWNER_IDS

PRINCIPALS: Final = [
    (scope, owner_type) for scope, row in SCOPES.items() for owner_type in row.principals
]


def principal(scope: Scope, owner_type: OwnerType, user_id: str = USER) -> Principal:
    claimed = user_id if IdName.USER in SCOPES[scope].claims else None
    bound_to = None if SCOPES[scope].bound_to is None else INTEGRATION
    return Principal(scope, "", owner_type, OWNER_IDS[owner_type], claimed, bound_to)


def test_every_scope_and_every_owner_has_a_row() -> None:
    assert ({*SCOPES}, {*OWNERS}) == ({*Scope}, {*OwnerType})


@pytest.mark.parametrize(("owner_type", "bound_to"), KEY_KINDS.values())
def test_the_secret_of_a_key_gives_one_scope(
    owner_type: OwnerType, bound_to: IdName | None
) -> None:
    given = [
        scope
        for scope, row in SCOPES.items()
        if row.by_secret and owner_type in row.principals and row.bound_to is bound_to
    ]
    key_id = new_key_id(owner_type, bound_to)
    assert given == [scope_of_secret(key_id)]
    assert given[0] in scopes_of_key(key_id)


def test_a_key_claims_the_scopes_of_its_kind_and_no_others() -> None:
    claimed = {prefix: {*scopes_of_key(f"{prefix}{'0' * 24}")} for prefix in KEY_KINDS}
    assert claimed == {
        "app_": {Scope.APP, Scope.APP_USER},
        "int_": {Scope.INTEGRATION},
        "act_": {Scope.ACCOUNT},
        "svc_": {Scope.ACCOUNT},
    }


def test_who_needs_a_claim_needs_a_token() -> None:
    assert [scope for scope, row in SCOPES.items() if row.by_secret and row.claims] == []


@pytest.mark.parametrize(("scope", "owner_type"), PRINCIPALS)
def test_a_principal_is_named_after_all_ids_that_tell_it_from_others(
    scope: Scope, owner_type: OwnerType
) -> None:
    named = {name for _, name, _, _ in Formatter().parse(SCOPES[scope].principals[owner_type])}
    row = SCOPES[scope]
    assert named == {*OWNERS[owner_type].parts, *row.claims} | ({row.bound_to} - {None})


def test_principals_of_different_kinds_have_different_names() -> None:
    names = {principal(scope, owner_type).name for scope, owner_type in PRINCIPALS}
    assert len(names) == len(PRINCIPALS)


@pytest.mark.parametrize("scope", Scope)
def test_the_rules_of_a_scope_have_no_id_that_is_both_one_and_many(scope: Scope) -> None:
    row = SCOPES[scope]
    assert row.bound_ids.isdisjoint(row.open_ended | row.spans)


@pytest.mark.parametrize(("scope", "owner_type"), PRINCIPALS)
def test_a_principal_has_every_id_that_binds_its_scope(scope: Scope, owner_type: OwnerType) -> None:
    assert principal(scope, owner_type).ids.keys() >= SCOPES[scope].bound_ids


def test_the_key_ids_of_each_kind_begin_with_four_characters_of_their_own() -> None:
    assert len({*KEY_KINDS.values()}) == len(KEY_KINDS)
    assert {len(prefix) for prefix in KEY_KINDS} == {4}
    assert {owner_type for owner_type, _ in KEY_KINDS.values()} == {*OwnerType}


def test_the_ids_of_owners_differ_in_length() -> None:
    ids = [OWNER_IDS[owner_type] for owner_type in OwnerType]
    assert len({*map(len, ids)}) == len(ids)
    fitting = [
        (owner_type, owner_id)
        for owner_type in OwnerType
        for owner_id in ids
        if is_owner_id(owner_type, owner_id)
    ]
    assert fitting == [(owner_type, OWNER_IDS[owner_type]) for owner_type in OwnerType]


def test_an_owners_id_contains_its_accounts() -> None:
    assert ids_of_owner(OwnerType.APP, APP) == {"accountId": APP[:12], "appId": APP}


def test_no_list_of_rules_has_the_name_of_another() -> None:
    assert len({grantee.value for grantee in GRANTEES}) == len(Scope) + len(OtherGrantee)
