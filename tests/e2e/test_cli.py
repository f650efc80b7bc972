"""`keyscope` against a running local stack, as a user runs it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from keyscope.model.scopes import Scope
from keyscope_local.tour.events import EVENTS, Allowed, SampleEvent, Unauthorized
from tests.support.cli import (
    CTRL_C,
    ROOT,
    LocalRun,
    in_a_terminal,
    into_a_broken_pipe,
    keyscope,
    local_run,
)
from tests.support.in_process import Ended
from tests.support.profile import EVERY_NTH

EXAMPLE_TENANTS: Final = ROOT / "examples/import/tenants.jsonl"
SECRET: Final = re.compile(r"ks_\w{40,}")
TOKEN: Final = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
ESCAPE: Final = "\x1b["
COLOR: Final = re.compile(r"\x1b\[[0-9;]*m")
AUTHORIZER_EVENTS: Final = [
    sample for sample in EVENTS if isinstance(sample.expected, Allowed | Unauthorized)
][::EVERY_NTH]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    with local_run(tmp_path_factory.mktemp("run")) as running:
        yield running


@pytest.fixture(scope="module")
def account(run: LocalRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the key of an account that `keyscope` created."""
    file = tmp_path_factory.mktemp("account") / "account.json"
    done = run.keyscope("account", "create", "Acme", "--secret-file", str(file))
    assert done.status == 0, done.err
    return file


def test_an_account_is_created_and_its_key_is_kept_in_a_private_file(account: Path) -> None:
    key = json.loads(account.read_text("utf-8"))
    assert set(key) == {"id", "secret"}
    assert key["id"].startswith("act_")
    assert account.stat().st_mode & 0o777 == 0o600


def test_a_secret_file_is_never_overwritten_and_no_key_is_made(
    run: LocalRun, account: Path
) -> None:
    before = account.read_text("utf-8")
    done = run.keyscope("account", "create", "Again", "--secret-file", str(account))
    assert done.status == 2
    assert "already exists" in done.err
    assert "No key was created" in done.err
    assert account.read_text("utf-8") == before


