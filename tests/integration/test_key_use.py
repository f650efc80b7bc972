"""The key use function and its table, from the authorizers' lines on."""

import json
from collections.abc import Sequence
from itertools import permutations
from typing import Any, Final, cast

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from keyscope.aws.clients import DynamoDbClient
from keyscope.aws.dynamodb.use_table import MAX_BATCH, UseTable
from keyscope.entry.key_use import KeyUseHandler, key_use_handler
from keyscope.errors import Reason, Unavailable
from keyscope.lifecycle.key_use import REMEMBERED_SECONDS, KeyUse
from keyscope.model.ids import OwnerType, new_key_id
from keyscope_local.emulators.tables import local_client
from tests.support.builders import NOW
from tests.support.dynamodb_local import Store
from tests.support.handlers import Context
from tests.support.logs import functions_log_here, log_event

THROTTLED: Final = ClientError({"Error": {"Code": "ThrottlingException"}}, "UpdateItem")
GROUP: Final = "/aws/lambda/keyscope-local/rest_authorizer"


@pytest.fixture
def client(moto_store: Store) -> DynamoDbClient:
    return cast("DynamoDbClient", local_client("dynamodb", moto_store.dynamodb_url))


@pytest.fixture
def table(client: DynamoDbClient, moto_store: Store) -> UseTable:
    return UseTable(client, moto_store.use_table)


@pytest.fixture
def key_id() -> str:
    return new_key_id(OwnerType.APP)


def last_use(table: UseTable, key_id: str) -> int | None:
    return table.last_uses([key_id]).get(key_id)


def test_a_recorded_use_is_read(table: UseTable, key_id: str) -> None:
    assert table.record(KeyUse(key_id, NOW))
    assert table.last_uses([key_id, new_key_id(OwnerType.APP)]) == {key_id: NOW}


@pytest.mark.parametrize("times", [*permutations([NOW - 9, NOW, NOW + 1])])
def test_in_whatever_order_uses_come_the_latest_one_stays(
    times: Sequence[int], table: UseTable, key_id: str
) -> None:
    found: list[int] = []
    for used_at in times:
        recorded = table.record(KeyUse(key_id, used_at))
        assert recorded == (used_at > max([0, *found]))
        found.append(last_use(table, key_id) or 0)
    assert found == sorted(found)
    assert found[-1] == NOW + 1


def test_a_use_that_comes_again_changes_nothing(table: UseTable, key_id: str) -> None:
    assert table.record(KeyUse(key_id, NOW))
    assert not table.record(KeyUse(key_id, NOW))
    assert last_use(table, key_id) == NOW


def test_an_item_has_a_time_to_live_and_no_more_than_it_must(
    table: UseTable,
    client: Any,  # noqa: ANN401 - as botocore's
    key_id: str,
) -> None:
    table.record(KeyUse(key_id, NOW))
    item = client.get_item(TableName=table.table, Key={"key_id": {"S": key_id}})["Item"]
    assert item == {
        "key_id": {"S": key_id},
        "last_used_at": {"N": str(NOW)},
        "expires_at": {"N": str(NOW + REMEMBERED_SECONDS)},
    }


def test_more_keys_than_one_call_reads_are_read(table: UseTable) -> None:
    key_ids = [new_key_id(OwnerType.APP) for _ in range(MAX_BATCH + 1)]
    for key_id in (key_ids[0], key_ids[-1]):
        table.record(KeyUse(key_id, NOW))
    assert table.last_uses(key_ids) == {key_ids[0]: NOW, key_ids[-1]: NOW}


class BrokenClient:
    """A client whose calls raise an error or give an answer."""

    def __init__(self, outcome: Exception | dict[str, Any]) -> None:
        self._outcome = outcome

    def update_item(self, **_: object) -> dict[str, Any]:
        return self._answer()

    def batch_get_item(self, **_: object) -> dict[str, Any]:
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def broken_table(outcome: Exception | dict[str, Any]) -> UseTable:
    return UseTable(cast("DynamoDbClient", BrokenClient(outcome)), "uses")


@pytest.mark.parametrize(
    ("outcome", "detail"),
    [
        (THROTTLED, "ThrottlingException"),
        (ConnectTimeoutError(endpoint_url="x"), "ConnectTimeoutError"),
        (ValueError("a parser's"), "ValueError"),
    ],
)
def test_a_table_that_does_not_answer_is_an_outage(outcome: Exception, detail: str) -> None:
    table = broken_table(outcome)
    for call in (lambda: table.record(KeyUse("app_1", NOW)), lambda: table.last_uses(["app_1"])):
        with pytest.raises(Unavailable) as unavailable:
            call()
        assert unavailable.value.reason is Reason.USE_TABLE_UNAVAILABLE
        assert unavailable.value.detail == detail


