"""The canary's probe stack, as CloudFormation gets it."""

import json
from typing import Any, Final

import pytest

from platform_checks.probe_stack import STAGE
from platform_checks.probe_template import MAX_TEMPLATE_BYTES, probe_template
from tests.support.lint import complaints

MAX_INLINE_CODE_CHARACTERS: Final = 4_096
"""What CloudFormation takes as `ZipFile` of a function."""


@pytest.fixture(scope="module")
def text() -> str:
    return probe_template()


@pytest.fixture(scope="module")
def resources(text: str) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(text)["Resources"]
    return members


def of_type(resources: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each.get("Properties", {}) for each in resources.values() if each["Type"] == kind]


def test_cloudformation_takes_it_without_a_bucket_or_a_macro(text: str) -> None:
    assert len(text.encode()) <= MAX_TEMPLATE_BYTES
    assert "Transform" not in json.loads(text)


@pytest.mark.cfn_lint
def test_it_passes_cfn_lint(text: str) -> None:
    assert complaints(text) == []


def test_its_functions_carry_their_code(resources: dict[str, Any]) -> None:
    functions = of_type(resources, "AWS::Lambda::Function")
    assert {each["Handler"] for each in functions} == {"index.handler"}
    assert all(len(each["Code"]["ZipFile"]) <= MAX_INLINE_CODE_CHARACTERS for each in functions)


def test_nothing_outlives_it(resources: dict[str, Any]) -> None:
    assert {each.get("DeletionPolicy", "Delete") for each in resources.values()} == {"Delete"}
    functions = of_type(resources, "AWS::Lambda::Function")
    assert all("LogGroup" in each["LoggingConfig"] for each in functions)


def test_every_route_is_behind_the_probe_authorizer(resources: dict[str, Any]) -> None:
    for kind in ("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"):
        (api,) = of_type(resources, kind)
        operations = [each for path in api["Body"]["paths"].values() for each in path.values()]
        assert all(any("Probe" in guard for guard in each["security"]) for each in operations)


def test_its_functions_may_write_their_log_and_nothing_else(resources: dict[str, Any]) -> None:
    (role,) = of_type(resources, "AWS::IAM::Role")
    (policy,) = role["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert "ManagedPolicyArns" not in role


def test_the_stage_that_is_flushed_is_the_probes(resources: dict[str, Any]) -> None:
    (stage,) = of_type(resources, "AWS::ApiGateway::Stage")
    assert stage["StageName"] == STAGE