def test_a_secret_file_goes_when_no_key_was_made(run: LocalRun, tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    done = run.keyscope("account", "create", " ", "--secret-file", str(file))
    assert (done.status, file.exists()) == (4, False)
    assert "displayName" in done.err


def test_the_keys_of_an_account_are_created_listed_and_revoked(run: LocalRun) -> None:
    limits = ("--allow", "192.0.2.0/24", "--permission", "read")
    made = run.keyscope("account", "create", "Keys", *limits, "--json").json
    account_id, first = made["account"]["id"], made["key"]["id"]
    assert made["key"]["permissions"] == ["read"]
    second = run.keyscope("account", "keys", "create", account_id, "--name", "Two", "--json").json
    assert run.keyscope("account", "keys", "revoke", account_id, first, "--yes").status == 0
    listed = run.keyscope("account", "keys", "list", account_id, "--json").json["keys"]
    # Of two keys that were created in the same second, either may be the first.
    assert [key["createdAt"] for key in listed] == sorted(key["createdAt"] for key in listed)
    assert {key["id"]: key["state"] for key in listed} == {
        first: "revoked",
        second["key"]["id"]: "active",
    }


def test_tenants_are_imported_once_and_their_keys_work(run: LocalRun, tmp_path: Path) -> None:
    file, tenants = tmp_path / "secrets.jsonl", str(EXAMPLE_TENANTS)
    done = run.keyscope("import", tenants, "--secret-file", str(file), "--json")
    assert done.status == 0, done.err
    counts = {"created": 6, "replaced": 0, "existed": 0, "doneBefore": 0, "rejected": 0}
    assert {name: done.json[name] for name in counts} == counts
    assert SECRET.search(done.out + done.err) is None
    _, *lines = map(json.loads, file.read_text("utf-8").splitlines())
    keys = {line["externalId"]: line for line in lines if "secret" in line}
    bakery = tmp_path / "bakery.json"
    bakery.write_text(json.dumps({name: keys["example-bakery"][name] for name in ("id", "secret")}))
    listed = run.keyscope("app", "list", "--credential-file", str(bakery), "--json")
    assert [app["externalId"] for app in listed.json["apps"]] == ["bakery-shop"]
    again = run.keyscope("import", tenants, "--secret-file", str(file))
    assert (again.status, again.out.split()) == (0, ["done", "before", "6"])


def test_an_account_is_created_with_an_external_id_once(run: LocalRun) -> None:
    given = ("account", "create", "Named", "--external-id", "Named-1", "--json")
    assert run.keyscope(*given).json["account"]["externalId"] == "Named-1"
    again = run.keyscope(*given)
    assert again.status == 4
    assert "(external_id_taken)" in again.err


def test_an_import_of_what_exists_leaves_it_alone_and_rejects_nothing(
    run: LocalRun, tmp_path: Path
) -> None:
    tenants = tmp_path / "tenants.jsonl"
    tenants.write_text('{"externalId": "left-alone", "displayName": "Left alone"}\n')
    files = [tmp_path / f"secrets-{number}.jsonl" for number in range(2)]
    first, second = (
        run.keyscope("import", str(tenants), "--secret-file", str(file)) for file in files
    )
    assert (first.status, second.status) == (0, 0), first.err + second.err
    assert "did not create it" not in first.err
    assert "did not create it" in second.err
    assert [len(file.read_text("utf-8").splitlines()) for file in files] == [2, 1]


def test_a_new_secret_is_shown_once_with_a_warning(run: LocalRun) -> None:
    done = run.keyscope("account", "create", "Shown")
    assert len(SECRET.findall(done.out)) == 1
    assert re.search(r"^  Last used +Never$", done.out, re.MULTILINE)
    assert "shown only once" in done.err


def test_the_life_of_an_accounts_key(run: LocalRun) -> None:
    made = run.keyscope("account", "create", "Life", "--json").json
    key = (made["account"]["id"], made["key"]["id"])

    def done(command: str, *options: str) -> Ended:
        ended = run.keyscope("account", "keys", command, *key, *options, "--json")
        assert ended.status == 0, ended.err
        return ended

    rotated = done("rotate", "--overlap", "60").json["key"]
    assert rotated["secret"] != made["key"]["secret"]
    assert "previousSecretEndsAt" not in done("end-overlap", "--yes").json["key"]
    assert done("disable").json["key"]["state"] == "disabled"
    assert "Enable it before you use its new secret" in done("rotate", "--overlap", "0").err
    assert done("enable").json["key"]["state"] == "active"
    limits = ("--name", "New", "--allow", "192.0.2.0/24", "--permission", "read")
    updated = done("update", *limits, "--expires-at", "2030-01-31T12:00:00Z").json["key"]
    assert (updated["displayName"], updated["allowedCidrs"]) == ("New", ["192.0.2.0/24"])
    gone = ("--never-expires", "--allow-anywhere", "--all-permissions")
    freed = done("update", *gone).json["key"]
    assert not {"expiresAt", "allowedCidrs", "permissions"} & freed.keys()


def test_the_life_of_an_account(run: LocalRun) -> None:
    named = ("--external-id", "Whole-1")
    account_id = run.keyscope("account", "create", "Whole", *named, "--json").json["account"]["id"]

    def account(command: str, *options: str) -> Ended:
        return run.keyscope("account", command, "whole-1", *options, "--json")

    listed = run.keyscope("account", "list", "--json").json["accounts"]
    assert (account_id, "Whole-1") in {(each["id"], each.get("externalId")) for each in listed}
    assert len(run.keyscope("account", "list", "--limit", "1", "--json").json["accounts"]) == 1
    assert account("show").json["account"]["state"] == "active"
    assert account("limit", "--max-apps", "7").json["account"]["maxApps"] == 7
    assert account("limit", "--default-max-apps").json["account"]["hasOwnMaxApps"] is False
    assert account("limit").status == 2
    assert account("suspend", "--yes").json["account"]["state"] == "suspended"
    refused = run.keyscope("account", "keys", "create", "whole-1")
    assert refused.status == 4
    assert "Request rejected (account_suspended): accountId identifies a suspended" in refused.err
    assert account("resume").json["account"]["state"] == "active"
    assert "(the stack's limit)" in run.keyscope("account", "show", account_id).out
    assert account("delete", "--yes").json == {}
    gone = account("show")
    assert gone.status == 4
    assert "There is no account with the external ID 'whole-1'." in gone.err


def managed(run: LocalRun, account: Path, *arguments: str) -> Ended:
    done = run.keyscope(*arguments, "--credential-file", str(account), "--json")
    assert done.status == 0, done.err
    return done


def test_an_app_is_created_shown_listed_and_deleted(run: LocalRun, account: Path) -> None:
    app_id = managed(run, account, "app", "create", "Shop").json["app"]["id"]
    assert managed(run, account, "app", "show", app_id).json["app"]["displayName"] == "Shop"
    listed = managed(run, account, "app", "list").json["apps"]
    assert app_id in [app["id"] for app in listed]
    managed(run, account, "app", "delete", app_id, "--yes")
    assert run.keyscope("app", "show", app_id, "--credential-file", str(account)).status == 4


def test_the_life_of_an_app_key(run: LocalRun, account: Path) -> None:
    app_id = managed(run, account, "app", "create", "Life").json["app"]["id"]
    created = managed(run, account, "key", "create", app_id, "Server").json["key"]
    key = (app_id, created["id"])
    rotated = managed(run, account, "key", "rotate", *key, "--overlap", "60").json["key"]
    assert rotated["secret"] != created["secret"]
    ended = managed(run, account, "key", "end-overlap", *key, "--yes").json["key"]
    assert "previousSecretEndsAt" not in ended
    assert managed(run, account, "key", "disable", *key).json["key"]["state"] == "disabled"
    while_disabled = managed(run, account, "key", "rotate", *key, "--overlap", "0")
    assert while_disabled.json["key"]["state"] == "disabled"
    assert "Enable it before you use its new secret" in while_disabled.err
    assert managed(run, account, "key", "enable", *key).json["key"]["state"] == "active"
    limits = ("--name", "New", "--allow", "192.0.2.0/24", "--expires-at", "2030-01-31T12:00:00Z")
    permissions = ("--permission", "read", "--permission", "users:write")
    updated = managed(run, account, "key", "update", *key, *limits, *permissions).json["key"]
    assert (updated["displayName"], updated["allowedCidrs"]) == ("New", ["192.0.2.0/24"])
    assert updated["permissions"] == ["read", "users:write"]
    gone = ("--never-expires", "--allow-anywhere", "--all-permissions")
    freed = managed(run, account, "key", "update", *key, *gone)
    assert not {"expiresAt", "allowedCidrs", "permissions"} & freed.json["key"].keys()
    managed(run, account, "key", "delete", *key, "--yes")
    assert managed(run, account, "key", "list", app_id).json == {"keys": []}


def test_the_life_of_a_service_account_and_its_key(run: LocalRun, account: Path) -> None:
    created = managed(run, account, "service-account", "create", "CI").json["serviceAccount"]
    owner = created["id"]
    renamed = managed(run, account, "service-account", "rename", owner, "Deploy").json
    assert renamed["serviceAccount"]["name"] == "Deploy"
    key = managed(run, account, "service-account", "key", "create", owner, "One").json["key"]
    assert (key["id"][:4], key["displayName"]) == ("svc_", "One")
    listed = managed(run, account, "service-account", "list").json["serviceAccounts"]
    assert listed == [{"id": owner, "name": "Deploy"}]
    managed(run, account, "service-account", "delete", owner, "--yes")


def test_a_long_list_is_read_to_its_end(run: LocalRun, account: Path) -> None:
    for number in range(3):
        managed(run, account, "app", "create", f"App {number}")
    every = managed(run, account, "app", "list").json["apps"]
    some = managed(run, account, "app", "list", "--limit", "2").json["apps"]
    assert len(every) >= 3
    assert some == every[:2]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("app", "show", "nonsense!"), 2, "Malformed app ID"),
        (("app", "create", ""), 4, "displayName"),
        (("key", "list", "nope"), 2, "for example 4f1c0a9b2d3e0000"),
        (
            ("app", "show", "0" * 24),
            3,
            "Access denied (403, forbidden): The credential is not allowed",
        ),
        (("key", "update", "0" * 24, "app_" + "0" * 24), 2, "Nothing to update"),
        (("app", "list", "--credential-file", "/nowhere"), 2, "Cannot read"),
        (("app", "list", "--key-id", "x"), 2, "Malformed key ID"),
        (("app", "list", "--key-id", "act_" + "0" * 24), 2, "KEYSCOPE_SECRET"),
        (("account", "keys", "list", "0" * 12), 4, "not_found"),
        (("account", "keys", "list", "x"), 4, "There is no account with the external ID 'x'"),
        (("account", "keys", "list", "0" * 24), 2, "Malformed account ID"),
        (("explain", "get", "/v2/apps"), 2, "There is no method 'get'"),
        (("explain", "GET", "/v2/apps", "--event", "x"), 2, "combined with METHOD, PATH"),
        (("explain", "--event", "x", "--api", "rest"), 2, "combined with --api"),
    ],
)
def test_what_cannot_be_done_is_told_with_a_status(
    arguments: tuple[str, ...], status: int, told: str, run: LocalRun
) -> None:
    done = run.keyscope(*arguments)
    assert (done.status, done.out) == (status, "")
    assert told in done.err


