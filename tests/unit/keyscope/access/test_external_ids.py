"""External ids in rules: who may have them, where, and what a policy makes of them."""

from dataclasses import replace
from typing import Final

import pytest

from keyscope.access.access_map import read_access_map
from keyscope.access.method_arn import ApiStage
from keyscope.access.policy import Policies, policy_document, policy_sizes, prepare_policies
from keyscope.errors import Misconfigured
from keyscope.model.external_ids import MAX_EXTERNAL_ID_LENGTH, ExternalIds
from keyscope.model.ids import OwnerType
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from tests.support.builders import ACCOUNT, APP, INTEGRATION, NOW, SERVICE_ACCOUNT, limited

STAGE: Final = ApiStage("arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod")
OWN_KEY: Final = {"GET/v2/keys/self", "DELETE/v2/keys/self"}
PROJECT: Final = "/tenants/{accountExternalId}/projects/{appExternalId}"
MAP: Final = f"""\
[main]
appUser = ["GET {PROJECT}/members/{{userId}}"]
app = ["GET {PROJECT}", "GET,POST {PROJECT}/members/*", "GET /projects/{{appExternalId}}/files"]
integration = ["POST {PROJECT}/hooks/{{integrationId}}"]
account = ["GET /orders"]
userAccount = ["GET /tenants/{{accountExternalId}}", "GET,POST {PROJECT}/*"]

[main.permissions]
read = ["GET *"]
members = ["GET {PROJECT}/members/*"]
"""
POLICIES: Final = prepare_policies(read_access_map(MAP, ["main"]), 10)

BOTH: Final = ExternalIds("Acme", "acme-Shop")
OF_APP: Final = Principal(Scope.APP, "k", OwnerType.APP, APP, external_ids=BOTH)
APP_USER: Final = replace(OF_APP, scope=Scope.APP_USER, user_id="jane")
OF_INTEGRATION: Final = replace(OF_APP, scope=Scope.INTEGRATION, integration_id=INTEGRATION)
OF_ACCOUNT: Final = Principal(
    Scope.ACCOUNT, "k", OwnerType.ACCOUNT, ACCOUNT, external_ids=ExternalIds("Acme")
)
OF_SERVICE_ACCOUNT: Final = replace(
    OF_ACCOUNT, owner_type=OwnerType.SERVICE_ACCOUNT, owner_id=SERVICE_ACCOUNT
)


def allowed(principal: Principal, policies: Policies = POLICIES) -> set[str]:
    """Return what a policy allows of this stage, from the method on, without the key's own."""
    document = policy_document(principal, STAGE, policies, NOW)
    return {
        resource.removeprefix(f"{STAGE.arn}/")
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for resource in statement["Resource"]
    } - OWN_KEY


def refusal_of(**rules: str) -> str:
    lists = {"app": "GET /z", "account": "GET /z", **rules}
    source = "\n".join(["[main]", *(f'{name} = ["{rule}"]' for name, rule in lists.items())])
    with pytest.raises(Misconfigured) as misconfigured:
        read_access_map(source, ["main"])
    return str(misconfigured.value)


@pytest.mark.parametrize(
    ("principal", "resources"),
    [
        (APP_USER, {"GET/tenants/Acme/projects/acme-Shop/members/jane"}),
        (
            OF_APP,
            {
                "GET/tenants/Acme/projects/acme-Shop",
                "GET/tenants/Acme/projects/acme-Shop/members/*",
                "POST/tenants/Acme/projects/acme-Shop/members/*",
                "GET/projects/acme-Shop/files",
            },
        ),
        (OF_INTEGRATION, {f"POST/tenants/Acme/projects/acme-Shop/hooks/{INTEGRATION}"}),
        (
            OF_ACCOUNT,
            {
                "GET/orders",
                "GET/tenants/Acme",
                "GET/tenants/Acme/projects/*",
                "POST/tenants/Acme/projects/*",
            },
        ),
        (OF_SERVICE_ACCOUNT, {"GET/orders"}),
    ],
)
def test_a_policy_spells_external_ids_as_they_were_created(
    principal: Principal, resources: set[str]
) -> None:
    assert allowed(principal) == resources


@pytest.mark.parametrize(
    ("ids", "resources"),
    [
        (ExternalIds(), set()),
        (ExternalIds(account="Acme"), set()),
        (ExternalIds(app="acme-Shop"), {"GET/projects/acme-Shop/files"}),
    ],
)
def test_whoever_lacks_an_external_id_gets_no_rule_with_it(
    ids: ExternalIds, resources: set[str]
) -> None:
    assert allowed(replace(OF_APP, external_ids=ids)) == resources


def test_an_app_user_without_external_ids_reaches_nothing() -> None:
    (statement,) = policy_document(
        replace(APP_USER, external_ids=ExternalIds()), STAGE, POLICIES, NOW
    )["Statement"]
    assert (statement["Effect"], statement["Resource"]) == ("Deny", [STAGE.any_path("*")])


