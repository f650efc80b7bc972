"""moto's transactions still change everything or nothing, without copies of whole tables."""

from copy import deepcopy
from typing import Any, Final

import pytest
from moto.core.serialize import AttributePickerContext, XFormedAttributePicker
from moto.core.utils import get_service_model
from moto.dynamodb.exceptions import TransactionCanceledException
from moto.dynamodb.models import DynamoDBBackend

from keyscope_local.emulators.moto_speed import make_moto_fast

SLOW_NAMES: Final = XFormedAttributePicker.get_possible_keys
PLAIN: Final = "plain"
RANGED: Final = "ranged"


@pytest.fixture(scope="module", autouse=True)
def _fast() -> None:
    make_moto_fast()


@pytest.fixture
def backend() -> DynamoDBBackend:
    own = DynamoDBBackend("us-east-1", "123456789012")
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "entity")]
    schema = [
        {"AttributeName": "id", "KeyType": "HASH"},
        {"AttributeName": "entity", "KeyType": "RANGE"},
    ]
    for name, number in ((PLAIN, 1), (RANGED, 2)):
        own.create_table(
            name,
            schema[:number],
            throughput=None,
            attr=attributes[:number],
            global_indexes=None,
            indexes=None,
            streams=None,
            billing_mode="PAY_PER_REQUEST",
            sse_specification=None,
            tags=[],
            deletion_protection_enabled=False,
            warm_throughput=None,
        )
    return own


def key(table: str, owner: str) -> dict[str, Any]:
    return {"id": {"S": owner}} | ({"entity": {"S": "app"}} if table == RANGED else {})


def put(table: str, owner: str, **attributes: Any) -> dict[str, Any]:  # noqa: ANN401 - of any type
    return {"Put": {"TableName": table, "Item": {**key(table, owner), **attributes}}}


def update(table: str, owner: str) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": table,
            "Key": key(table, owner),
            "UpdateExpression": "ADD labels :more SET counted = :one",
            "ExpressionAttributeValues": {":more": {"SS": ["c"]}, ":one": {"N": "1"}},
        }
    }


def delete(table: str, owner: str) -> dict[str, Any]:
    return {"Delete": {"TableName": table, "Key": key(table, owner)}}


def impossible(table: str) -> dict[str, Any]:
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": key(table, "nobody"),
            "ConditionExpression": "attribute_exists(id)",
        }
    }


def items_of(backend: DynamoDBBackend, table: str) -> dict[str, Any]:
    return {
        item.hash_key.value: item.to_json()["Attributes"]
        for item in backend.tables[table].all_items()
    }


@pytest.mark.parametrize("table", [PLAIN, RANGED])
def test_a_transaction_that_fails_changes_nothing(backend: DynamoDBBackend, table: str) -> None:
    labels = {"labels": {"SS": ["a", "b"]}, "limits": {"M": {"calls": {"N": "5"}}}}
    backend.transact_write_items([put(table, name, **labels) for name in ("one", "two", "three")])
    before = deepcopy(items_of(backend, table))
    assert set(before) == {"one", "two", "three"}
    changes = [
        put(table, "new"),
        put(table, "one", other={"S": "x"}),
        update(table, "two"),
        delete(table, "three"),
        update(table, "newer"),
    ]
    with pytest.raises(TransactionCanceledException):
        backend.transact_write_items([*changes, impossible(table)])
    assert items_of(backend, table) == before


@pytest.mark.parametrize("table", [PLAIN, RANGED])
def test_a_transaction_changes_all_its_items(backend: DynamoDBBackend, table: str) -> None:
    backend.transact_write_items([put(table, "one"), put(table, "two")])
    backend.transact_write_items([update(table, "one"), delete(table, "two"), put(table, "three")])
    changed = items_of(backend, table)
    assert set(changed) == {"one", "three"}
    assert changed["one"]["counted"] == {"N": "1"}


def test_a_failed_transaction_leaves_other_items_alone(backend: DynamoDBBackend) -> None:
    other = put(PLAIN, "other")["Put"]["Item"]
    backend.transact_write_items([put(PLAIN, "one")])
    table = backend.tables[PLAIN]
    with pytest.raises(TransactionCanceledException):
        backend.transact_write_items([update(PLAIN, "one"), impossible(PLAIN)])
    table.put_item(other)
    assert set(items_of(backend, PLAIN)) == {"one", "other"}


class Answer(dict[str, object]):
    """A dictionary with a name of its own, by which moto looks for `name` where `AnswerName` is."""


@pytest.mark.parametrize("answer", [{}, Answer()])
def test_members_of_an_answer_are_found_under_the_names_of_before(
    answer: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = get_service_model("dynamodb").operation_model("GetItem").output_shape
    keys = ("Item", "GetItemOutputItem", "AnswerName")
    contexts = [AttributePickerContext(answer, key, shape) for key in keys]
    with monkeypatch.context() as slow:
        slow.setattr(XFormedAttributePicker, "get_possible_keys", SLOW_NAMES)
        before = [list(XFormedAttributePicker().get_possible_keys(each)) for each in contexts]
    for _ in range(2):
        found = [list(XFormedAttributePicker().get_possible_keys(each)) for each in contexts]
        assert found == before
