"""APIs of another account, and more APIs of one account than a function's policy has room for."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import pytest

from keyscope_local.gateway.api_reader import read_apis
from keyscope_local.gateway.invoke_permission import what_is_missing
from keyscope_local.template.attached import attach
from keyscope_local.template.intrinsics import Json, TemplateError
from keyscope_local.template.stack import Stack, load_stack, properties_of
from tests.examples.conftest import EXAMPLES
from tests.support.attachments import REST, is_for_authorizers_only, permissions, sam_resources
from tests.support.lint import complaints
from tests.support.stacks import stack_of

FOLDER: Final = EXAMPLES / "other-account"
OWN_ACCOUNT: Final = "123456789012"
OTHER_ACCOUNT: Final = "210987654321"
ROLE: Final = f"arn:aws:iam::{OTHER_ACCOUNT}:role/invoker"
AUTHORIZER: Final = f"arn:aws:lambda:us-east-1:{OWN_ACCOUNT}:function:keyscope-Rest-1A2B:live"
POLICY_BYTES: Final = 20_480
"""The quota of a function's resource-based policy (AWS Lambda developer guide, "Lambda quotas")."""
TEMPLATES: Final = ("permission.yaml", "template.yaml")


def text_of(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def granted(**parameters: str) -> Stack:
    return load_stack(FOLDER / "permission.yaml", parameters, imports=stack_of().exports)


def api_of_another_account(**parameters: str) -> Stack:
    return load_stack(FOLDER / "template.yaml", {"AuthorizerArn": AUTHORIZER, **parameters})


def statement_of(permission: Json, logical_id: str) -> Json:
    """Return the statement that Lambda adds to the function's policy, with names of usual length.

    CloudFormation names it after the stack and the resource ("AWS::Lambda::Permission").
    """
    source = f"arn:aws:execute-api:us-east-1:{OWN_ACCOUNT}:a1b2c3d4e5/authorizers/*"
    function = "keyscope-RestAuthorizerFunction-1A2B3C4D5E6F:live"
    return {
        "Sid": f"projects-production-{logical_id}-1A2B3C4D5E6F",
        "Effect": "Allow",
        "Principal": {"Service": permission["Principal"]},
        "Action": permission["Action"],
        "Resource": f"arn:aws:lambda:us-east-1:{OWN_ACCOUNT}:function:{function}",
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
    }


def bytes_of(statements: list[Json]) -> int:
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
    return len(json.dumps(policy, separators=(",", ":")).encode())


def test_a_function_s_policy_has_room_for_some_48_apis_that_sam_attaches() -> None:
    resources = sam_resources((EXAMPLES / "sam-rest" / "template.yaml").read_text("utf-8"))
    statement = statement_of(
        permissions(resources)[REST], "ProjectsApiKeyscopeAuthorizerPermission"
    )
    assert bytes_of([statement] * 48) <= POLICY_BYTES < bytes_of([statement] * 52)


def rest_apis(count: int) -> str:
    api = """
  Api{}:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      DefinitionBody: {{openapi: 3.0.1, paths: {{}}}}
      Auth:
        Authorizers:
          Keyscope:
            FunctionArn: !ImportValue keyscope-RestAuthorizerArn
            FunctionPayloadType: REQUEST
            DisableFunctionDefaultPermissions: true
            Identity: {{Headers: [Authorization]}}
"""
    return "Resources:" + "".join(api.format(number) for number in range(count))


def test_one_permission_for_the_account_serves_as_many_apis_as_one_likes(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("Transform: AWS::Serverless-2016-10-31\n" + rest_apis(3), "utf-8")
    stack = attach(stack_of(), path)
    permission = granted(ApiAccountId=OWN_ACCOUNT).resources
    with_it = replace(stack, resources={**stack.resources, **permission})
    found = {
        attached: [
            authorizer.not_invocable
            for api in read_apis(one)
            for authorizer in api.authorizers.values()
            if api.logical_id in stack.attached
        ]
        for attached, one in ((False, stack), (True, with_it))
    }
    assert found[True] == [None] * 3
    assert None not in found[False]
    assert permissions(sam_resources(path.read_text("utf-8"))) == {}


@pytest.mark.parametrize("kind", ["Rest", "Http"])
def test_the_permission_is_for_the_other_account_s_authorizers_only(kind: str) -> None:
    permission = properties_of(granted(ApiAccountId=OTHER_ACCOUNT), f"{kind}ByService")
    assert is_for_authorizers_only(permission)
    assert permission["FunctionName"] == stack_of().exports[f"{kind}AuthorizerArn"]
    assert permission["SourceArn"] == (
        f"arn:aws:execute-api:us-east-1:{OTHER_ACCOUNT}:*/authorizers/*"
    )


def test_the_permission_may_be_for_one_api_only() -> None:
    stack = granted(ApiAccountId=OWN_ACCOUNT, ApiId="a1b2c3d4e5")
    source = properties_of(stack, "RestByService")["SourceArn"]
    assert source == f"arn:aws:execute-api:us-east-1:{OWN_ACCOUNT}:a1b2c3d4e5/authorizers/*"


def test_with_an_invoke_role_the_role_alone_may_invoke() -> None:
    stack = granted(ApiAccountId=OTHER_ACCOUNT, InvokeRoleArn=ROLE)
    assert {name: properties_of(stack, name)["Principal"] for name in stack.resources} == {
        "RestByRole": ROLE,
        "HttpByRole": ROLE,
    }


@pytest.mark.parametrize(
    "parameters",
    [
        {"ApiAccountId": "*"},
        {"ApiAccountId": OTHER_ACCOUNT, "ApiId": "*/prod"},
        {"ApiAccountId": OTHER_ACCOUNT, "InvokeRoleArn": "*"},
    ],
)
def test_the_permission_is_never_for_everybody(parameters: Mapping[str, str]) -> None:
    with pytest.raises(TemplateError, match="AllowedPattern"):
        granted(**parameters)


def authorizer_of(stack: Stack) -> Json:
    body = cast("Mapping[str, Mapping[str, Json]]", properties_of(stack, "ProjectsApi")["Body"])
    schemes = cast("Mapping[str, Json]", body["components"]["securitySchemes"])
    return cast("Json", schemes["Keyscope"]["x-amazon-apigateway-authorizer"])


def test_the_api_adds_no_permission_that_its_account_may_not_add() -> None:
    stack = api_of_another_account()
    found = [name for name in stack.resources if "AuthorizerPermission" in name]
    assert (found, "authorizerCredentials" in authorizer_of(stack)) == ([], False)


def test_the_api_s_role_may_invoke_the_authorizer_and_nothing_else() -> None:
    stack = api_of_another_account(UseInvokeRole="true")
    role = str(authorizer_of(stack)["authorizerCredentials"])
    assert role == stack.outputs["InvokeRoleArn"]
    assert what_is_missing(stack, "ProjectsApi", AUTHORIZER, role) is None
    elsewhere = AUTHORIZER.replace(":live", "")
    assert what_is_missing(stack, "ProjectsApi", elsewhere, role) is not None


@pytest.mark.cfn_lint
@pytest.mark.parametrize("name", TEMPLATES)
def test_both_templates_pass_cfn_lint(name: str) -> None:
    assert complaints(text_of(name)) == []
