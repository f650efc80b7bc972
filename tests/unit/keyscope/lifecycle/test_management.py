"""Who may do what: every operation, by every kind of principal, on every kind of id."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from inspect import isfunction
from itertools import product
from typing import Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.errors import Forbidden, InvalidInput
from keyscope.lifecycle.audit import Action
from keyscope.lifecycle.caller import Caller, Iam
from keyscope.lifecycle.directory import (
    After,
    Key,
    KeyNotFound,
    Members,
    Offset,
    Owner,
    OwnerNotFound,
    OwnsApps,
)
from keyscope.lifecycle.management import (
    MAX_METADATA_BYTES,
    AppChange,
    AppRequest,
    IntegrationNotFound,
    KeyChange,
    KeyRequired,
    KeysAreOfTheApp,
    Management,
    MergePatch,
    is_too_large,
    merged,
)
from keyscope.lifecycle.operations import KeyRequest
from keyscope.model.ids import KEY_ID_PREFIXES, KEY_KINDS, IdName, OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope.model.principal import CredentialKind, Principal
from keyscope.model.scopes import Scope
from tests.support.builders import (
    ACCOUNT,
    APP,
    APP_OF_SERVICE_ACCOUNT,
    INTEGRATION,
    NOW,
    OTHER_ACCOUNT,
    OTHER_APP,
    OTHER_INTEGRATION,
    SERVICE_ACCOUNT,
    USER,
    limited,
)
from tests.support.directories import MemoryDirectory, Operations
from tests.support.stores import SteppedClock

ADDRESS: Final = "192.0.2.7"
PEER: Final = ACCOUNT + "beef"
APP_OF_PEER: Final = PEER + "12345678"
OTHER_SERVICE_ACCOUNT: Final = OTHER_ACCOUNT + "c0de"
APP_OF_OTHERS: Final = OTHER_SERVICE_ACCOUNT + "12345678"
KEY_ID: Final = "app_" + "0" * 24
PRINCIPALS: Final = {
    "user account": Principal(Scope.ACCOUNT, "act_" + "1" * 24, OwnerType.ACCOUNT, ACCOUNT),
    "service account": Principal(
        Scope.ACCOUNT, "svc_" + "1" * 24, OwnerType.SERVICE_ACCOUNT, SERVICE_ACCOUNT
    ),
    "app": Principal(Scope.APP, "app_" + "1" * 24, OwnerType.APP, APP),
    "app user": Principal(Scope.APP_USER, "app_" + "1" * 24, OwnerType.APP, APP, user_id=USER),
    "integration": Principal(
        Scope.INTEGRATION, "int_" + "1" * 24, OwnerType.APP, APP, integration_id=INTEGRATION
    ),
}
ALLOWED: Final = "+"
NOT_FOUND: Final = "-"
FORBIDDEN: Final = "!"

OWN_APPS: Final = [
    # whose, id, and what a user account, a service account, an app, an app user and an
    # integration may do with it
    ("the user account's", APP, "+ - + ! !"),
    ("the service account's", APP_OF_SERVICE_ACCOUNT, "+ + - ! !"),
    ("another service account's", APP_OF_PEER, "+ - - ! !"),
    ("another account's", OTHER_APP, "- - - ! !"),
    ("another account's service account's", APP_OF_OTHERS, "- - - ! !"),
    ("an account's id", ACCOUNT, "- - - ! !"),
    ("a service account's id", SERVICE_ACCOUNT, "- - - ! !"),
    ("a key's id", KEY_ID, "- - - ! !"),
    ("nothing", "", "- - - ! !"),
    ("upper case", APP_OF_SERVICE_ACCOUNT.upper(), "- - - ! !"),
    ("too short", APP_OF_SERVICE_ACCOUNT[:-1], "- - - ! !"),
    ("too long", APP_OF_SERVICE_ACCOUNT + "0", "- - - ! !"),
    ("a line feed after", APP_OF_SERVICE_ACCOUNT + "\n", "- - - ! !"),
    ("stars", SERVICE_ACCOUNT + "*" * 8, "- - - ! !"),
    ("surrogates", SERVICE_ACCOUNT + "\ud800" * 8, "- - - ! !"),
    ("a path", f"{APP_OF_SERVICE_ACCOUNT}/keys", "- - - ! !"),
]
MANAGED_APPS: Final = [
    # An app's key neither ends its app nor manages keys, whatever the id.
    (whose, app_id, f"{verdicts[:3]} ! ! !")
    for whose, app_id, verdicts in OWN_APPS
]
SERVICE_ACCOUNTS: Final = [
    ("the account's", SERVICE_ACCOUNT, "+ ! ! ! !"),
    ("another of the account's", PEER, "+ ! ! ! !"),
    ("another account's", OTHER_SERVICE_ACCOUNT, "- ! ! ! !"),
    ("an account's id", ACCOUNT, "- ! ! ! !"),
    ("the user account as a service account", ACCOUNT + "0000", "- ! ! ! !"),
    ("an app's id", APP_OF_SERVICE_ACCOUNT, "- ! ! ! !"),
    ("nothing", "", "- ! ! ! !"),
    ("upper case", SERVICE_ACCOUNT.upper(), "- ! ! ! !"),
    ("a line feed after", SERVICE_ACCOUNT + "\n", "- ! ! ! !"),
]

Operation = Callable[[Management, str], object]

DISABLED_AT: Final = frozenset({"disabled_at"})


def key_operations(owner_type: OwnerType, bound_to: IdName | None = None) -> dict[str, Operation]:
    def key_id_of(owner_id: str) -> str:
        return KEY_ID_PREFIXES[owner_type, bound_to] + owner_id

    change = KeyChange(chosen=DISABLED_AT, limits=KeyLimits(disabled_at=NOW))
    return {
        "create_key": lambda it, owner: it.create_key(owner_type, owner, KeyRequest("new")),
        "list_keys": lambda it, owner: it.list_keys(owner_type, owner),
        "get_key": lambda it, owner: it.get_key(owner_type, owner, key_id_of(owner)),
        "update_key": lambda it, owner: it.update_key(owner_type, owner, key_id_of(owner), change),
        "rotate_key": lambda it, owner: it.rotate_key(owner_type, owner, key_id_of(owner), 60),
        "end_overlap": lambda it, owner: it.end_overlap(owner_type, owner, key_id_of(owner)),
        "delete_key": lambda it, owner: it.delete_key(owner_type, owner, key_id_of(owner)),
    }


def of_integration(own: Management, integration_id: str = INTEGRATION) -> Management:
    return replace(own, integration_id=integration_id)


OWN_APP_OPERATIONS: Final[dict[str, Operation]] = {
    "get_app": lambda it, app: it.get_app(app),
    "update_app": lambda it, app: it.update_app(app, AppChange("New name")),
}
MANAGED_APP_OPERATIONS: Final[dict[str, Operation]] = {
    "delete_app": lambda it, app: it.delete_app(app),
    **key_operations(OwnerType.APP),
}
INTEGRATION_KEY_OPERATIONS: Final[dict[str, Operation]] = {
    name: partial(lambda operation, it, app: operation(of_integration(it), app), operation)
    for name, operation in key_operations(OwnerType.APP, IdName.INTEGRATION).items()
}
SERVICE_ACCOUNT_OPERATIONS: Final[dict[str, Operation]] = {
    "get_service_account": lambda it, owner: it.get_service_account(owner),
    "rename_service_account": lambda it, owner: it.rename_service_account(owner, "New name"),
    "delete_service_account": lambda it, owner: it.delete_service_account(owner),
    **key_operations(OwnerType.SERVICE_ACCOUNT),
}
UNADDRESSED_OPERATIONS: Final[dict[str, tuple[Operation, str]]] = {
    "create_app": (lambda it, _: it.create_app(AppRequest("new")), "+ + ! ! !"),
    "list_apps": (lambda it, _: it.list_apps(After(), 25), "+ + ! ! !"),
    "create_service_account": (lambda it, _: it.create_service_account("new"), "+ ! ! ! !"),
    "list_service_accounts": (lambda it, _: it.list_service_accounts(Offset(0), 25), "+ ! ! ! !"),
    "get_own_key": (lambda it, _: it.get_own_key(), "+ + + ! +"),
    "end_own_key": (lambda it, _: it.end_own_key(), "+ + + ! +"),
}


@dataclass(frozen=True)
class Case:
    """An operation by a kind of principal, and what comes of it."""

    kind: str
    name: str
    whose: str
    operation: Operation
    owner_id: str
    verdict: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}{self.whose and f' of {self.whose}'}"


def cases() -> Iterator[Case]:
    groups = [
        (OWN_APPS, OWN_APP_OPERATIONS),
        (MANAGED_APPS, MANAGED_APP_OPERATIONS),
        (SERVICE_ACCOUNTS, SERVICE_ACCOUNT_OPERATIONS),
        (
            [(f"{INTEGRATION} of {row[0]}", *row[1:]) for row in OWN_APPS],
            INTEGRATION_KEY_OPERATIONS,
        ),
    ]
    for rows, operations in groups:
        for (whose, owner_id, verdicts), name in product(rows, operations):
            for kind, verdict in zip(PRINCIPALS, verdicts.split(), strict=True):
                yield Case(kind, name, whose, operations[name], owner_id, verdict)
    for name, (operation, verdicts) in UNADDRESSED_OPERATIONS.items():
        for kind, verdict in zip(PRINCIPALS, verdicts.split(), strict=True):
            yield Case(kind, name, "", operation, "", verdict)


@pytest.fixture
def operations() -> Operations:
    return new_operations()


def new_operations() -> Operations:
    made = Operations(SteppedClock(NOW))
    owners = [
        *((OwnerType.ACCOUNT, owner_id) for owner_id in (ACCOUNT, OTHER_ACCOUNT)),
        *(
            (OwnerType.SERVICE_ACCOUNT, owner_id)
            for owner_id in (SERVICE_ACCOUNT, PEER, OTHER_SERVICE_ACCOUNT)
        ),
        *(
            (OwnerType.APP, owner_id)
            for owner_id in (APP, APP_OF_SERVICE_ACCOUNT, APP_OF_PEER, OTHER_APP, APP_OF_OTHERS)
        ),
    ]
    callers = [(principal.owner_id, principal.key_id) for principal in PRINCIPALS.values()]
    for owner_type, owner_id in owners:
        # A service account's name is its own.
        owner = Owner(owner_type, owner_id, f"name of {owner_id}", NOW)
        prefixes = [prefix for prefix, kind in KEY_KINDS.items() if kind[0] is owner_type]
        key_ids = {
            *(prefix + owner_id for prefix in prefixes),
            *(key_id for caller_id, key_id in callers if caller_id == owner_id),
        }
        made.directory.hold(owner, *map(key_of, key_ids))
    return made


def key_of(key_id: str) -> Key:
    return Key(key_id, NOW, integration_id=INTEGRATION if key_id.startswith("int_") else None)


def management(operations: Operations, kind: str = "user account") -> Management:
    return Management(operations.provisioning(), PRINCIPALS[kind], ADDRESS)


def change_own_key(own: Management, operations: Operations, **members: object) -> None:
    operations.directory.change_key(own.principal.key_id, lambda key: limited(key, **members))


def verdict_of(call: Callable[[], object]) -> str:
    try:
        call()
    except Forbidden:
        return FORBIDDEN
    except OwnerNotFound:
        return NOT_FOUND
    except OwnsApps:
        # The service accounts here have apps: a caller that sees this error was allowed.
        return ALLOWED
    return ALLOWED


@dataclass(frozen=True)
class Outcome:
    """The verdict of a case, what the directory was asked, and whether nothing was changed."""

    verdict: str
    asked: list[str]
    untouched: bool


def outcome_of(case: Case, **members: object) -> Outcome:
    """Try a case; `members` change the caller's own key before."""
    operations = new_operations()
    own = management(operations, case.kind)
    change_own_key(own, operations, **members)
    verdict = verdict_of(lambda: case.operation(own, case.owner_id))
    untouched = (operations.flushes.promised, operations.trail.events) == (0, [])
    return Outcome(verdict, operations.directory.asked, untouched)


