from importlib.resources import files

import pytest

from keyscope.access.access_map import read_access_map, unreached_management
from keyscope.access.rules import OtherGrantee, Rule
from keyscope.errors import Misconfigured
from keyscope.model.scopes import Scope

PACKAGED = (files("keyscope.access") / "scopes.toml").read_text("utf-8")

GOOD = """\
["main"]
websocket = ["appUser"]
appUser = ["GET /apps/{appId}/users/{userId}"]
app = ["GET,POST /apps/{appId}/things/*"]
account = ["GET /apps", "GET /apps/{appId}/*"]
"""


def with_rule(grantee: str, rule: str) -> str:
    """Return the good map with a further rule on its last line."""
    lines = GOOD.splitlines()
    own = [line.removesuffix("]") + "," for line in lines if line.startswith(f"{grantee} =")]
    others = [line for line in lines if not line.startswith(f"{grantee} =")]
    return "\n".join([*others, *(own or [f"{grantee} = ["]), f'    "{rule}"]'])


def refusal_of(source: str, *route_sets: str) -> str:
    with pytest.raises(Misconfigured) as misconfigured:
        read_access_map(source, route_sets or ("main",))
    return str(misconfigured.value)


def test_a_rule_is_methods_and_a_path() -> None:
    assert read_access_map(GOOD, ["main"]).rules[Scope.APP] == (
        Rule(("GET", "POST"), ("apps", "{appId}", "things"), "/*"),
    )


def test_every_app_of_an_account_is_one_open_ended_pattern() -> None:
    assert [rule.path for rule in read_access_map(GOOD, ["main"]).rules[Scope.ACCOUNT]] == [
        "/apps",
        "/apps/{appId}*",
    ]


def test_the_scopes_that_may_open_a_websocket_are_listed() -> None:
    assert read_access_map(GOOD, ["main"]).websocket_scopes == {Scope.APP_USER}


@pytest.mark.parametrize(
    "route_sets",
    [("v2",), ("v1.1",), ("v1.1-short",), ("v2", "v1.1"), ("v2", "v1.1-short")],
)
def test_the_packaged_map_has_rules_for_each_scope_in_every_selection(
    route_sets: tuple[str, ...],
) -> None:
    rules = read_access_map(PACKAGED, route_sets).rules
    # The Sunshine API has integrations' keys in v2 only.
    absent = {Scope.INTEGRATION} if "v2" not in route_sets else set()
    assert {scope for scope in Scope if not rules[scope]} == absent


def test_a_set_that_is_not_selected_grants_nothing() -> None:
    rules = read_access_map(PACKAGED, ["v2"]).rules
    assert all(rule.segments[0] == "v2" for held in rules.values() for rule in held)


@pytest.mark.parametrize(
    ("grantee", "rule", "reason"),
    [
        ("app", "GET", "a rule is METHODS PATH"),
        ("app", "GET apps", "a rule is METHODS PATH"),
        ("app", " /apps/{appId}", "'' is not a method"),
        ("app", "* /apps/{appId}", "'*' is not a method"),
        ("app", "ANY /apps/{appId}", "'ANY' is not a method"),
        ("app", "get /apps/{appId}", "'get' is not a method"),
        ("app", "GET, POST /apps/{appId}", "a rule is METHODS PATH"),
        ("app", "GET,GET /apps/{appId}", "a method is repeated"),
        ("app", "GET /apps/{appId}/*/keys", "a star is allowed only at the end"),
        ("app", "GET /apps/{appId}/things*", "a star is allowed only at the end"),
        ("app", "GET /apps/{appId}/thing?", "a star is allowed only at the end"),
        ("app", "GET /apps/{appId}/{thingId}", "{thingId} is not a placeholder of app"),
        ("app", "GET /apps/{appId}/users/{userId}", "{userId} is not a placeholder of app"),
        ("app", "GET /apps/app-{appId}", "is not a path segment"),
        ("app", "GET /apps//{appId}", "is not a path segment"),
        ("app", "GET /apps/{appId}/", "is not a path segment"),
        ("app", "GET /apps/{appId}/../x", "is not a path segment"),
        ("app", "GET /apps/{appId}/%2e", "is not a path segment"),
        ("app", "GET /apps/{appId}/${x}", "is not a path segment"),
        ("app", "GET /apps/*", "it reaches /apps/{appId}"),
        ("app", "GET /*", "a subtree requires a segment before /*"),
        ("account", "GET /apps/*", "it reaches /apps/{appId}"),
        ("appUser", "GET /apps/{appId}/*", "it reaches /apps/{appId}/users/{userId}"),
        ("appUser", "GET /apps/{appId}/users/*", "it reaches /apps/{appId}/users/{userId}"),
        ("account", "GET /apps/{appId}", "{appId} stands for many ids"),
        ("account", "GET /apps/{appId}/things/*", "{appId} stands for many ids"),
        ("account", "GET /accounts/{serviceAccountId}/*", "is not a placeholder of account"),
        ("userAccount", "GET /accounts/{serviceAccountId}", "stands for many ids"),
        ("userAccount", "GET /a/{serviceAccountId}/{appId}/*", "stands for many ids"),
        ("never", "GET /apps/{userId}", "{userId} is not a placeholder of never"),
        ("app", "GET /apps/{appId}/..things", "is not a path segment"),
        ("account", "GET /apps/{appId}/{appId}/*", "a placeholder is repeated"),
        ("app", "GET /apps/0a1b2c3d4e5f-report", "begins like an id"),
        ("account", "GET /0a1b2c3d4e5f000012345678/*", "begins like an id"),
        ("appUser", "GET /users/{userId}", "the path requires {appId}"),
        ("appUser", "GET /{userId}/{appId}", "a {userId} could be the apps of /apps"),
        ("appUser", "GET /{userId}/{appId}/*", "it reaches /apps/{appId}/users/{userId} of others"),
        ("appUser", "GET /apps/{appId}/{userId}", "a {userId} could be the things of /apps/"),
        (
            "app",
            "GET /apps/{appId}/i/{integrationId}",
            "{integrationId} is not a placeholder of app",
        ),
        ("integration", "GET /i/{integrationId}", "the path requires {appId}"),
    ],
)
def test_a_rule_that_could_grant_more_than_it_says_is_refused(
    grantee: str, rule: str, reason: str
) -> None:
    source = with_rule(grantee, rule)
    text = refusal_of(source)
    assert text.startswith(f"access map, line {len(source.splitlines())}, {rule!r}: ")
    assert reason in text


