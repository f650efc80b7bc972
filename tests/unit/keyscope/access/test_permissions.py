"""Permissions in an access map: what is accepted, and the policies of limited keys."""

from dataclasses import replace
from importlib.resources import files
from typing import Final

import pytest

from keyscope.access.access_map import read_access_map
from keyscope.access.grants import MAX_CONTAINING_PERMISSIONS
from keyscope.access.method_arn import ApiStage
from keyscope.access.path_variants import CLIMBING_DECODED, CLIMBING_ENCODED
from keyscope.access.policy import (
    Policies,
    policy_document,
    prepare_policies,
    websocket_policy_document,
)
from keyscope.access.rules import Rule
from keyscope.errors import Misconfigured, Reason, Refused
from keyscope.model.ids import OwnerType
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from tests.support.builders import ACCOUNT, APP, INTEGRATION, NOW, SERVICE_ACCOUNT, limited
from tests.support.tenants import allows

PACKAGED: Final = (files("keyscope.access") / "scopes.toml").read_text("utf-8")
STAGE: Final = ApiStage("arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod")
API: Final = STAGE.arn.removesuffix("/prod")
APP_USER: Final = Principal(Scope.APP_USER, "k", OwnerType.APP, APP, user_id="jane@x")
OF_APP: Final = Principal(Scope.APP, "k", OwnerType.APP, APP)
OF_ACCOUNT: Final = Principal(Scope.ACCOUNT, "k", OwnerType.ACCOUNT, ACCOUNT)
OF_SERVICE_ACCOUNT: Final = Principal(
    Scope.ACCOUNT, "k", OwnerType.SERVICE_ACCOUNT, SERVICE_ACCOUNT
)
OWN_KEY: Final = {"GET/v2/keys/self", "DELETE/v2/keys/self"}

RULES: Final = """\
["main"]
websocket = ["appUser"]
appUser = ["GET,PATCH /apps/{appId}/users/{userId}", "GET /apps/{appId}/users/{userId}/*"]
app = [
    "GET,PUT /apps/{appId}",
    "GET,POST /apps/{appId}/users",
    "GET,PUT,DELETE /apps/{appId}/users/*",
    "GET,POST /apps/{appId}/parts/*",
]
account = ["GET,POST /apps", "GET,POST,PUT,DELETE /apps/{appId}/*"]
userAccount = ["GET,DELETE /robots/{serviceAccountId}/*"]
never = ["GET /apps/{appId}/parts/cookie"]
"""
OTHER_SET: Final = """\
["other"]
appUser = ["GET /other/{appId}/u/{userId}"]
app = ["GET,POST /other/{appId}/x"]
account = ["GET,POST /other/{appId}/*"]
"""


def with_permissions(permissions: str, route_set: str = "main") -> str:
    return f'{RULES}\n["{route_set}".permissions]\n{permissions}\n'


def policies_with(permissions: str) -> Policies:
    return prepare_policies(read_access_map(with_permissions(permissions), ["main"]), 16)


def allowed(principal: Principal, policies: Policies, *names: str) -> set[str]:
    """Return what a limited key is allowed beside its own endpoints, from the method on."""
    return all_allowed(principal, policies, *names) - OWN_KEY


def all_allowed(principal: Principal, policies: Policies, *names: str) -> set[str]:
    document = policy_document(limited(principal, permissions=names), STAGE, policies, NOW)
    return {
        resource.removeprefix(f"{STAGE.arn}/")
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for resource in statement["Resource"]
    }


def refusal_of(source: str, *route_sets: str) -> str:
    with pytest.raises(Misconfigured) as misconfigured:
        read_access_map(source, route_sets or ("main",))
    return str(misconfigured.value)


