"""Reading key records: what is stored, what is damaged, what cannot be read."""

from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import ClientError

from keyscope.aws.calls import NoAnswer, ServiceError, UnreadableAnswer
from keyscope.aws.deadline import DeadlinePassed, RequestTimeUp, TooManyCallsStuck
from keyscope.aws.dynamodb.key_table import KeyTable
from keyscope.aws.dynamodb.key_writes import record_key
from keyscope.errors import HeldUp, Hung, Reason, Unavailable
from keyscope_local.emulators.listening_program import free_ports
from keyscope_local.emulators.tables import local_client
from tests.support.builders import limited, make_key
from tests.support.items import item_of_record

if TYPE_CHECKING:
    from keyscope.aws.clients import DynamoDbClient

KEY_ID = "app_" + "dead" * 6


class RecordingClient:
    """A DynamoDB client that notes what it was asked, and answers with one item or an error."""

    def __init__(self, answer: dict[str, object] | Exception) -> None:
        self._answer = answer
        self.requests: list[object] = []

    def get_item(self, **request: object) -> dict[str, object]:
        self.requests.append(request)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def table_of(client: object) -> KeyTable:
    return KeyTable(cast("DynamoDbClient", client), "keys")


def failure_of(table: KeyTable) -> tuple[Reason, str]:
    with pytest.raises(Unavailable) as unavailable:
        table.get(KEY_ID)
    return unavailable.value.reason, unavailable.value.detail


def test_a_record_is_read_by_one_strongly_consistent_get_item() -> None:
    client = RecordingClient({})
    table_of(client).get(KEY_ID)
    assert client.requests == [
        {"TableName": "keys", "Key": record_key(KEY_ID), "ConsistentRead": True}
    ]


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (
            ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "GetItem"),
            "ProvisionedThroughputExceededException",
        ),
        (
            ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetItem"),
            "AccessDeniedException",
        ),
        (ClientError({}, "GetItem"), "unknown"),
        (ServiceError("ThrottlingException"), "ThrottlingException"),
        (NoAnswer("ReadTimeoutError"), "ReadTimeoutError"),
        (DeadlinePassed(), "DeadlinePassed"),
        (TypeError("text"), "TypeError"),
    ],
)
def test_a_table_that_cannot_answer_is_unavailable(error: Exception, detail: str) -> None:
    assert failure_of(table_of(RecordingClient(error))) == (Reason.KEY_STORE_UNAVAILABLE, detail)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (DeadlinePassed(), Hung),
        (NoAnswer("ConnectTimeoutError"), Hung),
        (RequestTimeUp(), HeldUp),
        (TooManyCallsStuck(), HeldUp),
        (ServiceError("ThrottlingException"), Unavailable),
        (ServiceError("InternalServerError"), Unavailable),
        (UnreadableAnswer(), Unavailable),
        (TypeError(), Unavailable),
    ],
    ids=repr,
)
def test_a_read_that_hung_is_told_from_one_that_failed_fast_and_one_that_others_held_up(
    error: Exception, failure: type[Unavailable]
) -> None:
    with pytest.raises(Unavailable) as unavailable:
        table_of(RecordingClient(error)).get(KEY_ID)
    assert type(unavailable.value) is failure


def test_a_store_that_nothing_listens_at_is_unavailable() -> None:
    (port,) = free_ports(1)
    client = local_client("dynamodb", f"http://127.0.0.1:{port}")
    assert failure_of(table_of(client)) == (
        Reason.KEY_STORE_UNAVAILABLE,
        "EndpointConnectionError",
    )


def test_an_item_of_another_key_is_damage() -> None:
    item = item_of_record(make_key().record)
    assert failure_of(table_of(RecordingClient({"Item": item}))) == (
        Reason.DAMAGED_RECORD,
        "attribute key_id",
    )


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (("write", "gone", "read"), ("read", "write")),
        (("gone",), ()),
        (None, None),
    ],
)
def test_a_record_has_those_permissions_alone_that_the_map_knows(
    held: tuple[str, ...] | None, expected: tuple[str, ...] | None
) -> None:
    record = limited(make_key().record, permissions=held)
    client = RecordingClient({"Item": item_of_record(record)})
    table = KeyTable(cast("DynamoDbClient", client), "keys", ("read", "write", "other"))
    found = table.get(record.key_id).record
    assert found is not None
    assert found.limits.permissions == expected
    whole = table_of(client).get(record.key_id).record
    assert whole is not None
    assert whole.limits.permissions == held
