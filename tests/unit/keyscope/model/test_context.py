"""The authorizer's context, read back to a principal: all of it fits together, or nothing opens."""

from collections.abc import Mapping
from functools import partial
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.errors import Reason, Unavailable
from keyscope.model.context import principal_of_context
from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import (
    KEY_ID_PREFIXES,
    OWNER_ID_LENGTHS,
    IdName,
    OwnerType,
    account_id_of,
    is_owner_id,
)
from keyscope.model.principal import CredentialKind, Principal
from keyscope.model.scopes import SCOPES, Scope
from tests.support.builders import (
    ACCOUNT,
    APP,
    INTEGRATION,
    OTHER_ACCOUNT,
    OTHER_APP,
    SERVICE_ACCOUNT,
    USER,
)

HEX: Final = "0" * 24
PROOF: Final = {"credentialKind": "basic", "secretGeneration": "1"}
USER_ACCOUNT_CONTEXT: Final = {
    **PROOF,
    "keyId": f"act_{HEX}",
    "scope": "account",
    "ownerType": "account",
    "accountId": ACCOUNT,
}
SERVICE_ACCOUNT_CONTEXT: Final = {
    **PROOF,
    "keyId": f"svc_{HEX}",
    "scope": "account",
    "ownerType": "serviceAccount",
    "accountId": ACCOUNT,
    "serviceAccountId": SERVICE_ACCOUNT,
}
APP_CONTEXT: Final = {
    **PROOF,
    "keyId": f"app_{HEX}",
    "scope": "app",
    "ownerType": "app",
    "accountId": ACCOUNT,
    "appId": APP,
}
INTEGRATION_CONTEXT: Final = {
    **APP_CONTEXT,
    "keyId": f"int_{HEX}",
    "scope": "integration",
    "integrationId": INTEGRATION,
}
APP_USER_CONTEXT: Final = {**APP_CONTEXT, "scope": "appUser", "userId": USER}
CONTEXTS: Final = {
    "user account": USER_ACCOUNT_CONTEXT,
    "service account": SERVICE_ACCOUNT_CONTEXT,
    "app": APP_CONTEXT,
    "app user": APP_USER_CONTEXT,
    "integration": INTEGRATION_CONTEXT,
}
UNSET: Final = object()
FOREIGN_VALUES: Final = [
    None,
    "",
    " ",
    "x",
    0,
    5,
    True,
    1.5,
    [],
    ["account"],
    {},
    {"keyId": f"act_{HEX}"},
    "account",
    "app",
    "appUser",
    "integration",
    "serviceAccount",
    ACCOUNT,
    ACCOUNT.upper(),
    ACCOUNT + "\n",
    OTHER_ACCOUNT,
    SERVICE_ACCOUNT,
    APP,
    OTHER_APP,
    INTEGRATION,
    INTEGRATION.upper(),
    INTEGRATION + "\n",
    f"act_{HEX}",
    f"svc_{HEX}",
    f"app_{HEX}",
    f"int_{HEX}",
    f"app_{HEX}\n",
    USER,
    "\ud800",
    b"account",
]
"""What no member but its own may hold."""


EXTERNAL: Final = st.from_regex(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,10}", fullmatch=True)
"""Too short to look like an id of Keyscope's."""


def hexes(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=length, max_size=length)


@st.composite
def principals(draw: st.DrawFn) -> Principal:
    scope = draw(st.sampled_from(Scope))
    row = SCOPES[scope]
    owner_type = draw(st.sampled_from([*row.principals]))
    owner_id = draw(hexes(OWNER_ID_LENGTHS[owner_type]).filter(partial(is_owner_id, owner_type)))
    return Principal(
        scope=scope,
        key_id=KEY_ID_PREFIXES[owner_type, row.bound_to] + draw(hexes(24)),
        owner_type=owner_type,
        owner_id=owner_id,
        user_id=draw(st.text(min_size=1)) if IdName.USER in row.claims else None,
        integration_id=None if row.bound_to is None else draw(hexes(24)),
        external_ids=ExternalIds(
            account=draw(st.none() | EXTERNAL),
            app=draw(st.none() | EXTERNAL) if owner_type is OwnerType.APP else None,
        ),
        credential_kind=draw(st.sampled_from(CredentialKind)),
        secret_generation=draw(st.integers(1, 10**16 - 1)),
    )