def test_an_integrations_id_that_could_be_another_apps_is_refused() -> None:
    # The creator of the key chooses the id.
    rule = "GET /apps/{integrationId}/{appId}"
    source = f'["main"]\napp = ["GET /apps/{{appId}}/x"]\nintegration = ["{rule}"]'
    text = refusal_of(source)
    assert text.startswith(f"access map, line 3, {rule!r}: ")
    assert "an {integrationId} could be the {appId} of /apps/{appId}/x" in text


@pytest.mark.parametrize(
    ("grantee", "rule", "never", "reason"),
    [
        ("account", "GET /x/{appId}/*", "GET /x/{accountId}/secret", "with other placeholders"),
        ("app", "GET /x/{accountId}/*", "GET /x/{appId}/secret", ""),
        ("userAccount", "GET /x/{serviceAccountId}/*", "GET /x/{appId}/secret", "with other"),
        ("app", "GET /x/{appId}/*", "GET /x/{appId}/{accountId}", "does not bind"),
        ("account", "GET /x/{appId}/*", "GET,PUT /x/{accountId}/*", "with other placeholders"),
        ("account", "GET /x/{appId}/*", "PUT /x/{accountId}/secret", ""),
        ("account", "GET /x/{appId}/*", "GET /x/{appId}/secret", ""),
    ],
)
def test_a_rule_that_reaches_what_never_takes_away_is_refused_unless_a_policy_denies_it(
    grantee: str, rule: str, never: str, reason: str
) -> None:
    source = f'{with_rule(grantee, rule)}\nnever = ["{never}"]'
    if reason:
        assert reason in refusal_of(source)
    else:
        assert read_access_map(source, ["main"]).rules[OtherGrantee.NEVER]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("[", "not TOML"),
        ('main = "x"', "'main' is not a table"),
        (GOOD.replace("app =", "apps ="), "contains 'apps', which is not one of app_from_key, web"),
        (GOOD.replace('["GET /apps", "GET /apps/{appId}/*"]', "[1]"), "must be a list of strings"),
        (GOOD.replace('["GET /apps", "GET /apps/{appId}/*"]', '"x"'), "must be a list of strings"),
        (GOOD.replace('["appUser"]', '["everyone"]'), "websocket must be a list of appUser"),
        (GOOD.replace('["appUser"]', '"appUser"'), "websocket must be a list of appUser"),
    ],
)
def test_a_map_of_another_shape_is_refused(source: str, reason: str) -> None:
    assert reason in refusal_of(source)


def test_a_map_with_one_set_needs_no_selection() -> None:
    assert read_access_map(GOOD, []) == read_access_map(GOOD, ["main", "management"])


def test_keyscopes_own_routes_are_selectable_beside_any_map() -> None:
    rules = read_access_map(GOOD, ["main", "management"]).rules
    assert [rule.path for rule in rules[Scope.ACCOUNT]] == [
        *("/apps", "/apps/{appId}*", "/v2/apps", "/v2/apps/{appId}*"),
        *("/v2/explain", "/v2/permissions"),
    ]
    assert rules[OtherGrantee.USER_ACCOUNT][0].path == "/v1.1/serviceaccounts"
    assert read_access_map(GOOD, ["main"]).rules[OtherGrantee.USER_ACCOUNT] == ()


def test_keyscopes_own_routes_are_a_part_of_v2_and_of_v1_1() -> None:
    # So selecting them too takes up no policy bytes.
    alone = read_access_map("", ["management"]).rules
    packaged = read_access_map(PACKAGED, ["v2", "v1.1"]).rules
    assert all({*alone[grantee]} <= {*packaged[grantee]} for grantee in alone)
    both = read_access_map(PACKAGED, ["v2", "v1.1", "management"]).rules
    assert both == packaged


