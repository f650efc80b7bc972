import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.access.access_map import read_access_map
from keyscope.access.method_arn import ApiStage, longest_api_stage
from keyscope.access.path_variants import CLIMBING_DECODED, CLIMBING_ENCODED
from keyscope.access.policy import (
    MAX_POLICY_BYTES,
    Policies,
    policy_document,
    prepare_policies,
    size_in_bytes,
    websocket_policy_document,
)
from keyscope.entry.settings import DEFAULT_MAX_STAGE_LENGTH, DEFAULT_ROUTE_SETS
from keyscope.errors import Misconfigured, Reason, Refused, Unavailable
from keyscope.model.ids import OwnerType
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from tests.support.builders import ACCOUNT, APP, NOW, SERVICE_ACCOUNT, limited

PACKAGED = (files("keyscope.access") / "scopes.toml").read_text("utf-8")
STAGE = ApiStage("arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod")
V2 = prepare_policies(read_access_map(PACKAGED, ["v2"]), DEFAULT_MAX_STAGE_LENGTH)
SERVED = prepare_policies(
    read_access_map(PACKAGED, DEFAULT_ROUTE_SETS.split(",")), DEFAULT_MAX_STAGE_LENGTH
)

APP_USER = Principal(Scope.APP_USER, "k", OwnerType.APP, APP, user_id="jane")
OF_APP = Principal(Scope.APP, "k", OwnerType.APP, APP)
OF_ACCOUNT = Principal(Scope.ACCOUNT, "k", OwnerType.ACCOUNT, ACCOUNT)
OF_SERVICE_ACCOUNT = Principal(Scope.ACCOUNT, "k", OwnerType.SERVICE_ACCOUNT, SERVICE_ACCOUNT)
EVERYONE = [APP_USER, OF_APP, OF_ACCOUNT, OF_SERVICE_ACCOUNT]
OWN_KEY = ["GET/v2/keys/self", "DELETE/v2/keys/self"]

SMALL_MAP = """\
["main"]
websocket = ["appUser"]
appUser = ["GET /tenants/{accountId}/apps/{appId}/users/{userId}/*"]
app = ["GET /tenants/{accountId}/apps/{appId}"]
account = ["GET /tenants/{accountId}/apps/{appId}/*"]
userAccount = ["DELETE /tenants/{accountId}/robots/{serviceAccountId}/*"]
never = ["GET /tenants/{accountId}/apps/{appId}/cookie", "PUT /tenants/{accountId}/x"]
"""
SMALL = prepare_policies(read_access_map(SMALL_MAP, ["main"]), 128)


def resources(principal: Principal, policies: Policies, effect: str = "Allow") -> list[str]:
    """Return the resources of this stage that a policy names, from the method on."""
    document = policy_document(principal, STAGE, policies, NOW)
    return [
        resource.removeprefix(STAGE.arn + "/")
        for statement in document["Statement"]
        if statement["Effect"] == effect
        for resource in statement["Resource"]
        if resource.startswith(f"{STAGE.arn}/")
    ]


def policies_without_rules_for(principal: Principal) -> Policies:
    rules = [line for line in SMALL_MAP.splitlines() if f"{principal.scope} =" not in line]
    return prepare_policies(read_access_map("\n".join(rules), ["main"]), 128)


@pytest.mark.parametrize("principal", [OF_APP, OF_SERVICE_ACCOUNT])
def test_a_scope_without_rules_reaches_its_own_key_alone(principal: Principal) -> None:
    assert resources(principal, policies_without_rules_for(principal)) == OWN_KEY


def test_app_users_without_rules_reach_nothing() -> None:
    policies = policies_without_rules_for(APP_USER)
    (statement,) = policy_document(APP_USER, STAGE, policies, NOW)["Statement"]
    assert (statement["Effect"], statement["Resource"]) == ("Deny", [STAGE.any_path("*")])


def test_an_app_user_reaches_its_own_subtree() -> None:
    assert resources(APP_USER, SMALL) == [f"GET/tenants/{ACCOUNT}/apps/{APP}/users/jane/*"]


def test_an_app_reaches_the_paths_that_its_rules_list() -> None:
    assert resources(OF_APP, SMALL) == [f"GET/tenants/{ACCOUNT}/apps/{APP}", *OWN_KEY]


def test_a_user_account_reaches_every_app_and_service_account_of_its_own() -> None:
    assert resources(OF_ACCOUNT, SMALL) == [
        f"GET/tenants/{ACCOUNT}/apps/{ACCOUNT}*",
        f"DELETE/tenants/{ACCOUNT}/robots/{ACCOUNT}*",
        *OWN_KEY,
    ]


