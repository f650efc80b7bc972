import pytest

from keyscope.errors import Fault, InvalidInput
from keyscope.provisioning import KeyRequest
from keyscope.provisioning_request import (
    CreateAccount,
    CreateKey,
    ListKeys,
    Operation,
    RevokeKey,
    read_operation,
    shown_faults,
)
from tests.support.builders import ACCOUNT, NOW

KEY_ID = "act_" + "0" * 24


def faults_of(event: object) -> list[str]:
    with pytest.raises(InvalidInput) as invalid:
        read_operation(event, NOW)
    return [fault.field for fault in invalid.value.faults]


@pytest.mark.parametrize(
    ("event", "operation"),
    [
        (
            {"operation": "createAccount", "displayName": "Acme"},
            CreateAccount("Acme", KeyRequest()),
        ),
        (
            {
                "operation": "createAccount",
                "displayName": "Acme",
                "key": {
                    "displayName": "first",
                    "expiresAt": "2030-01-01T01:00:00+01:00",
                    "allowedCidrs": ["192.0.2.0/24", "2001:DB8::/32", "192.0.2.7"],
                },
            },
            CreateAccount(
                "Acme",
                KeyRequest(
                    "first", 1_893_456_000, ("192.0.2.0/24", "2001:db8::/32", "192.0.2.7/32")
                ),
            ),
        ),
        (
            {"operation": "createKey", "accountId": ACCOUNT, "displayName": "second"},
            CreateKey(ACCOUNT, KeyRequest("second")),
        ),
        ({"operation": "listKeys", "accountId": ACCOUNT}, ListKeys(ACCOUNT)),
        (
            {"operation": "revokeKey", "accountId": ACCOUNT, "keyId": KEY_ID},
            RevokeKey(ACCOUNT, KEY_ID),
        ),
    ],
)
def test_a_request_is_read_as_its_operation(event: object, operation: Operation) -> None:
    assert read_operation(event, NOW) == operation


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        (None, [""]),
        ([], [""]),
        ({}, ["operation"]),
        ({"operation": ["createKey"]}, ["operation"]),
        ({"operation": "deleteAccount"}, ["operation"]),
        ({"operation": "createAccount"}, ["displayName"]),
        ({"operation": "createAccount", "displayName": " "}, ["displayName"]),
        ({"operation": "createAccount", "displayName": 7}, ["displayName"]),
        ({"operation": "createAccount", "displayName": "x" * 101}, ["displayName"]),
        ({"operation": "createAccount", "displayName": "x", "key": "x"}, ["key"]),
        ({"operation": "createAccount", "displayName": "x", "key": {"id": 1}}, ["key.id"]),
        ({"operation": "createAccount", "displayName": "x", "scope": "app"}, ["scope"]),
        ({"operation": "createKey", "accountId": ACCOUNT.upper()}, ["accountId"]),
        ({"operation": "revokeKey", "accountId": ACCOUNT}, ["keyId"]),
        ({"operation": "revokeKey", "accountId": ACCOUNT, "keyId": "app_" + "0" * 24}, ["keyId"]),
    ],
)
def test_a_fault_is_named_by_its_field(event: object, fields: list[str]) -> None:
    assert faults_of(event) == fields


@pytest.mark.parametrize(
    "expires_at",
    ["tomorrow", "", 1_893_456_000, "2030-01-01", "2030-01-01T00:00:00"],
)
def test_an_expiry_is_a_time_with_its_zone(expires_at: object) -> None:
    event = {"operation": "createKey", "accountId": ACCOUNT, "expiresAt": expires_at}
    assert faults_of(event) == ["expiresAt"]


def test_an_expiry_is_in_the_future() -> None:
    event = {"operation": "createKey", "accountId": ACCOUNT, "expiresAt": "2027-01-15T08:00:00Z"}
    with pytest.raises(InvalidInput) as invalid:
        read_operation(event, NOW)
    assert invalid.value.faults == (Fault("bad_request", "expiresAt", "must be in the future"),)


@pytest.mark.parametrize(
    ("cidrs", "fields"),
    [
        ("192.0.2.0/24", ["allowedCidrs"]),
        ([], ["allowedCidrs"]),
        ([f"192.0.2.{n}" for n in range(9)], ["allowedCidrs"]),
        (["192.0.2.7/24"], ["allowedCidrs[0]"]),
        (["::/0", "x", 7], ["allowedCidrs[1]", "allowedCidrs[2]"]),
    ],
)
def test_cidrs_are_networks(cidrs: object, fields: list[str]) -> None:
    event = {"operation": "createKey", "accountId": ACCOUNT, "allowedCidrs": cidrs}
    assert faults_of(event) == fields


def test_every_fault_is_told_at_once() -> None:
    event = {
        "operation": "createAccount",
        "displayName": "",
        "name": "x",
        "key": {"expiresAt": "x", "allowedCidrs": ["x"], "displayName": []},
    }
    assert faults_of(event) == [
        "name",
        "displayName",
        "key.displayName",
        "key.expiresAt",
        "key.allowedCidrs[0]",
    ]


def test_the_answer_to_a_fault_says_what_to_do() -> None:
    shown = shown_faults(InvalidInput([Fault("bad_request", "key", "must be an object")]))
    assert shown == {
        "errors": [{"code": "bad_request", "field": "key", "title": "must be an object"}]
    }
