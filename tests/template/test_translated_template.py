"""The template as AWS deploys it: least privilege, encryption, retention, and who may call what."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import pytest

from keyscope.aws.deadline import CALL_SECONDS, REQUEST_SECONDS
from keyscope.aws.dynamodb.directory_items import KEY_ATTRIBUTES
from keyscope.aws.dynamodb.key_expiry import SWEPT_ATTRIBUTES
from keyscope.aws.dynamodb.key_items import LIMIT_ATTRIBUTES
from keyscope.aws.event_bus import EVENT_SOURCE
from keyscope.aws.stage_caches import HTTP_API_STAGE
from keyscope.entry.settings import (
    DEFAULT_ROUTE_SETS,
    read_authorizer_settings,
    read_cache_flush_settings,
    read_expiry_sweep_settings,
    read_key_use_settings,
    read_provisioning_settings,
)
from keyscope.model.key_use import USE_MESSAGE
from keyscope_local.gateway.api_definition import ApiKind, FunctionIntegration
from keyscope_local.gateway.api_reader import read_apis
from keyscope_local.gateway.route_table import find_route
from keyscope_local.template.intrinsics import PSEUDO_PARAMETERS, Json, TemplateError
from keyscope_local.template.stack import (
    Stack,
    environment_of,
    physical_id_of,
    properties_of,
    translate,
)
from keyscope_local.template.yaml_reader import parse_yaml
from tests.support.stacks import stack_of
from tools.openapi_document import openapi_document

ROOT: Final = Path(__file__).parents[2]
TEMPLATE: Final = ROOT / "template.yaml"
SOURCE: Final = cast("dict[str, dict[str, Json]]", parse_yaml(TEMPLATE.read_text("utf-8")))
ACCOUNT: Final = PSEUDO_PARAMETERS["AWS::AccountId"]
AUTHORIZERS: Final = ("RestAuthorizerFunction", "HttpAuthorizerFunction")
FUNCTIONS: Final = (
    *AUTHORIZERS,
    "ProvisioningFunction",
    "ManagementFunction",
    "ExplanationFunction",
    "CacheFlushFunction",
    "ExpirySweepFunction",
    "KeyUseFunction",
    "EchoFunction",
    "HttpEchoFunction",
    "ConsoleFunction",
)
TABLES: Final = ("KeysTable", "DirectoryTable")
ROLES: Final = {
    "RestAuthorizerFunction": ("RestAuthorizerRole", "rest_authorizer"),
    "HttpAuthorizerFunction": ("HttpAuthorizerRole", "http_authorizer"),
    "ProvisioningFunction": ("ProvisioningRole", "provisioning"),
    "ManagementFunction": ("ManagementRole", "management"),
    "ExplanationFunction": ("ExplanationRole", "explanation"),
    "CacheFlushFunction": ("CacheFlushRole", "cache_flush"),
    "ExpirySweepFunction": ("ExpirySweepRole", "expiry_sweep"),
    "KeyUseFunction": ("KeyUseRole", "key_use"),
    "EchoFunction": ("EchoRole", "echo"),
    "HttpEchoFunction": ("EchoRole", "echo"),
    "ConsoleFunction": ("ConsoleRole", "console"),
}
OTHER_VALUES: Final = {
    "AccessMap": "other.toml",
    "AccessMapLayerArn": "arn:aws:lambda:us-east-1:123456789012:layer:orders-map:7",
    "AccessMapRoutes": "v1.1",
    "MaxStageLength": "17",
    "PolicyConditions": "false",
    "KeyCacheSeconds": "31",
    "KeyCacheEntries": "9999",
    "StaleSeconds": "901",
    "LeewaySeconds": "1",
    "AwsClient": "botocore",
    "LogLevel": "DEBUG",
    "LogAllowedSample": "100",
    "MetricsNamespace": "Other",
    "AuthorizerMemorySize": "1024",
    "ExistingKeysTable": "restored",
    "ExistingKeyId": "mrk-" + "0" * 32,
}
"""For each parameter that reaches an authorizer, a value that is not its default."""
UNCACHED: Final = {"AuthorizerCacheSeconds": "0"}
LOG_PREFIX: Final = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/keyscope-local"
EXECUTE_API: Final = f"arn:aws:execute-api:us-east-1:{ACCOUNT}"
LONGEST_FLUSH_DELAY_SECONDS: Final = 331
WRITES_RETURN_NOTHING: Final = {"StringEqualsIfExists": {"dynamodb:ReturnValues": "NONE"}}
SEALED_FOR_A_KEY: Final = {"Null": {"kms:EncryptionContext:keyId": "false"}}


@pytest.fixture(scope="module")
def stack() -> Stack:
    return stack_of({"HttpApiEnabled": "true"})


def statements_of(stack: Stack, role: str) -> list[Json]:
    policies = cast(
        "list[dict[str, dict[str, list[Json]]]]", properties_of(stack, role)["Policies"]
    )
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def of_type(stack: Stack, kind: str) -> dict[str, Json]:
    return {
        name: cast("Json", resource.get("Properties", {}))
        for name, resource in stack.resources.items()
        if resource["Type"] == kind
    }


def table_arn(name: str) -> str:
    return f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/keyscope-local-{name}"


def queue_arn(name: str) -> str:
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:keyscope-local-{name}"


def key_arn(stack: Stack) -> object:
    return stack.outputs["SecretsKeyArn"]


def write_logs(group: str) -> Json:
    return {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": f"{LOG_PREFIX}/{group}:*",
    }


def version_of(stack: Stack, function: str) -> tuple[str, Json]:
    ((name, properties),) = [
        (name, properties)
        for name, properties in of_type(stack, "AWS::Lambda::Version").items()
        if name.startswith(function)
    ]
    return name, properties


def body_of(stack: Stack, api: str) -> Mapping[str, Json]:
    return cast("Mapping[str, Json]", properties_of(stack, api)["Body"])


def authorizer_of(stack: Stack, api: str) -> Json:
    schemes = cast("Mapping[str, Json]", body_of(stack, api)["components"]["securitySchemes"])
    return cast("Json", schemes["Keyscope"]["x-amazon-apigateway-authorizer"])


def gateway_response(stack: Stack, kind: str) -> Json:
    responses = body_of(stack, "RestApi")["x-amazon-apigateway-gateway-responses"]
    return cast("Json", responses[kind])


@pytest.mark.parametrize("function", [*AUTHORIZERS, "ExplanationFunction"])
def test_what_decides_or_explains_may_read_keys_open_secrets_and_log_and_nothing_else(
    function: str, stack: Stack
) -> None:
    role, group = ROLES[function]
    assert statements_of(stack, role) == [
        {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": table_arn("KeysTable")},
        {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": key_arn(stack),
            "Condition": SEALED_FOR_A_KEY,
        },
        write_logs(group),
    ]


@pytest.mark.parametrize("function", ["ProvisioningFunction", "ManagementFunction"])
def test_what_changes_keys_may_keep_the_directory_seal_secrets_tell_of_it_and_nothing_else(
    function: str, stack: Stack
) -> None:
    role, group = ROLES[function]
    statements = [each for each in statements_of(stack, role) if each != LIST_ACCOUNTS]
    assert statements == [
        {
            "Effect": "Allow",
            "Action": ["dynamodb:ConditionCheckItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
            "Resource": table_arn("KeysTable"),
            "Condition": WRITES_RETURN_NOTHING,
        },
        {
            "Effect": "Allow",
            "Action": ["dynamodb:BatchGetItem", "dynamodb:GetItem"],
            "Resource": table_arn("KeysTable"),
            "Condition": {
                "ForAllValues:StringEquals": {"dynamodb:Attributes": [*KEY_ATTRIBUTES]},
                "StringEqualsIfExists": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
            },
        },
        {
            "Effect": "Allow",
            "Action": "dynamodb:BatchGetItem",
            "Resource": table_arn("UseTable"),
        },
        {
            "Effect": "Allow",
            "Action": "dynamodb:Query",
            "Resource": f"{table_arn('KeysTable')}/index/owner-index",
        },
        {
            "Effect": "Allow",
            "Action": [
                "dynamodb:ConditionCheckItem",
                "dynamodb:DeleteItem",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ],
            "Resource": table_arn("DirectoryTable"),
            "Condition": WRITES_RETURN_NOTHING,
        },
        {
            "Effect": "Allow",
            "Action": "kms:Encrypt",
            "Resource": key_arn(stack),
            "Condition": SEALED_FOR_A_KEY,
        },
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue_arn("FlushQueue")},
        {
            "Effect": "Allow",
            "Action": "events:PutEvents",
            "Resource": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default",
            "Condition": {"ForAllValues:StringEquals": {"events:source": EVENT_SOURCE}},
        },
        write_logs(group),
    ]


LIST_ACCOUNTS: Final = {
    "Effect": "Allow",
    "Action": "dynamodb:Query",
    "Resource": f"{table_arn('DirectoryTable')}/index/account-index",
}


def test_only_the_provisioning_function_may_list_accounts(stack: Stack) -> None:
    may = [
        role
        for role in of_type(stack, "AWS::IAM::Role")
        if LIST_ACCOUNTS in statements_of(stack, role)
    ]
    assert may == [ROLES["ProvisioningFunction"][0]]


def test_every_statement_that_writes_to_a_table_bounds_what_a_write_returns(stack: Stack) -> None:
    writes = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}
    unbounded = [
        statement
        for role in of_type(stack, "AWS::IAM::Role")
        for statement in statements_of(stack, role)
        if writes & {*cast("list[str]", statement["Action"])}
        and statement.get("Condition") != WRITES_RETURN_NOTHING
    ]
    assert unbounded == []


def test_every_queue_refuses_requests_without_tls(stack: Stack) -> None:
    policies = {
        cast("list[str]", policy["Queues"])[0]: policy["PolicyDocument"]
        for policy in of_type(stack, "AWS::SQS::QueuePolicy").values()
    }
    assert policies == {
        physical_id_of(stack, queue): {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sqs:*",
                    "Resource": queue_arn(queue),
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        }
        for queue in of_type(stack, "AWS::SQS::Queue")
    }


def test_no_secret_is_among_what_is_read_of_a_key() -> None:
    assert [name for name in KEY_ATTRIBUTES if "secret" in name] == []


def test_the_management_api_has_a_layer_of_its_own(stack: Stack) -> None:
    layers = {name: properties_of(stack, name).get("Layers", []) for name in FUNCTIONS}
    having = [name for name, used in layers.items() if "PydanticLayer" in str(used)]
    assert having == ["ManagementFunction", "ExplanationFunction"]


READS_A_MAP: Final = ("RestAuthorizerFunction", "HttpAuthorizerFunction", "ExplanationFunction")


def test_every_function_that_reads_a_map_loads_the_same_layer_first() -> None:
    arn = OTHER_VALUES["AccessMapLayerArn"]
    stack = stack_of({"AccessMapLayerArn": arn, "HttpApiEnabled": "true"})
    layers = {name: properties_of(stack, name).get("Layers", []) for name in FUNCTIONS}
    assert {name for name, used in layers.items() if arn in str(used)} == {*READS_A_MAP}
    assert [cast("list[str]", layers[name])[0] for name in READS_A_MAP] == [arn] * 3
    for name in READS_A_MAP:
        environment = environment_of(stack, name)
        assert environment["KEYSCOPE_ACCESS_MAP"] == "/opt/keyscope/map.toml"
        # The map's only set, and Keyscope's own.
        assert environment["KEYSCOPE_ROUTES"] == ""


def test_the_sets_of_a_map_in_a_layer_can_be_named() -> None:
    arn = OTHER_VALUES["AccessMapLayerArn"]
    stack = stack_of({"AccessMapLayerArn": arn, "AccessMapRoutes": "orders,management"})
    environment = environment_of(stack, "RestAuthorizerFunction")
    assert environment["KEYSCOPE_ROUTES"] == "orders,management"


def test_without_a_layer_of_its_own_a_map_is_one_of_the_package(stack: Stack) -> None:
    environment = environment_of(stack, "RestAuthorizerFunction")
    assert environment["KEYSCOPE_ACCESS_MAP"] == "scopes.toml"
    assert environment["KEYSCOPE_ROUTES"] == DEFAULT_ROUTE_SETS


def test_every_documented_path_is_of_the_management_api(
    stack: Stack,
) -> None:
    (api,) = [api for api in read_apis(stack) if api.kind is ApiKind.REST]
    for template, item in openapi_document()["paths"].items():
        path = re.sub(r"{\w+}", "x", template)
        for method in item:
            found = find_route(api.routes, api.kind, method.upper(), path)
            assert found is not None
            explains = path in ("/v2/explain", "/v2/permissions")
            name = "ExplanationFunction" if explains else "ManagementFunction"
            assert found[0].integration == FunctionIntegration(name), template


def test_explanations_have_the_settings_of_the_authorizers(stack: Stack) -> None:
    assert environment_of(stack, "ExplanationFunction") == environment_of(
        stack, "RestAuthorizerFunction"
    )


@pytest.mark.parametrize("path", ["/v2/apps/x/users", "/v2/apps/x/keysx", "/v1.1/apps/x/appusers"])
def test_every_other_path_is_the_backends(path: str, stack: Stack) -> None:
    (api,) = [api for api in read_apis(stack) if api.kind is ApiKind.REST]
    found = find_route(api.routes, api.kind, "GET", path)
    assert found is not None
    assert found[0].integration == FunctionIntegration("EchoFunction")


def open_routes(stack: Stack) -> set[str]:
    (api,) = [api for api in read_apis(stack) if api.kind is ApiKind.REST]
    unguarded = [route for route in api.routes if route.authorizer is None]
    return {f"{each.method} {each.template}" for each in unguarded if each.method != "OPTIONS"}


def test_every_route_of_the_rest_api_but_the_consoles_files_is_guarded(stack: Stack) -> None:
    assert open_routes(stack) == {"GET /console", "GET /console/{file}"}


def test_without_the_console_every_route_of_the_rest_api_is_guarded() -> None:
    stack = stack_of({"ConsoleEnabled": "false"})
    assert open_routes(stack) == set()
    assert [name for name in stack.resources if name.startswith("Console")] == []


def throttled_routes(stack: Stack) -> dict[str, tuple[int, int]]:
    """Return the rate a second and the burst of each method that has its own."""
    settings = cast("list[dict[str, Any]]", properties_of(stack, "RestApiStage")["MethodSettings"])
    return {
        f"{each['HttpMethod']} {each['ResourcePath'].replace('~1', '/')}": (
            each["ThrottlingRateLimit"],
            each["ThrottlingBurstLimit"],
        )
        for each in settings
    }


@pytest.mark.parametrize("with_console", [True, False])
def test_the_console_and_explanations_are_throttled_apart_from_other_routes(
    *, with_console: bool
) -> None:
    stack = stack_of({"ConsoleEnabled": str(with_console).lower()})
    methods = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
    paths = ("/v2/explain", "/v2/permissions")
    explanations = {f"{method} {path}": (5, 5) for method in methods for path in paths}
    console = {"GET /console": (20, 20), "GET /console/{file}": (20, 20)}
    assert throttled_routes(stack) == explanations | (console if with_console else {})


def test_no_function_reserves_concurrency_that_a_new_account_does_not_have(stack: Stack) -> None:
    functions = of_type(stack, "AWS::Lambda::Function")
    assert [
        name for name, each in functions.items() if "ReservedConcurrentExecutions" in each
    ] == []


@pytest.mark.parametrize("with_http_api", ["true", "false"])
def test_the_cache_flush_may_flush_its_own_stages_read_its_queue_and_log_and_nothing_else(
    with_http_api: str,
) -> None:
    stack = stack_of({"HttpApiEnabled": with_http_api, "StageName": "blue"})
    stages = [f"restapis/{stack.physical_ids['RestApi']}/stages/blue"]
    if with_http_api == "true":
        stages.append(f"apis/{stack.physical_ids['HttpApi']}/stages/$default")
    assert statements_of(stack, "CacheFlushRole") == [
        {
            "Effect": "Allow",
            "Action": "apigateway:DELETE",
            "Resource": [
                f"arn:aws:apigateway:us-east-1::/{stage}/cache/authorizers" for stage in stages
            ],
        },
        {
            "Effect": "Allow",
            "Action": ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            "Resource": queue_arn("FlushQueue"),
        },
        write_logs("cache_flush"),
    ]


@pytest.mark.parametrize("with_http_api", ["true", "false"])
def test_the_cache_flush_is_told_the_stages_that_it_may_flush(with_http_api: str) -> None:
    stack = stack_of({"HttpApiEnabled": with_http_api, "StageName": "blue"})
    settings = read_cache_flush_settings(environment_of(stack, "CacheFlushFunction"))
    assert (settings.rest_api_id, settings.stage_name) == (stack.physical_ids["RestApi"], "blue")
    assert settings.http_api_id == stack.physical_ids.get("HttpApi", "")
    (flush,) = (
        each for each in statements_of(stack, "CacheFlushRole") if "apigateway" in str(each)
    )
    stages = [(settings.rest_api_id, settings.stage_name)]
    if settings.http_api_id:
        stages.append((settings.http_api_id, HTTP_API_STAGE))
    allowed = cast("list[str]", flush["Resource"])
    assert [tuple(arn.split("/")[2:5:2]) for arn in allowed] == stages


def test_any_number_of_messages_makes_a_few_flushes_a_second(stack: Stack) -> None:
    (mapping,) = of_type(stack, "AWS::Lambda::EventSourceMapping").values()
    assert mapping == {
        "FunctionName": stack.physical_ids["CacheFlushFunction"],
        "EventSourceArn": queue_arn("FlushQueue"),
        "BatchSize": 1_000,
        "MaximumBatchingWindowInSeconds": 1,
        "ScalingConfig": {"MaximumConcurrency": 2},
    }


def test_a_failed_flush_is_tried_again_for_as_long_as_a_policy_may_be_cached(stack: Stack) -> None:
    queue = cast("Mapping[str, int]", properties_of(stack, "FlushQueue"))
    function = cast("Mapping[str, int]", properties_of(stack, "CacheFlushFunction"))
    redrive = cast("Mapping[str, int]", queue["RedrivePolicy"])
    longest_cached = int(str(SOURCE["Parameters"]["AuthorizerCacheSeconds"]["MaxValue"]))
    batching_window = 1
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"] + batching_window
    assert queue["VisibilityTimeout"] * redrive["maxReceiveCount"] >= longest_cached
    assert queue["MessageRetentionPeriod"] > longest_cached + LONGEST_FLUSH_DELAY_SECONDS


def test_flushes_that_failed_for_good_are_kept_for_two_weeks(stack: Stack) -> None:
    redrive = cast("Json", properties_of(stack, "FlushQueue")["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"] == queue_arn("FlushDeadLetterQueue")
    retention = properties_of(stack, "FlushDeadLetterQueue")["MessageRetentionPeriod"]
    assert retention == 14 * 24 * 3_600


def test_the_expiry_sweep_may_read_the_index_note_and_send_warnings_and_nothing_else(
    stack: Stack,
) -> None:
    assert statements_of(stack, "ExpirySweepRole") == [
        {
            "Effect": "Allow",
            "Action": "dynamodb:Scan",
            "Resource": f"{table_arn('KeysTable')}/index/owner-index",
        },
        {
            "Effect": "Allow",
            "Action": ["dynamodb:PutItem", "dynamodb:Scan"],
            "Resource": table_arn("ExpiryWarningsTable"),
            "Condition": WRITES_RETURN_NOTHING,
        },
        {
            "Effect": "Allow",
            "Action": "events:PutEvents",
            "Resource": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default",
            "Condition": {"ForAllValues:StringEquals": {"events:source": EVENT_SOURCE}},
        },
        {
            "Effect": "Allow",
            "Action": "sqs:SendMessage",
            "Resource": queue_arn("ExpirySweepDeadLetterQueue"),
        },
        write_logs("expiry_sweep"),
    ]


def test_the_expiry_sweep_gets_its_settings(stack: Stack) -> None:
    settings = read_expiry_sweep_settings(environment_of(stack, "ExpirySweepFunction"))
    assert settings.keys_table == physical_id_of(stack, "KeysTable")
    assert settings.warnings_table == physical_id_of(stack, "ExpiryWarningsTable")


def test_the_expiry_sweep_reads_what_the_index_projects(stack: Stack) -> None:
    (index,) = cast("list[Json]", properties_of(stack, "KeysTable")["GlobalSecondaryIndexes"])
    projected = cast("list[str]", cast("Json", index["Projection"])["NonKeyAttributes"])
    assert {*SWEPT_ATTRIBUTES} - {"key_id", "owner_id"} - {*projected} == set()


@pytest.mark.parametrize(("takes_changes", "state"), [("true", "ENABLED"), ("false", "DISABLED")])
def test_the_expiry_sweep_runs_daily_where_changes_are_taken(
    takes_changes: str, state: str
) -> None:
    stack = stack_of({"TakesChanges": takes_changes})
    (rule,) = of_type(stack, "AWS::Events::Rule").values()
    assert (rule["ScheduleExpression"], rule["State"]) == ("cron(23 4 * * ? *)", state)
    function = properties_of(stack, "ExpirySweepFunction")
    assert function.get("ReservedConcurrentExecutions") == (None if takes_changes == "true" else 0)


def test_sweeps_that_failed_for_good_are_kept_for_two_weeks(stack: Stack) -> None:
    function = properties_of(stack, "ExpirySweepFunction")
    assert function["DeadLetterConfig"] == {"TargetArn": queue_arn("ExpirySweepDeadLetterQueue")}
    retention = properties_of(stack, "ExpirySweepDeadLetterQueue")["MessageRetentionPeriod"]
    assert retention == 14 * 24 * 3_600


def test_the_warnings_table_is_on_demand_encrypted_and_forgets(stack: Stack) -> None:
    table = properties_of(stack, "ExpiryWarningsTable")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TimeToLiveSpecification"] == {"AttributeName": "forget_at", "Enabled": True}
    assert table["SSESpecification"] == {
        "SSEEnabled": True,
        "SSEType": "KMS",
        "KMSMasterKeyId": key_arn(stack),
    }


@pytest.mark.parametrize(
    "queue",
    ["ExpirySweepDeadLetterQueue", "FlushQueue", "FlushDeadLetterQueue", "KeyUseDeadLetterQueue"],
)
def test_a_queue_is_encrypted(queue: str, stack: Stack) -> None:
    assert properties_of(stack, queue)["SqsManagedSseEnabled"] is True


def test_what_records_the_use_of_keys_may_move_last_uses_give_up_batches_log_and_nothing_else(
    stack: Stack,
) -> None:
    assert statements_of(stack, "KeyUseRole") == [
        {
            "Effect": "Allow",
            "Action": "dynamodb:UpdateItem",
            "Resource": table_arn("UseTable"),
            "Condition": WRITES_RETURN_NOTHING,
        },
        {
            "Effect": "Allow",
            "Action": "sqs:SendMessage",
            "Resource": queue_arn("KeyUseDeadLetterQueue"),
        },
        write_logs("key_use"),
    ]


def test_the_function_gets_the_lines_about_use_of_both_authorizers_and_no_others(
    stack: Stack,
) -> None:
    filters = of_type(stack, "AWS::Logs::SubscriptionFilter").values()
    assert sorted(str(each["LogGroupName"]).rpartition("/")[2] for each in filters) == [
        "http_authorizer",
        "rest_authorizer",
    ]
    function = stack.physical_ids["KeyUseFunction"]
    for each in filters:
        assert each["FilterPattern"] == f'{{ $.message = "{USE_MESSAGE}" }}'
        assert str(each["DestinationArn"]).endswith(f":function:{function}")
    permitted = [
        (permission["Principal"], permission["SourceArn"])
        for permission in of_type(stack, "AWS::Lambda::Permission").values()
        if permission["FunctionName"] == function
    ]
    assert sorted(permitted) == [
        ("logs.amazonaws.com", f"{LOG_PREFIX}/{name}:*")
        for name in ("http_authorizer", "rest_authorizer")
    ]


def test_a_batch_that_is_given_up_is_kept_for_two_weeks(stack: Stack) -> None:
    dead_letters = properties_of(stack, "KeyUseFunction")["DeadLetterConfig"]
    assert dead_letters == {"TargetArn": queue_arn("KeyUseDeadLetterQueue")}
    retention = properties_of(stack, "KeyUseDeadLetterQueue")["MessageRetentionPeriod"]
    assert retention == 14 * 24 * 3_600


@pytest.mark.parametrize(
    "parameters", [{}, {"MultiRegion": "true", "ReplicaRegion": "eu-west-1"}], ids=str
)
def test_last_uses_are_in_a_small_table_of_this_region(parameters: Mapping[str, str]) -> None:
    stack = stack_of(parameters)
    assert stack.resources["UseTable"]["Type"] == "AWS::DynamoDB::Table"
    assert properties_of(stack, "UseTable") == {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "key_id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "key_id", "KeyType": "HASH"}],
        "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
    }


@pytest.mark.parametrize(
    ("parameters", "sees_all"),
    [
        ({}, True),
        ({"MultiRegion": "true"}, True),
        ({"MultiRegion": "true", "ReplicaRegion": "eu-west-1"}, False),
        ({"ExistingKeysTable": "restored"}, False),
    ],
    ids=str,
)
def test_only_a_stack_that_alone_uses_its_keys_sees_all_their_use(
    parameters: Mapping[str, str], *, sees_all: bool
) -> None:
    stack = stack_of(parameters)
    for function in ("ProvisioningFunction", "ManagementFunction"):
        settings = read_provisioning_settings(environment_of(stack, function))
        assert settings.sees_all_use is sees_all
        assert settings.use_table == stack.physical_ids["UseTable"]


def test_the_key_use_function_takes_its_settings(stack: Stack) -> None:
    settings = read_key_use_settings(environment_of(stack, "KeyUseFunction"))
    assert settings.use_table == stack.physical_ids["UseTable"]


def test_no_resource_waits_for_itself(stack: Stack) -> None:
    translated = translate(SOURCE, stack.parameters)
    resources = cast("Mapping[str, Json]", translated["Resources"])
    waiting = {name: referred_to(resource) for name, resource in resources.items()}
    while ready := {name for name, others in waiting.items() if not others & waiting.keys()}:
        waiting = {name: others for name, others in waiting.items() if name not in ready}
    assert waiting == {}


def referred_to(value: object) -> set[str]:
    """Return the logical ids that `Ref`, `Fn::GetAtt`, `Fn::Sub` and `DependsOn` name."""
    text = json.dumps(value)
    return {
        *re.findall(r'"Ref": "(\w+)"', text),
        *re.findall(r'"Fn::GetAtt": \["(\w+)"', text),
        *re.findall(r"\$\{(\w+)[.}]", text),
        *re.findall(r'"DependsOn": "(\w+)"', text),
        *re.findall(r'"(\w+)"', "".join(re.findall(r'"DependsOn": \[([^]]*)\]', text))),
    }


def test_the_echo_backend_may_log_and_nothing_else(stack: Stack) -> None:
    assert statements_of(stack, "EchoRole") == [write_logs("echo")]


def test_every_role_is_one_of_these_without_managed_policies_and_for_lambda_only(
    stack: Stack,
) -> None:
    roles = of_type(stack, "AWS::IAM::Role")
    assert set(roles) == {role for role, _ in ROLES.values()}
    assert [name for name, role in roles.items() if "ManagedPolicyArns" in role] == []
    assert {json.dumps(role["AssumeRolePolicyDocument"]) for role in roles.values()} == {
        json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            }
        )
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_its_role_and_log_group_and_runs_on_python_3_13_and_arm64(
    function: str, stack: Stack
) -> None:
    properties = properties_of(stack, function)
    role, group = ROLES[function]
    assert properties["Role"] == f"arn:aws:iam::{ACCOUNT}:role/keyscope-local-{role}"
    logging = cast("Mapping[str, str]", properties["LoggingConfig"])
    assert logging["LogGroup"] == f"/aws/lambda/keyscope-local/{group}"
    assert (properties["Runtime"], properties["Architectures"]) == ("python3.13", ["arm64"])


def test_these_are_all_functions(stack: Stack) -> None:
    assert set(of_type(stack, "AWS::Lambda::Function")) == set(FUNCTIONS)


def test_every_log_group_keeps_its_lines_for_a_time(stack: Stack) -> None:
    groups = of_type(stack, "AWS::Logs::LogGroup")
    assert {group["RetentionInDays"] for group in groups.values()} == {"30"}


@pytest.mark.parametrize("function", AUTHORIZERS)
def test_an_authorizer_answers_before_an_http_api_gives_up(function: str, stack: Stack) -> None:
    assert int(str(properties_of(stack, function)["Timeout"])) < 10


@pytest.mark.parametrize("function", AUTHORIZERS)
def test_an_authorizers_calls_of_aws_leave_it_two_seconds_of_its_time(
    function: str, stack: Stack
) -> None:
    timeout = int(str(properties_of(stack, function)["Timeout"]))
    assert CALL_SECONDS < REQUEST_SECONDS <= timeout - 2


@pytest.mark.parametrize("function", AUTHORIZERS)
@pytest.mark.parametrize("memory", ["128", "512"])
def test_the_key_cache_of_the_template_fits_the_least_memory(
    function: str, memory: str, stack: Stack
) -> None:
    variables = {name: str(value) for name, value in environment_of(stack, function).items()}
    read_authorizer_settings({**variables, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory})


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_on_demand_recoverable_protected_and_encrypted_by_the_stacks_key(
    table: str, stack: Stack
) -> None:
    properties = properties_of(stack, table)
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at",
        "Enabled": True,
    }
    assert properties["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert properties["Replicas"] == [
        {
            "Region": "us-east-1",
            "DeletionProtectionEnabled": "true",
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "SSESpecification": {"KMSMasterKeyId": key_arn(stack)},
        }
    ]


@pytest.mark.parametrize("resource", [*TABLES, "SecretsKey"])
def test_what_cannot_be_made_again_is_kept(resource: str, stack: Stack) -> None:
    members = stack.resources[resource]
    assert members["DeletionPolicy"] == "RetainExceptOnCreate"
    assert members["UpdateReplacePolicy"] == "Retain"


def test_deletion_protection_can_be_turned_off() -> None:
    stack = stack_of({"DeletionProtection": "false"})
    replicas = [
        replica
        for table in TABLES
        for replica in cast("list[Json]", properties_of(stack, table)["Replicas"])
    ]
    assert [replica["DeletionProtectionEnabled"] for replica in replicas] == ["false", "false"]


def test_the_index_projects_no_secret_material(stack: Stack) -> None:
    (index,) = cast("list[Json]", properties_of(stack, "KeysTable")["GlobalSecondaryIndexes"])
    projection = cast("Json", index["Projection"])
    assert projection["ProjectionType"] == "INCLUDE"
    assert "secret" not in str(projection["NonKeyAttributes"])


def test_the_index_projects_what_tells_the_state_of_a_key(stack: Stack) -> None:
    (index,) = cast("list[Json]", properties_of(stack, "KeysTable")["GlobalSecondaryIndexes"])
    projected = cast("Json", index["Projection"])["NonKeyAttributes"]
    state = {*LIMIT_ATTRIBUTES, "revoked_at", "rotated_at", "previous_ends_at"}
    assert state - set(cast("list[str]", projected)) == set()


def test_the_kms_key_rotates(stack: Stack) -> None:
    assert properties_of(stack, "SecretsKey")["EnableKeyRotation"] is True


def test_beyond_iam_policies_only_dynamodb_may_use_the_kms_key(stack: Stack) -> None:
    policy = cast("Mapping[str, list[Json]]", properties_of(stack, "SecretsKey")["KeyPolicy"])
    administered, by_dynamodb = policy["Statement"]
    assert administered["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert by_dynamodb["Condition"] == {
        "StringEquals": {
            "kms:CallerAccount": ACCOUNT,
            "kms:ViaService": "dynamodb.us-east-1.amazonaws.com",
        }
    }


@pytest.mark.parametrize("function", AUTHORIZERS)
def test_an_authorizer_is_published_behind_an_alias_and_starts_as_the_parameter_says(
    function: str, stack: Stack
) -> None:
    assert properties_of(stack, function)["SnapStart"] == {"ApplyOn": "None"}
    alias = properties_of(stack, f"{function}Aliaslive")
    assert (alias["Name"], alias["FunctionVersion"]) == ("live", "1")
    with_snapshot = stack_of({**UNCACHED, "SnapStartEnabled": "true"})
    assert properties_of(with_snapshot, function)["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    versions = [version_of(each, function)[1] for each in (stack, with_snapshot)]
    assert versions[0]["Description"] != versions[1]["Description"]


@pytest.mark.parametrize("function", AUTHORIZERS)
def test_an_authorizers_log_is_json_without_lambdas_lines_about_what_went_well(
    function: str, stack: Stack
) -> None:
    logging = cast("Mapping[str, str]", properties_of(stack, function)["LoggingConfig"])
    assert (logging["LogFormat"], logging["SystemLogLevel"]) == ("JSON", "WARN")


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
@pytest.mark.parametrize("function", AUTHORIZERS)
def test_lambda_drops_no_line_of_an_authorizer_and_turns_on_no_log_of_botocores(
    function: str, level: str
) -> None:
    # Lambda takes a line without a level, such as one of metrics, for INFO. At DEBUG and TRACE its
    # runtime lets botocore log the requests that it signs.
    logging = properties_of(stack_of({"LogLevel": level}), function)["LoggingConfig"]
    assert cast("Mapping[str, str]", logging)["ApplicationLogLevel"] == "INFO"


@pytest.mark.parametrize("layer", ["KeyscopeLayer"])
@pytest.mark.parametrize("function", AUTHORIZERS)
def test_a_changed_layer_publishes_a_new_version(function: str, layer: str, stack: Stack) -> None:
    changed = cast("dict[str, dict[str, dict[str, Json]]]", parse_yaml(TEMPLATE.read_text("utf-8")))
    cast("dict[str, object]", changed["Resources"][layer]["Properties"])["ContentUri"] = "other"
    translated = translate(changed, stack.parameters)
    assert version_of(stack, function)[0] not in cast("Json", translated["Resources"])


@pytest.mark.parametrize("parameter", OTHER_VALUES)
@pytest.mark.parametrize("function", AUTHORIZERS)
def test_a_changed_setting_replaces_the_version(
    function: str, parameter: str, stack: Stack
) -> None:
    changed = stack_of({**UNCACHED, parameter: OTHER_VALUES[parameter]})
    assert properties_of(changed, function) != properties_of(stack, function)
    descriptions = [version_of(each, function)[1]["Description"] for each in (changed, stack)]
    assert descriptions[0] != descriptions[1]


def test_these_are_all_parameters_that_reach_an_authorizer() -> None:
    properties = cast("Json", SOURCE["Resources"]["RestAuthorizerFunction"]["Properties"])
    # How traffic moves to a version is no part of it.
    function = json.dumps({**properties, "DeploymentPreference": None})
    references = {*re.findall(r'"Ref": "(\w+)"', function)} & {*SOURCE["Parameters"]}
    assert references == set(OTHER_VALUES)


def test_the_longest_settings_fit_into_a_versions_description(stack: Stack) -> None:
    longest = {
        name: str(declaration.get("MaxValue") or "x" * int(str(declaration.get("MaxLength", 7))))
        for name, declaration in cast("Mapping[str, Json]", SOURCE["Parameters"]).items()
    }
    function = cast("Json", SOURCE["Resources"]["RestAuthorizerFunction"]["Properties"])
    pattern, _ = cast("dict[str, tuple[str, Json]]", function["VersionDescription"])["Fn::Sub"]
    # A layer's name and version, or a file's name: 40 + 1 + 7 characters.
    longest["Map"] = longest["AccessMap"]
    longest |= {"Conditions": "c", "Start": "s", "Client": "b"}
    assert len(re.sub(r"\$\{(\w+)\}", lambda found: longest[found[1]], pattern)) <= 256
    assert version_of(stack, "RestAuthorizerFunction")[1]["Description"]


@pytest.mark.parametrize(
    ("api", "function"),
    [("RestApi", "RestAuthorizerFunction"), ("HttpApi", "HttpAuthorizerFunction")],
)
def test_an_api_is_guarded_through_the_alias_and_may_invoke_it(
    api: str, function: str, stack: Stack
) -> None:
    alias = stack.physical_ids[f"{function}Aliaslive"]
    assert str(authorizer_of(stack, api)["authorizerUri"]).endswith(f"{alias}/invocations")
    assert properties_of(stack, f"{api}KeyscopeAuthorizerPermission") == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": alias,
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": f"{EXECUTE_API}:{stack.physical_ids[api]}/authorizers/*",
    }


def test_the_rest_authorizer_takes_requests_and_is_cached_by_their_authorization() -> None:
    stack = stack_of({"AuthorizerCacheSeconds": "60"})
    authorizer = authorizer_of(stack, "RestApi")
    assert authorizer["type"] == "request"
    assert authorizer["identitySource"] == "method.request.header.Authorization"
    assert str(authorizer["authorizerResultTtlInSeconds"]) == "60"


def test_the_http_authorizer_returns_policies_and_is_cached_by_their_authorization() -> None:
    parameters = {"HttpApiEnabled": "true", "AuthorizerCacheSeconds": "60"}
    authorizer = authorizer_of(stack_of(parameters), "HttpApi")
    assert authorizer["authorizerPayloadFormatVersion"] == "2.0"
    assert not authorizer.get("enableSimpleResponses")
    assert authorizer["identitySource"] == ["$request.header.Authorization"]
    assert str(authorizer["authorizerResultTtlInSeconds"]) == "60"


@pytest.mark.parametrize(
    ("api", "public"),
    [("RestApi", ["get /console", "get /console/{file}"]), ("HttpApi", [])],
)
def test_every_method_but_the_preflight_and_the_console_is_guarded(
    api: str, public: list[str], stack: Stack
) -> None:
    operations = {
        f"{method} {path}": cast("Json", operation)
        for path, methods in body_of(stack, api)["paths"].items()
        for method, operation in cast("Json", methods).items()
    }
    unguarded = [
        name for name, each in operations.items() if each.get("security") != [{"Keyscope": []}]
    ]
    assert sorted(name for name in unguarded if not name.startswith("options ")) == public
    assert len(operations) > len(unguarded)


def test_there_is_no_http_api_unless_it_is_asked_for() -> None:
    stack = stack_of()
    assert not of_type(stack, "AWS::ApiGatewayV2::Api")
    assert "HttpApiUrl" not in stack.outputs


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("UNAUTHORIZED", "401", "unauthorized"),
        ("ACCESS_DENIED", "403", "forbidden"),
        ("AUTHORIZER_FAILURE", "500", "internal_error"),
        ("AUTHORIZER_CONFIGURATION_ERROR", "500", "internal_error"),
        ("MISSING_AUTHENTICATION_TOKEN", "404", "not_found"),
        ("INVALID_SIGNATURE", "404", "not_found"),
        ("EXPIRED_TOKEN", "404", "not_found"),
        ("THROTTLED", "429", "too_many_requests"),
        ("QUOTA_EXCEEDED", "429", "too_many_requests"),
        ("INVALID_API_KEY", "403", "forbidden"),
    ],
)
def test_a_gateway_response_has_the_error_bodies_of_both_versions_and_cors(
    kind: str, status: str, code: str
) -> None:
    stack = stack_of({"CorsAllowOrigin": "https://app.example.com"})
    response = gateway_response(stack, kind)
    body = json.loads(cast("Mapping[str, str]", response["responseTemplates"])["application/json"])
    headers = cast("Json", response["responseParameters"])
    assert str(response["statusCode"]) == status
    title = body["errors"][0]["title"]
    # Why a policy denies what the key's scope reaches.
    limits = {"permissions": "$context.authorizer.permissions"} if kind == "ACCESS_DENIED" else {}
    assert body == {
        "errors": [{"code": code, "title": title}],
        "error": {"code": code, "description": title},
        **limits,
    }
    assert (
        headers["gatewayresponse.header.Access-Control-Allow-Origin"] == "'https://app.example.com'"
    )


def test_the_authorizer_names_the_api_gateway_key_and_no_header_does(stack: Stack) -> None:
    assert properties_of(stack, "RestApi")["ApiKeySourceType"] == "AUTHORIZER"


def test_a_401_names_both_schemes(stack: Stack) -> None:
    headers = cast("Json", gateway_response(stack, "UNAUTHORIZED")["responseParameters"])
    assert headers["gatewayresponse.header.WWW-Authenticate"] == (
        '\'Basic realm="keyscope", charset="UTF-8", Bearer realm="keyscope"\''
    )


def test_only_iam_callers_reach_the_provisioning_function(stack: Stack) -> None:
    permitted = {
        permission["FunctionName"]
        for permission in of_type(stack, "AWS::Lambda::Permission").values()
    }
    assert stack.physical_ids["ProvisioningFunction"] not in permitted
    assert not of_type(stack, "AWS::Lambda::Url")
    sources = of_type(stack, "AWS::Lambda::EventSourceMapping").values()
    assert stack.physical_ids["ProvisioningFunction"] not in {
        source["FunctionName"] for source in sources
    }


def test_other_stacks_attach_the_aliases(stack: Stack) -> None:
    assert stack.outputs["RestAuthorizerArn"].endswith("RestAuthorizerFunction:live")
    assert stack.outputs["HttpAuthorizerArn"].endswith("HttpAuthorizerFunction:live")


def test_without_conditions_nothing_may_be_cached() -> None:
    with pytest.raises(TemplateError, match="AuthorizerCacheSeconds to 0"):
        stack_of({"PolicyConditions": "false"})
    assert stack_of({"PolicyConditions": "false", **UNCACHED}).outputs


@pytest.mark.parametrize("name", SOURCE["Parameters"])
def test_a_parameter_says_what_it_means_and_what_it_takes(name: str) -> None:
    declaration = SOURCE["Parameters"][name]
    assert declaration["Description"]
    assert {"AllowedValues", "AllowedPattern", "MinValue"} & {*declaration}


@pytest.mark.parametrize("bound", ["MinValue", "MaxValue"])
def test_the_functions_take_the_whole_range_of_each_parameter(bound: str) -> None:
    extremes = {
        name: str(declaration[bound])
        for name, declaration in SOURCE["Parameters"].items()
        if bound in declaration
    }
    stack = stack_of(extremes)
    for function in AUTHORIZERS:
        assert read_authorizer_settings(environment_of(stack, function)).keys_table
    assert read_provisioning_settings(environment_of(stack, "ProvisioningFunction")).keys_table


def test_the_templates_defaults_are_those_of_the_code(stack: Stack) -> None:
    environment = environment_of(stack, "RestAuthorizerFunction")
    required = ("KEYSCOPE_KEYS_TABLE", "KEYSCOPE_KMS_KEY_ARN")
    bare = {name: environment[name] for name in required}
    assert read_authorizer_settings(environment) == read_authorizer_settings(bare)
