"""Per-key throttling: the authorizer names the API Gateway key whose usage plan counts a request.

Sources: "Choose an API key source in API Gateway", "Output from an API Gateway Lambda authorizer"
and "Usage plans and API keys for REST APIs" in the Amazon API Gateway developer guide.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, cast
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.authorize.answer import Answer, answer
from keyscope.authorize.decision import Decision
from keyscope.authorize.event import read_http_event, read_rest_event
from keyscope.authorize.pipeline import authorize
from keyscope.aws.dynamodb.key_items import record_of_item
from keyscope.aws.telemetry import Telemetry, TelemetrySettings
from keyscope.errors import Unavailable
from keyscope.lifecycle.directory import Key, KeyNotFound, Owner
from keyscope.lifecycle.operations import KeyRequest
from keyscope.model.ids import KEY_ID_PREFIXES, OwnerType
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from keyscope.model.secret import new_secret
from keyscope_local.emulators.embedded_aws import embedded_aws
from keyscope_local.gateway.request import GatewayRequest
from keyscope_local.running_stack import loaded_stack
from keyscope_local.template.function_loader import LocalFunction
from tests.support.builders import (
    APP,
    METHOD_ARN,
    NOW,
    MadeKey,
    basic,
    http_event,
    in_usage_plan,
    make_key,
    rest_request_event,
    rotated,
)
from tests.support.directories import Operations
from tests.support.items import item_of_record
from tests.support.management import proxy_event
from tests.support.profile import EXAMPLES
from tests.support.stacks import stack_of
from tests.support.stores import MemoryKeyStore, SteppedClock
from tests.support.usage_plans import (
    FREE,
    GOLD,
    GOLD_BURST,
    METERED,
    TIN,
    TIN_BURST,
    MeteredApi,
    authorizer_over,
    metered_api,
)

ALLOWED: Final = 200
FORBIDDEN: Final = 403
TOO_MANY: Final = 429
ACCOUNT_KEY: Final = make_key(OwnerType.ACCOUNT)
GOLD_KEY: Final = in_usage_plan(ACCOUNT_KEY, GOLD)
TIN_KEY: Final = in_usage_plan(make_key(OwnerType.ACCOUNT), TIN)
PLANLESS_KEY: Final = make_key(OwnerType.ACCOUNT)
STRANGE_KEY: Final = in_usage_plan(make_key(OwnerType.ACCOUNT), "nobody0" * 3)


@pytest.fixture
def api() -> MeteredApi:
    return metered_api(GOLD_KEY, TIN_KEY, PLANLESS_KEY, STRANGE_KEY)


def test_a_key_beyond_its_burst_is_throttled_while_another_works(api: MeteredApi) -> None:
    assert api.statuses(TIN_KEY, TIN_BURST + 1) == [ALLOWED] * TIN_BURST + [TOO_MANY]
    assert api.statuses(GOLD_KEY, GOLD_BURST + 1) == [ALLOWED] * GOLD_BURST + [TOO_MANY]


def test_what_is_throttled_does_not_reach_the_backend(api: MeteredApi) -> None:
    api.statuses(TIN_KEY, 10)
    assert len(api.backend.events) == TIN_BURST


def test_a_throttled_key_works_again_at_its_plans_rate(api: MeteredApi) -> None:
    api.statuses(TIN_KEY, TIN_BURST)
    api.clock.now += 1.75
    assert api.get(TIN_KEY).status == TOO_MANY
    api.clock.now += 0.25
    assert api.statuses(TIN_KEY, 2) == [ALLOWED, TOO_MANY]


def test_a_rest_does_not_save_up_more_than_the_burst(api: MeteredApi) -> None:
    api.clock.now += 3_600
    assert api.statuses(GOLD_KEY, GOLD_BURST + 1)[-1] == TOO_MANY


def test_a_plans_quota_holds_until_midnight(api: MeteredApi) -> None:
    for _ in range(5):
        assert api.get(TIN_KEY).status == ALLOWED
        api.clock.now += 2
    assert api.get(TIN_KEY).status == TOO_MANY
    api.clock.now += 24 * 3_600
    assert api.get(TIN_KEY).status == ALLOWED


def test_a_cached_policy_names_the_plan_still(api: MeteredApi) -> None:
    statuses = api.statuses(TIN_KEY, TIN_BURST + 1)
    assert (statuses[-1], len(api.guard.events)) == (TOO_MANY, 1)


@pytest.mark.parametrize("key", [PLANLESS_KEY, STRANGE_KEY], ids=["no plan", "an unknown plan"])
def test_a_key_without_a_plan_reaches_only_methods_that_require_none(
    key: MadeKey, api: MeteredApi
) -> None:
    assert api.get(key).status == FORBIDDEN
    assert api.get(key, FREE.format(appId=APP)).status == ALLOWED


def test_a_method_that_requires_no_plan_counts_nothing(api: MeteredApi) -> None:
    path = FREE.format(appId=APP)
    assert api.statuses(TIN_KEY, TIN_BURST + 3, path) == [ALLOWED] * (TIN_BURST + 3)
    assert api.get(TIN_KEY).status == ALLOWED


def test_a_key_that_the_caller_sends_in_the_header_counts_for_nothing(api: MeteredApi) -> None:
    headers = [("authorization", PLANLESS_KEY.basic()), ("x-api-key", GOLD)]
    request = GatewayRequest("GET", METERED, headers=headers)
    assert api.gateway.answer(request).status == FORBIDDEN


def test_a_token_of_the_key_is_in_its_plan_too(api: MeteredApi) -> None:
    given = api.guard.respond(rest_request_event(GOLD_KEY.bearer(scope="account")))
    assert cast("Answer", given)["usageIdentifierKey"] == GOLD


def test_the_previous_secret_of_a_rotated_key_is_in_the_same_plan(api: MeteredApi) -> None:
    api.store.records[GOLD_KEY.key_id] = rotated(GOLD_KEY, NOW + 60).record
    given = api.guard.respond(rest_request_event(GOLD_KEY.basic()))
    assert cast("Answer", given)["usageIdentifierKey"] == GOLD


def test_the_backend_is_not_told(api: MeteredApi) -> None:
    assert GOLD.encode() not in api.get(GOLD_KEY).body
    assert GOLD not in str(api.backend.events)


TOKEN_EVENT: Final = {
    "type": "TOKEN",
    "authorizationToken": GOLD_KEY.basic(),
    "methodArn": METHOD_ARN,
}
CONNECT_EVENT: Final = rest_request_event(
    GOLD_KEY.basic(),
    methodArn="arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod/$connect",
    requestContext={"eventType": "CONNECT", "identity": {"sourceIp": "192.0.2.7"}},
)


def decided(event: object, reader: Callable[[object], Any] = read_rest_event) -> Decision:
    store = MemoryKeyStore({GOLD_KEY.key_id: GOLD_KEY.record})
    return authorize(event, reader, authorizer_over(store, SteppedClock(NOW)))


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(rest_request_event(GOLD_KEY.basic()), id="REQUEST"),
        pytest.param(TOKEN_EVENT, id="TOKEN"),
    ],
)
def test_a_rest_api_is_told_the_plans_key(event: object) -> None:
    assert answer(decided(event))["usageIdentifierKey"] == GOLD


@pytest.mark.parametrize(
    ("event", "reader"),
    [
        pytest.param(CONNECT_EVENT, read_rest_event, id="WebSocket"),
        pytest.param(http_event(GOLD_KEY.basic()), read_http_event, id="HTTP"),
    ],
)
def test_an_api_without_usage_plans_is_told_none(
    event: object, reader: Callable[[object], Any]
) -> None:
    assert answer(decided(event, reader)).keys() == {"principalId", "policyDocument", "context"}


def test_a_refusal_names_no_plan() -> None:
    refused = decided(rest_request_event(basic(GOLD_KEY.key_id, new_secret(GOLD_KEY.key_id))))
    assert (refused.principal, refused.usage_identifier_key) == (None, None)


def test_neither_log_nor_metrics_nor_repr_hold_the_plans_key(
    capsys: pytest.CaptureFixture[str],
) -> None:
    decision = decided(rest_request_event(GOLD_KEY.basic()))
    Telemetry(f"function-{uuid4()}", TelemetrySettings("DEBUG")).record(
        decision, "request", "invocation"
    )
    output = capsys.readouterr()
    assert '"message":"decision"' in output.out
    assert GOLD not in output.out + output.err + repr(decision) + repr(GOLD_KEY)


@settings(max_examples=EXAMPLES, deadline=None)
@given(value=st.text(max_size=140) | st.from_regex(r"[0-9A-Za-z]{18,130}", fullmatch=True))
def test_what_api_gateway_would_not_take_is_damage_and_never_an_answer(value: str) -> None:
    item = item_of_record(replace(GOLD_KEY.record, usage_identifier_key=value))
    try:
        found = record_of_item(item).usage_identifier_key
    except Unavailable as unavailable:
        found = unavailable.detail
    fits = value.isascii() and value.isalnum() and 20 <= len(value) <= 128
    assert found == (value if fits else "attribute usage_identifier_key")


KEY_ID: Final = "app_" + "0" * 24


@pytest.fixture
def operations() -> Operations:
    made = Operations(SteppedClock(NOW))
    key = Key(KEY_ID, NOW, usage_identifier_key=GOLD)
    made.directory.hold(Owner(OwnerType.APP, APP, "Shop", NOW), key)
    return made


@pytest.mark.parametrize("to", [TIN, None])
def test_another_plan_is_told_to_auditors_and_has_policies_flushed(
    to: str | None, operations: Operations
) -> None:
    operations.provisioning().set_usage_identifier_key(KEY_ID, to)
    assert operations.directory.keys[KEY_ID].key.usage_identifier_key == to
    assert (operations.flushes.promised, operations.flushes.asked) == (1, 1)
    (event,) = operations.trail.events
    assert GOLD not in json.dumps(event.detail())
    assert TIN not in json.dumps(event.detail())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda to: to.rotate_key(APP, KEY_ID, 60), id="rotated"),
        pytest.param(lambda to: to.end_overlap(APP, KEY_ID), id="overlap ended"),
    ],
)
def test_a_key_stays_in_its_plan(change: Callable[[Any], object], operations: Operations) -> None:
    change(operations.provisioning())
    assert operations.directory.keys[KEY_ID].key.usage_identifier_key == GOLD


def test_an_unknown_key_is_put_in_no_plan(operations: Operations) -> None:
    with pytest.raises(KeyNotFound):
        operations.provisioning().set_usage_identifier_key("app_" + "1" * 24, GOLD)
    assert (operations.flushes.promised, operations.trail.events) == (0, [])


def test_a_key_request_does_not_print_the_plans_key() -> None:
    assert GOLD not in repr(KeyRequest(usage_identifier_key=GOLD)) + repr(
        Key(KEY_ID, NOW, usage_identifier_key=GOLD)
    )


Functions = Mapping[str, LocalFunction]


@pytest.fixture(scope="module")
def functions() -> Iterator[Functions]:
    """The template's own functions over moto, which read every record anew."""
    stack = stack_of()
    fresh = {"KEYSCOPE_KEY_CACHE_SECONDS": "0"}
    with embedded_aws(stack) as aws, loaded_stack(stack, aws, fresh) as loaded:
        yield loaded.functions