def test_a_permission_narrows_each_scope_to_what_both_allow() -> None:
    read = read_access_map(with_permissions('"users" = ["GET /apps/{appId}/users/*"]'), ["main"])
    users, permission = ("apps", "{appId}", "users"), read.permissions["users"]
    assert {grantee: rules for grantee, rules in permission.rules.items() if rules} == {
        Scope.APP_USER: (
            Rule(("GET",), (*users, "{userId}"), ""),
            Rule(("GET",), (*users, "{userId}"), "/*"),
        ),
        Scope.APP: (Rule(("GET",), users, "/*"),),
        Scope.ACCOUNT: (Rule(("GET",), users, "/*"),),
    }
    assert permission.websocket_scopes == frozenset()


def test_a_rule_that_names_a_scope_is_for_that_scope_alone() -> None:
    policies = policies_with(
        '"users" = ["app: GET /apps/{appId}/users/*", "account: GET /robots/{serviceAccountId}"]'
    )
    assert allowed(OF_APP, policies, "users") == {f"GET/apps/{APP}/users/*"}
    assert allowed(APP_USER, policies, "users") == set()
    assert allowed(OF_ACCOUNT, policies, "users") == {f"GET/robots/{ACCOUNT}????"}
    assert allowed(OF_SERVICE_ACCOUNT, policies, "users") == set()


@pytest.mark.parametrize(
    ("name", "below"),
    [
        ("integrations:read", []),
        ("integrations:write", []),
        ("webhooks:read", ["GET webhooks", "GET webhooks/w"]),
        ("webhooks:write", ["POST webhooks", "PATCH webhooks/w", "DELETE webhooks/w"]),
        ("keys:read", ["GET keys", "GET keys/k"]),
        ("keys:write", ["POST keys", "POST keys/k", "PATCH keys/k", "DELETE keys/k"]),
    ],
)
def test_of_what_is_below_an_integration_keys_and_webhooks_have_permissions_of_their_own(
    name: str, below: list[str]
) -> None:
    policies = prepare_policies(read_access_map(PACKAGED, ["v2"]), 10)
    document = policy_document(limited(OF_APP, permissions=(name,)), STAGE, policies, NOW)
    integration = f"/v2/apps/{APP}/integrations/{INTEGRATION}"
    reached = [
        f"{method} {rest}"
        for rest in ("webhooks", "webhooks/w", "keys", "keys/k")
        for method in ("GET", "POST", "PATCH", "DELETE")
        if allows(document, method, f"{integration}/{rest}")
    ]
    assert sorted(reached) == sorted(below)


def test_a_star_alone_stands_for_all_that_the_set_gives_a_scope() -> None:
    policies = policies_with('"read" = ["GET *"]')
    assert allowed(OF_APP, policies, "read") == {
        f"GET/apps/{APP}",
        f"GET/apps/{APP}/users",
        f"GET/apps/{APP}/users/*",
        f"GET/apps/{APP}/parts/*",
    }
    assert allowed(OF_ACCOUNT, policies, "read") == {
        "GET/apps",
        f"GET/apps/{ACCOUNT}*",
        f"GET/robots/{ACCOUNT}*",
    }


def test_in_the_account_scope_question_marks_complete_an_id_that_a_path_continues() -> None:
    policies = policies_with(
        '"users" = ["GET /apps/{appId}/users/*", "PUT /apps/{appId}"]\n'
        '"robots" = ["GET /robots/{serviceAccountId}/keys"]'
    )
    assert allowed(OF_ACCOUNT, policies, "users") == {
        f"GET/apps/{ACCOUNT}????????????/users/*",
        f"PUT/apps/{ACCOUNT}????????????",
    }
    assert allowed(OF_SERVICE_ACCOUNT, policies, "users") == {
        f"GET/apps/{SERVICE_ACCOUNT}????????/users/*",
        f"PUT/apps/{SERVICE_ACCOUNT}????????",
    }
    assert allowed(OF_ACCOUNT, policies, "robots") == {f"GET/robots/{ACCOUNT}????/keys"}
    assert allowed(OF_SERVICE_ACCOUNT, policies, "robots") == set()


def test_a_segment_of_question_marks_stands_for_an_id_of_that_many_characters() -> None:
    policies = policies_with('"keys" = ["GET /apps/{appId}/parts/????????/keys"]')
    assert allowed(OF_APP, policies, "keys") == {f"GET/apps/{APP}/parts/????????/keys"}
    assert allowed(APP_USER, policies, "keys") == set()