def test_a_service_account_reaches_only_the_apps_that_it_created() -> None:
    assert resources(OF_SERVICE_ACCOUNT, SMALL) == [
        f"GET/tenants/{ACCOUNT}/apps/{SERVICE_ACCOUNT}*",
        *OWN_KEY,
    ]


def test_a_route_that_no_key_reaches_is_denied_where_a_subtree_covers_it() -> None:
    of_account = f"GET/tenants/{ACCOUNT}/apps/{ACCOUNT}????????????"
    of_service_account = f"GET/tenants/{ACCOUNT}/apps/{SERVICE_ACCOUNT}????????"
    spelled = ["cookie", "%63", "%65", "%69", "%6b", "%6B", "%6f", "%6F", "%256", "%36"]
    assert resources(OF_ACCOUNT, SMALL, "Deny") == [f"{of_account}*{each}*" for each in spelled]
    assert resources(OF_SERVICE_ACCOUNT, SMALL, "Deny") == [
        f"{of_service_account}*{each}*" for each in spelled
    ]
    assert resources(OF_APP, SMALL, "Deny") == []


def test_what_is_below_every_app_is_denied_where_no_key_opens_it() -> None:
    source = """\
[main]
appUser = ["GET /x"]
app = ["GET /x"]
account = ["GET /apps/{appId}/*"]
never = ["GET /apps/{appId}/*"]
"""
    policies = prepare_policies(read_access_map(source, ["main"]), 10)
    of_any_app = f"GET/apps/{ACCOUNT}????????????"
    assert resources(OF_ACCOUNT, policies, "Deny") == [f"{of_any_app}?*"]


def test_every_policy_denies_climbing_out_of_a_subtree() -> None:
    for decodes_path, patterns in ((False, CLIMBING_ENCODED[0]), (True, CLIMBING_DECODED[0])):
        stage = replace(STAGE, decodes_path=decodes_path)
        document = policy_document(OF_APP, stage, V2, NOW)
        assert document["Statement"][1]["Resource"] == [
            f"arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/{pattern}"
            for pattern in patterns
        ]


@pytest.mark.parametrize(
    ("rule", "never"),
    [
        ("GET /tenants/{accountId}/apps/{appId}/x", "GET /tenants/{accountId}/apps/{appId}/x"),
        ("GET /tenants/{accountId}/apps/{appId}/x/y", "GET /tenants/{accountId}/apps/{appId}/x/*"),
    ],
)
def test_a_route_that_no_key_reaches_is_denied_even_where_a_rule_lists_it(
    rule: str, never: str
) -> None:
    source = SMALL_MAP.replace("app = [", f'app = ["{rule}", ').replace(
        "never = [", f'never = ["{never}", '
    )
    policies = prepare_policies(read_access_map(source, ["main"]), 128)
    assert resources(OF_APP, policies, "Deny") != []


def test_a_user_id_that_clients_encode_is_granted_in_both_forms() -> None:
    jane = replace(APP_USER, user_id="jane@x")
    prefix = f"GET/tenants/{ACCOUNT}/apps/{APP}/users"
    assert resources(jane, SMALL) == [f"{prefix}/jane@x/*", f"{prefix}/jane%40x/*"]


def test_an_account_policy_has_one_size_whatever_the_number_of_apps() -> None:
    assert len(resources(OF_ACCOUNT, V2)) == 8 + len(OWN_KEY)


@pytest.mark.parametrize("decodes_path", [False, True])
@pytest.mark.parametrize("principal", [OF_APP, OF_ACCOUNT, OF_SERVICE_ACCOUNT])
def test_the_own_key_comes_after_the_rules_and_under_the_same_conditions(
    principal: Principal, *, decodes_path: bool
) -> None:
    stage = replace(STAGE, decodes_path=decodes_path)
    bound = limited(principal, expires_at=NOW + 60, allowed_cidrs=("192.0.2.0/24",))
    allow, deny = policy_document(bound, stage, SMALL, NOW)["Statement"]
    assert allow["Resource"][-2:] == [f"{STAGE.arn}/{each}" for each in OWN_KEY]
    assert allow["Condition"].keys() == {"DateLessThan", "IpAddress"}
    assert deny["Effect"] == "Deny"