def unexpected(
    expected: Callable[[Case, Outcome], bool], cases: Iterable[Case], **members: object
) -> dict[str, Outcome]:
    """Return the outcomes that are not as expected.

    A test for each of a thousand cases would take pytest longer than the cases do.
    """
    outcomes = {str(case): (case, outcome_of(case, **members)) for case in cases}
    return {name: each for name, (case, each) in outcomes.items() if not expected(case, each)}


@pytest.mark.parametrize("kind", PRINCIPALS)
def test_a_principal_reaches_its_own_and_nothing_else(kind: str) -> None:
    def is_right(case: Case, outcome: Outcome) -> bool:
        if case.verdict == ALLOWED:
            return outcome.verdict == ALLOWED
        return outcome == Outcome(case.verdict, asked=[], untouched=True)

    assert unexpected(is_right, (case for case in cases() if case.kind == kind)) == {}


def test_every_operation_begins_with_one_look_at_the_callers_own_key() -> None:
    def is_right(_: Case, outcome: Outcome) -> bool:
        return outcome.asked[0] == "find_key" and outcome.asked.count("find_key") == 1

    assert unexpected(is_right, one_allowed_case_of_each()) == {}


def one_allowed_case_of_each() -> Iterable[Case]:
    """Return a case of each operation that each kind of principal may carry out."""
    # A key that has ended may end itself again, and is looked at more than once.
    allowed = (case for case in cases() if case.verdict == ALLOWED and case.name != "end_own_key")
    return {(case.kind, case.name): case for case in allowed}.values()


