"""The projects API end to end: real keys, its own access map, its backend with the check."""

import shlex
import subprocess
from typing import Final

import httpx
import pytest

from keyscope.access.access_map import read_access_map
from keyscope_local.tour.attached_calls import curl_lines
from keyscope_local.tour.event_values import basic, bearer
from keyscope_local.tour.seed import USER_ID
from keyscope_local.tour.session import Session
from tests.examples.conftest import ACCESS_MAP, ServedProjects
from tests.support import plain_http

USER: Final = {"scope": "appUser", "userId": "jane@example.com"}


def credentials(projects: ServedProjects) -> dict[str, str]:
    store = projects.store
    return {
        "member": bearer(store.app_key, USER),
        "project": basic(store.app_key),
        "account": basic(store.account_key),
        "service account": basic(store.service_account_key),
        "stranger": basic(projects.stranger.app_key),
        "revoked": basic(store.revoked_key),
    }


def ask(
    projects: ServedProjects, caller: str, path: str, method: str = "GET", account: str = ""
) -> httpx.Response:
    store = projects.store
    places = {
        "project": store.app_id,
        "made": store.service_account_app_id,
        "strangers": projects.stranger.app_id,
    }
    tenant = account or store.account_id
    url = f"{projects.url}/tenants/{tenant}/projects{path.format_map(places)}"
    headers = {"authorization": credentials(projects)[caller]}
    return plain_http.request(method, url, headers=headers)


@pytest.mark.parametrize(
    ("caller", "method", "path"),
    [
        ("member", "GET", "/{project}/members/jane@example.com"),
        ("member", "PATCH", "/{project}/members/jane%40example.com"),
        ("project", "GET", "/{project}"),
        ("project", "POST", "/{project}/members"),
        ("project", "DELETE", "/{project}/members/bob"),
        ("account", "GET", ""),
        ("account", "GET", "/{project}"),
        ("account", "PATCH", "/{made}/members/bob"),
        ("service account", "GET", "/{made}"),
    ],
)
def test_a_request_within_the_scope_reaches_the_backend(
    projects: ServedProjects, caller: str, method: str, path: str
) -> None:
    answer = ask(projects, caller, path, method)
    assert answer.status_code == 200
    assert answer.json()["accountId"] == projects.store.account_id


@pytest.mark.parametrize(
    ("caller", "method", "path"),
    [
        ("member", "GET", "/{project}/members/bob"),
        ("member", "DELETE", "/{project}/members/jane@example.com"),
        ("member", "GET", "/{project}/members"),
        ("project", "GET", ""),
        ("project", "GET", "/{made}"),
        ("project", "DELETE", "/{project}"),
        ("project", "PUT", "/{project}/members/bob"),
        ("account", "GET", "/{strangers}"),
        ("service account", "GET", "/{project}"),
        ("stranger", "GET", "/{strangers}"),
        ("stranger", "GET", "/{project}"),
    ],
)
def test_a_request_outside_the_scope_is_refused_by_the_policy(
    projects: ServedProjects, caller: str, method: str, path: str
) -> None:
    answer = ask(projects, caller, path, method)
    assert answer.status_code == 403
    assert answer.headers["x-keyscope-cache"] in {"hit", "miss"}


def test_another_account_in_the_path_is_refused(projects: ServedProjects) -> None:
    strangers_account = projects.stranger.account_id
    assert ask(projects, "account", "", account=strangers_account).status_code == 403


@pytest.mark.parametrize("suffix", ["/", "/files", "%2Fbob", "/;a"])
def test_what_the_policy_lets_through_for_a_subtree_the_backend_checks(
    projects: ServedProjects, suffix: str
) -> None:
    answer = ask(projects, "project", "/{project}/members/jane" + suffix)
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["title"] == "Not authorized"


def test_a_key_that_ended_is_refused(projects: ServedProjects) -> None:
    assert ask(projects, "revoked", "/{project}").status_code == 401


def test_no_credential_is_refused(projects: ServedProjects) -> None:
    url = f"{projects.url}/tenants/{projects.store.account_id}/projects"
    assert plain_http.get(url).status_code == 401


def test_the_requests_that_a_run_prints_for_the_api_are_answered_when_pasted(
    projects: ServedProjects,
) -> None:
    store = projects.store
    token = bearer(store.app_key, {"scope": "appUser", "userId": USER_ID})
    session = Session(store, projects.stranger.app_id, token.removeprefix("Bearer "))
    access_map = read_access_map(ACCESS_MAP.read_text("utf-8"), ["projects"])
    lines = curl_lines(projects.api, projects.url, access_map, session)
    pasted = [
        subprocess.run(shlex.split(line), check=True, capture_output=True, text=True).stdout  # noqa: S603
        for line in lines
    ]
    assert [answer.splitlines()[0] for answer in pasted] == ["HTTP/1.1 200 OK"] * 3
