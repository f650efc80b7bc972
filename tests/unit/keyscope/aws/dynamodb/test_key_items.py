from collections.abc import Mapping

import pytest

from keyscope.aws.dynamodb.key_items import Item, record_of_item
from keyscope.errors import Reason, Unavailable
from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import NO_LIMITS, KeyLimits
from keyscope.model.key_record import KeyRecord, PreviousSecret
from tests.support.builders import ACCOUNT, APP, INTEGRATION

KEY_ID = "app_" + "0" * 24
ITEM: Item = {
    "key_id": {"S": KEY_ID},
    "format": {"N": "1"},
    "owner_type": {"S": "app"},
    "owner_id": {"S": APP},
    "account_id": {"S": ACCOUNT},
    "app_id": {"S": APP},
    "secret_hash": {"B": b"h" * 32},
    "generation": {"N": "1"},
    "secret_ciphertext": {"B": b"sealed"},
    "created_at": {"N": "1800000000"},
}
LIMITS: Item = {
    "expires_at": {"N": "1800000060"},
    "allowed_cidrs": {"L": [{"S": "192.0.2.0/24"}, {"S": "2001:db8::/32"}]},
}


PREVIOUS: Item = {
    "previous_secret_hash": {"B": b"p" * 32},
    "previous_secret_ciphertext": {"B": b"sealed before"},
    "previous_ends_at": {"N": "1800000030"},
}


def without(name: str) -> Item:
    return {key: value for key, value in ITEM.items() if key != name}


def test_an_item_is_read_as_a_record() -> None:
    assert record_of_item({**ITEM, **LIMITS}) == KeyRecord(
        key_id=KEY_ID,
        owner_type=OwnerType.APP,
        owner_id=APP,
        secret_hash=b"h" * 32,
        secret_ciphertext=b"sealed",
        limits=KeyLimits(expires_at=1_800_000_060, allowed_cidrs=("192.0.2.0/24", "2001:db8::/32")),
    )


BOUND: Item = {
    **ITEM,
    "key_id": {"S": "int_" + "0" * 24},
    "integration_id": {"S": INTEGRATION},
}


def test_a_key_of_an_integration_is_its_apps_and_bound_to_one() -> None:
    record = record_of_item(BOUND)
    assert (record.owner_type, record.owner_id) == (OwnerType.APP, APP)
    assert record.integration_id == INTEGRATION


@pytest.mark.parametrize(
    "item",
    [
        pytest.param({**ITEM, "key_id": BOUND["key_id"]}, id="bound to nothing"),
        pytest.param({**BOUND, "key_id": ITEM["key_id"]}, id="an app's own key, bound"),
        pytest.param({**BOUND, "integration_id": {"S": "*"}}, id="a star"),
        pytest.param({**BOUND, "integration_id": {"S": INTEGRATION + "/"}}, id="a path"),
        pytest.param({**BOUND, "integration_id": {"S": INTEGRATION.upper()}}, id="capitals"),
        pytest.param({**BOUND, "integration_id": {"N": "1"}}, id="a number"),
        pytest.param({**ITEM, "integration_id": {"S": "*"}}, id="an app's own key, with a star"),
    ],
)
def test_a_key_and_what_it_is_bound_to_fit_together_or_are_damage(item: Item) -> None:
    with pytest.raises(Unavailable) as unavailable:
        record_of_item(item)
    assert unavailable.value.detail == "attribute integration_id"


NAMED: Item = {
    **ITEM,
    "account_external_id": {"S": "Acme"},
    "app_external_id": {"S": "acme-Shop"},
}


def test_external_ids_are_read_as_they_were_created() -> None:
    assert record_of_item(NAMED).external_ids == ExternalIds("Acme", "acme-Shop")
    assert record_of_item(ITEM).external_ids == ExternalIds()


@pytest.mark.parametrize("name", ["account_external_id", "app_external_id"])
@pytest.mark.parametrize(
    "value",
    [{"S": ""}, {"S": "*"}, {"S": ".a"}, {"S": "a/b"}, {"S": APP}, {"S": "a" * 65}, {"N": "1"}],
)
def test_an_external_id_that_could_widen_a_policy_is_damage(
    name: str, value: dict[str, str]
) -> None:
    with pytest.raises(Unavailable) as unavailable:
        record_of_item({**NAMED, name: value})
    assert unavailable.value.detail == f"attribute {name}"


