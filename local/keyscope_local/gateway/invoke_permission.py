"""Whether API Gateway may invoke an authorizer's function, and if not, what is missing.

API Gateway uses the authorizer's invoke role or, without one, the function's resource policy, to
which each `AWS::Lambda::Permission` adds a statement. A permission holds for exactly what it names:
the function or one of its aliases (AWS Lambda developer guide, "Viewing resource-based IAM policies
in Lambda"; Amazon API Gateway developer guide, "Configure an API Gateway Lambda authorizer").
"""

from collections.abc import Iterator
from typing import Final, cast

from keyscope.access.policy_evaluation import (
    AccessRequest,
    UnsupportedPolicy,
    Verdict,
    evaluate,
    wildcard_expression,
)
from keyscope_local.template.intrinsics import PSEUDO_PARAMETERS, Json
from keyscope_local.template.stack import Stack, physical_id_of, properties_of

INVOKE: Final = "lambda:InvokeFunction"
API_GATEWAY: Final = "apigateway.amazonaws.com"
_SOME_AUTHORIZER: Final = "abc123"
"""Stands for the id that API Gateway gives an authorizer, which no template can know."""
_INVOKING_ACTIONS: Final = {INVOKE, "lambda:*"}
_ACCOUNT: Final = PSEUDO_PARAMETERS["AWS::AccountId"]


def what_is_missing(stack: Stack, api: str, function_arn: str, role_arn: str | None) -> str | None:
    """Return why an API cannot invoke an authorizer's function, or `None` if it can.

    `api` is its logical id. `function_arn` is what the authorizer names, with its alias if it names
    one; `role_arn` is its invoke role. A role that no template defines is taken to allow it.
    """
    if role_arn is not None:
        return _missing_in_role(stack, role_arn, function_arn)
    authorizers = f"{_apis_arn()}:{physical_id_of(stack, api)}/authorizers/"
    function, qualifier = _name_and_qualifier(function_arn)
    faults: list[str] = []
    for name, permission in _of_type(stack, "AWS::Lambda::Permission"):
        named, named_qualifier = _name_and_qualifier(str(permission.get("FunctionName")))
        if named != function:
            continue
        fault = _fault_of(permission, named_qualifier, qualifier, authorizers)
        if fault is None:
            return None
        # The other template's author would have to mend its faults.
        if (name in stack.attached) == (api in stack.attached):
            faults.append(f"; {name} {fault}")
    return (
        f"no permission allows API Gateway to invoke {function_arn} for {authorizers}*"
        + "".join(faults)
    )


def _apis_arn() -> str:
    partition, region = PSEUDO_PARAMETERS["AWS::Partition"], PSEUDO_PARAMETERS["AWS::Region"]
    return f"arn:{partition}:execute-api:{region}:{_ACCOUNT}"


def _fault_of(
    permission: Json, named_qualifier: str, qualifier: str, authorizers: str
) -> str | None:
    action, principal = permission.get("Action"), permission.get("Principal")
    source = str(permission.get("SourceArn", "*"))
    account = str(permission.get("SourceAccount", _ACCOUNT))
    if action not in _INVOKING_ACTIONS:
        return f"allows {action}, not {INVOKE}"
    if principal not in {API_GATEWAY, "*"}:
        return f"is for {principal}, not {API_GATEWAY}"
    if named_qualifier != qualifier:
        return f"is on {_shown(named_qualifier)}, not on {_shown(qualifier)}"
    if account != _ACCOUNT:
        return f"is for the account {account}"
    if not _is_like(source, authorizers + _SOME_AUTHORIZER):
        return f"is for {source}"
    return None


def _shown(qualifier: str) -> str:
    return f"its alias or version {qualifier}" if qualifier else "the function without an alias"


def _name_and_qualifier(function: str) -> tuple[str, str]:
    """Read a function's name, ARN or partial ARN, each with or without a qualifier."""
    name, _, qualifier = function.rpartition(":function:")[2].partition(":")
    return name, qualifier


def _is_like(pattern: str, arn: str) -> bool:
    """Compare as the condition operator `ArnLike` does: each of the six parts by itself."""
    if pattern == "*":
        return True
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(parts) and all(
        wildcard_expression(each).fullmatch(part)
        for each, part in zip(patterns, parts, strict=True)
    )


def _missing_in_role(stack: Stack, role_arn: str, function_arn: str) -> str | None:
    for name, role in _of_type(stack, "AWS::IAM::Role"):
        if not role_arn.endswith(f":role/{physical_id_of(stack, name)}"):
            continue
        if API_GATEWAY not in str(role.get("AssumeRolePolicyDocument")):
            return f"the invoke role {name} cannot be assumed by {API_GATEWAY}"
        if not _may_invoke(stack, name, role, function_arn):
            return f"the invoke role {name} does not allow {INVOKE} on {function_arn}"
    return None


def _may_invoke(stack: Stack, name: str, role: Json, function_arn: str) -> bool:
    # What other policies contain is not read here.
    others = [
        role.get("ManagedPolicyArns"),
        *(
            policy
            for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
            for _, policy in _of_type(stack, kind)
            if physical_id_of(stack, name) in cast("list[str]", policy.get("Roles", []))
        ),
    ]
    if any(others):
        return True
    asked = AccessRequest(INVOKE, function_arn, now=0, source_address="192.0.2.1")
    inline = cast("list[Json]", role.get("Policies", []))
    return any(_allows(policy.get("PolicyDocument"), asked) for policy in inline)


def _allows(document: object, asked: AccessRequest) -> bool:
    try:
        return evaluate(document, asked) is Verdict.ALLOWED
    except UnsupportedPolicy:
        return False


def _of_type(stack: Stack, kind: str) -> Iterator[tuple[str, Json]]:
    for name, resource in stack.resources.items():
        if resource["Type"] == kind:
            yield name, properties_of(stack, name)