def test_a_map_that_could_reach_keyscopes_own_apps_of_others_is_refused_beside_them() -> None:
    reaching = with_rule("app", "GET /v2/*")
    assert read_access_map(reaching, ["main"]).rules[Scope.APP]
    assert "it reaches /v2/apps/{appId}" in refusal_of(reaching, "main", "management")


def test_no_map_takes_the_place_of_keyscopes_own_set() -> None:
    assert "[management] is Keyscope's own set" in refusal_of('["management"]\napp = []', "x")


def test_routes_that_nobody_can_manage_keys_without_are_named() -> None:
    assert unreached_management(read_access_map(PACKAGED, ["v2"])) == []
    assert unreached_management(read_access_map(GOOD, [])) == []
    missing = unreached_management(read_access_map(GOOD, ["main"]))
    assert missing[:2] == ["GET /v2/apps", "POST /v2/apps"]
    wider = with_rule("account", "GET,POST,PATCH,DELETE /v2/apps/{appId}/*")
    assert unreached_management(read_access_map(wider, ["main"])) == [
        *("GET /v2/apps", "POST /v2/apps", "POST /v2/explain", "GET /v2/permissions")
    ]


def test_a_map_with_several_sets_needs_one() -> None:
    with pytest.raises(Misconfigured, match="select one or more of its route sets: v2"):
        read_access_map(PACKAGED, [])


def test_a_map_with_undecided_operations_is_refused_even_in_a_set_that_is_not_selected() -> None:
    draft = GOOD + '["draft"]\nundecided = [\n    "GET /orders/{orderId}",\n]\n'
    told = refusal_of(draft)
    assert told.startswith("access map, line 8, 'GET /orders/{orderId}': it is undecided")
    assert read_access_map(GOOD + '["draft"]\nundecided = []\n', ["main"]).rules[Scope.APP]


def test_the_list_of_undecided_operations_is_a_list() -> None:
    assert "undecided must be a list of strings" in refusal_of(GOOD + "undecided = 1\n")


FROM_KEY = """\
["main"]
app_from_key = true
appUser = ["GET /users/{userId}"]
app = ["GET /users/*"]
account = ["GET /apps/{appId}/*"]
"""


def test_a_set_whose_app_comes_from_the_key_may_name_users_without_an_app() -> None:
    rules = read_access_map(FROM_KEY, ["main"]).rules
    assert [rule.path for rule in rules[Scope.APP_USER]] == ["/users/{userId}"]


@pytest.mark.parametrize("declared", ["", "app_from_key = false"])
def test_without_that_declaration_a_user_without_an_app_is_refused(declared: str) -> None:
    source = FROM_KEY.replace("app_from_key = true", declared)
    text = refusal_of(source)
    assert text.startswith("access map, line 3, 'GET /users/{userId}': ")
    assert text.endswith(
        "so the path requires {appId} or {appExternalId}, or the set app_from_key = true"
    )


def test_the_declaration_of_one_set_counts_for_no_other() -> None:
    other = FROM_KEY.replace("main", "other").replace("app_from_key = true\n", "")
    assert "the path requires {appId}" in refusal_of(FROM_KEY + other)


@pytest.mark.parametrize("value", ['"true"', "1", "[true]", "{ value = true }"])
def test_the_declaration_is_true_or_false(value: str) -> None:
    source = FROM_KEY.replace("= true", f"= {value}")
    assert refusal_of(source) == "access map: [main] app_from_key must be true or false"


@pytest.mark.parametrize("grantee", ["account", "userAccount"])
@pytest.mark.parametrize("rule", ["GET /users/*", "DELETE /users/*"])
def test_an_account_reaches_no_user_whose_app_comes_from_the_key(grantee: str, rule: str) -> None:
    own = f'{grantee} = ["{rule}"]'
    source = (
        FROM_KEY.replace('account = ["GET /apps/{appId}/*"]', own)
        if grantee == "account"
        else FROM_KEY + own
    )
    assert (
        "it reaches /users/{userId}, whose app comes from the key, and an account has"
        in refusal_of(source.replace('app = ["GET /users/*"]', 'app = ["GET /users"]'))
    )


def test_an_account_of_another_set_reaches_no_user_whose_app_comes_from_the_key() -> None:
    other = '["other"]\napp = ["GET /z"]\naccount = ["GET /users/*"]\n'
    assert "whose app comes from the key" in refusal_of(FROM_KEY + other)


def test_a_route_set_that_is_not_there_is_named_with_those_that_are() -> None:
    assert "there is no route set 'v3'. It has main" in refusal_of(GOOD, "v3")


@pytest.mark.parametrize("grantee", ["appUser", "app", "never"])
def test_a_route_beside_the_users_is_refused(grantee: str) -> None:
    text = refusal_of(with_rule(grantee, "DELETE /apps/{appId}/users/all"))
    assert "a {userId} could be the all of /apps/{appId}/users/all" in text
