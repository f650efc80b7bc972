"""The import of tenants: over the real requests and a directory in memory."""

import json
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest

from keyscope.errors import InvalidInput
from keyscope.lifecycle.operations import KeyRequest
from keyscope.lifecycle.provisioning_request import carry_out, read_operation, shown_faults
from keyscope.model.ids import OwnerType
from keyscope.model.secret import hash_secret
from keyscope.model.times import rfc3339
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.tenants.importer import PAUSES_SECONDS, Import
from keyscope_cli.tenants.secret_file import secret_file
from keyscope_cli.tenants.tenant_file import Tenant, read_tenants
from tests.support.builders import NOW
from tests.support.directories import Operations
from tests.support.stores import SteppedClock

STACK_ID: Final = "arn:aws:cloudformation:us-east-1:123456789012:stack/keyscope/1"
TENANTS: Final = [
    {
        "externalId": f"tenant-{number}",
        "displayName": f"Tenant {number}",
        "apps": [
            {"externalId": f"app-{number}", "displayName": "App", "key": {"displayName": "Web"}},
            {"externalId": f"keyless-{number}", "displayName": "Keyless"},
        ],
    }
    for number in range(4)
]
CREATIONS: Final = 3 * len(TENANTS)


class Killed(BaseException):
    """Stands for the end of the process."""


class Stack:
    """A provisioning function over a directory in memory. `sent` are the requests so far.

    `before` and `after` are called with a request before it is carried out, and after that.
    """

    def __init__(self) -> None:
        self.operations = Operations(SteppedClock(NOW))
        self.sent: list[Mapping[str, Any]] = []
        self.before: Callable[[Mapping[str, Any]], None] = lambda _: None
        self.after: Callable[[Mapping[str, Any]], None] = lambda _: None
        self._lock = threading.Lock()

    def __call__(self, request: Mapping[str, object]) -> Mapping[str, Any]:
        with self._lock:
            self.sent.append(request)
            self.before(request)
            try:
                answer = carry_out(
                    read_operation(request, NOW), self.operations.provisioning(), NOW
                )
            except InvalidInput as invalid:
                answer = shown_faults(invalid)
            self.after(request)
            read: Mapping[str, Any] = json.loads(json.dumps(answer))
            return read

    def owners(self, owner_type: OwnerType) -> list[str]:
        owners = self.operations.directory.owners.values()
        return sorted(o.external_id or "" for o in owners if o.owner_type is owner_type)

    def works(self, line: Mapping[str, str]) -> bool:
        record = self.operations.directory.records.records[line["id"]]
        return record.secret_hash == hash_secret(line["secret"])


@pytest.fixture
def stack() -> Stack:
    return Stack()


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    return tmp_path / "secrets.jsonl"


def tenants_of(folder: Path, *lines: object) -> list[Tenant]:
    file = folder / "tenants.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines or TENANTS))
    return read_tenants(file, NOW)


def imported(
    stack: Stack, secrets: Path, tenants: list[Tenant], workers: int = 1
) -> tuple[dict[str, int], list[str]]:
    with secret_file(secrets, STACK_ID) as file:
        work = Import(file, stack, sleep=lambda _: None)
        work.run(tenants, workers, lambda _: None)
    return {result.value: number for result, number in work.counts.items()}, work.rejections


def lines_of(secrets: Path) -> list[dict[str, str]]:
    _, *lines = secrets.read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("workers", [1, 4])
def test_accounts_and_apps_are_created_with_their_keys(
    workers: int, stack: Stack, secrets: Path, tmp_path: Path
) -> None:
    counts, rejections = imported(stack, secrets, tenants_of(tmp_path), workers)
    assert (counts, rejections) == ({"created": CREATIONS}, [])
    lines = lines_of(secrets)
    assert len(lines) == CREATIONS
    keyed = [line for line in lines if "secret" in line]
    assert len(keyed) == 2 * len(TENANTS)
    assert all(map(stack.works, keyed))
    assert stack.owners(OwnerType.ACCOUNT) == [f"tenant-{n}" for n in range(4)]
    assert len(stack.owners(OwnerType.APP)) == 2 * len(TENANTS)


