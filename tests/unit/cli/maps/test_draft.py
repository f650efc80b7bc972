"""`keyscope access from-openapi`: a draft that reaches no more than its document says."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import prepare_policies
from keyscope.errors import Misconfigured
from keyscope_cli.maps.decisions import CALLERS, CALLERS_BY_NAME, PLACEHOLDER, Caller, Decisions
from keyscope_cli.maps.draft import GRANTEES, Draft, draft_of, known_names
from keyscope_cli.maps.draft_text import map_text
from keyscope_cli.maps.openapi import ApiDescription, Operation, read_api_description
from tests.support.cli import keyscope
from tests.support.in_process import Ended
from tests.support.profile import UNIT_EXAMPLES
from tests.support.route_tables import V2, read_rows

YAML: Final = """\
openapi: 3.1.0
info: {title: Orders, version: 2.1.0}
security:
  - key: [app, account]
paths:
  /t/{tenantId}/p:
    get: {operationId: ListProjects, security: [{key: [account]}]}
    parameters: []
  /t/{tenantId}/p/{appId}:
    get: {operationId: GetProject}
    delete: {operationId: DeleteProject, x-keyscope-scopes: [userAccount]}
  /t/{tenantId}/p/{appId}/orders:
    get: {operationId: ListOrders}
  /t/{tenantId}/p/{appId}/orders/{orderId}:
    get: {operationId: GetOrder}
    patch: {operationId: ChangeOrder, security: [{key: [app]}]}
  /t/{tenantId}/p/{appId}/orders/{orderId}/notes:
    get: {operationId: ListNotes, security: [{key: [partner, app]}]}
    patch: {operationId: ChangeNotes, security: [{key: [partner]}]}
  /health:
    get: {operationId: Health, security: []}