def test_an_account_without_an_external_id_reaches_nobodys_projects() -> None:
    assert allowed(replace(OF_ACCOUNT, external_ids=ExternalIds())) == {"GET/orders"}


def test_permissions_narrow_rules_with_external_ids() -> None:
    assert allowed(limited(OF_APP, permissions=("members",))) == {
        "GET/tenants/Acme/projects/acme-Shop/members/*"
    }
    assert allowed(limited(OF_ACCOUNT, permissions=("read",))) == {
        "GET/orders",
        "GET/tenants/Acme",
        "GET/tenants/Acme/projects/*",
    }


def test_a_permission_below_apps_gives_an_account_nothing_as_a_star_would_match_slashes() -> None:
    assert allowed(limited(OF_ACCOUNT, permissions=("members",))) == set()


def test_the_budget_counts_the_longest_external_ids() -> None:
    longest = "e" * MAX_EXTERNAL_ID_LENGTH
    rules = ", ".join(f'"GET {PROJECT}/things-{n}"' for n in range(5))
    few = prepare_policies(
        read_access_map(f'[main]\napp = [{rules}]\naccount = ["GET /z"]', ["main"]), 10
    )
    spelled = replace(OF_APP, external_ids=ExternalIds(longest, longest))
    sizes = policy_sizes(few, 10)
    assert sizes[Scope.APP] > 5 * 2 * MAX_EXTERNAL_ID_LENGTH
    assert len(str(policy_document(spelled, STAGE, few, NOW))) < sizes[Scope.APP]
    many = ", ".join(f'"GET {PROJECT}/things-{n}"' for n in range(40))
    source = f'[main]\napp = [{many}]\naccount = ["GET /z"]'
    with pytest.raises(Misconfigured, match="can take"):
        prepare_policies(read_access_map(source, ["main"]), 10)


@pytest.mark.parametrize("name", ["accountExternalId", "appExternalId"])
def test_the_rules_of_account_have_no_external_ids_because_service_accounts_share_them(
    name: str,
) -> None:
    assert "service accounts share" in refusal_of(account=f"GET /tenants/{{{name}}}/*")


@pytest.mark.parametrize("name", ["accountExternalId", "appExternalId"])
def test_routes_that_no_key_reaches_have_no_external_ids(name: str) -> None:
    assert "not every policy" in refusal_of(never=f"GET /tenants/{{{name}}}/x")


def test_an_account_reaches_the_apps_of_its_own_account_alone() -> None:
    refusal = refusal_of(userAccount="GET /projects/{appExternalId}/*")
    assert "requires {accountId} or {accountExternalId}" in refusal


def test_an_accounts_external_ids_of_apps_are_open_ended() -> None:
    refusal = refusal_of(userAccount=f"GET {PROJECT}/members")
    assert "followed by /*" in refusal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/x/{accountExternalId}", "/x/{accountId}"),
        ("/x/{accountExternalId}", "/x/{appId}"),
        ("/x/{accountExternalId}", "/x/{appExternalId}"),
        ("/x/{appExternalId}", "/x/{appId}"),
        ("/x/{appExternalId}", "/x/{accountId}/y"),
        ("/x/{accountExternalId}/y", "/x/all"),
        ("/x/{accountId}/{appExternalId}", "/x/{accountId}/{accountExternalId}"),
        ("/x/{accountExternalId}/{appExternalId}", "/x/{accountExternalId}/y"),
    ],
)
@pytest.mark.parametrize("flip", [False, True])
def test_no_two_rules_put_an_external_id_and_something_else_at_one_position(
    one: str, other: str, *, flip: bool
) -> None:
    first, second = (other, one) if flip else (one, other)
    refusal = refusal_of(app=f"GET {first}", integration=f"POST {second}")
    assert "could be the other" in refusal


def test_a_user_does_not_stand_where_an_external_id_does() -> None:
    rules = {"app": "GET /x/{appId}/{appExternalId}", "appUser": "GET /x/{appId}/{userId}"}
    assert "could be" in refusal_of(**rules)


@pytest.mark.parametrize("grantee", ["account", "userAccount", "app"])
def test_a_subtree_that_reaches_external_ids_of_others_is_refused(grantee: str) -> None:
    rules = {"integration": f"GET {PROJECT}", grantee: "GET /tenants/*"}
    assert "it reaches" in refusal_of(**rules)


def test_a_path_does_not_begin_with_an_external_id_which_could_be_v2() -> None:
    assert "must be literal" in refusal_of(app="GET /{accountExternalId}/keys/self")


@pytest.mark.parametrize("path", ["/x/{appExternalId}/users/{userId}", PROJECT + "/u/{userId}"])
def test_an_external_id_names_the_app_of_a_user(path: str) -> None:
    source = f'[main]\nappUser = ["GET {path}"]\napp = ["GET /z"]\naccount = ["GET /z"]'
    assert read_access_map(source, ["main"]).rules[Scope.APP_USER][0].path == path