def test_a_refused_credential_has_a_status_of_its_own(run: LocalRun) -> None:
    key = run.session["app_key"]
    variables = {"KEYSCOPE_KEY_ID": key["key_id"], "KEYSCOPE_SECRET": key["secret"]}
    assert run.keyscope("app", "list", **variables).status == 3
    variables["KEYSCOPE_SECRET"] = run.session["account_key"]["secret"]
    assert run.keyscope("app", "list", **variables).status == 3


@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_of_each_scope_is_signed_and_proves_it(scope: Scope, run: LocalRun) -> None:
    signed = run.keyscope("token", scope, "--user-id", "u-1", "--expires-in", "60")
    assert (signed.status, signed.err) == (0, "")
    path = f"/v2/apps/{run.session['app_id']}/users/u-1"
    done = run.keyscope(
        "explain", "GET", path, "--authorization-file", "-", "--json", text=signed.out
    )
    assert (done.json["answer"], done.json["principal"]["scope"]) == ("passes", scope)


def test_a_token_that_would_be_refused_is_not_signed(run: LocalRun) -> None:
    done = run.keyscope("token", "appUser")
    assert (done.status, done.out) == (2, "")
    assert "missing_user_id" in done.err


@pytest.mark.parametrize(
    "sample", AUTHORIZER_EVENTS, ids=[sample.file_name for sample in AUTHORIZER_EVENTS]
)
def test_every_sample_event_is_explained_as_the_authorizer_decides(
    sample: SampleEvent, run: LocalRun
) -> None:
    done = run.keyscope("explain", "--event", str(sample.path), "--json")
    found = done.json
    reason = getattr(sample.expected, "reason", None)
    assert found.get("reason") == reason
    assert found.get("principal", {}).get("scope") == getattr(sample.expected, "scope", None)
    assert (found["answer"] == "401") == (reason is not None)
    assert bool(done.status) == (found["answer"] != "passes")