def test_every_operation_is_in_the_table() -> None:
    named = {
        *OWN_APP_OPERATIONS,
        *MANAGED_APP_OPERATIONS,
        *SERVICE_ACCOUNT_OPERATIONS,
        *UNADDRESSED_OPERATIONS,
    }
    public = {name for name, member in vars(Management).items() if isfunction(member)}
    assert named == {name for name in public if not name.startswith("_")}


@pytest.mark.parametrize(
    "name", ["get_key", "update_key", "rotate_key", "end_overlap", "delete_key"]
)
@pytest.mark.parametrize("bound_to", [None, IdName.INTEGRATION])
@pytest.mark.parametrize("kind", ["user account", "app"])
def test_below_an_integration_only_its_own_keys_are_found(
    kind: str, bound_to: IdName | None, name: str, operations: Operations
) -> None:
    integration_id = INTEGRATION if bound_to is None else OTHER_INTEGRATION
    own = of_integration(management(operations, kind), integration_id)
    with pytest.raises(KeyNotFound):
        key_operations(OwnerType.APP, bound_to)[name](own, APP)
    assert (operations.flushes.promised, operations.trail.events) == (0, [])


def test_an_apps_list_has_all_of_its_keys_and_an_integrations_only_those_bound_to_it(
    operations: Operations,
) -> None:
    own = management(operations)
    bound, other = (
        of_integration(own, each).create_key(OwnerType.APP, APP, KeyRequest("new")).key
        for each in (INTEGRATION, OTHER_INTEGRATION)
    )
    listed = own.list_keys(OwnerType.APP, APP)
    assert {bound, other} <= {*listed}
    assert [key.integration_id for key in (bound, other)] == [INTEGRATION, OTHER_INTEGRATION]
    below = of_integration(own, OTHER_INTEGRATION).list_keys(OwnerType.APP, APP)
    assert list(below) == [other]
    assert [key for key in listed if key.integration_id == INTEGRATION] == list(
        of_integration(own).list_keys(OwnerType.APP, APP)
    )


