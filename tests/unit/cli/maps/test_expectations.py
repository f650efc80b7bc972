"""`keyscope access test`: a map is held to what a file expects of it."""

from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest

from keyscope_cli.maps.decisions import CALLERS, CALLERS_BY_NAME, EXAMPLES
from tests.support.cli import ROOT, keyscope
from tests.support.in_process import Ended

EXAMPLE: Final = ROOT / "examples" / "access-map"
MAP: Final = """\
["api"]
websocket = ["appUser"]
appUser = ["GET /t/{accountId}/p/{appId}/m/{userId}"]
app = ["GET,PATCH /t/{accountId}/p/{appId}", "GET,DELETE /t/{accountId}/p/{appId}/m/*"]
account = ["GET /t/{accountId}/p", "GET,DELETE /t/{accountId}/p/{appId}/*"]
userAccount = ["GET /t/{accountId}/robots"]
never = ["GET /t/{accountId}/p/{appId}/audit"]

["api".permissions]
"read" = ["GET *"]
"live" = ["websocket"]
"""


def expecting(request: str, *allow: str, more: str = "") -> str:
    return f'[[expect]]\nrequest = "{request}"\nallow = {[*allow]}\n{more}\n'


def outcome_of(folder: Path, expectations: str, *options: str, access_map: str = MAP) -> Ended:
    (folder / "map.toml").write_text(access_map, "utf-8")
    (folder / "expectations.toml").write_text(expectations, "utf-8")
    files = (str(folder / "map.toml"), str(folder / "expectations.toml"))
    return keyscope("access", "test", *files, *options)


def failures(folder: Path, expectations: str) -> list[tuple[str, str]]:
    outcomes: list[dict[str, Any]] = outcome_of(folder, expectations, "--json").json["outcomes"]
    return [(each["caller"], each["found"]) for each in outcomes if not each["passed"]]


def test_the_example_map_meets_its_expectations() -> None:
    files = (str(EXAMPLE / "projects.toml"), str(EXAMPLE / "expectations.toml"))
    done = keyscope("access", "test", *files)
    assert (done.status, done.out.splitlines()[-1]) == (0, "60 of 60 decisions are as expected.")


def test_callers_that_are_not_listed_must_be_denied(tmp_path: Path) -> None:
    found = failures(tmp_path, expecting("GET /t/{accountId}/p/{appId}", "app"))
    assert found == [
        ("userAccount", "allowed by GET/t/4f1c0a9b2d3e/p/4f1c0a9b2d3e*"),
        ("serviceAccount", "allowed by GET/t/4f1c0a9b2d3e/p/4f1c0a9b2d3e7a21*"),
    ]


def test_callers_that_are_listed_must_be_allowed(tmp_path: Path) -> None:
    found = failures(tmp_path, expecting("PATCH /t/{accountId}/p/{appId}", "app", "account"))
    assert found == [("userAccount", "implicitly denied"), ("serviceAccount", "implicitly denied")]


def test_a_failure_ends_with_status_1_and_is_told(tmp_path: Path) -> None:
    done = outcome_of(tmp_path, expecting("GET /t/{accountId}/p", "account", "app"))
    assert done.status == 1
    assert "app must be allowed, but is implicitly denied" in done.out
    assert done.out.splitlines()[-1] == "4 of 5 decisions are as expected."


def test_decisions_are_those_of_the_policies(tmp_path: Path) -> None:
    allowed: dict[str, list[str]] = {
        "GET /t/{accountId}/robots": ["userAccount"],
        "GET /t/{accountId}/p/{appId}": ["app", "account"],
        "GET /t/{accountId}/p/{otherAppId}": [],
        "GET /t/{otherAccountId}/p": [],
        "GET /t/{accountId}/p/{appId}/m/{userId}": ["appUser", "app", "account"],
        "GET /t/{accountId}/p/{appId}/m/{otherUserId}": ["app", "account"],
        "GET /t/{accountId}/p/{appId}/m/x/..%2f..": [],
        "GET /t/{accountId}/p/{appId}/audit": [],
        "GET /v2/keys/self": ["app", "integration", "account"],
        "websocket": ["appUser"],
    }
    file = "".join(expecting(request, *callers) for request, callers in allowed.items())
    assert failures(tmp_path, file) == []


def test_what_the_two_kinds_of_api_decide_differently_is_a_failure(tmp_path: Path) -> None:
    # Only an HTTP API decodes the path before it applies the policy.
    found = failures(tmp_path, expecting("DELETE /t/{accountId}/%70/{appId}/m/x"))
    assert ("app", "REST API: implicitly denied; HTTP API: allowed") in found


def test_permissions_are_those_of_the_callers_key(tmp_path: Path) -> None:
    limited = expecting("GET,DELETE /t/{accountId}/p/{appId}/m/x", more='permissions = ["live"]')
    assert failures(tmp_path, limited) == []
    reading = expecting("GET /t/{accountId}/p", "account", more='permissions = ["read"]')
    assert failures(tmp_path, reading) == []
    live = expecting("websocket", "appUser", more='permissions = ["live", "read"]')
    assert failures(tmp_path, live) == []
    assert failures(tmp_path, expecting("websocket", more='permissions = ["read"]')) == []


