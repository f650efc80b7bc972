"""`keyscope` without any stack: usage, access maps, what it refuses as input."""

import json
import re
from pathlib import Path

import pytest

from keyscope.access.policy import MAX_POLICY_BYTES
from keyscope.access.rules import OtherGrantee
from keyscope.model.scopes import Scope
from keyscope.model.secret import new_secret
from keyscope_cli.failures import ExitStatus
from tests.support.cli import keyscope

KEY_ID = "act_" + "0" * 24
SECRET = new_secret(KEY_ID)
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzY29wZSI6ImFwcCJ9.c2lnbmF0dXJl"


def test_help_lists_the_commands_and_the_exit_statuses() -> None:
    done = keyscope("--help")
    assert done.status == 0
    assert "service-account" in done.out
    assert [int(status) for status in re.findall(r"^ {4}(\d+) ", done.out, re.MULTILINE)] == [
        *ExitStatus
    ]


@pytest.mark.parametrize(
    "argument",
    [SECRET, TOKEN, f"Basic {'QWxh' * 6}", f"x={SECRET}"],
    ids=["secret", "token", "Basic", "setting"],
)
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(argument: str) -> None:
    done = keyscope("app", "show", argument)
    assert (done.status, done.out) == (2, "")
    assert "Argument 3 looks like a secret" in done.err
    assert argument not in done.err


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("app", "list"), 2, "--stack NAME"),
        (("app", "list", "--local", "--session", "/nowhere"), 5, "with `keyscope up`"),
        (("app", "list", "--local", "--stack", "x"), 2, "Use either --local or --stack"),
        (("app", "list", "--url", "http://example.com", "--key-id"), 2, "--key-id"),
        (("app", "list", "--url", "https://x.example", "--stack", "x"), 2, "Use only one of"),
        (("explain", "GET", "/", "--event", "events/http_basic_app.json"), 2, "cannot be combined"),
        (("explain", "--event", "events/http_basic_app.json"), 2, "Add --local"),
        (("token", "app"), 2, "needs a key to sign with"),
        (("nonsense",), 2, "No such command"),
        (("accont", "list"), 2, "Did you mean 'account'?"),
        (("app", "list", "--lokal"), 2, "--local"),
        (("token", "aplication"), 2, "Invalid value for 'scope': 'aplication' is not one of"),
    ],
)
def test_wrong_usage_is_told_with_what_to_do(
    arguments: tuple[str, ...], status: int, told: str
) -> None:
    done = keyscope(*arguments)
    assert (done.status, done.out) == (status, "")
    assert told in done.err


def test_a_secret_is_never_sent_unencrypted(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(f"{KEY_ID}:{SECRET}", "utf-8")
    arguments = ("--url", "http://example.com", "--credential-file", str(file))
    done = keyscope("app", "list", *arguments)
    assert done.status == 2
    assert "not encrypted, so your secret would be readable. Nothing was sent." in done.err


def test_a_url_that_nobody_answers_at_is_told(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(f"{KEY_ID}:{SECRET}", "utf-8")
    arguments = ("--url", "http://127.0.0.1:9", "--credential-file", str(file))
    assert keyscope("app", "list", *arguments).status == 5


@pytest.mark.parametrize(
    "command",
    [
        ("account", "list"),
        ("app", "list"),
        ("doctor",),
        ("explain", "GET", "/v2/apps", "--authorization-file", "FILE"),
    ],
    ids=lambda command: command[0],
)
def test_a_session_of_a_stack_that_has_ended_is_recognized(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    nobody = "http://127.0.0.1:9"
    key = {"key_id": KEY_ID, "secret": SECRET}
    credentials = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "x"}
    settings = {"KEYSCOPE_KEYS_TABLE": "keys", "KEYSCOPE_KMS_KEY_ARN": "key"}
    stack = {
        "outputs": {"ProvisioningFunctionName": "provisioning"},
        "authorizer_environment": settings,
        "endpoints": {"AWS_ENDPOINT_URL": nobody, **credentials},
    }
    file = tmp_path / "session.json"
    file.write_text(json.dumps({"rest_api": nobody, "account_key": key, "stack": stack}), "utf-8")
    words = (str(file) if word == "FILE" else word for word in command)
    done = keyscope(*words, "--local", "--session", str(file))
    assert (done.status, done.out) == (ExitStatus.UNAVAILABLE, "")
    assert "local stack" in done.err
    assert "running" in done.err
    assert "may have been made" not in done.err


def test_the_packaged_map_is_listed_with_the_size_of_its_policies() -> None:
    done = keyscope("access", "check", "--routes", "v2,v1.1", "--json")
    assert done.status == 0
    assert {"scope": "account", "methods": ["POST"], "path": "/v2/explain"} in done.json["rules"]
    assert {
        "name": "conversations:read",
        "description": "Read conversations and their messages",
        "scope": "account",
        "methods": ["GET"],
        "path": "/v2/apps/{appId}/conversations",
    } in done.json["permissions"]
    opened = {one["scope"] for one in done.json["permissions"] if one["path"] == "websocket"}
    assert opened == set(done.json["websocket"])
    assert set(done.json["policyBytes"]) == {*Scope, OtherGrantee.USER_ACCOUNT}
    assert max(done.json["policyBytes"].values()) <= done.json["maxPolicyBytes"]


def test_a_map_is_shown_as_a_table() -> None:
    lines = keyscope("access", "check").out.splitlines()
    assert lines[0].split() == ["Scope", "Methods", "Path"]
    assert ["Permission", "Scope", "Methods", "Path"] in [line.split() for line in lines]
    described = [line for line in lines if "Read conversations and their messages" in line]
    assert [line.split()[0] for line in described] == ["conversations:read"]
    (heading,) = [place for place, line in enumerate(lines) if "Longest policy" in line]
    assert lines[heading].split() == ["Longest", "policy", "Bytes", "Limit", "Used"]
    rows = lines[heading + 1 : heading + 1 + len(Scope)]
    assert [row for row in rows if f"{MAX_POLICY_BYTES:,}" not in row] == []


@pytest.mark.parametrize(("region", "longest"), [("us-east-1", 10), ("eusc-de-east-1", 13)])
def test_the_longest_stage_name_of_a_region_is_shown(region: str, longest: int) -> None:
    lines = keyscope("access", "check", "--region", region).out.splitlines()
    assert lines[-1] == f"In {region}, stage names may have up to {longest} characters."


def test_a_refused_map_is_told_with_the_line_and_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "map.toml"
    file.write_text('[a]\nappUser = ["GET /x/*/y"]\napp = ["GET /x"]\naccount = ["GET /x"]\n')
    done = keyscope("access", "check", str(file), "--routes", "a")
    assert (done.status, done.out) == (1, "")
    assert "line 2" in done.err
    assert "a star is allowed only at the end" in done.err


def test_a_map_that_is_not_there_is_wrong_usage() -> None:
    assert keyscope("access", "check", "/nowhere.toml").status == 2


def test_a_map_with_which_nobody_can_manage_keys_is_told(tmp_path: Path) -> None:
    file = tmp_path / "map.toml"
    file.write_text('["orders"]\napp = ["GET /orders"]\n', "utf-8")
    done = keyscope("access", "check", str(file), "--routes", "orders")
    assert done.status == 0
    assert "No key reaches GET /v2/apps, POST /v2/apps" in done.err
    alone = keyscope("access", "check", str(file), "--json")
    assert (alone.json["unreachedManagement"], alone.err) == ([], "")