def test_an_account_also_creates_a_key_of_an_integration_among_the_apps_keys(
    operations: Operations,
) -> None:
    request = KeyRequest("new", integration_id=INTEGRATION)
    created = management(operations).create_key(OwnerType.APP, APP, request).key
    assert created.key_id.startswith("int_")
    assert created.integration_id == INTEGRATION


@pytest.mark.parametrize("name", INTEGRATION_KEY_OPERATIONS)
@pytest.mark.parametrize("kind", ["user account", "service account"])
def test_a_limited_key_of_account_scope_manages_no_keys_below_an_integration(
    kind: str, name: str, operations: Operations
) -> None:
    own = management(operations, kind)
    own = replace(own, principal=limited(own.principal, permissions=("integrations:write",)))
    app_id = APP if kind == "user account" else APP_OF_SERVICE_ACCOUNT
    with pytest.raises(KeysAreOfTheApp):
        INTEGRATION_KEY_OPERATIONS[name](own, app_id)
    assert operations.directory.asked == []


@pytest.mark.parametrize(
    "integration_id", ["", "me", INTEGRATION[:-1], INTEGRATION + "0", INTEGRATION.upper(), "*" * 24]
)
def test_an_integrations_id_has_24_hex_characters(
    integration_id: str, operations: Operations
) -> None:
    own = of_integration(management(operations), integration_id)
    with pytest.raises(IntegrationNotFound):
        own.create_key(OwnerType.APP, APP, KeyRequest("new"))


@pytest.mark.parametrize("kind", ["user account", "service account"])
def test_a_new_app_is_its_creators(kind: str, operations: Operations) -> None:
    own = management(operations, kind)
    app = own.create_app(AppRequest("Shop", {"echoPostback": True}, {"plan": "gold"}))
    assert app.owner_id.startswith(own.own_prefix)
    assert own.get_app(app.owner_id) == app
    assert (app.display_name, app.settings, app.metadata) == (
        "Shop",
        {"echoPostback": True},
        {"plan": "gold"},
    )