def test_a_placeholder_that_a_scope_does_not_bind_gives_it_nothing() -> None:
    policies = policies_with('"me" = ["GET /apps/{appId}/users/{userId}"]')
    assert allowed(APP_USER, policies, "me") == {
        f"GET/apps/{APP}/users/jane@x",
        f"GET/apps/{APP}/users/jane%40x",
    }
    assert allowed(OF_APP, policies, "me") == set()
    assert allowed(OF_ACCOUNT, policies, "me") == set()


def test_permissions_of_a_key_add_up_and_what_another_one_contains_is_left_out() -> None:
    policies = policies_with(
        '"read" = ["GET *"]\n"one" = ["GET /apps/{appId}/parts/x"]\n'
        '"put" = ["PUT /apps/{appId}/users/*"]'
    )
    assert allowed(OF_APP, policies, "one", "put") == {
        f"GET/apps/{APP}/parts/x",
        f"PUT/apps/{APP}/users/*",
    }
    assert allowed(OF_APP, policies, "one", "read", "put") == {
        f"GET/apps/{APP}",
        f"GET/apps/{APP}/users",
        f"??T/apps/{APP}/users/*",
        f"GET/apps/{APP}/parts/*",
    }
    everything = allowed(OF_ACCOUNT, policies, "one", "read", "put")
    assert f"GET/apps/{ACCOUNT}????????????/parts/x" not in everything


def test_a_permission_gives_no_method_that_the_scope_does_not_have() -> None:
    policies = policies_with('"all" = ["GET,POST,PUT,PATCH,DELETE /apps/{appId}"]')
    assert allowed(OF_APP, policies, "all") == {f"??T/apps/{APP}"}


@pytest.mark.parametrize("names", [("gone",), ("robots",), ("gone", "robots")])
def test_a_limited_key_that_reaches_nothing_keeps_its_own_endpoints(names: tuple[str, ...]) -> None:
    policies = policies_with('"robots" = ["GET /robots/{serviceAccountId}/*"]')
    assert all_allowed(OF_APP, policies, *names) == OWN_KEY
    assert all_allowed(OF_SERVICE_ACCOUNT, policies, *names) == OWN_KEY