def test_only_the_user_can_read_the_secrets(stack: Stack, secrets: Path, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        imported(stack, secrets, tenants_of(tmp_path))
    finally:
        os.umask(old)
    assert secrets.stat().st_mode & 0o777 == 0o600


def test_an_import_that_is_done_asks_nothing_again(
    stack: Stack, secrets: Path, tmp_path: Path
) -> None:
    imported(stack, secrets, tenants_of(tmp_path))
    sent, content = len(stack.sent), secrets.read_bytes()
    counts, _ = imported(stack, secrets, tenants_of(tmp_path))
    assert counts == {"done before": CREATIONS}
    assert (len(stack.sent), secrets.read_bytes()) == (sent, content)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, CREATIONS + 1))
def test_an_import_that_is_killed_at_any_request_continues_and_loses_no_key(
    number: int, when: str, stack: Stack, secrets: Path, tmp_path: Path
) -> None:
    def kill(_: object) -> None:
        if len(stack.sent) == number:
            raise Killed

    setattr(stack, when, kill)
    with pytest.raises(Killed):
        imported(stack, secrets, tenants_of(tmp_path))
    setattr(stack, when, lambda _: None)
    counts, rejections = imported(stack, secrets, tenants_of(tmp_path))
    assert (sum(counts.values()), rejections) == (CREATIONS, [])
    assert counts["done before"] if number > 1 else "done before" not in counts
    assert all(stack.works(line) for line in lines_of(secrets) if "secret" in line)
    keys = stack.operations.directory.keys
    assert {line["id"] for line in lines_of(secrets) if "secret" in line} == keys.keys()
    assert len(stack.owners(OwnerType.ACCOUNT)) == len(TENANTS)