def test_an_app_that_the_user_account_created_is_no_service_accounts(
    operations: Operations,
) -> None:
    app_id = management(operations).create_app(AppRequest("Shop")).owner_id
    assert app_id.startswith(ACCOUNT + "0000")


@pytest.mark.parametrize("kind", ["user account", "service account"])
def test_a_deleted_creator_creates_nothing(kind: str, operations: Operations) -> None:
    operations.directory.owners.clear()
    with pytest.raises(Forbidden):
        management(operations, kind).create_app(AppRequest("Shop"))


def test_a_deleted_account_creates_no_service_account(operations: Operations) -> None:
    operations.directory.owners.clear()
    with pytest.raises(Forbidden):
        management(operations).create_service_account("robot")


@pytest.mark.parametrize(
    ("kind", "creator_id", "listed"),
    [
        ("user account", None, [APP, APP_OF_PEER, APP_OF_SERVICE_ACCOUNT]),
        ("user account", SERVICE_ACCOUNT, [APP_OF_SERVICE_ACCOUNT]),
        ("user account", PEER, [APP_OF_PEER]),
        ("service account", None, [APP_OF_SERVICE_ACCOUNT]),
        ("service account", SERVICE_ACCOUNT, [APP_OF_SERVICE_ACCOUNT]),
    ],
)
def test_a_list_holds_the_principals_own_apps(
    kind: str, creator_id: str | None, listed: list[str], operations: Operations
) -> None:
    page = management(operations, kind).list_apps(After(), 25, creator_id)
    assert [app.owner_id for app in page.owners] == listed


@pytest.mark.parametrize(
    ("kind", "creator_id"),
    [
        ("user account", OTHER_SERVICE_ACCOUNT),
        ("service account", PEER),
        ("service account", OTHER_SERVICE_ACCOUNT),
    ],
)
def test_the_apps_of_a_service_account_that_is_not_ones_own_are_not_even_looked_for(
    kind: str, creator_id: str, operations: Operations
) -> None:
    with pytest.raises(Forbidden):
        management(operations, kind).list_apps(After(), 25, creator_id)
    assert operations.directory.asked == ["find_key"]


def test_service_accounts_are_those_of_the_account(operations: Operations) -> None:
    page = management(operations).list_service_accounts(Offset(0), 25)
    assert [owner.owner_id for owner in page.owners] == [PEER, SERVICE_ACCOUNT]


@pytest.mark.parametrize(
    "name", ["get_key", "update_key", "rotate_key", "end_overlap", "delete_key"]
)
def test_an_unknown_key_is_told_and_has_nothing_flushed(name: str, operations: Operations) -> None:
    operations.directory.clear_away(KEY_ID_PREFIXES[OwnerType.APP, None] + APP)
    with pytest.raises(KeyNotFound):
        MANAGED_APP_OPERATIONS[name](management(operations), APP)
    assert operations.flushes.promised == 0


@pytest.mark.parametrize("owner", [(OwnerType.APP, APP), (OwnerType.SERVICE_ACCOUNT, PEER)])
def test_a_new_key_is_in_the_usage_plan_of_the_callers_key(
    owner: tuple[OwnerType, str], operations: Operations
) -> None:
    own = management(operations)
    change_own_key(own, operations, usage_identifier_key="g" * 20)
    assert own.create_key(*owner, KeyRequest()).key.usage_identifier_key == "g" * 20


def test_a_callers_key_without_a_usage_plan_makes_keys_without_one(operations: Operations) -> None:
    created = management(operations).create_key(OwnerType.APP, APP, KeyRequest())
    assert created.key.usage_identifier_key is None


@pytest.mark.parametrize("kind", ["user account", "service account"])
def test_a_key_that_was_revoked_meanwhile_makes_no_other(kind: str, operations: Operations) -> None:
    own = management(operations, kind)
    operations.directory.clear_away(own.principal.key_id)
    with pytest.raises(Forbidden):
        own.create_key(OwnerType.APP, APP_OF_SERVICE_ACCOUNT, KeyRequest())
    assert "add_key" not in operations.directory.asked


