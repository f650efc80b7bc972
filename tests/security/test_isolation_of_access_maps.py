"""Any access map that is accepted keeps tenants apart, and grants what its rules say."""

import operator
import re
from typing import Final

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from keyscope.access.access_map import read_access_map
from keyscope.access.method_arn import ApiStage
from keyscope.access.policy import prepare_policies
from keyscope.access.rules import GRANTEES, AccessMap, Grantee, OtherGrantee
from keyscope.errors import Misconfigured
from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import IdName
from keyscope.model.scopes import Scope
from tests.support.builders import INTEGRATION, OTHER_INTEGRATION
from tests.support.path_readers import disguised, readings
from tests.support.profile import EXAMPLES
from tests.support.tenants import (
    KINDS,
    STAGES,
    Tenant,
    allows,
    hostile_paths,
    policy_of,
    tenant,
)

LISTS: Final[dict[str, list[Grantee]]] = {
    "appUser": [Scope.APP_USER],
    "app": [Scope.APP],
    "integration": [Scope.INTEGRATION],
    "account": [Scope.ACCOUNT, OtherGrantee.USER_ACCOUNT],
    "service account": [Scope.ACCOUNT],
}
GRANTED: Final = [grantee for grantee in GRANTEES if grantee is not OtherGrantee.NEVER]
ACCOUNT: Final = "0a1b2c3d4e5f"
APP: Final = ACCOUNT + "c0de" + "12345678"
OTHER_APPS: Final = (
    *(ACCOUNT + "c0de" + "87654321", ACCOUNT + "0000" + "12345678", ACCOUNT + "beef" + "12345678"),
    *("0a1b2c3d4e50" + "c0de" + "12345678", "f" * 24),
)
LITERALS: Final = ("a", "jane", "..x", "f" * 12)
PLACEHOLDERS: Final = [name.placeholder for name in IdName]
BEGINNINGS: Final = st.sampled_from(
    [
        *((), ("a",), ("a", "{appId}"), ("a", "{appId}", "users"), ("{accountId}",)),
        *(("a", "{accountExternalId}"), ("a", "{accountExternalId}", "b", "{appExternalId}")),
        *(("b", "{appExternalId}"), ("a", "{accountId}", "{appExternalId}")),
    ]
)
"""Few, so that rules meet."""
USERS: Final = st.sampled_from(["jane", "jane2", "a", "users", "..x", OTHER_APPS[-1][:12]])
"""User ids as callers may choose them: words of the paths, and ids of others."""

EXTERNAL_IDS: Final = ["a", "b", "jane", "users", "Acme", f"{ACCOUNT}-x", f"{APP[:23]}", "z"]
"""External ids as operators may choose them: words of the paths, and beginnings of ids."""

INTEGRATIONS: Final = st.sampled_from([INTEGRATION, OTHER_INTEGRATION, *OTHER_APPS])
"""Integrations' ids as callers may choose them: ids of others' apps, too."""


def rules(grantee: Grantee) -> st.SearchStrategy[str]:
    segments = st.sampled_from([*LITERALS, *PLACEHOLDERS, "{userId}"])
    rest = st.lists(segments, max_size=2).map(tuple)
    path = st.builds(operator.add, BEGINNINGS, rest).filter(bool).map("/".join)
    methods = st.sampled_from(["GET", "GET", "GET,POST"])
    tails = ["/*"] if grantee in {Scope.ACCOUNT, OtherGrantee.USER_ACCOUNT} else ["", "/*"]
    return st.builds("{} /{}{}".format, methods, path, st.sampled_from(tails))