def test_an_event_of_payload_format_1_0_fails_as_it_does_on_an_http_api(
    run: LocalRun, tmp_path: Path
) -> None:
    event = json.loads(Path("events/rest_request_basic_app.json").read_text("utf-8"))
    file = tmp_path / "event.json"
    file.write_text(json.dumps({**event, "version": "1.0"}))
    done = run.keyscope("explain", "--event", str(file), "--json")
    assert (done.status, done.json["answer"]) == (1, "500")
    assert done.json["request"]["apiKind"] == "http"
    assert "AuthorizerPayloadFormatVersion" in done.json["steps"][0]["advice"]


def test_an_explanation_names_each_step_the_reason_and_what_to_do(run: LocalRun) -> None:
    done = run.keyscope("explain", "--event", "events/rest_request_basic_expired_key.json")
    assert done.status == 1
    lines = done.out.splitlines()
    assert sum(line.startswith("passed ") for line in lines) == 5
    assert [line for line in lines if line.startswith("failed ") and "expired_key" in line]
    assert re.search(r"expired_key; Expired at \w{3} \d+, \d{4}, \d\d:\d\d UTC", done.out)
    assert "Reason: expired_key" in lines
    assert [line for line in lines if line.startswith("What to do: ") and "`expiresAt`" in line]


def test_an_account_asks_the_api_and_learns_nothing_of_others(run: LocalRun, account: Path) -> None:
    arguments = ("explain", "GET", "/v2/apps", "--via-api", "--json")
    own = ("--credential-file", str(account), "--authorization-file", str(account))
    assert run.keyscope(*arguments, *own).json["answer"] == "passes"
    # The run's own account asks about the key of another.
    done = run.keyscope(*arguments, "--authorization-file", str(account))
    assert (done.status, done.json["reason"]) == (1, "unknown_key")