@pytest.mark.parametrize(
    "ended",
    [
        pytest.param({"revoked_at": NOW}, id="revoked"),
        pytest.param({"disabled_at": NOW}, id="disabled"),
        pytest.param({"expires_at": NOW}, id="expired"),
        pytest.param({"secret_generation": 2}, id="rotated without an overlap"),
        pytest.param(
            {"secret_generation": 2, "previous_ends_at": NOW}, id="rotated, the overlap is over"
        ),
        pytest.param({"secret_generation": 3, "previous_ends_at": NOW + 60}, id="rotated twice"),
        pytest.param({"allowed_cidrs": ("198.51.100.0/24",)}, id="from another network"),
    ],
)
def test_a_credential_that_is_no_longer_good_neither_changes_nor_sees_anything(
    ended: Mapping[str, object],
) -> None:
    def is_right(_: Case, outcome: Outcome) -> bool:
        return outcome == Outcome(FORBIDDEN, asked=["find_key"], untouched=True)

    assert unexpected(is_right, one_allowed_case_of_each(), **ended) == {}


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"secret_generation": 2, "previous_ends_at": NOW + 1}, id="an overlap runs"),
        pytest.param({"expires_at": NOW + 1}, id="it expires in a second"),
        pytest.param({"allowed_cidrs": ("192.0.2.0/24",)}, id="from one of its networks"),
        pytest.param({"display_name": "renamed"}, id="it was renamed"),
    ],
)
def test_a_key_that_is_still_active_makes_another(
    members: Mapping[str, object], operations: Operations
) -> None:
    own = management(operations)
    change_own_key(own, operations, **members)
    assert own.create_key(OwnerType.APP, APP, KeyRequest()).secret


@pytest.mark.parametrize("kind", ["user account", "service account", "app"])
@pytest.mark.parametrize("proof", [CredentialKind.BASIC, CredentialKind.BEARER_SECRET])
def test_a_key_ends_itself_and_is_told_as_its_own_actor(
    kind: str, proof: CredentialKind, operations: Operations
) -> None:
    own = holder(operations, kind, credential_kind=proof)
    own.end_own_key()
    assert own_key(operations, own).revoked_at == NOW
    (event,) = operations.trail.events
    assert (event.change.action, event.change.key_id) == (
        Action.KEY_REVOKED,
        own.principal.key_id,
    )
    assert event.actor.itself
    assert operations.flushes.asked == 1


def test_a_previous_secret_ends_its_overlap_and_not_the_key(operations: Operations) -> None:
    own = holder(operations)
    change_own_key(own, operations, secret_generation=2, previous_ends_at=NOW + 60)
    own.end_own_key()
    key = own_key(operations, own)
    assert (key.revoked_at, key.previous_ends_at) == (None, None)
    (event,) = operations.trail.events
    assert (event.change.action, event.actor.itself) == (Action.KEY_OVERLAP_ENDED, True)


@pytest.mark.parametrize(
    "ended",
    [
        pytest.param({"revoked_at": NOW}, id="revoked"),
        pytest.param({"secret_generation": 2}, id="rotated without an overlap"),
        pytest.param(
            {"secret_generation": 2, "previous_ends_at": NOW}, id="rotated, the overlap is over"
        ),
        pytest.param({"secret_generation": 3, "previous_ends_at": NOW + 60}, id="rotated twice"),
    ],
)
def test_a_secret_that_has_ended_ends_again_and_changes_nothing(
    ended: Mapping[str, object], operations: Operations
) -> None:
    own = holder(operations)
    change_own_key(own, operations, **ended)
    before = own_key(operations, own)
    own.end_own_key()
    assert own_key(operations, own) == before
    assert (operations.flushes.promised, operations.trail.events) == (0, [])


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"disabled_at": NOW}, id="disabled"),
        pytest.param({"expires_at": NOW}, id="expired"),
        pytest.param({"allowed_cidrs": ("198.51.100.0/24",)}, id="from another network"),
    ],
)
def test_a_key_that_its_limits_refuse_does_not_end_itself(
    limits: Mapping[str, object], operations: Operations
) -> None:
    own = holder(operations)
    change_own_key(own, operations, **limits)
    with pytest.raises(Forbidden):
        own.end_own_key()
    assert own_key(operations, own).revoked_at is None
    assert operations.trail.events == []


def test_a_token_sees_its_key_and_does_not_end_it(operations: Operations) -> None:
    own = holder(operations, credential_kind=CredentialKind.JWT)
    assert own.get_own_key() == own_key(operations, own)
    with pytest.raises(KeyRequired):
        own.end_own_key()
    assert operations.directory.asked == ["find_key"]


@dataclass
class ChangingDirectory(MemoryDirectory):
    """A directory in which a change comes between the judgment of a key and the first write."""

    first: Callable[[], None] = lambda: None

    def _check(self, caller: Caller) -> None:
        change, self.first = self.first, lambda: None
        change()
        super()._check(caller)