@pytest.mark.parametrize("names", [("gone",), ("robots",), ("gone", "robots")])
def test_an_app_user_that_reaches_nothing_is_denied_the_whole_api(names: tuple[str, ...]) -> None:
    policies = policies_with('"robots" = ["GET /robots/{serviceAccountId}/*"]')
    document = policy_document(limited(APP_USER, permissions=names), STAGE, policies, NOW)
    assert document == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": [f"{API}/*"]}],
    }


@pytest.mark.parametrize("decodes_path", [False, True])
def test_a_limited_key_is_denied_climbing(*, decodes_path: bool) -> None:
    stage = replace(STAGE, decodes_path=decodes_path)
    policies = policies_with('"users" = ["GET /apps/{appId}/users/*"]')
    document = policy_document(limited(OF_APP, permissions=("users",)), stage, policies, NOW)
    patterns = CLIMBING_DECODED[0] if decodes_path else CLIMBING_ENCODED[0]
    assert document["Statement"][1]["Resource"] == [f"{API}/{pattern}" for pattern in patterns]


@pytest.mark.parametrize(
    ("rule", "is_needed"),
    [
        ("GET *", True),
        ("GET /apps/{appId}/parts/*", True),
        ("GET /apps/{appId}/parts/cookie", True),
        ("GET /apps/{appId}/parts/??????", True),
        ("GET /apps/{appId}/????????????", True),
        ("GET /apps/{appId}/users/*", False),
        ("POST /apps/{appId}/parts/*", False),
        ("PUT /apps/{appId}/????????????", False),
    ],
)
def test_a_route_that_no_key_reaches_is_denied_where_a_permission_may_reach_it(
    rule: str, *, is_needed: bool
) -> None:
    policies = policies_with(f'"some" = ["{rule}"]')
    document = policy_document(limited(OF_ACCOUNT, permissions=("some",)), STAGE, policies, NOW)
    of_route = [one for one in document["Statement"][1]["Resource"] if "cookie" in one]
    assert bool(of_route) is is_needed


def test_limits_of_time_and_address_hold_for_limited_keys_too() -> None:
    policies = policies_with('"read" = ["GET *"]')
    principal = limited(
        OF_APP, permissions=("read",), expires_at=NOW + 60, allowed_cidrs=("192.0.2.0/24",)
    )
    condition = policy_document(principal, STAGE, policies, NOW)["Statement"][0]["Condition"]
    assert set(condition) == {"DateLessThan", "IpAddress"}


def test_permissions_change_nothing_for_keys_that_have_none() -> None:
    bare = prepare_policies(read_access_map(RULES, ["main"]), 16)
    named = policies_with('"read" = ["GET *"]\n"one" = ["GET /apps/{appId}/parts/x"]')
    assert (named.grants, named.fit) == (bare.grants, bare.fit)
    for principal in (APP_USER, OF_APP, OF_ACCOUNT, OF_SERVICE_ACCOUNT):
        documents = [policy_document(principal, STAGE, each, NOW) for each in (bare, named)]
        assert documents[0] == documents[1]


def test_names_merge_across_the_selected_sets_and_each_narrows_its_own_set() -> None:
    source = "\n".join(
        [
            with_permissions('"read" = ["GET *"]'),
            OTHER_SET,
            '["other".permissions]',
            '"read" = ["GET *"]',
            '"write" = ["POST *"]',
        ]
    )
    both = prepare_policies(read_access_map(source, ["main", "other"]), 16)
    assert f"GET/other/{APP}/x" in allowed(OF_APP, both, "read")
    assert f"GET/apps/{APP}" in allowed(OF_APP, both, "read")
    assert allowed(OF_APP, both, "write") == {f"POST/other/{APP}/x"}
    alone = read_access_map(source, ["main"])
    assert list(alone.permissions) == ["read"]


def test_a_limited_key_opens_a_websocket_only_by_a_permission_that_lists_it() -> None:
    policies = policies_with('"live" = ["websocket"]\n"read" = ["GET *"]')

    def opened(principal: Principal, *names: str) -> str:
        try:
            websocket_policy_document(limited(principal, permissions=names), STAGE, policies, NOW)
        except Refused as refused:
            return refused.reason
        return "opened"

    assert opened(APP_USER, "read", "live") == "opened"
    assert opened(APP_USER, "read") == Reason.WEBSOCKET_NOT_OF_PERMISSIONS
    assert opened(APP_USER, "gone") == Reason.WEBSOCKET_NOT_OF_PERMISSIONS
    assert opened(OF_APP, "live") == Reason.WEBSOCKET_NOT_OF_SCOPE
    assert allowed(APP_USER, policies, "live") == set()
    assert websocket_policy_document(APP_USER, STAGE, policies, NOW)["Statement"]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("GET", "a rule is METHODS PATH"),
        ("GET apps", "a rule is METHODS PATH"),
        ("GET **", "a rule is METHODS PATH"),
        ("* *", "'*' is not a method"),
        ("GET,GET *", "a method is repeated"),
        ("GET /apps/{appId}/*/keys", "a star is allowed only at the end"),
        ("GET /apps/{appId}/parts/x?", "a star is allowed only at the end"),
        ("GET /apps/{appId}/{partId}", "{partId} is not a placeholder of a permission"),
        ("GET /apps/{appId}/{appId}", "a placeholder is repeated"),
        ("GET /apps//{appId}", "is not a path segment"),
        ("GET /apps/0a1b2c3d4e5f000012345678", "begins like an id"),
        ("GET /other/*", "no scope of this set reaches it"),
        ("PATCH /apps/{appId}/parts/*", "no scope of this set reaches it"),
        ("OPTIONS *", "no scope of this set reaches it"),
        ("GET /apps/{appId}/users/*/", "a star is allowed only at the end"),
        ("app: GET", "a rule is METHODS PATH"),
        ("app: GET /other/*", "no scope of this set reaches it"),
        ("appUser: DELETE /apps/{appId}/users/*", "no scope of this set reaches it"),
        ("robot: GET /apps", "'robot' is not a scope. The scopes are appUser, app, "),
        ("userAccount: GET /apps", "'userAccount' is not a scope"),
        ("app:GET /apps", "is not a method"),
    ],
)
def test_a_rule_of_a_permission_that_is_wrong_is_refused_with_its_line(
    rule: str, reason: str
) -> None:
    source = with_permissions(f'"some" = [\n    "GET *",\n    "{rule}",\n]')
    text = refusal_of(source)
    line = source.split("\n").index(f'    "{rule}",') + 1
    assert text.startswith(f"access map, line {line}, {rule!r}: ")
    assert reason in text


