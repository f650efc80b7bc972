"""An authorizer that API Gateway may not invoke is a 500 that names what is missing."""

import json
from dataclasses import replace
from typing import Final

import pytest

from keyscope_local.template.intrinsics import Json
from tests.support.local_gateway import (
    HTTP_AUTHORIZER,
    REQUEST_AUTHORIZER,
    TEMPLATE,
    Served,
    api_of,
    served,
    small_stack,
)

FUNCTION: Final = "arn:aws:lambda:us-east-1:123456789012:function:keyscope-local-Guard"
ALIAS: Final = f"{FUNCTION}:live"
APIS: Final = "arn:aws:execute-api:us-east-1:123456789012"
REST_ID: Final = api_of(small_stack(), "Rest").api_id
OWN: Final = f"{APIS}:{REST_ID}/authorizers/*"
GOOD: Final = {
    "Action": "lambda:InvokeFunction",
    "FunctionName": ALIAS,
    "Principal": "apigateway.amazonaws.com",
    "SourceArn": OWN,
}
BY_ALIAS: Final = REQUEST_AUTHORIZER.replace("!GetAtt Guard.Arn", "!Ref Guard.Alias").replace(
    "{FunctionArn", "{DisableFunctionDefaultPermissions: true, FunctionArn"
)


ALIASED: Final = TEMPLATE.replace("{CodeUri: guard}", "{CodeUri: guard, AutoPublishAlias: live}")
WITHOUT: Final = HTTP_AUTHORIZER.replace("EnableFunctionDefaultPermissions: true,", "")


def rest_api(authorizer: str, *permissions: Json, role: Json | None = None) -> Served:
    """Serve the REST API with its authorizer's alias and no permission of SAM's."""
    stack = small_stack(authorizer, WITHOUT, ALIASED)
    added: dict[str, Json] = {
        f"Permission{index}": {"Type": "AWS::Lambda::Permission", "Properties": permission}
        for index, permission in enumerate(permissions)
    }
    ids = dict(stack.physical_ids)
    if role is not None:
        added["Invoker"] = {"Type": "AWS::IAM::Role", "Properties": role}
        ids["Invoker"] = "keyscope-local-Invoker"
    return served(replace(stack, resources={**stack.resources, **added}, physical_ids=ids))


def missing_of(api: Served) -> str:
    missing = api.gateway.api.authorizers["Guard"].not_invocable
    assert missing is not None
    return missing


def test_without_a_permission_every_request_is_500_and_the_function_is_not_called() -> None:
    api = rest_api(BY_ALIAS)
    answer = api.get()
    assert (answer.status, api.guard.events, api.backend.events) == (500, [], [])
    assert ("x-amzn-errortype", "AuthorizerConfigurationErrorException") in answer.headers
    assert missing_of(api) == f"no permission allows API Gateway to invoke {ALIAS} for {OWN}"


def test_a_missing_credential_is_401_all_the_same() -> None:
    assert rest_api(BY_ALIAS).status("/v2/apps", ("accept", "*/*")) == 401


@pytest.mark.parametrize(
    "permission",
    [
        GOOD,
        {**GOOD, "FunctionName": "keyscope-local-Guard:live"},
        {**GOOD, "FunctionName": "123456789012:function:keyscope-local-Guard:live"},
        {**GOOD, "SourceArn": f"{APIS}:*/authorizers/*"},
        {**GOOD, "SourceArn": f"{APIS}:{REST_ID}/*"},
        {**GOOD, "SourceArn": f"arn:aws:execute-api:*:*:{REST_ID}/authorizers/*"},
        {**GOOD, "SourceAccount": 123456789012},
        {**GOOD, "Principal": "*"},
        {**GOOD, "Action": "lambda:*"},
        {name: GOOD[name] for name in GOOD if name != "SourceArn"},
    ],
)
def test_a_permission_for_the_api_s_authorizers_serves(permission: Json) -> None:
    assert rest_api(BY_ALIAS, permission).status() == 200


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"FunctionName": FUNCTION},
            "is on the function without an alias, not on its alias or version live",
        ),
        (
            {"FunctionName": f"{FUNCTION}:test"},
            "is on its alias or version test, not on its alias or version live",
        ),
        ({"SourceArn": f"{APIS}:other/authorizers/*"}, f"is for {APIS}:other/authorizers/*"),
        ({"SourceArn": f"{APIS}:{REST_ID}/*/GET/*"}, f"is for {APIS}:{REST_ID}/*/GET/*"),
        ({"SourceArn": f"arn:*:{REST_ID}/authorizers/*"}, f"is for arn:*:{REST_ID}/authorizers/*"),
        ({"SourceAccount": "999999999999"}, "is for the account 999999999999"),
        (
            {"Principal": "s3.amazonaws.com"},
            "is for s3.amazonaws.com, not apigateway.amazonaws.com",
        ),
        ({"Action": "lambda:GetFunction"}, "allows lambda:GetFunction, not lambda:InvokeFunction"),
    ],
)
def test_a_permission_that_does_not_fit_is_500_and_told(changed: Json, told: str) -> None:
    api = rest_api(BY_ALIAS, {**GOOD, **changed})
    assert api.status() == 500
    assert missing_of(api).endswith(f"; Permission0 {told}")