"""


def described(folder: Path, text: str) -> Path:
    file = folder / "openapi.yaml"
    file.write_text(text, "utf-8")
    return file


def drafted(folder: Path, text: str, *options: str) -> Ended:
    file = str(described(folder, text))
    return keyscope("access", "from-openapi", file, *options)


def map_of(done: Ended) -> dict[str, Any]:
    assert done.status == 0, done.err
    found: dict[str, Any] = tomllib.loads(done.out)["api"]
    return found


def test_rules_follow_the_security_of_the_operations(tmp_path: Path) -> None:
    found = map_of(drafted(tmp_path, YAML, "--placeholder", "tenantId=accountId"))
    assert found["app"] == [
        "GET /t/{accountId}/p/{appId}",
        "GET /t/{accountId}/p/{appId}/orders",
        "GET /t/{accountId}/p/{appId}/orders/*",
    ]
    assert found["account"] == ["GET /t/{accountId}/p"]


def test_a_rule_that_would_reach_an_operation_of_others_is_undecided(tmp_path: Path) -> None:
    done = drafted(tmp_path, YAML, "--placeholder", "tenantId=accountId")
    assert map_of(done)["undecided"] == [
        "GET /t/{accountId}/p/{appId}/*",
        "PATCH /t/{accountId}/p/{appId}/orders/*",
        "PATCH /t/{tenantId}/p/{appId}/orders/{orderId}/notes",
        "GET /health",
    ]
    comments = " ".join(done.out.replace("\n    #", "").split())
    assert "app, for ChangeOrder: it also reaches ChangeNotes" in comments
    assert "account, for GetProject, ListOrders, GetOrder: it also reaches ListNotes" in comments
    assert "The document names partner, which is not a Keyscope scope." in comments
    assert "The document requires no credential." in comments


def test_every_operation_is_named_in_the_draft(tmp_path: Path) -> None:
    done = drafted(tmp_path, YAML)
    for name in re.findall(r"operationId: (\w+)", YAML):
        assert name in done.out


def test_the_summary_counts_what_is_decided_and_what_is_not(tmp_path: Path) -> None:
    done = drafted(tmp_path, YAML, "--placeholder", "tenantId=accountId")
    summary, warning = done.err.splitlines()
    assert summary == (
        "9 operations: 3 decided, 1 undecided for app, 3 undecided for account,"
        " 2 assigned to no scope."
    )
    assert warning == "Ignored partner: Keyscope has no such scope."


def test_no_authorizer_loads_a_map_with_undecided_operations(tmp_path: Path) -> None:
    text = drafted(tmp_path, YAML).out
    with pytest.raises(Misconfigured, match="it is undecided"):
        read_access_map(text, ["api"])


def test_a_decided_draft_meets_the_expectations_of_the_document(tmp_path: Path) -> None:
    draft, expected = tmp_path / "map.toml", tmp_path / "expectations.toml"
    files = ("--output", str(draft), "--expectations", str(expected))
    options = ("--placeholder", "tenantId=accountId", *files)
    assert drafted(tmp_path, YAML, *options).out == ""
    assert keyscope("access", "test", str(draft), str(expected)).status == 1
    kept, _, _ = draft.read_text("utf-8").partition("# Decide these")
    draft.write_text(kept, "utf-8")
    done = keyscope("access", "test", str(draft), str(expected), "--json")
    failed = {
        (each["request"], each["caller"], each["expected"])
        for each in done.json["outcomes"]
        if not each["passed"]
    }
    assert {expected for *_, expected in failed} == {"allowed"}
    assert {caller for _, caller, _ in failed} == {"app", "userAccount", "serviceAccount"}


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    file = described(tmp_path, YAML)
    for option in ("--output", "--expectations"):
        done = keyscope("access", "from-openapi", str(file), option, str(file))
        assert done.status == 2
        assert "already exists" in done.err
    assert file.read_text("utf-8") == YAML


def test_swagger_and_json_are_read_too(tmp_path: Path) -> None:
    path = {"put": {"security": [{"basic": ["app"]}, {"bearer": ["account"]}]}}
    text = json.dumps({"swagger": "2.0", "info": {"title": "\U0001f511"}, "paths": {"/v1/x": path}})
    found = map_of(drafted(tmp_path, text))
    assert found == {"app": ["PUT /v1/x"], "account": ["PUT /v1/x"]}


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ("{}", "The document does not say who may call it."),
        ("{security: [{}, {key: [app]}]}", "The document requires no credential."),
        ("{security: [{key: []}]}", "The document names no scope."),
    ],
)
def test_an_operation_without_a_scope_is_undecided(
    tmp_path: Path, operation: str, told: str
) -> None:
    done = drafted(tmp_path, f"openapi: 3.0.0\npaths: {{/x: {{get: {operation}}}}}")
    assert map_of(done) == {"undecided": ["GET /x"]}
    assert told in done.out


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/", "is not a path segment"),
        ("/a%20b", "is not a path segment"),
        ("/x/", "is not a path segment"),
    ],
)
def test_a_path_that_no_rule_can_hold_is_undecided_with_the_loaders_reason(
    tmp_path: Path, path: str, reason: str
) -> None:
    done = drafted(
        tmp_path, f"openapi: 3.0.0\npaths: {{{path!r}: {{get: {{x-keyscope-scopes: [app]}}}}}}"
    )
    assert map_of(done) == {"undecided": [f"GET {path}"]}
    assert reason in done.out


def test_a_method_that_api_gateway_does_not_have_is_undecided(tmp_path: Path) -> None:
    done = drafted(tmp_path, "openapi: 3.0.0\npaths: {/x: {trace: {x-keyscope-scopes: [app]}}}")
    assert map_of(done) == {"undecided": ["TRACE /x"]}


def test_texts_of_the_document_cannot_leave_their_comment(tmp_path: Path) -> None:
    operation = {"operationId": "a\nx = 1\u2028\x1b[1m", "x-keyscope-scopes": ["app"]}
    document = {
        "openapi": "3.0.0",
        "info": {"title": "t\n[b]"},
        "paths": {"/x": {"get": operation}},
    }
    done = drafted(tmp_path, json.dumps(document))
    assert map_of(done) == {"app": ["GET /x"]}
    assert "\x1b" not in done.out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[", "contains neither YAML nor JSON"),
        ("{", "contains neither YAML nor JSON"),
        ("1", "The document is not an object"),
        ("info: {}", "has neither `openapi` nor `swagger`"),
        ("openapi: 3.0.0\npaths: []", "paths is not an object"),
        ("openapi: 3.0.0\npaths: {/x: 1}", "/x is not an object"),
        ("openapi: 3.0.0\npaths: {x: {}}", "x does not start with a slash"),
        ("openapi: 3.0.0\npaths: {/x: {$ref: '#/y'}}", "/x is a reference"),
        ("openapi: 3.0.0\npaths: {/x: {get: 1}}", "GET /x is not an object"),
        ("openapi: 3.0.0\npaths: {/x: {get: {security: 1}}}", "GET /x has a `security`"),
        ("openapi: 3.0.0\npaths: {/x: {get: {security: [1]}}}", "security is not an object"),
        (
            "openapi: 3.0.0\npaths: {/x: {get: {security: [{a: [1]}]}}}",
            "lists a scope that is not a string",
        ),
    ],
)
def test_another_document_is_refused(tmp_path: Path, text: str, told: str) -> None:
    done = drafted(tmp_path, text)
    assert (done.status, done.out) == (2, "")
    assert told in done.err


@pytest.mark.parametrize("placeholder", ["tenantId", "=accountId", "tenantId=tenant"])
def test_a_placeholder_that_is_no_id_of_keyscopes_is_refused(
    tmp_path: Path, placeholder: str
) -> None:
    done = drafted(tmp_path, YAML, "--placeholder", placeholder)
    assert done.status == 2
    assert "accountId" in done.err


def decided(draft: Draft) -> Decisions | None:
    """Return what a draft decides without what it leaves undecided; nothing if it has no rule."""
    text = map_text(draft._replace(refused={}, unassigned={}), ApiDescription("An API", ()), "api")
    access_map = read_access_map(text, ["api"])
    return Decisions(prepare_policies(access_map, 30)) if draft.kept else None


def assigned(operation: Operation) -> set[Caller]:
    return {each for name in known_names(operation) for each in CALLERS_BY_NAME[name]}


def wrong_decisions(operations: list[Operation]) -> Iterator[tuple[str, Operation]]:
    """Yield each caller and operation that a draft decides in another way than its document.

    It may leave an operation undecided, but then says so.
    """
    draft = draft_of(operations, {})
    decisions = decided(draft)
    for operation in operations:
        if operation.is_public:
            # A route that is open without a credential is open with one.
            continue
        path = PLACEHOLDER.sub(
            lambda found: (
                found[0] if found[1] in {"appId", "integrationId", "userId"} else "f" * 24
            ),
            operation.path,
        )
        waiting = {
            caller
            for rule, found in draft.refused.items()
            if operation in found
            for caller in CALLERS_BY_NAME[rule.grantee.value]
        }
        for caller in CALLERS:
            allowed = decisions is not None and any(
                decisions.decide(caller, operation.method, caller.fill(each)).allowed
                for each in (path, f"{path}/")
            )
            is_due = caller in assigned(operation)
            if (allowed and not is_due) or (is_due and not allowed and caller not in waiting):
                yield caller.name, operation


def test_every_operation_of_the_published_api_is_classified() -> None:
    operations = [
        Operation(row.method, row.path, "", row.scopes, is_public=not row.scopes)
        for row in read_rows(V2)
    ]
    assert len(operations) == 68
    assert [*wrong_decisions(operations)] == []


@st.composite
def operations_of_an_api(draw: st.DrawFn) -> list[Operation]:
    segment = st.sampled_from(["a", "b", "{appId}", "{userId}", "{orderId}", "{appId}.json"])
    paths = st.lists(segment, min_size=1, max_size=4).map(lambda each: "/" + "/".join(each))
    names = st.none() | st.frozensets(st.sampled_from([*GRANTEES, "partner"]), max_size=3)
    operations = st.builds(
        Operation, st.sampled_from(["GET", "DELETE"]), paths, st.just(""), names, st.booleans()
    )
    return draw(st.lists(operations, max_size=6, unique_by=lambda each: each[:2]))


@settings(max_examples=UNIT_EXAMPLES, deadline=None)
@given(operations_of_an_api())
def test_a_draft_allows_what_its_document_says_or_says_what_is_undecided(
    operations: list[Operation],
) -> None:
    assert [*wrong_decisions(operations)] == []


def test_operations_keep_the_order_of_the_document(tmp_path: Path) -> None:
    api = read_api_description(described(tmp_path, YAML))
    assert api.title == "Orders 2.1.0"
    assert [each.name for each in api.operations][:3] == [
        "ListProjects",
        "GetProject",
        "DeleteProject",
    ]