def one_item(last_used_at: dict[str, str]) -> dict[str, Any]:
    return {"Responses": {"uses": [{"key_id": {"S": "app_1"}, "last_used_at": last_used_at}]}}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({}, Reason.USE_TABLE_UNAVAILABLE),
        (
            {"Responses": {"uses": []}, "UnprocessedKeys": {"uses": {}}},
            Reason.USE_TABLE_UNAVAILABLE,
        ),
        ({"Responses": {"uses": [{"key_id": {"S": "app_1"}}]}}, Reason.DAMAGED_RECORD),
        (one_item({"S": "x"}), Reason.DAMAGED_RECORD),
        (one_item({"N": "-1"}), Reason.DAMAGED_RECORD),
        (one_item({"N": "253402300800"}), Reason.DAMAGED_RECORD),
    ],
)
def test_a_key_that_was_not_read_is_not_taken_for_an_unused_one(
    answer: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(Unavailable) as unavailable:
        broken_table(answer).last_uses(["app_1"])
    assert unavailable.value.reason is reason


def line_of(key_id: str, used_at: int) -> str:
    return json.dumps({"message": "use", "format": 1, "key_id": key_id, "used_at": used_at})


PAST: Final = 1_700_000_000


@pytest.fixture
def handler(moto_store: Store, monkeypatch: pytest.MonkeyPatch) -> KeyUseHandler:
    for name, value in moto_store.environment.items():
        monkeypatch.setenv(name, value)
    return key_use_handler({"KEYSCOPE_USE_TABLE": moto_store.use_table})


def told(
    handler: KeyUseHandler, event: object, capsys: pytest.CaptureFixture[str]
) -> list[dict[str, Any]]:
    with functions_log_here("key_use"):
        handler(event, Context())
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_function_records_what_a_batch_says_and_is_silent(
    handler: KeyUseHandler, table: UseTable, key_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = new_key_id(OwnerType.SERVICE_ACCOUNT)
    batch = log_event(line_of(key_id, PAST), line_of(other, PAST + 1), line_of(key_id, PAST + 2))
    assert told(handler, batch, capsys) == []
    assert table.last_uses([key_id, other]) == {key_id: PAST + 2, other: PAST + 1}


def test_late_and_repeated_batches_of_other_containers_take_nothing_back(
    moto_store: Store, handler: KeyUseHandler, table: UseTable, key_id: str
) -> None:
    early, late = log_event(line_of(key_id, PAST)), log_event(line_of(key_id, PAST + 600))
    # Another instance of the function remembers nothing of what this one recorded.
    other = key_use_handler({"KEYSCOPE_USE_TABLE": moto_store.use_table})
    for its, batch in [(handler, late), (other, early), (handler, late), (other, late)]:
        its(batch, Context())
        assert last_use(table, key_id) == PAST + 600


def test_a_line_that_cannot_be_read_is_named_and_counted_and_blocks_nothing(
    handler: KeyUseHandler, table: UseTable, key_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["ks_not_to_be_logged", *[line_of("app_1", PAST)] * 30, line_of(key_id, PAST)]
    log, metrics = sorted(
        told(handler, log_event(*lines, group=GROUP), capsys), key=lambda line: "_aws" in line
    )
    assert last_use(table, key_id) == PAST
    assert (log["level"], log["message"], log["skipped"]) == ("ERROR", "skipped", 31)
    assert (log["log_group"], log["log_stream"]) == (GROUP, "stream")
    assert log["lines"][:2] == [
        {"id": "0", "fault": "not_json"},
        {"id": "1", "fault": "malformed_key_id"},
    ]
    assert len(log["lines"]) == 20
    assert (metrics["MalformedKeyUses"], metrics["service"]) == ([31.0], "key_use")
    assert "ks_not_to_be_logged" not in json.dumps(log)


def test_an_event_that_cannot_be_read_is_told_and_not_tried_again(
    handler: KeyUseHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    log, metrics = sorted(told(handler, {"x": 1}, capsys), key=lambda line: "_aws" in line)
    assert (log["message"], log["reason"]) == ("skipped", "malformed_event")
    assert metrics["MalformedKeyUses"] == [1.0]


def test_while_the_table_does_not_answer_lambda_is_to_give_the_batch_again(
    moto_store: Store,
    table: UseTable,
    key_id: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in moto_store.environment.items():
        monkeypatch.setenv(name, value)
    handler = key_use_handler({"KEYSCOPE_USE_TABLE": "gone"})
    with functions_log_here("key_use"), pytest.raises(Unavailable, match="ResourceNotFound"):
        handler(log_event(line_of(key_id, PAST)), Context())
    (log,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (log["message"], log["reason"]) == ("failed", "use_table_unavailable")
    assert log["detail"] == "ResourceNotFoundException"
    assert last_use(table, key_id) is None
