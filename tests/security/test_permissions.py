"""Keys with permissions reach only what their scope and their permissions both allow.

What is expected comes from `tests/support/permission_oracle`, which shares no code with the
policies; each policy is evaluated as IAM does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import combinations
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.access.method_arn import ApiStage
from keyscope.access.policy import (
    MAX_POLICY_BYTES,
    Policies,
    PolicyDocument,
    policy_document,
    size_in_bytes,
)
from keyscope.access.policy_evaluation import wildcard_expression
from keyscope.model.ids import percent_encoded
from keyscope.model.key_limits import MAX_PERMISSIONS
from keyscope.model.principal import Principal
from tests.support.builders import NOW, limited
from tests.support.path_readers import readings
from tests.support.permission_oracle import OTHERS_IDS, names_of, permits
from tests.support.profile import EVERY_NTH, EXAMPLES, PROFILE
from tests.support.route_tables import ROWS, SERVED, V1_1_SHORT, V2, Row
from tests.support.tenants import (
    HTTP_STAGE,
    KINDS,
    METHODS,
    STAGE,
    STAGES,
    Tenant,
    allows,
    hostile_paths,
    pairs,
    policies_of,
    strangers,
    tenant,
)

APP_ID: Final = "0a1b2c3d4e5f" + "c0de" + "12345678"
OTHER_APPS: Final = ("0a1b2c3d4e50" + "c0de" + "12345678", "f" * 24)
USER: Final = "jane@example.org"
SELECTIONS: Final = ((V2,), (V1_1_SHORT,), SERVED)
RANDOM_SETS: Final = {"small": 40, "fast": 150, "full": 500}[PROFILE]


@cache
def both() -> Policies:
    return policies_of(*SERVED)


Names = tuple[str, ...]


def sets_of(route_sets: Sequence[str]) -> list[Names]:
    """Return all single permissions, all pairs, and sets drawn at random, always the same ones.

    `make test` leaves out some pairs, and most of the random sets.
    """
    names = names_of(route_sets)
    random = Random(15)  # noqa: S311 - the same sets in every run
    drawn = (
        tuple(random.sample(names, random.randint(3, min(len(names), MAX_PERMISSIONS))))
        for _ in range(RANDOM_SETS)
    )
    two = list(combinations(names, 2))[::EVERY_NTH]
    return [*((name,) for name in names), *two, *dict.fromkeys(drawn)]


class Requests:
    """Requests, and which of them a resource of a policy matches: each is compared once."""

    def __init__(self, stage: ApiStage, methods_and_paths: Iterable[str]) -> None:
        self._arns = [stage.resource(each) for each in methods_and_paths]
        self._found: dict[str, int] = {}

    def allowed(self, document: PolicyDocument) -> list[bool]:
        """Return for each request whether the policy allows it; a Deny wins."""
        marks = {"Allow": 0, "Deny": 0}
        for statement in document["Statement"]:
            for resource in statement["Resource"]:
                marks[statement["Effect"]] |= self._matched(resource)
        mask = marks["Allow"] & ~marks["Deny"]
        return [bool(mask >> place & 1) for place in range(len(self._arns))]

    def _matched(self, resource: str) -> int:
        if resource not in self._found:
            matches = wildcard_expression(resource).fullmatch
            self._found[resource] = sum(
                1 << place for place, arn in enumerate(self._arns) if matches(arn)
            )
        return self._found[resource]


def requests_of(rows: Iterable[Row], ids: Mapping[str, str]) -> list[str]:
    return [f"{row.method}{row.filled(ids)}" for row in rows]


def ids_of(one: Tenant) -> Mapping[str, str]:
    return {**OTHERS_IDS, **one.ids}


def with_permissions(one: Tenant, names: Names) -> Principal:
    return limited(one.principal, permissions=names)


@cache
def people() -> tuple[Tenant, ...]:
    return tuple(tenant(kind, APP_ID, USER) for kind in KINDS)


@pytest.mark.parametrize("stage", [STAGE, HTTP_STAGE], ids=["REST", "HTTP"])
@pytest.mark.parametrize("route_sets", SELECTIONS, ids="+".join)
def test_every_route_is_reached_as_scope_and_permissions_say(
    route_sets: tuple[str, ...], stage: ApiStage
) -> None:
    wrong: list[tuple[str, Names, str]] = []
    for one in people():
        requests = Requests(stage, requests_of(ROWS, ids_of(one)))
        for names in sets_of(route_sets):
            document = policy_document(
                with_permissions(one, names), stage, policies_of(*route_sets), NOW
            )
            for row, allowed in zip(ROWS, requests.allowed(document), strict=True):
                expected = (
                    row.route_set in route_sets
                    and row.lets(one.kind)
                    and any(permits(row, one.kind, name) for name in names)
                )
                if allowed is not expected:
                    wrong.append((one.kind, names, f"{row.method} {row.path}"))
    assert wrong == []


@pytest.mark.parametrize("other_app", OTHER_APPS)
def test_no_route_of_another_account_is_reached_with_any_permissions(other_app: str) -> None:
    rows = [row for row in ROWS if "{appId}" in row.path or "{serviceAccountId}" in row.path]
    reached = []
    for one in people():
        ids = {**OTHERS_IDS, **tenant("app", other_app, USER).ids}
        requests = Requests(STAGE, requests_of(rows, ids))
        for names in sets_of(SERVED):
            document = policy_document(with_permissions(one, names), STAGE, both(), NOW)
            if any(requests.allowed(document)):
                reached.append((one.kind, names))
    assert reached == []


def drawn_names() -> st.SearchStrategy[Names]:
    known = st.sampled_from([*names_of(SERVED), "unknown"])
    return st.lists(known, min_size=1, max_size=MAX_PERMISSIONS, unique=True).map(tuple)


def drawn_path(data: st.DataObject, one: Tenant, other: Tenant, *, decoded: bool) -> str:
    own = data.draw(st.sampled_from([row for row in ROWS if row.lets(one.kind)]))
    others = data.draw(st.sampled_from(ROWS))
    path = hostile_paths(own.filled(ids_of(one)), others.filled(ids_of(other)), decoded=decoded)
    return data.draw(st.just(own.filled(ids_of(one))) | path)


@given(st.data(), pairs(), STAGES, drawn_names(), METHODS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_limited_key_reaches_nothing_that_it_would_not_reach_without_limits(
    data: st.DataObject,
    tenants: tuple[Tenant, Tenant],
    stage: ApiStage,
    names: Names,
    method: str,
) -> None:
    one, other = tenants
    path = drawn_path(data, one, other, decoded=stage.decodes_path)
    narrow = policy_document(with_permissions(one, names), stage, both(), NOW)
    if allows(narrow, method, path):
        assert allows(policy_document(one.principal, stage, both(), NOW), method, path)
        assert [each for each in readings(path) if strangers(one, each)] == [], path


@pytest.mark.parametrize("kind", ["account", "service account"])
def test_the_question_marks_of_an_app_id_match_slashes_but_no_other_account(kind: str) -> None:
    one = tenant(kind, APP_ID, USER)
    owner = one.principal.owner_id
    document = policy_document(with_permissions(one, ("conversations:read",)), STAGE, both(), NOW)
    below = "a/b".ljust(len(APP_ID) - len(owner), "c")
    assert allows(document, "GET", f"/v2/apps/{APP_ID}/conversations/c")
    assert allows(document, "GET", f"/v2/apps/{owner}{below}/conversations/c")
    for others in (owner[:-1] + "0", "f" * len(owner)):
        assert not allows(document, "GET", f"/v2/apps/{others}{below}/conversations/c")
    for longer_or_shorter in (f"{APP_ID}0", APP_ID[:-1]):
        assert not allows(document, "GET", f"/v2/apps/{longer_or_shorter}/conversations/c")


def test_a_route_that_no_key_opens_stays_closed_to_limited_keys() -> None:
    cookie = f"/v1.1/apps/{APP_ID}/attachments/cookie"
    last = len("attachments/cookie")
    encoded = [
        f"{cookie[:place]}%{ord(cookie[place]):02{case}}{cookie[place + 1 :]}"
        for place in range(len(cookie) - last, len(cookie))
        for case in "xX"
    ]
    spelled = [cookie, f"{cookie}/", *encoded, *(each.replace("%", "%25") for each in encoded)]
    requests = Requests(STAGE, [f"GET{path}" for path in spelled])
    opened = [
        (one.kind, names)
        for one in people()
        for names in sets_of(SERVED)
        if any(requests.allowed(policy_document(with_permissions(one, names), STAGE, both(), NOW)))
    ]
    assert opened == []


def test_no_policy_of_a_limited_key_exceeds_the_budget() -> None:
    longest = "u" * 61 + "+"
    cidrs = tuple(f"{n}fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" for n in range(8))
    sizes = [
        size_in_bytes(policy_document(principal, stage, both(), NOW))
        for kind in KINDS
        for names in sets_of(SERVED)
        for principal in [
            limited(
                tenant(kind, APP_ID, longest).principal,
                permissions=names,
                allowed_cidrs=cidrs,
                expires_at=NOW,
            )
        ]
        for stage in (replace(STAGE, is_private=True), HTTP_STAGE)
    ]
    assert max(sizes) <= both().limited_fit.largest_bytes <= MAX_POLICY_BYTES


def test_a_user_is_reached_in_both_forms_of_its_id() -> None:
    one = tenant("appUser", APP_ID, USER)
    document = policy_document(with_permissions(one, ("users:read",)), STAGE, both(), NOW)
    for form in (USER, percent_encoded(USER)):
        assert allows(document, "GET", f"/v2/apps/{APP_ID}/users/{form}")
        assert not allows(document, "PATCH", f"/v2/apps/{APP_ID}/users/{form}")