def test_the_line_is_that_of_the_permission_even_where_a_rule_has_the_same_text() -> None:
    rule = "GET /apps"
    source = "\n".join(
        [RULES, OTHER_SET, '["other".permissions]', f'"read" = ["{rule}"]', "[main.permissions]"]
    )
    assert source.count(f'"{rule}"') == 1
    source = source.replace('"GET,POST /apps"', f'"{rule}", "POST /apps"')
    assert f"line {source.count(chr(10))}, '{rule}'" in refusal_of(source)


@pytest.mark.parametrize(
    ("permissions", "reason"),
    [
        ('"re ad" = ["GET *"]', "contains 're ad', which is not a permission name"),
        (f'"{"a" * 41}" = ["GET *"]', "which is not a permission name"),
        ('"read" = []', "[main.permissions] read has no rules"),
        ('"read" = "GET *"', "[main.permissions] read must be a list of strings"),
        ('"read" = [1]', "[main.permissions] read must be a list of strings"),
        ('"read" = { rules = [] }', "[main.permissions] read has no rules"),
        ('"read" = { description = "Read" }', "[main.permissions] read must be a list of strings"),
        (
            '"read" = { words = "Read", rules = ["GET *"] }',
            "[main.permissions] read holds 'words'; use description and rules",
        ),
    ],
)
def test_permissions_of_another_shape_are_refused(permissions: str, reason: str) -> None:
    assert reason in refusal_of(with_permissions(permissions))


@pytest.mark.parametrize(
    "description",
    ["5", "[]", '""', '"  "', '"two\\nlines"', '"right\\u202eleft"', f'"{"a" * 101}"'],
)
def test_a_description_that_is_no_line_of_text_is_refused(description: str) -> None:
    source = with_permissions(f'"read" = {{ description = {description}, rules = ["GET *"] }}')
    assert refusal_of(source) == (
        "access map: the description of [main.permissions] read must be one line of 1 to 100"
        " characters"
    )


def test_a_described_permission_allows_what_its_list_of_rules_would() -> None:
    longest = "é" * 100
    source = with_permissions(
        f'"read" = {{ description = "{longest}", rules = ["GET *"] }}\n"plain" = ["GET *"]\n'
        '"silent" = { rules = ["GET *"] }'
    )
    read = read_access_map(source, ["main"]).permissions
    assert {name: each.description for name, each in read.items()} == {
        "read": longest,
        "plain": "",
        "silent": "",
    }
    assert {name: each.rules for name, each in read.items()} == dict.fromkeys(
        read, read["plain"].rules
    )


def test_of_several_sets_that_describe_a_permission_the_first_one_counts() -> None:
    source = "\n".join(
        [
            with_permissions(
                '"read" = ["GET *"]\n"write" = { description = "A", rules = ["PUT *"] }'
            ),
            OTHER_SET,
            '["other".permissions]',
            '"read" = { description = "B", rules = ["GET *"] }',
            '"write" = { description = "C", rules = ["POST *"] }',
        ]
    )

    def descriptions(*route_sets: str) -> dict[str, str]:
        named = read_access_map(source, route_sets).permissions
        return {name: each.description for name, each in named.items()}

    assert descriptions("main", "other") == {"read": "B", "write": "A"}
    assert descriptions("other", "main") == {"read": "B", "write": "C"}


