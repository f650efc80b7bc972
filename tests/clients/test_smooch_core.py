"""The client of v1.1 from npm, smooch-core, unmodified, against the local gateway.

It sends tokens only: of a key's id and secret, which the credentials call Basic, it makes one.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, cast

import pytest

from keyscope_local.tour.seed import USER_ID, SeededStore
from tests.clients import client_programs
from tests.clients.client_programs import (
    NODE_MODULES,
    OTHERWISE,
    PROGRAMS,
    Outcome,
    Program,
)
from tests.clients.conftest import Api, Report, report_of
from tests.clients.credentials import Credential, token_of
from tests.clients.downstream import NOT_PUBLISHED, body_of
from tests.clients.expected import Call, Refusal, contains, expected
from tests.support.route_tables import V1_1, Row, read_rows

pytestmark = pytest.mark.client

SMOOCH_CORE: Final = Program(
    "npm smooch-core",
    ["node", str(PROGRAMS / "smooch_core.cjs")],
    ["node", NODE_MODULES / "smooch-core"],
    {OTHERWISE: "Error"},
)
APP: Final = "/v1.1/apps/{appId}"
USER: Final = f"{APP}/appusers/{{userId}}"
SERVICE_ACCOUNTS: Final = "/v1.1/serviceaccounts"
SERVICE_ACCOUNT: Final = f"{SERVICE_ACCOUNTS}/{{serviceAccountId}}"
NOT_OFFERED: Final = Refusal(404, "not_found", "Resource not found")
"""The answer to `GET .../keys/{keyId}/jwt`, which would hand out what the secret is kept for."""
UNPUBLISHED: Final = {
    f"GET {USER}/conversation": {"app", "account", "service account"},
    f"POST {USER}/conversation/postback": {"appUser", "app", "account", "service account"},
    f"GET {APP}/stripe/account": {"account", "service account"},
}
"""Who reaches routes that the client knows and no table has: those whose rules end in a star."""
ACCOUNT_KEYS: Final = ["account with Basic", "account with JWT"]
MANAGERS: Final = [*ACCOUNT_KEYS, "service account with Basic"]


@pytest.fixture(scope="module")
def report(api: Api) -> Report:
    return report_of(SMOOCH_CORE, api, of_users)


def of_users(store: SeededStore) -> list[Credential]:
    """A user's token that the client signs, and one of the form that today's SDKs are given."""
    made = partial(Credential, kind="appUser", scope="appUser", app_id=store.app_id)
    sdk_token = token_of(store.app_key, scope="user", external_id=USER_ID)
    return [
        made("appUser with a secret", key=store.app_key, token=None),
        made("appUser with an SDK token", key=store.app_key, token=sdk_token),
    ]


def test_each_call_is_allowed_or_refused_as_published(report: Report) -> None:
    surprises = [
        str(outcome)
        for outcome in published(report)
        if outcome.refusal != ended(outcome.call, report.credentials[outcome.credential])
    ]
    assert surprises == []


def published(report: Report) -> list[Outcome]:
    return [each for each in report.outcomes if each.call.text not in UNPUBLISHED]


def ended(call: Call, credential: Credential) -> Refusal | None:
    refusal = expected(call, credential.kind)
    return NOT_OFFERED if refusal is None and call.path.endswith("/jwt") else refusal


def test_routes_that_are_not_published_are_reached_below_what_is(report: Report) -> None:
    reached: dict[str, set[str | None]] = {route: set() for route in UNPUBLISHED}
    for outcome in report.outcomes:
        if outcome.refusal is not None and outcome.refusal.code == NOT_PUBLISHED:
            reached[outcome.call.text].add(report.credentials[outcome.credential].kind)
    assert reached == UNPUBLISHED


def test_each_method_of_management_is_called_and_a_read_and_a_write_of_the_rest(
    report: Report,
) -> None:
    rows = [row for row in read_rows(V1_1) if row.scopes & {"appUser", "app", "account"}]
    called = {outcome.call.row for outcome in published(report)}
    assert {subject(row) for row in rows} == {subject(row) for row in called}
    for name in report.credentials:
        calls = {each.row for each in client_programs.of(published(report), name)}
        assert calls == called, name


def subject(row: Row) -> tuple[str, str]:
    """Return a row itself if it is of management; otherwise its resource, and how it is used."""
    is_managed = row.path in {"/v1.1/apps", APP} or row.path.startswith(
        (f"{APP}/keys", SERVICE_ACCOUNTS)
    )
    if is_managed:
        return row.method, row.path
    resource = row.path.removeprefix("/v1.1").removeprefix("/apps/{appId}").split("/")[1]
    return "read" if row.method == "GET" else "write", resource


def test_errors_are_raised_as_the_clients_own_with_code_and_description(report: Report) -> None:
    refused = [each for each in report.outcomes if each.refusal is not None]
    assert {each.error_type for each in refused} == {"Error"}
    assert {each.refusal.code for each in refused if each.refusal} >= {"unauthorized", "forbidden"}


def test_what_is_answered_downstream_reaches_the_caller(report: Report) -> None:
    changed = [
        str(outcome)
        for outcome in published(report)
        if outcome.refusal is None
        and subject(outcome.call.row)[0] in {"read", "write"}
        and not contains(outcome.answer, body_of(outcome.call.method, outcome.call.path))
    ]
    assert changed == []


def answers(report: Report, credential: str) -> Mapping[str, Any]:
    outcomes = client_programs.of(report.outcomes, credential)
    return {call.text: cast("Any", outcome.answer) for call, outcome in outcomes.items()}


@pytest.fixture(params=MANAGERS)
def managed(request: pytest.FixtureRequest, report: Report) -> Mapping[str, Any]:
    """The answers to a credential that manages apps, by call."""
    return answers(report, request.param)


@pytest.fixture(params=ACCOUNT_KEYS)
def of_account(request: pytest.FixtureRequest, report: Report) -> Mapping[str, Any]:
    """The answers to a credential that manages service accounts, by call."""
    return answers(report, request.param)


def test_an_app_is_created_read_changed_and_deleted(managed: Mapping[str, Any]) -> None:
    created = managed["POST /v1.1/apps"]["app"]
    settings, metadata = {"maskCreditCardNumbers": True}, {"team": "blue"}
    assert contains(created, {"name": "Bakery", "settings": settings, "metadata": metadata})
    assert managed[f"GET {APP}"]["app"] == created
    changed = {**created, "name": "Shop", "metadata": {"team": "blue", "floor": 3}}
    assert managed[f"PUT {APP}"]["app"] == changed
    assert changed in managed["GET /v1.1/apps"]["apps"]
    assert managed[f"DELETE {APP}"] == {}


def test_apps_are_listed_page_by_page(managed: Mapping[str, Any]) -> None:
    page, rest = managed["GET /v1.1/apps with a page"], managed["GET /v1.1/apps after the page"]
    assert (len(page["apps"]), page["hasMore"], page["offset"]) == (1, True, 0)
    assert (rest["hasMore"], rest["offset"]) == (False, 1)
    assert page["apps"][0] not in rest["apps"]


def test_only_the_apps_of_a_service_account_are_listed(of_account: Mapping[str, Any]) -> None:
    of_one = of_account["GET /v1.1/apps of a service account"]["apps"]
    assert [app["name"] for app in of_one] == ["Staging"]


def test_an_apps_key_is_created_with_a_secret_and_shown_without(managed: Mapping[str, Any]) -> None:
    the_key_is_shown_without_its_secret(managed, f"{APP}/keys", "app_")


def test_a_service_accounts_key_is_created_with_a_secret_and_shown_without(
    of_account: Mapping[str, Any],
) -> None:
    the_key_is_shown_without_its_secret(of_account, f"{SERVICE_ACCOUNT}/keys", "svc_")


def the_key_is_shown_without_its_secret(answers: Mapping[str, Any], path: str, prefix: str) -> None:
    created = dict(answers[f"POST {path}"]["key"])
    assert len(created.pop("secret")) > 40
    assert (created["name"], created["_id"][:4]) == ("First", prefix)
    assert answers[f"GET {path}/{{keyId}}"]["key"] == created
    assert answers[f"GET {path}"]["keys"] == [created]
    assert answers[f"DELETE {path}/{{keyId}}"] == {}


def test_a_service_account_is_created_read_changed_and_deleted(
    of_account: Mapping[str, Any],
) -> None:
    created = of_account[f"POST {SERVICE_ACCOUNTS}"]["serviceAccount"]
    assert created["name"].startswith("Deployer")
    assert of_account[f"GET {SERVICE_ACCOUNT}"]["serviceAccount"] == created
    assert created in of_account[f"GET {SERVICE_ACCOUNTS}"]["serviceAccounts"]
    changed = of_account[f"PUT {SERVICE_ACCOUNT}"]["serviceAccount"]
    assert changed == {**created, "name": created["name"].replace("Deployer", "Builder")}
    assert of_account[f"DELETE {SERVICE_ACCOUNT}"] == {}
