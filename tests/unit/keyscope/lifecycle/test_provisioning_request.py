import json

import pytest

from keyscope.errors import MAX_FAULTS, Fault, InvalidInput
from keyscope.lifecycle.account_requests import (
    DeleteAccount,
    EndOverlap,
    ListAccounts,
    ResumeAccount,
    RotateKey,
    SetAccountLimits,
    ShowAccount,
    SuspendAccount,
    UpdateKey,
)
from keyscope.lifecycle.management import KeyChange
from keyscope.lifecycle.operations import KeyRequest
from keyscope.lifecycle.provisioning_request import (
    CreateAccount,
    CreateKey,
    ListKeys,
    Operation,
    RevokeKey,
    SetUsageIdentifierKey,
    read_operation,
    shown_faults,
)
from keyscope.model.key_limits import KeyLimits
from tests.support.builders import ACCOUNT, NOW

KEY_ID = "act_" + "0" * 24
USAGE_KEY = "gold" * 5


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
                    "first",
                    limits=KeyLimits(
                        expires_at=1_893_456_000,
                        allowed_cidrs=("192.0.2.0/24", "2001:db8::/32", "192.0.2.7/32"),
                    ),
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
        (
            {"operation": "createKey", "accountId": ACCOUNT, "usageIdentifierKey": USAGE_KEY},
            CreateKey(ACCOUNT, KeyRequest(usage_identifier_key=USAGE_KEY)),
        ),
        (
            {
                "operation": "updateKey",
                "accountId": ACCOUNT,
                "keyId": KEY_ID,
                "displayName": "new",
                "expiresAt": "2030-01-01T00:00:00Z",
                "allowedCidrs": None,
                "disabled": True,
            },
            UpdateKey(
                ACCOUNT,
                KEY_ID,
                KeyChange(
                    "new",
                    frozenset({"expires_at", "allowed_cidrs", "disabled_at"}),
                    KeyLimits(expires_at=1_893_456_000, disabled_at=NOW),
                ),
            ),
        ),
        (
            {
                "operation": "updateKey",
                "accountId": ACCOUNT,
                "keyId": KEY_ID,
                "permissions": ["read"],
                "disabled": False,
            },
            UpdateKey(
                ACCOUNT,
                KEY_ID,
                KeyChange(
                    chosen=frozenset({"permissions", "disabled_at"}),
                    limits=KeyLimits(permissions=("read",)),
                ),
            ),
        ),
        (
            {"operation": "rotateKey", "accountId": ACCOUNT, "keyId": KEY_ID},
            RotateKey(ACCOUNT, KEY_ID, 86_400),
        ),
        (
            {"operation": "rotateKey", "accountId": ACCOUNT, "keyId": KEY_ID, "overlapSeconds": 0},
            RotateKey(ACCOUNT, KEY_ID, 0),
        ),
        (
            {"operation": "endOverlap", "accountId": ACCOUNT, "keyId": KEY_ID},
            EndOverlap(ACCOUNT, KEY_ID),
        ),
        ({"operation": "listAccounts"}, ListAccounts(None, 100)),
        ({"operation": "listAccounts", "after": ACCOUNT, "limit": 7}, ListAccounts(ACCOUNT, 7)),
        ({"operation": "showAccount", "accountId": ACCOUNT}, ShowAccount(ACCOUNT)),
        ({"operation": "suspendAccount", "accountId": ACCOUNT}, SuspendAccount(ACCOUNT)),
        ({"operation": "resumeAccount", "accountId": ACCOUNT}, ResumeAccount(ACCOUNT)),
        ({"operation": "deleteAccount", "accountId": ACCOUNT}, DeleteAccount(ACCOUNT)),
        *(
            (
                {"operation": "setAccountLimits", "accountId": ACCOUNT, "maxApps": most},
                SetAccountLimits(ACCOUNT, most),
            )
            for most in (0, 1, 1_000_000, None)
        ),
        *(
            (
                {"operation": "setUsageIdentifierKey", "keyId": key_id, "usageIdentifierKey": to},
                SetUsageIdentifierKey(key_id, to),
            )
            for key_id in (KEY_ID, "app_" + "0" * 24, "svc_" + "0" * 24)
            for to in (USAGE_KEY, None)
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
        ({"operation": "renameAccount"}, ["operation"]),
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
        ({"operation": "setUsageIdentifierKey"}, ["keyId", "usageIdentifierKey"]),
        ({"operation": "setUsageIdentifierKey", "keyId": KEY_ID}, ["usageIdentifierKey"]),
        *(
            ({"operation": operation}, ["accountId"])
            for operation in ("showAccount", "suspendAccount", "resumeAccount", "deleteAccount")
        ),
        ({"operation": "listAccounts", "after": ACCOUNT.upper(), "limit": 0}, ["after", "limit"]),
        ({"operation": "listAccounts", "limit": 101}, ["limit"]),
        ({"operation": "listAccounts", "limit": True}, ["limit"]),
        ({"operation": "listAccounts", "limit": "7"}, ["limit"]),
        ({"operation": "setAccountLimits", "accountId": ACCOUNT}, ["maxApps"]),
        *(
            (
                {"operation": "setAccountLimits", "accountId": ACCOUNT, "maxApps": most},
                ["maxApps"],
            )
            for most in (-1, 1_000_001, True, 1.5, "7")
        ),
        ({"operation": "updateKey", "accountId": ACCOUNT, "keyId": KEY_ID}, [""]),
        ({"operation": "updateKey", "accountId": ACCOUNT, "disabled": True}, ["keyId"]),
        *(
            (
                {"operation": "updateKey", "accountId": ACCOUNT, "keyId": KEY_ID, member: value},
                [member],
            )
            for member, value in (
                ("disabled", None),
                ("displayName", None),
                ("expiresAt", "soon"),
                ("allowedCidrs", []),
                ("permissions", []),
            )
        ),
        *(
            (
                {
                    "operation": "rotateKey",
                    "accountId": ACCOUNT,
                    "keyId": KEY_ID,
                    "overlapSeconds": seconds,
                },
                ["overlapSeconds"],
            )
            for seconds in (-1, 30 * 86_400 + 1, True, 1.5, None, "0")
        ),
        (
            {"operation": "endOverlap", "accountId": ACCOUNT, "keyId": "svc_" + "0" * 24},
            ["keyId"],
        ),
        (
            {"operation": "setUsageIdentifierKey", "keyId": "act_1", "usageIdentifierKey": None},
            ["keyId"],
        ),
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


@pytest.mark.parametrize("value", ["", "short", "x" * 129, "with-hyphens-in-it-x", 7, ["gold" * 5]])
def test_a_usage_identifier_key_is_20_to_128_letters_and_digits(value: object) -> None:
    members = {"displayName": "Acme", "key": {"usageIdentifierKey": value}}
    assert faults_of({"operation": "createAccount", **members}) == ["key.usageIdentifierKey"]
    to_set = {"keyId": KEY_ID, "usageIdentifierKey": value}
    assert faults_of({"operation": "setUsageIdentifierKey", **to_set}) == ["usageIdentifierKey"]


def test_an_operation_does_not_print_the_usage_identifier_key() -> None:
    members = {"keyId": KEY_ID, "usageIdentifierKey": USAGE_KEY}
    assert USAGE_KEY not in repr(
        read_operation({"operation": "setUsageIdentifierKey"} | members, 0)
    )


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


@pytest.mark.parametrize(
    "members",
    [
        {f"{number}": 1 for number in range(50_000)},
        {"allowedCidrs": [""] * 50_000},
        {"n" * 100_000: 1},
    ],
    ids=["unknown members", "networks", "a long name"],
)
@pytest.mark.parametrize("nested", [False, True])
def test_the_answer_to_a_request_of_many_faults_is_small(
    members: dict[str, object], *, nested: bool
) -> None:
    event = {"operation": "createAccount", "displayName": "x", "key": members}
    flat = {"operation": "createKey", "accountId": "a" * 12, **members}
    with pytest.raises(InvalidInput) as invalid:
        read_operation(event if nested else flat, NOW)
    assert len(invalid.value.faults) <= MAX_FAULTS + 1
    assert len(json.dumps(shown_faults(invalid.value))) < 10_000
