"""How a stack is deployed, spans regions and is given other tables, on the translated template."""

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import pytest

from keyscope.entry.settings import read_authorizer_settings, read_provisioning_settings
from keyscope_local.template.intrinsics import Json, TemplateError
from keyscope_local.template.stack import Stack, environment_of, properties_of
from keyscope_local.template.yaml_reader import parse_yaml
from tests.support.stacks import stack_of
from tests.support.watching import Metric, filtered_metrics, metrics_of_alarm

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT: Final = Path(__file__).parents[2]
TEMPLATE: Final = ROOT / "template.yaml"
SOURCE: Final = cast("dict[str, dict[str, Json]]", parse_yaml(TEMPLATE.read_text("utf-8")))
SAMCONFIG: Final = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
ENVIRONMENTS: Final = ("default", "dev", "staging", "prod")
SHIFTED: Final = {"TrafficShifting": "Canary10Percent10Minutes", "RollbackFailures": "7"}
REPLICATED: Final = {"MultiRegion": "true", "ReplicaRegion": "us-west-2"}
KEY_ID: Final = "mrk-" + "0123456789abcdef" * 2
EXISTING: Final = {
    "ExistingKeysTable": "restored-keys",
    "ExistingDirectoryTable": "restored-directory",
    "ExistingKeyId": KEY_ID,
}
AUTHORIZERS: Final = ("Rest", "Http")
KEPT: Final = ("KeysTable", "DirectoryTable", "SecretsKey")


def overrides_of(environment: str) -> dict[str, str]:
    deploy = SAMCONFIG[environment]["deploy"]["parameters"]
    return dict(override.split("=", 1) for override in deploy["parameter_overrides"])


def statements_of(stack: Stack, role: str) -> list[Json]:
    policies = cast("list[Mapping[str, Json]]", properties_of(stack, role)["Policies"])
    return [
        statement
        for policy in policies
        for statement in cast("list[Json]", policy["PolicyDocument"]["Statement"])
    ]


def replicas_of(stack: Stack, table: str) -> list[Json]:
    return cast("list[Json]", properties_of(stack, table)["Replicas"])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environments_parameters_make_a_stack(environment: str) -> None:
    stack = stack_of(overrides_of(environment))
    variables = environment_of(stack, "RestAuthorizerFunction")
    assert read_authorizer_settings(variables).keys_table


def test_environments_share_no_stack_no_metrics_and_no_uploads() -> None:
    named = [
        (
            SAMCONFIG[name]["global"]["parameters"]["stack_name"],
            SAMCONFIG[name]["deploy"]["parameters"]["s3_prefix"],
            overrides_of(name).get("MetricsNamespace", "Keyscope"),
        )
        for name in ENVIRONMENTS
    ]
    assert [len(set(column)) for column in zip(*named, strict=True)] == [4, 4, 4]


@pytest.mark.parametrize("environment", ["default", "staging", "prod"])
def test_only_tables_of_dev_may_be_deleted(environment: str) -> None:
    assert overrides_of(environment).get("DeletionProtection", "true") == "true"
    assert overrides_of("dev")["DeletionProtection"] == "false"


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_traffic_shifts_where_it_matters(environment: str) -> None:
    assert overrides_of(environment)["TrafficShifting"] != "AllAtOnce"


def test_nobody_deploys_to_prod_unasked() -> None:
    assert SAMCONFIG["prod"]["deploy"]["parameters"]["confirm_changeset"] is True


def test_by_default_codedeploy_has_no_part_in_a_deployment() -> None:
    stack = stack_of()
    kinds = {str(resource["Type"]) for resource in stack.resources.values()}
    assert [kind for kind in kinds if "CodeDeploy" in kind] == []
    assert "UpdatePolicy" not in stack.resources["RestAuthorizerFunctionAliaslive"]


def test_every_way_to_shift_traffic_is_mapped_and_known_to_codedeploy() -> None:
    ways = cast("list[str]", SOURCE["Parameters"]["TrafficShifting"]["AllowedValues"])
    assert set(ways) == set(SOURCE["Mappings"]["Shifting"])
    shifts = [SOURCE["Mappings"]["Shifting"][way] for way in ways]
    assert shifts == [{"Enabled": "false"}, *[{"Enabled": "true"}] * (len(ways) - 1)]


@pytest.mark.parametrize("kind", AUTHORIZERS)
def test_an_alias_moves_by_codedeploy_and_back_on_the_alarm(kind: str) -> None:
    stack = stack_of(SHIFTED)
    assert "CodeDeployLambdaAliasUpdate" in str(
        stack.resources[f"{kind}AuthorizerFunctionAliaslive"]["UpdatePolicy"]
    )
    group = properties_of(stack, f"{kind}AuthorizerFunctionDeploymentGroup")
    assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent10Minutes"
    assert group["AlarmConfiguration"] == {
        "Enabled": True,
        "Alarms": [{"Name": f"keyscope-local-{alarm}RollbackAlarm"} for alarm in (kind, "Crashes")],
    }
    rollback = cast("Json", group["AutoRollbackConfiguration"])
    assert "DEPLOYMENT_STOP_ON_ALARM" in cast("list[str]", rollback["Events"])


@pytest.mark.parametrize("kind", AUTHORIZERS)
def test_the_rollback_alarm_stands_on_our_own_failures(kind: str) -> None:
    alarm = properties_of(stack_of(SHIFTED), f"{kind}RollbackAlarm")
    service = frozenset({("service", f"{kind.lower()}_authorizer")})
    assert metrics_of_alarm(alarm) == [Metric("Keyscope", "Failed", service)]
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", "7")


