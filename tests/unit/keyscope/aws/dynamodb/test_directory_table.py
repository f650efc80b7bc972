"""What the directory makes of a DynamoDB that fails, or answers in parts."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from keyscope.aws.dynamodb.directory_table import DirectoryTable
from keyscope.aws.dynamodb.owners import MAX_SKIP_CALLS
from keyscope.aws.dynamodb.transactions import Database
from keyscope.errors import Reason, Unavailable
from keyscope.lifecycle.caller import Iam
from keyscope.lifecycle.directory import Key, Offset, SkipTooCostly
from keyscope.model.ids import OwnerType
from tests.support.builders import ACCOUNT, NOW, make_key

if TYPE_CHECKING:
    from keyscope.aws.clients import DynamoDbClient

MADE = make_key(OwnerType.ACCOUNT)
KEY = Key(MADE.key_id, NOW)
OWNER_ITEM = {"Item": {"key_ids": {"SS": [MADE.key_id]}}}
FULL_OWNER_ITEM = {"Item": {"key_ids": {"SS": [f"act_{number:024x}" for number in range(10)]}}}
FULL = [{"Code": "ConditionalCheckFailed"}, {"Code": "None"}]


class FailingClient:
    """A DynamoDB client that answers as it is told, operation by operation."""

    def __init__(self, **answers: object) -> None:
        self._answers = answers
        self.called: list[str] = []

    def __getattr__(self, operation: str) -> Callable[..., object]:
        def call(**_: object) -> object:
            self.called.append(operation)
            answer = self._answers[operation]
            if isinstance(answer, list):
                answer = answer.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def canceled(*reasons: dict[str, str]) -> ClientError:
    response = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": list(reasons),
    }
    return ClientError(cast("Any", response), "TransactWriteItems")


def directory_over(client: FailingClient) -> DirectoryTable:
    database = Database(cast("DynamoDbClient", client), lambda _: None)
    return DirectoryTable(database, "directory", "keys")


def failure_of(client: FailingClient) -> tuple[Reason, str]:
    with pytest.raises(Unavailable) as unavailable:
        directory_over(client).add_key(KEY, MADE.record, Iam())
    return unavailable.value.reason, unavailable.value.detail


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        pytest.param(
            ClientError({"Error": {"Code": "AccessDeniedException"}}, "TransactWriteItems"),
            "AccessDeniedException",
            id="an error of DynamoDB",
        ),
        pytest.param(
            ReadTimeoutError(endpoint_url="http://dynamodb"), "ReadTimeoutError", id="no answer"
        ),
        pytest.param(
            canceled({"Code": "ThrottlingError"}, {"Code": "None"}),
            "ThrottlingError, None",
            id="a throttled transaction",
        ),
    ],
)
def test_a_write_that_fails_is_a_failure_and_not_tried_again(error: Exception, detail: str) -> None:
    client = FailingClient(transact_write_items=error)
    assert failure_of(client) == (Reason.KEY_STORE_UNAVAILABLE, detail)
    assert client.called == ["transact_write_items"]


def test_a_key_that_was_not_read_is_not_taken_for_a_deleted_one() -> None:
    client = FailingClient(
        transact_write_items=canceled(*FULL),
        get_item=FULL_OWNER_ITEM,
        batch_get_item={"Responses": {"keys": []}, "UnprocessedKeys": {"keys": {}}},
    )
    assert failure_of(client) == (Reason.KEY_STORE_UNAVAILABLE, "UnprocessedKeys")
    assert "update_item" not in client.called


def test_a_read_that_fails_is_a_failure() -> None:
    error = ClientError({"Error": {"Code": "InternalServerError"}}, "GetItem")
    client = FailingClient(transact_write_items=canceled(*FULL), get_item=error)
    assert failure_of(client) == (Reason.KEY_STORE_UNAVAILABLE, "InternalServerError")


def test_a_list_that_comes_in_pages_is_put_together() -> None:
    items = [
        {
            "key_id": {"S": f"act_{number:024x}"},
            "created_at": {"N": str(number)},
            "generation": {"N": "1"},
        }
        for number in range(3)
    ]
    pages = [
        {"Items": items[2:], "LastEvaluatedKey": {"key_id": {"S": "act_"}}},
        {"Items": items[:2]},
    ]
    directory = directory_over(FailingClient(get_item=OWNER_ITEM, query=pages))
    assert [key.created_at for key in directory.list_former_keys(ACCOUNT)] == [0, 1, 2]


def test_an_offset_that_costs_too_many_reads_is_refused_after_them() -> None:
    more = {"Count": 1, "LastEvaluatedKey": {"account_id": {"S": ACCOUNT}}}
    client = FailingClient(query=more)
    with pytest.raises(SkipTooCostly):
        directory_over(client).list_owners(OwnerType.APP, ACCOUNT, Offset(10_000), 1)
    assert client.called == ["query"] * MAX_SKIP_CALLS


def test_an_offset_that_the_last_read_reaches_is_listed() -> None:
    more = {"Count": 1, "LastEvaluatedKey": {"account_id": {"S": ACCOUNT}}}
    client = FailingClient(query=[*[more] * MAX_SKIP_CALLS, {"Items": []}])
    page = directory_over(client).list_owners(OwnerType.APP, ACCOUNT, Offset(MAX_SKIP_CALLS), 1)
    assert (page.owners, page.has_more) == ([], False)