def reason_of(context: object) -> Reason:
    with pytest.raises(Unavailable) as unavailable:
        principal_of_context(context)
    return unavailable.value.reason


def may_hold(kind: str, name: str, value: object) -> bool:
    # Any text but the empty one may name a user, and no other member tells whose a user account's
    # key is, or which integration one is bound to.
    is_free = (kind, name) == ("app user", "userId")
    is_alone = (kind, name, value) in (
        ("user account", "accountId", OTHER_ACCOUNT),
        ("integration", "integrationId", APP),
        ("integration", "integrationId", OTHER_APP),
    )
    return is_free or is_alone or value == CONTEXTS[kind].get(name, UNSET)


def is_malformed(context: object) -> bool:
    try:
        principal_of_context(context)
    except Unavailable as unavailable:
        return unavailable.reason is Reason.MALFORMED_CONTEXT
    return False


@given(principals())
def test_every_principal_is_read_back_from_its_context(principal: Principal) -> None:
    assert principal_of_context(principal.context()) == principal


@pytest.mark.parametrize(
    ("context", "name"),
    [
        (USER_ACCOUNT_CONTEXT, f"account/{ACCOUNT}"),
        (SERVICE_ACCOUNT_CONTEXT, f"serviceAccount/{SERVICE_ACCOUNT}"),
        (APP_CONTEXT, f"app/{APP}"),
        (APP_USER_CONTEXT, f"appUser/{APP}/{USER}"),
        (INTEGRATION_CONTEXT, f"integration/{APP}/{INTEGRATION}"),
    ],
)
def test_a_context_names_its_principal(context: Mapping[str, str], name: str) -> None:
    assert principal_of_context(context).name == name


def test_members_of_other_makers_are_ignored() -> None:
    added = {"principalId": f"account/{OTHER_ACCOUNT}", "integrationLatency": 3, "x": None}
    principal = principal_of_context({**USER_ACCOUNT_CONTEXT, **added})
    assert principal.context() == USER_ACCOUNT_CONTEXT


@pytest.mark.parametrize(
    "context", [None, {}, [], "", "account", 5, True, [USER_ACCOUNT_CONTEXT], b"{}"]
)
def test_without_a_context_there_is_no_principal(context: object) -> None:
    assert reason_of(context) is Reason.MALFORMED_CONTEXT


@pytest.mark.parametrize("kind", CONTEXTS)
@pytest.mark.parametrize("name", ["accountExternalId", "appExternalId"])
@pytest.mark.parametrize("value", [None, "", ".acme", "a/b", "a*", ACCOUNT, APP, 5, ["acme"]])
def test_a_wrong_external_id_is_malformed(kind: str, name: str, value: object) -> None:
    assert is_malformed({**CONTEXTS[kind], name: value})


@pytest.mark.parametrize("kind", ["user account", "service account"])
def test_only_a_key_of_an_app_has_an_apps_external_id(kind: str) -> None:
    assert is_malformed({**CONTEXTS[kind], "appExternalId": "shop"})
    assert not is_malformed({**CONTEXTS[kind], "accountExternalId": "acme"})


@pytest.mark.parametrize("kind", CONTEXTS)
def test_every_member_is_needed(kind: str) -> None:
    context = CONTEXTS[kind]
    without = {
        missing: {name: value for name, value in context.items() if name != missing}
        for missing in context
    }
    assert [missing for missing, rest in without.items() if not is_malformed(rest)] == []


@pytest.mark.parametrize("kind", CONTEXTS)
def test_no_member_may_hold_anything_else(kind: str) -> None:
    accepted = [
        (name, value)
        for name in (*APP_USER_CONTEXT, "serviceAccountId", "integrationId")
        for value in FOREIGN_VALUES
        if not may_hold(kind, name, value) and not is_malformed({**CONTEXTS[kind], name: value})
    ]
    assert accepted == []


@pytest.mark.parametrize("user_id", [None, "", 5, True, [], {}, b"user"], ids=ascii)
def test_a_users_id_is_text(user_id: object) -> None:
    assert reason_of({**APP_USER_CONTEXT, "userId": user_id}) is Reason.MALFORMED_CONTEXT