def test_only_a_key_of_an_app_has_an_apps_external_id() -> None:
    of_account = {
        **NAMED,
        "key_id": {"S": "act_" + "0" * 24},
        "owner_type": {"S": "account"},
        "owner_id": {"S": APP[:12]},
    }
    with pytest.raises(Unavailable) as unavailable:
        record_of_item(of_account)
    assert unavailable.value.detail == "attribute app_external_id"


def test_the_limits_of_a_key_may_be_absent() -> None:
    record = record_of_item(ITEM)
    assert (record.limits, record.revoked_at) == (NO_LIMITS, None)


def test_a_rotated_key_has_its_previous_secret_and_when_that_ends() -> None:
    record = record_of_item({**ITEM, **PREVIOUS, "revision": {"N": "2"}})
    assert record.previous == PreviousSecret(b"p" * 32, b"sealed before", 1_800_000_030)
    assert (record.secret_hash, record.secret_ciphertext) == (b"h" * 32, b"sealed")


def test_a_key_that_was_never_rotated_nor_disabled_has_neither_mark() -> None:
    record = record_of_item(ITEM)
    assert (record.previous, record.limits.disabled_at) == (None, None)


def test_a_suspended_key_is_read_as_suspended() -> None:
    assert record_of_item({**ITEM, "suspended_at": {"N": "7"}}).suspended_at == 7


def test_a_disabled_key_is_read_as_disabled() -> None:
    assert record_of_item({**ITEM, "disabled_at": {"N": "7"}}).limits.disabled_at == 7


def test_a_revoked_record_has_no_secret_whatever_the_item_holds() -> None:
    record = record_of_item({**ITEM, **PREVIOUS, "revoked_at": {"N": "7"}})
    assert (record.secret_hash, record.secret_ciphertext, record.previous) == (b"", b"", None)


@pytest.mark.parametrize("name", PREVIOUS)
def test_a_previous_secret_that_misses_a_part_is_damage_and_the_part_is_named(name: str) -> None:
    rest = {key: value for key, value in PREVIOUS.items() if key != name}
    with pytest.raises(Unavailable) as unavailable:
        record_of_item({**ITEM, **rest})
    assert unavailable.value.reason is Reason.DAMAGED_RECORD
    assert unavailable.value.detail == f"attribute {name}"


def test_a_previous_secret_does_not_print_itself() -> None:
    shown = repr(record_of_item({**ITEM, **PREVIOUS}))
    assert "p" * 32 not in shown
    assert "sealed before" not in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("previous_secret_hash", {"B": b"p" * 31}),
        ("previous_secret_hash", {"S": "p" * 32}),
        ("previous_secret_ciphertext", {"B": b""}),
        ("previous_secret_ciphertext", {"NULL": True}),
        ("previous_ends_at", {"N": "soon"}),
        ("previous_ends_at", {"N": "1.5"}),
        ("previous_ends_at", {"S": "1800000030"}),
    ],
)
def test_a_part_of_a_previous_secret_of_another_shape_is_damage(
    name: str, value: Mapping[str, object]
) -> None:
    with pytest.raises(Unavailable) as unavailable:
        record_of_item({**ITEM, **PREVIOUS, name: value})
    assert unavailable.value.detail == f"attribute {name}"


@pytest.mark.parametrize("value", ["a" * 20, "Z9" * 64])
def test_a_key_may_name_the_api_gateway_key_of_its_usage_plan(value: str) -> None:
    record = record_of_item({**ITEM, "usage_identifier_key": {"S": value}})
    assert record.usage_identifier_key == value
    assert value not in repr(record)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"S": "a" * 19}, id="too short"),
        pytest.param({"S": "a" * 129}, id="too long"),
        pytest.param({"S": "a" * 20 + "\n"}, id="a line feed after"),
        pytest.param({"S": "a-" * 10}, id="hyphens"),
        pytest.param({"S": "é" * 20}, id="not ASCII"),
        pytest.param({"N": "1" * 20}, id="a number"),
        pytest.param({"NULL": True}, id="null"),
    ],
)
def test_a_usage_identifier_key_of_another_shape_is_damage(value: Mapping[str, object]) -> None:
    with pytest.raises(Unavailable) as unavailable:
        record_of_item({**ITEM, "usage_identifier_key": value})
    assert unavailable.value.reason is Reason.DAMAGED_RECORD
    assert unavailable.value.detail == "attribute usage_identifier_key"