def provisioned(functions: Functions, operation: str, **members: object) -> Any:  # noqa: ANN401 - JSON
    return functions["ProvisioningFunction"].invoke({"operation": operation, **members})


def plan_of(functions: Functions, key: Mapping[str, str]) -> object:
    event = rest_request_event(basic(key["id"], key["secret"]))
    return cast("Answer", functions["RestAuthorizerFunction"].invoke(event)).get(
        "usageIdentifierKey"
    )


def managed(functions: Functions, account: str, key: Mapping[str, str], path: str) -> Any:  # noqa: ANN401
    """Create something through the management API with an account's key."""
    caller = Principal(Scope.ACCOUNT, key["id"], OwnerType.ACCOUNT, account)
    event = proxy_event("POST", path, caller.context(), json.dumps({"displayName": "new"}))
    return json.loads(cast("Any", functions["ManagementFunction"].invoke(event))["body"])


def test_the_operator_puts_a_key_in_a_plan_takes_it_out_and_never_sees_the_plans_key_again(
    functions: Functions,
) -> None:
    made = provisioned(
        functions, "createAccount", displayName="Acme", key={"usageIdentifierKey": GOLD}
    )
    key = made["key"]
    assert plan_of(functions, key) == GOLD
    for chosen in (TIN, None, GOLD):
        change = {"keyId": key["id"], "usageIdentifierKey": chosen}
        shown = provisioned(functions, "setUsageIdentifierKey", **change)["key"]
        assert plan_of(functions, key) == chosen
        assert ("usageIdentifierKeyHash" in shown) == (chosen is not None)
    listed = provisioned(functions, "listKeys", accountId=made["account"]["id"])
    assert GOLD not in json.dumps([made, listed])