def test_a_line_that_a_crash_left_unfinished_is_written_again(
    stack: Stack, secrets: Path, tmp_path: Path
) -> None:
    imported(stack, secrets, tenants_of(tmp_path, TENANTS[0]))
    whole = secrets.read_bytes()
    second = whole.splitlines(keepends=True)[2]
    secrets.write_bytes(whole[: whole.index(second) + len(second) // 2])
    counts, _ = imported(stack, secrets, tenants_of(tmp_path, TENANTS[0]))
    assert counts == {"done before": 1, "replaced": 1, "existed": 1}
    (account, app) = lines_of(secrets)
    assert stack.works(account)
    assert stack.works(app)


def test_what_exists_already_is_left_alone_and_gets_its_apps(
    stack: Stack, secrets: Path, tmp_path: Path
) -> None:
    request = {"operation": "createAccount", "displayName": "Other", "externalId": "TENANT-0"}
    key = stack(request)["key"]
    counts, rejections = imported(stack, secrets, tenants_of(tmp_path, TENANTS[0]))
    assert (counts, rejections) == ({"existed": 1, "created": 2}, [])
    assert stack.works({"id": key["id"], "secret": key["secret"]})
    assert [line["externalId"] for line in lines_of(secrets)] == ["app-0", "keyless-0"]


def test_an_answer_that_does_not_come_is_asked_for_again(
    stack: Stack, secrets: Path, tmp_path: Path
) -> None:
    failing = [1, 3]

    def fail(_: object) -> None:
        if len(stack.sent) in failing:
            raise Failure(ExitStatus.UNAVAILABLE, "No answer.")

    stack.after = fail
    counts, _ = imported(stack, secrets, tenants_of(tmp_path, TENANTS[0]))
    assert counts == {"replaced": 1, "created": 2}
    assert all(stack.works(line) for line in lines_of(secrets) if "secret" in line)


def test_an_import_without_answers_ends_and_continues_later(
    stack: Stack, secrets: Path, tmp_path: Path
) -> None:
    def fail(_: object) -> None:
        if len(stack.sent) > 4:
            raise Failure(ExitStatus.UNAVAILABLE, "No answer.")

    stack.before = fail
    with pytest.raises(Failure):
        imported(stack, secrets, tenants_of(tmp_path))
    assert len(stack.sent) == 4 + len(PAUSES_SECONDS) + 1
    stack.before = lambda _: None
    counts, _ = imported(stack, secrets, tenants_of(tmp_path))
    assert counts == {"done before": 4, "created": CREATIONS - 4}


def test_a_tenant_that_is_rejected_does_not_stop_the_others(
    stack: Stack, secrets: Path, tmp_path: Path
) -> None:
    account_id = stack(
        {"operation": "createAccount", "displayName": "Other", "externalId": "other"}
    )["account"]["id"]
    gone = {"externalId": "app-1", "displayName": "Gone", "accountId": account_id}
    app_id = stack({"operation": "createApp", **gone})["app"]["id"]
    stack.operations.provisioning().delete_owner(app_id)
    counts, (rejection,) = imported(stack, secrets, tenants_of(tmp_path))
    assert counts == {"created": CREATIONS - 1, "rejected": 1}
    assert rejection == (
        "line 2: app-1: a deleted app used this external ID, and it stays reserved; use another one"
    )


def test_a_lost_key_that_cannot_be_replaced_is_told_and_its_apps_are_created(
    stack: Stack, secrets: Path, tmp_path: Path
) -> None:
    expires = {"key": {"expiresAt": rfc3339(NOW + 1)}}
    tenants = tenants_of(tmp_path, {**TENANTS[0], **expires})

    def kill(_: object) -> None:
        raise Killed

    stack.after = kill
    with pytest.raises(Killed):
        imported(stack, secrets, tenants)
    stack.after = lambda _: None
    stack.operations.clock.now += 1  # type: ignore[attr-defined]
    counts, (rejection,) = imported(stack, secrets, tenants)
    assert counts == {"rejected": 1, "created": 2}
    assert rejection.startswith("line 1: tenant-0: its key's secret is lost: ")


def test_a_request_of_a_killed_import_that_arrives_late_ends_no_newer_secret(
    stack: Stack, secrets: Path, tmp_path: Path
) -> None:
    def kill(request: Mapping[str, Any]) -> None:
        if request["operation"] == "createAccount":
            raise Killed

    stack.after = kill
    with pytest.raises(Killed):
        imported(stack, secrets, tenants_of(tmp_path, TENANTS[0]))
    stack.after = lambda _: None

    def replace_late(request: Mapping[str, Any]) -> None:
        if request["operation"] == "getByExternalId":
            stack.after = lambda _: None
            late = {**request, "operation": "replaceLostKey", "secretGeneration": 1}
            carry_out(read_operation(late, NOW), stack.operations.provisioning(), NOW)

    stack.after = replace_late
    counts, _ = imported(stack, secrets, tenants_of(tmp_path, TENANTS[0]))
    assert counts["replaced"] == 1
    assert all(stack.works(line) for line in lines_of(secrets) if "secret" in line)


def refusal_of(call: Callable[[], object]) -> Failure:
    with pytest.raises(Failure) as failure:
        call()
    return failure.value


@pytest.mark.parametrize(
    ("lines", "errors"),
    [
        (['{"externalId": "a"'], ["line 1: is not JSON"]),
        (["[]"], ["line 1: is not a JSON object"]),
        (['{"externalId": "a", "externalId": "b"}'], ["line 1: repeats a member"]),
        (['{"externalId": "a"}'], ["line 1: `displayName` is required"]),
        (['{"displayName": "a"}'], ["line 1: `externalId` is required"]),
        (['{"externalId": ".a", "displayName": "a"}'], ["line 1: `externalId` must be"]),
        (
            ['{"externalId": "a", "displayName": "a", "apps": [5]}'],
            ["line 1: `apps` must be a list of objects"],
        ),
        (
            ['{"externalId": "a", "displayName": "a", "apps": [{"externalId": "b"}]}'],
            ["line 1: app 1: `displayName` is required"],
        ),
        (
            ['{"externalId": "a", "displayName": "a", "key": {"expiresAt": "1"}}'],
            ["line 1: `key.expiresAt` must be"],
        ),
        (
            ['{"externalId": "a", "displayName": "a", "clientToken": "t"}'],
            ["line 1: `clientToken` is not a member of an account. Use apps, displayName"],
        ),
        (
            [
                '{"externalId": "a", "displayName": "a", "apps": [{"displayName": "b", "x": 1}]}',
            ],
            [
                "line 1: app 1: `x` is not a member of an app. Use displayName, externalId, key.",
                "line 1: app 1: `externalId` is required",
            ],
        ),
        (
            [
                '{"externalId": "a", "displayName": "a"}',
                "",
                '{"externalId": "A", "displayName": "a"}',
            ],
            ["line 3: `externalId` is the same as on line 1"],
        ),
        ([""], ["is empty"]),
    ],
)
def test_a_wrong_file_is_refused_as_a_whole_with_each_line(
    lines: list[str], errors: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "tenants.jsonl"
    file.write_text("\n".join(lines))
    failure = refusal_of(lambda: read_tenants(file, NOW))
    assert failure.status == ExitStatus.USAGE
    shown = [failure.message, *failure.details]
    assert [error for error in errors if not any(error in line for line in shown)] == []
    assert len(failure.details) <= len(errors)


def test_a_file_with_many_errors_shows_the_first_ones_and_their_number(tmp_path: Path) -> None:
    file = tmp_path / "tenants.jsonl"
    file.write_text("[]\n" * 1_030)
    failure = refusal_of(lambda: read_tenants(file, NOW))
    assert failure.message == f"{file} has 1,030 errors."
    assert failure.details[0] == "line 1: is not a JSON object"
    assert failure.details[20:] == ["... and 1,010 more"]


def test_an_account_and_an_app_may_have_the_same_external_id(tmp_path: Path) -> None:
    app = {"externalId": "a", "displayName": "a"}
    (tenant,) = tenants_of(tmp_path, {**app, "apps": [app]})
    assert [each.owner_type for each in tenant.creations] == [OwnerType.ACCOUNT, OwnerType.APP]


def opened(path: Path, stack_id: str = STACK_ID) -> None:
    with secret_file(path, stack_id):
        pass


def test_a_file_of_another_stack_is_refused(secrets: Path) -> None:
    opened(secrets)
    assert "another stack" in refusal_of(lambda: opened(secrets, "other")).message


@pytest.mark.parametrize("content", ["not JSON\n", "{}\n", "[]\n", '{"import": 1, "stack": "s"}\n'])
def test_a_file_that_no_import_wrote_is_refused_and_stays(content: str, secrets: Path) -> None:
    secrets.write_text(content)
    secrets.chmod(0o600)
    assert "not the secret file of an import" in refusal_of(lambda: opened(secrets)).message
    assert secrets.read_text() == content


def test_a_file_that_others_may_read_is_refused(secrets: Path) -> None:
    opened(secrets)
    secrets.chmod(0o640)
    assert "other users may read" in refusal_of(lambda: opened(secrets)).message


def test_a_link_or_a_folder_is_refused(secrets: Path, tmp_path: Path) -> None:
    (tmp_path / "target").touch(0o600)
    secrets.symlink_to(tmp_path / "target")
    assert "Cannot use" in refusal_of(lambda: opened(secrets)).message
    assert "Cannot use" in refusal_of(lambda: opened(tmp_path)).message


def test_two_imports_do_not_share_a_file(secrets: Path) -> None:
    with secret_file(secrets, STACK_ID):
        assert "another import" in refusal_of(lambda: opened(secrets)).message


def test_after_a_line_that_could_not_be_written_no_other_one_is(
    stack: Stack, secrets: Path, tmp_path: Path
) -> None:
    written, write = [], os.write

    def full(descriptor: int, content: bytes) -> int:
        written.append(content)
        if len(written) == 3:
            write(descriptor, content[:10])
            raise OSError(28, "No space left on device")
        return write(descriptor, content)

    with patch("os.write", full), pytest.raises(OSError, match="No space"):
        imported(stack, secrets, tenants_of(tmp_path))
    counts, _ = imported(stack, secrets, tenants_of(tmp_path))
    assert counts["done before"] == 1
    assert sum(counts.values()) == CREATIONS
    assert all(stack.works(line) for line in lines_of(secrets) if "secret" in line)


def test_a_line_is_on_the_disk_before_the_next_request(
    stack: Stack, secrets: Path, tmp_path: Path
) -> None:
    order: list[str] = []
    stack.before = lambda _: order.append("request")
    sync = os.fsync

    def noted(descriptor: int) -> None:
        order.append("sync")
        sync(descriptor)

    with patch("os.fsync", noted):
        imported(stack, secrets, tenants_of(tmp_path, TENANTS[0]))
    assert order == ["sync", "sync", *["request", "sync"] * 3]


def test_no_secret_is_in_the_texts_of_a_failure(stack: Stack, secrets: Path) -> None:
    created = stack.operations.provisioning().create_account("x", KeyRequest())[1]
    secrets.write_text(f'{{"import": 1, "stack": "s", "secret": "{created.secret}"}}\n')
    secrets.chmod(0o600)
    failure = refusal_of(lambda: opened(secrets))
    assert created.secret not in failure.message + failure.advice
    assert failure.__cause__ is None