def test_a_key_may_be_limited_to_permissions() -> None:
    stored = {"L": [{"S": "read"}, {"S": "users:write"}]}
    record = record_of_item({**ITEM, "permission_names": stored})
    assert record.limits.permissions == ("read", "users:write")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"L": []}, id="none"),
        pytest.param({"L": [{"S": f"p{n}"} for n in range(17)]}, id="too many"),
        pytest.param({"L": [{"S": "re ad"}]}, id="no name"),
        pytest.param({"L": [{"S": ""}]}, id="an empty name"),
        pytest.param({"L": [{"S": "read"}, {"N": "1"}]}, id="a number among them"),
        pytest.param({"S": "read"}, id="a string"),
        pytest.param({"SS": ["read"]}, id="a set"),
        pytest.param({"NULL": True}, id="null"),
    ],
)
def test_permissions_of_another_shape_are_damage(value: Mapping[str, object]) -> None:
    with pytest.raises(Unavailable) as unavailable:
        record_of_item({**ITEM, "permission_names": value})
    assert unavailable.value.reason is Reason.DAMAGED_RECORD
    assert unavailable.value.detail == "attribute permission_names"


def test_a_revoked_record_is_in_no_usage_plan_whatever_the_item_holds() -> None:
    rest: Item = {"revoked_at": {"N": "7"}, "usage_identifier_key": {"S": "short"}}
    assert record_of_item({**ITEM, **rest}).usage_identifier_key is None


def test_a_revoked_record_needs_no_secret() -> None:
    item = {**without("secret_hash"), "revoked_at": {"N": "7"}}
    assert record_of_item(item).revoked_at == 7


@pytest.mark.parametrize(
    "name",
    [
        "key_id",
        "format",
        "owner_type",
        "owner_id",
        "secret_hash",
        "secret_ciphertext",
        "generation",
    ],
)
def test_a_missing_attribute_is_damage_and_named(name: str) -> None:
    with pytest.raises(Unavailable) as unavailable:
        record_of_item(without(name))
    assert unavailable.value.reason is Reason.DAMAGED_RECORD
    assert unavailable.value.detail == f"attribute {name}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("key_id", {"S": "app_short"}),
        ("key_id", {"N": "1"}),
        ("format", {"N": "2"}),
        ("format", {"N": "1.5"}),
        ("owner_type", {"S": "account"}),
        ("owner_id", {"S": ACCOUNT}),
        ("owner_id", {"S": f"{APP}*"}),
        ("secret_hash", {"B": b"short"}),
        ("secret_hash", {"S": "h" * 32}),
        ("generation", {"S": "1"}),
        ("generation", {"N": "one"}),
        ("secret_ciphertext", {"B": b""}),
        ("expires_at", {"N": "soon"}),
        ("expires_at", {"NULL": True}),
        ("allowed_cidrs", {"L": []}),
        ("allowed_cidrs", {"L": [{"N": "1"}]}),
        ("allowed_cidrs", {"L": [{"S": "10.0.0.1/8"}]}),
        ("allowed_cidrs", {"L": [{"S": "192.0.2.0/24"}] * 9}),
        ("allowed_cidrs", {"SS": ["192.0.2.0/24"]}),
        ("revoked_at", {"S": "now"}),
        ("disabled_at", {"BOOL": True}),
        ("disabled_at", {"S": "7"}),
        ("suspended_at", {"BOOL": True}),
    ],
)
def test_an_attribute_of_another_shape_is_damage(name: str, value: Mapping[str, object]) -> None:
    with pytest.raises(Unavailable) as unavailable:
        record_of_item({**ITEM, name: value})
    assert unavailable.value.detail == f"attribute {name}"