def test_the_url_is_enough_for_who_has_a_key(run: LocalRun, account: Path) -> None:
    own = ("--credential-file", str(account))
    url = run.session["rest_api"]
    assert keyscope("app", "list", "--url", url, *own).status == 0
    asked = ("explain", "GET", "/v2/apps", "--authorization-file", str(account), *own)
    assert keyscope(*asked, KEYSCOPE_URL=url).status == 0


def test_a_stack_in_the_environment_stands_back_for_the_local_one(run: LocalRun) -> None:
    assert run.keyscope("app", "list", KEYSCOPE_STACK="other", KEYSCOPE_URL="x").status == 0


def test_the_doctor_finds_a_local_run_sound(run: LocalRun) -> None:
    done = run.keyscope("doctor", "--json")
    assert done.status == 0
    assert {finding["verdict"] for finding in done.json["findings"]} == {"ok"}


def test_no_command_prints_a_secret_that_is_not_new(run: LocalRun, account: Path) -> None:
    secret = json.loads(account.read_text("utf-8"))["secret"]
    for arguments in (
        ("app", "list", "--credential-file", str(account)),
        ("explain", "GET", "/v2/apps", "--authorization-file", str(account)),
        ("explain", "GET", "/v2/apps", "--authorization-file", str(account), "--via-api"),
    ):
        done = run.keyscope(*arguments)
        assert secret not in done.out + done.err
        assert TOKEN.search(done.out + done.err) is None


def prompted(run: LocalRun, keys: str) -> Ended:
    """Start a command that asks for the secret of the run's account key, and press these keys."""
    key_id = run.session["account_key"]["key_id"]
    done = in_a_terminal(
        "app", "list", "--url", run.session["rest_api"], "--key-id", key_id, keys=keys
    )
    assert f"Secret of {key_id}: " in done.out
    return done


def test_the_installed_program_asks_for_a_secret_and_does_not_show_it(run: LocalRun) -> None:
    secret = run.session["account_key"]["secret"]
    done = prompted(run, f"{secret}\n")
    assert done.status == 0
    assert run.session["app_id"] in done.out
    assert secret not in done.out


def test_ctrl_c_ends_it_with_a_shells_status_and_without_a_traceback(run: LocalRun) -> None:
    done = prompted(run, CTRL_C)
    assert done.status == 130
    assert "Traceback" not in done.out


def test_a_reader_that_goes_away_is_no_error_to_report() -> None:
    done = into_a_broken_pipe("access", "check")
    assert (done.status, done.err) == (1, "")


EXPIRED: Final = ("explain", "--event", "events/rest_request_basic_expired_key.json")


def test_a_person_is_told_what_a_deletion_ends_and_asked(run: LocalRun, account: Path) -> None:
    app_id = managed(run, account, "app", "create", "Gone").json["app"]["id"]
    managed(run, account, "key", "create", app_id, "Server")
    target = ("--local", "--session", str(run.file), "--credential-file", str(account))
    done = in_a_terminal("app", "delete", app_id, *target, keys="y\n")
    assert done.status == 0, done.out
    assert f"This deletes the app 'Gone' ({app_id}) and revokes its 1 key." in done.out
    assert "Delete the app? This cannot be undone. [y/N]" in done.out
    left = managed(run, account, "app", "list").json["apps"]
    assert app_id not in [one["id"] for one in left]


def test_in_a_terminal_verdicts_are_colored_and_tables_fit_its_width(run: LocalRun) -> None:
    target = ("--local", "--session", str(run.file))
    done = in_a_terminal(*EXPIRED, *target, columns=70)
    assert done.status == 1
    assert f"{ESCAPE}1;31mfailed" in done.out
    _, _, table = COLOR.sub("", done.out).partition("Verdict")
    rows, _, _ = table.partition("API Gateway returns")
    assert len(rows.splitlines()) > 10
    assert max(map(len, rows.splitlines())) <= 70


def test_no_color_is_heeded(run: LocalRun) -> None:
    target = ("--local", "--session", str(run.file))
    done = in_a_terminal(*EXPIRED, *target, NO_COLOR="1")
    assert "failed" in done.out
    assert re.search(r"\x1b\[[0-9;]*3[0-9]m", done.out) is None


def test_without_a_terminal_output_is_plain(run: LocalRun) -> None:
    done = run.keyscope("key", "list", run.session["app_id"])
    assert done.status == 0
    assert ESCAPE not in done.out
    assert done.out.startswith("ID ")