@pytest.mark.parametrize(
    "permission",
    [
        '"some" = { description = "Some", rules = [\n"GET *",\n"GET /nothing",\n] }',
        '["main".permissions."some"]\ndescription = "S"\nrules = [\n"GET *",\n"GET /nothing",\n]',
    ],
)
def test_a_wrong_rule_of_a_described_permission_is_refused_with_its_line(permission: str) -> None:
    same_text = '["other"]\napp = ["GET /x"]\naccount = [\n"GET /nothing",\n]\n'
    source = with_permissions(f"{permission}\n{same_text}")
    line = source.split("\n").index('"GET /nothing",') + 1
    assert refusal_of(source).startswith(f"access map, line {line}, 'GET /nothing': no scope")


@pytest.mark.parametrize("route_set", ["v2", "v1.1", "v1.1-short"])
def test_every_packaged_permission_is_described(route_set: str) -> None:
    named = read_access_map(PACKAGED, [route_set]).permissions
    assert [name for name, each in named.items() if not each.description] == []


def test_permissions_are_a_table() -> None:
    source = RULES.replace("websocket =", 'permissions = ["GET *"]\nwebsocket =')
    assert "[main.permissions] is not a table" in refusal_of(source)


def test_a_set_without_websocket_has_no_permission_for_it() -> None:
    source = with_permissions('"live" = ["websocket"]').replace('websocket = ["appUser"]\n', "")
    assert "no scope of this set opens a WebSocket" in refusal_of(source)


def test_a_set_that_is_not_selected_is_checked_too() -> None:
    source = f'{RULES}{OTHER_SET}\n["other".permissions]\n"read" = ["GET /apps/*"]\n'
    assert "no scope of this set reaches it" in refusal_of(source, "main")


def test_a_map_whose_permissions_could_exceed_the_budget_is_refused() -> None:
    rules = ", ".join(f'"GET /apps/{{appId}}/parts/{"p" * 60}{n}"' for n in range(60))
    with pytest.raises(Misconfigured, match="policy of app with limited keys can take"):
        policies_with(f'"many" = [{rules}]')
    assert policies_with(f'"many" = [{rules}, "GET *"]').permissions


def test_every_set_is_weighed_where_permissions_contain_others() -> None:
    rules = ", ".join(f'"GET /apps/{{appId}}/parts/{"p" * 60}{n}"' for n in range(60))
    with pytest.raises(Misconfigured, match="policy of app with limited keys can take"):
        policies_with(f'"many" = [{rules}]\n"read" = ["GET *"]')


def test_a_map_with_too_many_permissions_that_contain_others_is_refused() -> None:
    def permissions(number: int) -> str:
        containing = [f'"c{n}" = ["GET /apps/{{appId}}/parts/{n}/*"]' for n in range(number)]
        others = [f'"o{n}" = ["GET /apps/{{appId}}/parts/{n}/x"]' for n in range(number)]
        return "\n".join([*containing, *others])

    assert policies_with(permissions(MAX_CONTAINING_PERMISSIONS)).permissions
    with pytest.raises(Misconfigured, match="At most 6 permissions of a scope may"):
        policies_with(permissions(MAX_CONTAINING_PERMISSIONS + 1))


@pytest.mark.parametrize("route_sets", [("v2",), ("v1.1",), ("v1.1-short",), ("v2", "v1.1-short")])
def test_the_packaged_map_names_reading_and_writing_of_everything(
    route_sets: tuple[str, ...],
) -> None:
    kinds = ("conversations", "users", "integrations", "webhooks", "apps", "keys")
    expected = {f"{kind}:{verb}" for kind in kinds for verb in ("read", "write")}
    assert set(read_access_map(PACKAGED, route_sets).permissions) == expected | {
        "read",
        "websocket",
    }