@st.composite
def access_maps(draw: st.DrawFn, *, closing: bool = False) -> AccessMap:
    """Draw rules, keeping each that the map is accepted with; the last is refused or kept.

    Only a `closing` map has routes that no key opens. In half of the maps the app comes from the
    key.
    """
    from_key = draw(st.booleans())
    kept: dict[Grantee, list[str]] = {
        Scope.APP_USER: ["GET /z"],
        Scope.APP: ["GET /z"],
        Scope.INTEGRATION: ["GET /z"],
        Scope.ACCOUNT: ["GET /z"],
    }
    kept |= {OtherGrantee.USER_ACCOUNT: [], OtherGrantee.NEVER: []}
    exclusions = [OtherGrantee.NEVER] * draw(st.integers(1, 3)) if closing else []
    for grantee in [*draw(st.lists(st.sampled_from(GRANTED), min_size=3, max_size=6)), *exclusions]:
        more = {**kept, grantee: [*kept[grantee], draw(rules(grantee))]}
        kept = more if _is_accepted(more, from_key=from_key) else kept
    return read_access_map(_source(kept, from_key=from_key), ["main"])


def _source(lists: dict[Grantee, list[str]], *, from_key: bool) -> str:
    head = ["[main]", f"app_from_key = {str(from_key).lower()}"]
    return "\n".join([*head, *(f"{grantee} = {texts}" for grantee, texts in lists.items())])


def _is_accepted(lists: dict[Grantee, list[str]], *, from_key: bool) -> bool:
    try:
        read_access_map(_source(lists, from_key=from_key), ["main"])
    except Misconfigured:
        return False
    return True


@st.composite
def neighbors(draw: st.DrawFn) -> tuple[Tenant, Tenant]:
    one = tenant(draw(st.sampled_from(KINDS)), APP, draw(USERS), draw(INTEGRATIONS))
    app_id = draw(st.sampled_from([APP, *OTHER_APPS]))
    other = tenant("appUser", app_id, draw(USERS), draw(INTEGRATIONS))
    if draw(st.booleans()):
        return one, other
    # Of accounts and of apps each, no two have the same external id.
    of_accounts, of_apps = (draw(st.permutations(EXTERNAL_IDS)) for _ in range(2))
    is_same_account = one.app_id[:12] == other.app_id[:12]
    return (
        one.named(ExternalIds(of_accounts[0], of_apps[0])),
        other.named(
            ExternalIds(of_accounts[not is_same_account], of_apps[one.app_id != other.app_id])
        ),
    )


UNNAMED: Final = "~"
"""Stands for an external id that a tenant does not have."""


def ids_of(one: Tenant) -> dict[str, str]:
    return {
        "{accountId}": one.app_id[:12],
        "{serviceAccountId}": one.app_id[:12] + "c0de",
        "{appId}": one.app_id,
        "{integrationId}": one.integration_id,
        "{userId}": one.user_id,
        "{accountExternalId}": one.external_ids.account or UNNAMED,
        "{appExternalId}": one.external_ids.app or UNNAMED,
    }


def filled(path: str, ids: dict[str, str]) -> str:
    text = path.replace("}*", "}/*")
    for placeholder, value in ids.items():
        text = text.replace(placeholder, value)
    return text.removesuffix("/*")


def owns(one: Tenant, placeholder: str, other: Tenant) -> bool:
    match placeholder:
        case "{userId}":
            return one.owns("userId", other.user_id)
        case "{integrationId}":
            return one.owns("integrationId", other.integration_id)
        case "{appId}" | "{appExternalId}":
            return one.owns_app(other.app_id)
        case _:
            return one.app_id[:12] == other.app_id[:12]


def reaches_other(access_map: AccessMap, one: Tenant, other: Tenant, path: str) -> bool:
    """Return whether any rule reads ids in the path that are the other's and not one's own.

    In a path without an app, a user is one's own if its key has an app: a backend takes it from
    there.
    """
    for rule in (rule for grantee in GRANTED for rule in access_map.rules[grantee]):
        names_app = not {"{appId}", "{appExternalId}"}.isdisjoint(rule.segments)
        has_app = names_app or one.principal.app_id is not None
        for position, segment in enumerate(rule.segments):
            is_own = owns(one, segment, other) and (has_app or segment != "{userId}")
            if not segment.startswith("{") or is_own:
                continue
            beginning = "/" + "/".join(rule.segments[: position + 1])
            theirs = filled(beginning, ids_of(other))
            if UNNAMED in theirs:
                continue
            if path == theirs or path.startswith(theirs + "/"):
                return True
    return False