@pytest.mark.parametrize("principal", EVERYONE, ids=lambda principal: principal.name)
def test_a_star_stands_only_at_the_end_of_an_allowed_resource(principal: Principal) -> None:
    document = policy_document(principal, STAGE, SERVED, NOW)
    assert all("*" not in resource[:-1] for resource in document["Statement"][0]["Resource"])


@pytest.mark.parametrize("principal", EVERYONE, ids=lambda principal: principal.name)
def test_every_allowed_resource_names_its_method_and_stage(principal: Principal) -> None:
    document = policy_document(principal, STAGE, SERVED, NOW)
    found = document["Statement"][0]["Resource"]
    methods = {resource.removeprefix(STAGE.arn + "/").split("/")[0] for resource in found}
    assert methods <= {"GET", "POST", "PUT", "??T", "PATCH", "DELETE"}


@pytest.mark.parametrize("principal", EVERYONE, ids=lambda principal: principal.name)
def test_no_resource_stands_twice(principal: Principal) -> None:
    found = resources(principal, SERVED)
    assert len(found) == len(set(found))


def test_an_end_within_the_longest_cache_time_is_a_condition() -> None:
    document = policy_document(limited(OF_APP, expires_at=NOW + 60), STAGE, V2, NOW)
    assert document["Statement"][0]["Condition"] == {
        "DateLessThan": {"aws:CurrentTime": "2027-01-15T08:01:00Z"}
    }


def test_an_end_within_the_margin_of_the_longest_cache_time_is_a_condition() -> None:
    document = policy_document(limited(OF_APP, expires_at=NOW + 3_659), STAGE, V2, NOW)
    assert "Condition" in document["Statement"][0]


def test_an_end_beyond_the_longest_cache_time_and_its_margin_is_none() -> None:
    document = policy_document(limited(OF_APP, expires_at=NOW + 3_660), STAGE, V2, NOW)
    assert "Condition" not in document["Statement"][0]


def test_an_end_beyond_any_calendar_is_none() -> None:
    document = policy_document(limited(OF_APP, expires_at=10**30), STAGE, V2, NOW)
    assert "Condition" not in document["Statement"][0]


def test_the_cidrs_of_a_key_are_a_condition_always() -> None:
    document = policy_document(limited(OF_APP, allowed_cidrs=("192.0.2.0/24",)), STAGE, V2, NOW)
    assert document["Statement"][0]["Condition"] == {
        "IpAddress": {"aws:SourceIp": ["192.0.2.0/24"]}
    }


def test_behind_a_vpc_endpoint_the_condition_names_the_address_in_the_vpc() -> None:
    principal = limited(OF_APP, allowed_cidrs=("10.0.0.0/24",))
    document = policy_document(principal, replace(STAGE, is_private=True), V2, NOW)
    assert document["Statement"][0]["Condition"] == {
        "IpAddress": {"aws:VpcSourceIp": ["10.0.0.0/24"]}
    }


def test_a_deny_has_no_condition() -> None:
    document = policy_document(limited(OF_ACCOUNT, expires_at=NOW + 1), STAGE, SMALL, NOW)
    assert ["Condition" in statement for statement in document["Statement"]] == [True, False]


def test_conditions_can_be_turned_off() -> None:
    plain = prepare_policies(read_access_map(SMALL_MAP, ["main"]), 16, conditions=False)
    principal = limited(OF_APP, expires_at=NOW + 60, allowed_cidrs=("192.0.2.0/24",))
    assert "Condition" not in policy_document(principal, STAGE, plain, NOW)["Statement"][0]


def test_a_scope_that_may_opens_a_websocket() -> None:
    assert websocket_policy_document(APP_USER, STAGE, SMALL, NOW)["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "execute-api:Invoke",
            "Resource": [f"{STAGE.arn}/$connect"],
        }
    ]


def test_a_websocket_policy_ends_with_its_token() -> None:
    document = websocket_policy_document(limited(APP_USER, expires_at=NOW + 60), STAGE, SMALL, NOW)
    assert "DateLessThan" in document["Statement"][0]["Condition"]


def test_a_scope_that_may_not_opens_no_websocket() -> None:
    with pytest.raises(Refused) as refused:
        websocket_policy_document(OF_APP, STAGE, SMALL, NOW)
    assert refused.value.reason is Reason.WEBSOCKET_NOT_OF_SCOPE