def test_a_key_that_a_tenant_makes_is_in_the_tenants_plan_and_a_tenant_is_not_told(
    functions: Functions,
) -> None:
    made = provisioned(
        functions, "createAccount", displayName="Acme", key={"usageIdentifierKey": GOLD}
    )
    by = (functions, made["account"]["id"], made["key"])
    app = managed(*by, "/v2/apps")["app"]
    key = managed(*by, f"/v2/apps/{app['id']}/keys")["key"]
    assert plan_of(functions, key) == GOLD
    assert not [name for name in key if name.startswith("usage")]


@pytest.mark.parametrize("prefix", KEY_ID_PREFIXES.values())
def test_no_plan_can_be_chosen_for_a_key_that_is_not_there(
    prefix: str, functions: Functions
) -> None:
    change = {"keyId": prefix + "0" * 24, "usageIdentifierKey": GOLD}
    (error,) = provisioned(functions, "setUsageIdentifierKey", **change)["errors"]
    assert (error["code"], error["field"]) == ("not_found", "keyId")


def test_a_tenant_cannot_choose_a_plan(functions: Functions) -> None:
    made = provisioned(functions, "createAccount", displayName="Acme")
    account = made["account"]["id"]
    app = managed(functions, account, made["key"], "/v2/apps")["app"]
    caller = Principal(Scope.ACCOUNT, made["key"]["id"], OwnerType.ACCOUNT, account)
    body = json.dumps({"displayName": "new", "usageIdentifierKey": GOLD})
    event = proxy_event("POST", f"/v2/apps/{app['id']}/keys", caller.context(), body)
    assert cast("Any", functions["ManagementFunction"].invoke(event))["statusCode"] == 400


def test_a_revoked_key_keeps_nothing_of_its_plan(functions: Functions) -> None:
    made = provisioned(
        functions, "createAccount", displayName="Acme", key={"usageIdentifierKey": GOLD}
    )
    account, key = made["account"]["id"], made["key"]
    assert provisioned(functions, "revokeKey", accountId=account, keyId=key["id"]) == {}
    change = {"keyId": key["id"], "usageIdentifierKey": TIN}
    (error,) = provisioned(functions, "setUsageIdentifierKey", **change)["errors"]
    assert error["code"] == "not_found"
    (listed,) = provisioned(functions, "listKeys", accountId=account)["keys"]
    assert "usageIdentifierKeyHash" not in listed
