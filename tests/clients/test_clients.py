"""Each client of the Sunshine Conversations API, unmodified, against the local gateway."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import pytest

from tests.clients import client_programs
from tests.clients.conftest import Report
from tests.clients.downstream import body_of
from tests.clients.expected import (
    CIRCUMSTANCES,
    MANAGEMENT,
    REFUSED_ONLY_TO,
    TAGS,
    contains,
    expected,
    left_out,
)

pytestmark = pytest.mark.client

EVERY_CREDENTIAL: Final = {"", "of another account", *REFUSED_ONLY_TO}
"""Circumstances in which every credential is tried, not only those that could create an app."""
APP: Final = "/v2/apps/{appId}"
SERVICE_ACCOUNT: Final = "service account with Basic"


def test_each_call_is_allowed_or_refused_as_published(report: Report) -> None:
    surprises = [
        str(outcome)
        for outcome in report.outcomes
        if outcome.refusal != expected(outcome.call, report.credentials[outcome.credential].kind)
    ]
    assert surprises == []


def test_each_credential_is_tried_with_each_call(report: Report) -> None:
    calls = {outcome.call for outcome in report.outcomes}
    assert {call.circumstance for call in calls} == {*CIRCUMSTANCES, *REFUSED_ONLY_TO}
    common = {call for call in calls if call.circumstance in EVERY_CREDENTIAL}
    tried = {name: set(client_programs.of(report.outcomes, name)) for name in report.credentials}
    for name, credential in report.credentials.items():
        manages = credential.kind in {"account", "service account"}
        assert tried[name] == (calls if manages else common), name


def test_errors_are_raised_as_the_clients_own_types(report: Report) -> None:
    types = report.program.errors
    surprises = [
        str(outcome)
        for outcome in report.outcomes
        if outcome.refusal is not None
        and outcome.error_type
        != types.get(outcome.refusal.status, types[client_programs.OTHERWISE])
    ]
    assert surprises == []


def test_what_is_answered_downstream_reaches_the_caller(report: Report) -> None:
    changed = [
        str(outcome)
        for outcome in report.outcomes
        if outcome.refusal is None
        and TAGS[outcome.call.method, outcome.call.path] not in MANAGEMENT
        and not contains(outcome.answer, body_of(outcome.call.method, outcome.call.path))
    ]
    assert changed == []


def test_each_resource_is_managed_or_read_and_written(report: Report) -> None:
    left = left_out(outcome.call for outcome in report.outcomes)
    assert left == list(report.program.lacks)


def creator_of(app_id: str) -> str:
    """Return the digits of an app's id that the apps of one creator share."""
    return app_id[:16]


def creators(apps: Sequence[Mapping[str, str]]) -> set[str]:
    return {creator_of(app["id"]) for app in apps}


@pytest.fixture(params=["account with Basic", "account with JWT", SERVICE_ACCOUNT])
def managed(request: pytest.FixtureRequest, report: Report) -> Mapping[str, Any]:
    """The answers to a credential that manages apps, by call."""
    outcomes = client_programs.of(report.outcomes, request.param)
    return {call.text: cast("Any", outcome.answer) for call, outcome in outcomes.items()}


def test_an_app_is_created_read_and_changed(managed: Mapping[str, Any]) -> None:
    created = managed["POST /v2/apps"]["app"]
    bakery = {
        "displayName": "Bakery",
        "settings": {"maskCreditCardNumbers": True},
        "metadata": {"team": "blue"},
    }
    assert contains(created, bakery)
    assert managed[f"GET {APP}"]["app"] == created
    shop = {"id": created["id"], "displayName": "Shop", "metadata": {"team": "blue", "floor": 3}}
    assert contains(managed[f"PATCH {APP}"]["app"], shop)
    assert created["id"] in [app["id"] for app in managed["GET /v2/apps"]["apps"]]


def test_a_deleted_app_or_key_is_answered_with_nothing(managed: Mapping[str, Any]) -> None:
    deleted = {call: answer for call, answer in managed.items() if call.startswith("DELETE")}
    assert deleted.keys() == {
        f"DELETE {APP}",
        f"DELETE {APP}/keys/{{keyId}}",
        f"DELETE {APP}/integrations/{{integrationId}}/keys/{{keyId}}",
    }
    assert [answer for answer in deleted.values() if answer != {}] == []


@pytest.mark.parametrize(
    ("path", "prefix"),
    [(f"{APP}/keys", "app_"), (f"{APP}/integrations/{{integrationId}}/keys", "int_")],
    ids=["app", "integration"],
)
def test_a_key_is_created_with_a_secret_and_shown_without(
    path: str, prefix: str, managed: Mapping[str, Any]
) -> None:
    created = managed[f"POST {path}"]["key"]
    assert (created["displayName"], created["id"][:4]) == ("First", prefix)
    assert len(created["secret"]) > 40
    shown = {"id": created["id"], "displayName": "First"}
    one, listed = managed[f"GET {path}/{{keyId}}"]["key"], managed[f"GET {path}"]["keys"]
    assert contains(one, shown)
    assert contains(listed, [shown])
    assert "secret" not in {**one, **listed[0]}


def test_apps_are_listed_page_by_page(managed: Mapping[str, Any]) -> None:
    page, rest = managed["GET /v2/apps with a page"], managed["GET /v2/apps after the page"]
    assert len(page["apps"]) == 1
    assert page["meta"]["hasMore"] is True
    assert page["apps"][0]["id"] not in [app["id"] for app in rest["apps"]]
    assert rest["apps"] != []


def test_apps_of_a_service_account_are_listed(report: Report, managed: Mapping[str, Any]) -> None:
    of_one = managed["GET /v2/apps of a service account"]["apps"]
    assert creators(of_one) == {creator_of(report.credentials[SERVICE_ACCOUNT].app_id)}


def test_a_service_account_lists_only_apps_that_it_created(report: Report) -> None:
    answers = {
        outcome.call.text: cast("Any", outcome.answer)
        for outcome in client_programs.of(report.outcomes, SERVICE_ACCOUNT).values()
    }
    listed = answers["GET /v2/apps"]["apps"]
    assert creators(listed) == {creator_of(report.credentials[SERVICE_ACCOUNT].app_id)}
    assert answers["POST /v2/apps"]["app"]["id"] in [app["id"] for app in listed]


def test_a_created_key_opens_its_app(managed: Mapping[str, Any]) -> None:
    app_id = managed["POST /v2/apps"]["app"]["id"]
    assert managed[f"GET {APP} with a created key"]["app"]["id"] == app_id