def test_crashes_of_a_version_that_does_not_start_roll_it_back() -> None:
    alarm = properties_of(stack_of(SHIFTED), "CrashesRollbackAlarm")
    assert metrics_of_alarm(alarm) == [Metric("Keyscope", "AuthorizerCrashes", frozenset())]
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", "7")


def test_a_deployment_sees_crashes_without_other_alarms_too() -> None:
    stack = stack_of({**SHIFTED, "AlarmsEnabled": "false"})
    assert {metric.name for metric in filtered_metrics(stack)} == {"AuthorizerCrashes"}


def test_codedeploy_may_move_the_two_aliases_and_nothing_else() -> None:
    stack = stack_of(SHIFTED)
    move, look = statements_of(stack, "TrafficShiftingRole")
    functions = "arn:aws:lambda:us-east-1:123456789012:function:keyscope-local-"
    assert set(cast("list[str]", move["Resource"])) == {
        f"{functions}{kind}AuthorizerFunction{suffix}"
        for kind in AUTHORIZERS
        for suffix in ("", ":*")
    }
    assert look["Action"] == "cloudwatch:DescribeAlarms"
    assert (
        properties_of(stack, "RestAuthorizerFunctionDeploymentGroup")["ServiceRoleArn"]
        == "arn:aws:iam::123456789012:role/keyscope-local-TrafficShiftingRole"
    )


@pytest.mark.parametrize("table", ["KeysTable", "DirectoryTable"])
def test_a_replica_is_protected_and_encrypted_as_the_table_is(table: str) -> None:
    stack = stack_of(REPLICATED)
    here, there = replicas_of(stack, table)
    assert there == json.loads(json.dumps(here).replace("us-east-1", "us-west-2"))
    assert properties_of(stack, table)["StreamSpecification"] == {
        "StreamViewType": "NEW_AND_OLD_IMAGES"
    }


def test_a_replicated_key_is_a_multi_region_key() -> None:
    stack = stack_of(REPLICATED)
    assert properties_of(stack, "SecretsKey")["MultiRegion"] == "true"


def test_replicas_without_a_multi_region_key_are_refused() -> None:
    with pytest.raises(TemplateError, match="MultiRegion=true"):
        stack_of({"ReplicaRegion": "us-west-2"})


@pytest.mark.parametrize("parameter", EXISTING)
def test_tables_that_are_not_the_stacks_own_are_not_replicated_by_it(parameter: str) -> None:
    with pytest.raises(TemplateError, match="this stack creates"):
        stack_of({**REPLICATED, parameter: EXISTING[parameter]})


def test_to_add_a_region_replaces_no_table() -> None:
    one, two = stack_of({"MultiRegion": "true"}), stack_of(REPLICATED)
    changed = ("Replicas", "StreamSpecification")
    tables = [
        [
            {name: it for name, it in properties_of(stack, table).items() if name not in changed}
            for table in ("KeysTable", "DirectoryTable")
        ]
        for stack in (one, two)
    ]
    assert tables[0] == tables[1]


def test_a_stack_with_existing_tables_and_key_makes_none() -> None:
    stack = stack_of(EXISTING)
    assert [name for name in KEPT if name in stack.resources] == []


@pytest.mark.parametrize("function", ["RestAuthorizerFunction", "HttpAuthorizerFunction"])
def test_an_authorizer_reads_the_existing_table_and_opens_with_the_existing_key(
    function: str,
) -> None:
    settings = read_authorizer_settings(environment_of(stack_of(EXISTING), function))
    assert settings.keys_table == "restored-keys"
    assert settings.kms_key_arn == f"arn:aws:kms:us-east-1:123456789012:key/{KEY_ID}"


def test_changes_are_written_to_the_existing_tables() -> None:
    stack = stack_of(EXISTING)
    settings = read_provisioning_settings(environment_of(stack, "ManagementFunction"))
    assert (settings.keys_table, settings.directory_table) == (
        "restored-keys",
        "restored-directory",
    )


@pytest.mark.parametrize("role", ["RestAuthorizerRole", "ProvisioningRole", "ManagementRole"])
def test_a_role_follows_to_the_existing_tables_and_key(role: str) -> None:
    own, existing = (stack_of(parameters) for parameters in ({}, EXISTING))
    moved = str(statements_of(own, role))
    for output in ("KeysTableName", "DirectoryTableName", "SecretsKeyArn"):
        moved = moved.replace(own.outputs[output], existing.outputs[output])
    assert str(statements_of(existing, role)) == moved


@pytest.mark.parametrize("function", ["ManagementFunction", "ProvisioningFunction"])
def test_a_stack_that_takes_no_changes_runs_nothing_that_makes_them(function: str) -> None:
    stack = stack_of({"TakesChanges": "false"})
    assert properties_of(stack, function)["ReservedConcurrentExecutions"] == 0
    assert "ReservedConcurrentExecutions" not in properties_of(stack_of(), function)


def test_the_replica_keys_policy_is_the_primary_keys() -> None:
    source = (ROOT / "deploy" / "replica-key.yaml").read_text("utf-8")
    replica = cast("dict[str, dict[str, dict[str, Json]]]", parse_yaml(source))
    policy = replica["Resources"]["SecretsKey"]["Properties"]["KeyPolicy"]
    primary = cast("Mapping[str, Json]", SOURCE["Resources"]["SecretsKey"]["Properties"])
    assert policy == primary["KeyPolicy"]


def test_the_stack_policy_keeps_what_cannot_be_made_again() -> None:
    policy = json.loads((ROOT / "deploy" / "stack-policy.json").read_text("utf-8"))
    allow, deny = policy["Statement"]
    assert (allow["Effect"], deny["Effect"]) == ("Allow", "Deny")
    assert deny["Action"] == ["Update:Delete", "Update:Replace"]
    assert deny["Resource"] == [f"LogicalResourceId/{name}" for name in KEPT]