@given(st.data(), access_maps(), neighbors())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_accepted_map_lets_through_what_a_backend_may_take_for_another_tenants(
    data: st.DataObject, access_map: AccessMap, tenants: tuple[Tenant, Tenant]
) -> None:
    one, other = tenants
    assume(not one.user_id.startswith(".."))
    held = [rule for grantee in GRANTED for rule in access_map.rules[grantee]]
    paths = st.sampled_from(held).map(lambda rule: rule.path)
    own = filled(data.draw(paths), ids_of(one))
    others = filled(data.draw(paths), ids_of(other))
    path = data.draw(st.one_of(st.just(others), hostile_paths(own, others)))
    document = policy_of(one, prepare_policies(access_map, max_stage_length=10))
    if allows(document, "GET", path):
        reached = [r for r in readings(path) if reaches_other(access_map, one, other, r)]
        assert reached == [], (access_map, path)


@given(st.data(), access_maps(), neighbors())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_rule_of_an_accepted_map_grants_what_it_says(
    data: st.DataObject, access_map: AccessMap, tenants: tuple[Tenant, Tenant]
) -> None:
    one, _ = tenants
    assume(not one.user_id.startswith(".."))
    held = [rule for grantee in LISTS[one.kind] for rule in access_map.rules[grantee]]
    rule = data.draw(st.sampled_from(held))
    path = filled(rule.path, ids_of(one)) + ("/x" if rule.tail else "")
    document = policy_of(one, prepare_policies(access_map, max_stage_length=10))
    if UNNAMED in path:
        # A rule with an id that the tenant does not have gives it nothing.
        assert not any(
            UNNAMED in each for part in document["Statement"] for each in part["Resource"]
        )
        return
    assert [method for method in rule.methods if not allows(document, method, path)] == []


SHAPES: Final[dict[str, str]] = {
    "{accountId}": "[0-9a-f]{12}",
    "{appId}": "[0-9a-f]{24}",
}


def is_closed(access_map: AccessMap, path: str, method: str | None = None) -> bool:
    """Tell whether a path is one of `never`, with any id of the shape that a placeholder names."""
    return any(
        re.fullmatch(
            "".join(f"/{SHAPES.get(segment, re.escape(segment))}" for segment in rule.segments)
            + ("/.*" if rule.tail else ""),
            path,
            re.DOTALL,
        )
        for rule in access_map.rules[OtherGrantee.NEVER]
        if method is None or method in rule.methods
    )


@given(st.data(), access_maps(closing=True), neighbors(), STAGES)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_accepted_map_opens_a_route_that_it_never_opens(
    data: st.DataObject, access_map: AccessMap, tenants: tuple[Tenant, Tenant], stage: ApiStage
) -> None:
    one, other = tenants
    assume(access_map.rules[OtherGrantee.NEVER])
    never = data.draw(st.sampled_from(access_map.rules[OtherGrantee.NEVER]))
    ids = ids_of(data.draw(st.sampled_from([one, other])))
    plain = filled(never.path, ids) + data.draw(st.sampled_from(["", "/x"]))
    path = data.draw(st.just(plain) | disguised(plain, raw_controls=stage.decodes_path))
    method = data.draw(st.sampled_from(never.methods))
    policies = prepare_policies(access_map, max_stage_length=10)
    if allows(policy_of(one, policies, stage), method, path):
        closed = [each for each in readings(path) if is_closed(access_map, each, method)]
        assert closed == [], (access_map, path)