def test_ids_stand_for_values_of_the_file_and_for_keyscopes_ids(tmp_path: Path) -> None:
    ids = '[ids]\ntenantId = "{accountId}"\nmemberId = "m-1"\n'
    path = "/t/{tenantId}/p/{appId}/m/{memberId}"
    assert failures(tmp_path, ids + expecting(f"GET {path}", "app", "account")) == []


def test_a_junit_report_has_a_case_for_each_request_and_caller(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    outcome_of(tmp_path, expecting("GET /t/{accountId}/p", "app"), "--junit", str(report))
    suite = ET.fromstring(report.read_text("utf-8")).find("testsuite")  # noqa: S314 - our own
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("5", "3")
    failed = {case.get("classname"): case.find("failure") for case in suite}
    assert failed["appUser"] is None
    assert failed["app"] is not None
    assert failed["app"].get("message") == "implicitly denied"
    assert [case.get("name") for case in suite][:2] == [
        "GET /t/{accountId}/p: denied",
        "GET /t/{accountId}/p: allowed",
    ]


def test_a_report_is_well_formed_whatever_a_request_holds(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    outcome_of(tmp_path, expecting('GET /<&\\u0007\\"'), "--junit", str(report))
    assert ET.fromstring(report.read_text("utf-8")) is not None  # noqa: S314 - our own


def test_the_file_can_name_the_route_sets(tmp_path: Path) -> None:
    two = MAP + '\n["other"]\napp = ["GET /other"]\n'
    expectations = 'routes = ["other"]\n' + expecting("GET /other", "app")
    assert outcome_of(tmp_path, expectations, access_map=two).status == 0
    assert outcome_of(tmp_path, expectations, "--routes", "api", access_map=two).status == 1
    done = outcome_of(tmp_path, expecting("GET /other", "app"), access_map=two)
    assert (done.status, done.out) == (1, "")
    assert "select one or more of its route sets: api, other" in done.err


@pytest.mark.parametrize(
    ("expectations", "told"),
    [
        ("", "[[expect]] is missing"),
        ("expect = 1", "[[expect]] is missing"),
        ("[[expect", "does not contain TOML"),
        ("rules = []\n" + expecting("GET /x"), "rules is not a member"),
        ('routes = "api"\n' + expecting("GET /x"), "routes must be a list of strings"),
        ("ids = 1\n" + expecting("GET /x"), "[ids] must be a table of strings"),
        ("[ids]\na = 1\n" + expecting("GET /x"), "[ids] a must be a string"),
        ('[ids]\nappId = "x"\n' + expecting("GET /x"), "[ids] appId is the name of a Keyscope ID"),
        ('[ids]\na = "{b}"\n' + expecting("GET /x"), "[ids] a {b} has no value"),
        ('[[expect]]\nrequest = "GET /x"', "[[expect]] 1 must have request and allow"),
        (expecting("GET /x", more="method = 1"), "[[expect]] 1 must have request and allow"),
        (expecting("GET"), "'GET' is not a request"),
        (expecting("GET,FETCH /x"), "'GET,FETCH /x' is not a request"),
        (expecting("GET x"), "'GET x' is not a request"),
        ("[[expect]]\nrequest = 1\nallow = []", "1 is not a request"),
        (expecting("GET /x/*"), "'GET /x/*' is a pattern"),
        (expecting("GET /x?a=1"), "'GET /x?a=1' is a pattern or has a query"),
        (expecting("GET /{appid}"), "{appid} has no value"),
        (expecting("GET /x", "svc"), "allows 'svc'"),
        (expecting("GET /x", more="permissions = []"), "has no valid permissions"),
        (
            expecting("GET /x", more='permissions = ["reed"]'),
            "the map does not define the permission 'reed'",
        ),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path: Path, expectations: str, told: str) -> None:
    done = outcome_of(tmp_path, expectations)
    assert (done.status, done.out) == (2, "")
    assert told in done.err


def test_a_map_that_an_authorizer_refuses_is_not_tested(tmp_path: Path) -> None:
    done = outcome_of(tmp_path, expecting("GET /x"), access_map='["api"]\napp = ["GET /*/x"]\n')
    assert (done.status, done.out) == (1, "")
    assert "access map, line 2, 'GET /*/x'" in done.err


def test_a_report_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    done = outcome_of(tmp_path, expecting("GET /x"), "--junit", str(tmp_path / "no" / "report.xml"))
    assert done.status == 2
    assert "Cannot write" in done.err


def test_every_caller_has_examples_of_every_id_and_others_are_not_its_own() -> None:
    for caller in CALLERS:
        ids = {name: example.of(caller) for name, example in EXAMPLES.items()}
        assert len(set(ids.values())) == len(EXAMPLES)


def test_a_scope_means_all_of_its_callers() -> None:
    assert {each.name for each in CALLERS_BY_NAME["account"]} == {"userAccount", "serviceAccount"}
    assert CALLERS_BY_NAME.keys() >= {each.name for each in CALLERS}