@pytest.mark.parametrize("principal", EVERYONE, ids=lambda principal: principal.name)
def test_without_escapes_in_a_user_id_the_default_map_takes_two_thirds_of_the_budget(
    principal: Principal,
) -> None:
    stage = longest_api_stage(len("prod"))
    longest = limited(principal, expires_at=NOW)
    assert size_in_bytes(policy_document(longest, stage, V2, NOW)) < MAX_POLICY_BYTES * 2 / 3


@pytest.mark.parametrize("route_set", ["v2", "v1.1", "v1.1-short"])
def test_the_console_may_test_an_authorizer_of_a_single_route_set(route_set: str) -> None:
    region = "us-isof-south-1"
    default = prepare_policies(
        read_access_map(PACKAGED, [route_set]), DEFAULT_MAX_STAGE_LENGTH, region=region
    )
    stage = longest_api_stage(len("ESTestInvoke-stage"), region)
    for principal in EVERYONE:
        assert size_in_bytes(policy_document(principal, stage, default, NOW)) <= MAX_POLICY_BYTES


def documented_stage_names() -> dict[str, dict[str, int]]:
    """Return the lengths in docs/reference/stage-names.md, by region and by route sets."""
    page = (Path(__file__).parents[4] / "docs" / "reference" / "stage-names.md").read_text("utf-8")
    heading, _, *rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in page[page.index("| region |") :].partition("\n\n")[0].splitlines()
    ]
    return {
        region: dict(zip(heading[1:], map(int, lengths), strict=True)) for region, *lengths in rows
    }


@pytest.mark.parametrize("region", documented_stage_names())
def test_the_documented_lengths_of_stage_names_are_those_that_fit(region: str) -> None:
    documented = documented_stage_names()[region]
    assert DEFAULT_ROUTE_SETS in documented
    assert documented == {
        selection: prepare_policies(
            read_access_map(PACKAGED, selection.split(",")), DEFAULT_MAX_STAGE_LENGTH, region=region
        ).longest_stage_name(region)
        for selection in documented
    }


def test_all_packaged_route_sets_together_do_not_fit() -> None:
    everything = read_access_map(PACKAGED, ["v2", "v1.1", "v1.1-short"])
    with pytest.raises(Misconfigured, match="more than 8192"):
        prepare_policies(everything, DEFAULT_MAX_STAGE_LENGTH)


@pytest.mark.parametrize("principal", EVERYONE, ids=lambda principal: principal.name)
def test_no_policy_is_larger_than_the_one_that_is_told(principal: Principal) -> None:
    longest = limited(principal, expires_at=NOW, user_id="u" * 61 + "@")
    stage = longest_api_stage(DEFAULT_MAX_STAGE_LENGTH)
    size = size_in_bytes(policy_document(longest, stage, V2, NOW))
    assert size <= V2.largest_bytes < SERVED.largest_bytes


def test_a_map_whose_policy_could_exceed_the_budget_is_refused() -> None:
    rules = ", ".join(f'"GET /apps/{{appId}}/things-{number}"' for number in range(80))
    source = SMALL_MAP.replace('["GET /tenants/{accountId}/apps/{appId}"]', f"[{rules}]")
    with pytest.raises(Misconfigured, match=r"policy of app can take \d+ bytes, more than 8192"):
        prepare_policies(read_access_map(source, ["main"]), 16)


def test_a_map_whose_resource_could_exceed_its_limit_is_refused() -> None:
    source = SMALL_MAP.replace("/robots/", f"/{'r' * 400}/")
    with pytest.raises(Misconfigured, match="a resource can take"):
        prepare_policies(read_access_map(source, ["main"]), 16)


def test_a_stage_name_beyond_the_setting_fails() -> None:
    with pytest.raises(Unavailable) as unavailable:
        policy_document(OF_APP, longest_api_stage(128), V2, NOW)
    assert unavailable.value.reason is Reason.STAGE_NAME_TOO_LONG


@given(st.from_regex(r"[A-Za-z0-9._~@+:-]{1,20}", fullmatch=True))
def test_no_user_id_makes_a_policy_that_reaches_another_user(user_id: str) -> None:
    found = resources(replace(APP_USER, user_id=user_id), SMALL)
    prefix = f"GET/tenants/{ACCOUNT}/apps/{APP}/users/"
    middles = {resource.removeprefix(prefix).removesuffix("/*") for resource in found}
    assert all("*" not in middle and "?" not in middle and "/" not in middle for middle in middles)


def test_the_size_is_what_the_lambda_runtime_sends() -> None:
    document = policy_document(OF_APP, STAGE, V2, NOW)
    assert size_in_bytes(document) == len(json.dumps(document))