def test_one_permission_that_fits_is_enough() -> None:
    assert rest_api(BY_ALIAS, {**GOOD, "FunctionName": FUNCTION}, GOOD).status() == 200


def test_a_permission_on_the_alias_does_not_let_the_function_itself_be_invoked() -> None:
    by_function = BY_ALIAS.replace("!Ref Guard.Alias", "!GetAtt Guard.Arn")
    told = "is on its alias or version live, not on the function without an alias"
    assert missing_of(rest_api(by_function, GOOD)).endswith(told)


@pytest.mark.parametrize(
    ("authorizer", "expected"),
    [
        (HTTP_AUTHORIZER, (200, b'{"lambda": {"scope": "app"}}')),
        (WITHOUT, (500, b'{"message": "Internal Server Error"}')),
    ],
)
def test_an_http_api_is_served_if_sam_adds_the_permission(
    authorizer: str, expected: tuple[int, bytes]
) -> None:
    api = served(small_stack(http_authorizer=authorizer), "Http")
    answer = api.get()
    assert (answer.status, answer.body) == expected


TRUSTED: Final = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "apigateway.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ]
}
INVOKES: Final = {
    "PolicyName": "invoke",
    "PolicyDocument": {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": ALIAS}],
    },
}
BY_ROLE: Final = BY_ALIAS.replace(
    "{Disable",
    "{FunctionInvokeRole: arn:aws:iam::123456789012:role/keyscope-local-Invoker, Disable",
)


@pytest.mark.parametrize(
    "role",
    [
        {"AssumeRolePolicyDocument": TRUSTED, "Policies": [INVOKES]},
        {"AssumeRolePolicyDocument": TRUSTED, "ManagedPolicyArns": ["arn:aws:iam::aws:policy/x"]},
    ],
)
def test_an_invoke_role_serves(role: Json) -> None:
    assert rest_api(BY_ROLE, role=role).status() == 200


def test_an_invoke_role_of_another_template_serves() -> None:
    assert rest_api(BY_ROLE.replace("keyscope-local-Invoker", "elsewhere")).status() == 200


@pytest.mark.parametrize(
    ("role", "told"),
    [
        (
            {"AssumeRolePolicyDocument": {"Statement": []}, "Policies": [INVOKES]},
            "the invoke role Invoker cannot be assumed by apigateway.amazonaws.com",
        ),
        (
            {"AssumeRolePolicyDocument": TRUSTED},
            f"the invoke role Invoker does not allow lambda:InvokeFunction on {ALIAS}",
        ),
        (
            {
                "AssumeRolePolicyDocument": TRUSTED,
                "Policies": [json.loads(json.dumps(INVOKES).replace(":live", ":test"))],
            },
            f"the invoke role Invoker does not allow lambda:InvokeFunction on {ALIAS}",
        ),
    ],
)
def test_an_invoke_role_that_does_not_let_it_is_500_and_told(role: Json, told: str) -> None:
    api = rest_api(BY_ROLE, GOOD, role=role)
    assert (api.status(), missing_of(api)) == (500, told)