@pytest.mark.parametrize(
    ("context", "detail"),
    [
        pytest.param({}, "keyId", id="nothing"),
        pytest.param(
            {**USER_ACCOUNT_CONTEXT, "ownerType": "app"}, "ownerType", id="another owner's key"
        ),
        pytest.param({**APP_CONTEXT, "scope": "account"}, "scope", id="an app of account scope"),
        pytest.param(
            {**USER_ACCOUNT_CONTEXT, "scope": "app"}, "scope", id="an account of app scope"
        ),
        pytest.param(
            {**APP_CONTEXT, "accountId": OTHER_ACCOUNT}, "accountId", id="an app elsewhere"
        ),
        pytest.param(
            {**SERVICE_ACCOUNT_CONTEXT, "accountId": OTHER_ACCOUNT},
            "accountId",
            id="a service account elsewhere",
        ),
        pytest.param(
            {**USER_ACCOUNT_CONTEXT, "serviceAccountId": SERVICE_ACCOUNT},
            "serviceAccountId",
            id="a user account limited",
        ),
        pytest.param(
            {**SERVICE_ACCOUNT_CONTEXT, "serviceAccountId": ACCOUNT + "0000"},
            "serviceAccountId",
            id="the user account as a service account",
        ),
        pytest.param({**APP_CONTEXT, "userId": USER}, "userId", id="a user of app scope"),
        pytest.param(
            {**APP_CONTEXT, "integrationId": INTEGRATION}, "integrationId", id="an app, bound"
        ),
        pytest.param(
            {**APP_CONTEXT, "scope": "integration"}, "scope", id="an app of integration scope"
        ),
        pytest.param(
            {**INTEGRATION_CONTEXT, "scope": "app"}, "scope", id="an integration of app scope"
        ),
        pytest.param({**APP_CONTEXT, "userId": 5}, "userId", id="a number for a user"),
        pytest.param(
            {**APP_CONTEXT, "credentialKind": "cookie"}, "credentialKind", id="another credential"
        ),
        *(
            pytest.param(
                {**APP_CONTEXT, "secretGeneration": value}, "secretGeneration", id=f"secret {value}"
            )
            for value in ("0", "-1", "01", "1.0", "1\n", "\u0661", "9" * 17, 1)
        ),
    ],
)
def test_the_operator_is_told_which_member_does_not_fit(
    context: Mapping[str, object], detail: str
) -> None:
    with pytest.raises(Unavailable) as unavailable:
        principal_of_context(context)
    assert unavailable.value.detail == detail


@given(
    st.dictionaries(
        st.sampled_from([*APP_USER_CONTEXT, "serviceAccountId", "integrationId"]),
        st.sampled_from([value for value in FOREIGN_VALUES if isinstance(value, str)]),
    )
)
def test_a_made_up_context_fits_together_or_fails_closed(context: dict[str, str]) -> None:
    try:
        principal = principal_of_context(context)
    except Unavailable as unavailable:
        assert unavailable.reason is Reason.MALFORMED_CONTEXT  # noqa: PT017 - both outcomes are checked
    else:
        assert principal.context() == context
        assert account_id_of(principal.owner_id) == context["accountId"]


def test_the_permissions_of_a_limited_key_are_read() -> None:
    principal = principal_of_context({**APP_CONTEXT, "permissions": "read users:write"})
    assert principal.limits.permissions == ("read", "users:write")
    assert principal_of_context(principal.context()) == principal
    assert principal_of_context(APP_CONTEXT).limits.permissions is None


def test_a_key_whose_permissions_all_reach_nothing_is_read_as_limited() -> None:
    principal = principal_of_context({**APP_CONTEXT, "permissions": ""})
    assert principal.limits.permissions == ()
    assert principal_of_context(principal.context()) == principal


@pytest.mark.parametrize("value", [" ", "read ", "read,write", "read  write", 7, None, ["read"]])
def test_permissions_of_another_shape_are_no_context(value: object) -> None:
    with pytest.raises(Unavailable) as unavailable:
        principal_of_context({**APP_CONTEXT, "permissions": value})
    assert unavailable.value.detail == "permissions"