@pytest.mark.parametrize(
    ("meanwhile", "after"),
    [
        pytest.param(
            {"secret_generation": 2, "previous_ends_at": NOW + 60}, (None, None), id="an overlap"
        ),
        pytest.param({"secret_generation": 2}, (None, None), id="a rotation without one"),
        pytest.param({"revoked_at": NOW - 1}, (NOW - 1, None), id="a revocation"),
    ],
)
def test_a_key_that_is_changed_meanwhile_ends_no_other_secret(
    meanwhile: Mapping[str, object], after: tuple[int | None, int | None], operations: Operations
) -> None:
    held = operations.directory
    operations.directory = ChangingDirectory(held.owners, held.keys)
    own = holder(operations)
    operations.directory.first = lambda: change_own_key(own, operations, **meanwhile)
    own.end_own_key()
    key = own_key(operations, own)
    assert (key.revoked_at, key.previous_ends_at) == after


def holder(operations: Operations, kind: str = "app", **members: object) -> Management:
    """Return the operations of a principal with its own key; `members` replace some of its own."""
    principal = replace(PRINCIPALS[kind], **cast("Any", members))
    return Management(operations.provisioning(), principal, ADDRESS)


def own_key(operations: Operations, own: Management) -> Key:
    return operations.directory.keys[own.principal.key_id].key


@pytest.mark.parametrize("name", MANAGED_APP_OPERATIONS)
def test_an_app_that_is_gone_is_told_by_every_operation(name: str, operations: Operations) -> None:
    operations.directory.delete_owner(APP, NOW, Iam())
    with pytest.raises(OwnerNotFound):
        MANAGED_APP_OPERATIONS[name](management(operations), APP)


@pytest.mark.parametrize(
    ("members", "patch", "after"),
    [
        ({}, {}, {}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": "x"}, {"a": "x"}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": 1}, {"c": None}, {"a": 1}),
        ({"a": 1}, {"a": False}, {"a": False}),
        ({"a": 1}, {"a": 0}, {"a": 0}),
        ({"a": 1}, {"a": ""}, {"a": ""}),
    ],
)
def test_a_patch_adds_replaces_and_removes_by_null(
    members: Members, patch: MergePatch, after: Members
) -> None:
    assert merged(members, patch) == after


SCALARS = st.text() | st.booleans() | st.integers() | st.floats(allow_nan=False)


@given(
    st.dictionaries(st.text(), SCALARS),
    st.dictionaries(st.text(), st.none() | SCALARS),
)
def test_a_patch_touches_what_it_names_and_holds_when_it_comes_again(
    members: Members, patch: MergePatch
) -> None:
    once = merged(members, patch)
    assert merged(once, patch) == once
    assert all(once.get(name) == value for name, value in patch.items())
    assert {name: value for name, value in once.items() if name not in patch} == {
        name: value for name, value in members.items() if name not in patch
    }


def app_with(**metadata: str) -> Owner:
    return Owner(OwnerType.APP, APP, "Shop", NOW, {"echoPostback": True}, metadata)


@pytest.mark.parametrize(
    ("change", "after"),
    [
        pytest.param(AppChange(), app_with(plan="gold"), id="nothing"),
        pytest.param(
            AppChange("New"), replace(app_with(plan="gold"), display_name="New"), id="the name"
        ),
        pytest.param(
            AppChange(settings={"echoPostback": None, "maskCreditCardNumbers": False}),
            replace(app_with(plan="gold"), settings={"maskCreditCardNumbers": False}),
            id="settings",
        ),
        pytest.param(
            AppChange(metadata={"plan": None, "size": "L"}), app_with(size="L"), id="metadata"
        ),
        pytest.param(AppChange(clear_metadata=True), app_with(), id="all metadata away"),
        pytest.param(
            AppChange(metadata={"size": "L"}, clear_metadata=True),
            app_with(size="L"),
            id="all metadata replaced",
        ),
    ],
)
def test_a_change_to_an_app_leaves_the_rest(change: AppChange, after: Owner) -> None:
    assert change.apply(app_with(plan="gold")) == after


def metadata_of(size: int, character: str = "x") -> dict[str, str]:
    """Return metadata that take this many bytes as JSON."""
    width = len(character.encode())
    room = size - len('{"m":""}')
    return {"m": character * (room // width) + "x" * (room % width)}


@pytest.mark.parametrize("character", ["x", "é", "商", "🙂"])
def test_metadata_take_4096_bytes_of_utf_8_and_no_more(character: str) -> None:
    largest = metadata_of(MAX_METADATA_BYTES, character)
    assert len(json.dumps(largest, ensure_ascii=False, separators=(",", ":")).encode()) == 4_096
    assert not is_too_large(largest)
    assert is_too_large(metadata_of(MAX_METADATA_BYTES + 1, character))


@pytest.mark.parametrize(
    ("character", "width"), [('"', 2), ("\\", 2), ("\n", 2), ("\x00", 6), ("\u2028", 3)]
)
def test_metadata_are_measured_as_they_are_written(character: str, width: int) -> None:
    fitting = (MAX_METADATA_BYTES - len('{"m":""}')) // width
    assert not is_too_large({"m": character * fitting})
    assert is_too_large({"m": character * (fitting + 1)})


def test_metadata_that_grow_too_large_by_a_patch_are_refused(operations: Operations) -> None:
    own = management(operations)
    half = metadata_of(MAX_METADATA_BYTES // 2)["m"]
    own.update_app(APP, AppChange(metadata={"a": half}))
    with pytest.raises(InvalidInput, match="metadata: must be at most 4096 bytes as JSON"):
        own.update_app(APP, AppChange(metadata={"b": half + half}))
    assert own.get_app(APP).metadata == {"a": half}


def test_metadata_that_are_replaced_do_not_count(operations: Operations) -> None:
    own = management(operations)
    for character in ("a", "b"):
        change = AppChange(metadata=metadata_of(MAX_METADATA_BYTES, character))
        assert own.update_app(APP, change).metadata == metadata_of(MAX_METADATA_BYTES, character)


FULL_KEY: Final = Key(
    KEY_ID,
    NOW,
    "name",
    limits=KeyLimits(expires_at=NOW + 60, allowed_cidrs=("192.0.2.0/24",), disabled_at=NOW + 1),
    rotated_at=NOW + 2,
)


@pytest.mark.parametrize(
    ("change", "after"),
    [
        pytest.param(KeyChange(), FULL_KEY, id="nothing"),
        pytest.param(
            KeyChange("new"),
            replace(FULL_KEY, display_name="new"),
            id="name",
        ),
        pytest.param(
            KeyChange(chosen=frozenset({"expires_at"}), limits=KeyLimits(expires_at=NOW + 90)),
            limited(FULL_KEY, expires_at=NOW + 90),
            id="expiry",
        ),
        pytest.param(
            KeyChange(chosen=frozenset({"expires_at"})),
            limited(FULL_KEY, expires_at=None),
            id="no expiry",
        ),
        pytest.param(
            KeyChange(
                chosen=frozenset({"allowed_cidrs"}), limits=KeyLimits(allowed_cidrs=("::/0",))
            ),
            limited(FULL_KEY, allowed_cidrs=("::/0",)),
            id="networks",
        ),
        pytest.param(
            KeyChange(chosen=frozenset({"allowed_cidrs"})),
            limited(FULL_KEY, allowed_cidrs=()),
            id="no networks",
        ),
        pytest.param(
            KeyChange(chosen=DISABLED_AT, limits=KeyLimits(disabled_at=NOW + 5)),
            FULL_KEY,
            id="disabled again",
        ),
        pytest.param(
            KeyChange(chosen=DISABLED_AT), limited(FULL_KEY, disabled_at=None), id="enabled"
        ),
        pytest.param(
            KeyChange(limits=KeyLimits(NOW + 90, ("::/0",), NOW + 5)),
            FULL_KEY,
            id="values that were not chosen",
        ),
    ],
)
def test_a_change_to_a_key_changes_what_was_chosen(change: KeyChange, after: Key) -> None:
    assert change.apply(FULL_KEY) == after


def test_a_key_is_disabled_from_the_time_of_the_change_on() -> None:
    change = KeyChange(chosen=DISABLED_AT, limits=KeyLimits(disabled_at=NOW + 5))
    assert change.apply(Key(KEY_ID, NOW)).limits == KeyLimits(disabled_at=NOW + 5)


def test_a_key_that_is_disabled_again_has_nothing_changed(operations: Operations) -> None:
    own = management(operations)
    change = KeyChange(chosen=DISABLED_AT, limits=KeyLimits(disabled_at=NOW))
    for _ in range(2):
        own.update_key(OwnerType.APP, APP, KEY_ID_PREFIXES[OwnerType.APP, None] + APP, change)
    assert (operations.flushes.asked, len(operations.trail.events)) == (1, 1)
