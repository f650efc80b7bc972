"""Reads the usage plans of a REST API and their API Gateway keys from a stack."""

from collections.abc import Iterator, Mapping
from typing import Final, cast

from keyscope_local.gateway.api_definition import Quota, QuotaPeriod, Throttle, UsagePlan
from keyscope_local.template.intrinsics import Json, TemplateError, is_true, text_of, whole_number
from keyscope_local.template.stack import Stack, physical_id_of, properties_of

_PLAN_KEY: Final = "AWS::ApiGateway::UsagePlanKey"
_SUPPORTED: Final[Mapping[str, frozenset[str]]] = {
    "AWS::ApiGateway::ApiKey": frozenset(
        {"CustomerId", "Description", "Enabled", "GenerateDistinctId", "Name", "Tags", "Value"}
    ),
    "AWS::ApiGateway::UsagePlan": frozenset(
        {"ApiStages", "Description", "Quota", "Tags", "Throttle", "UsagePlanName"}
    ),
    _PLAN_KEY: frozenset({"KeyId", "KeyType", "UsagePlanId"}),
}


def read_usage_plans(stack: Stack, api: str, stage: str) -> dict[str, UsagePlan]:
    """Return the usage plans of an API's stage, by the values of their API Gateway keys.

    Raises:
        TemplateError: with the name of what the local gateway does not support.
    """
    for logical_id, resource in stack.resources.items():
        supported = _SUPPORTED.get(str(resource["Type"]))
        if supported is not None:
            _check(properties_of(stack, logical_id), supported, logical_id)
    plans: dict[str, UsagePlan] = {}
    for logical_id in _of_type(stack, _PLAN_KEY):
        members = properties_of(stack, logical_id)
        plan = _named(stack, "AWS::ApiGateway::UsagePlan", members["UsagePlanId"], logical_id)
        key = _named(stack, "AWS::ApiGateway::ApiKey", members["KeyId"], logical_id)
        if not _holds_for(stack, plan, api, stage) or not _is_enabled(stack, key):
            continue
        value = _value_of(stack, key)
        if value in plans:
            message = f"{key} is in two usage plans of {api}. API Gateway allows one"
            raise TemplateError(message)
        plans[value] = _read_plan(stack, plan)
    return plans


def _of_type(stack: Stack, kind: str) -> Iterator[str]:
    return (name for name, resource in stack.resources.items() if resource["Type"] == kind)


def _named(stack: Stack, kind: str, physical_id: object, where: str) -> str:
    for logical_id in _of_type(stack, kind):
        if physical_id_of(stack, logical_id) == physical_id:
            return logical_id
    message = f"{where}: {physical_id!r} is not an {kind} of this template"
    raise TemplateError(message)


def _check(members: Json, supported: frozenset[str], where: str) -> None:
    for name in members:
        if name not in supported:
            message = f"{where}: {name} is not supported here"
            raise TemplateError(message)


def _holds_for(stack: Stack, plan: str, api: str, stage: str) -> bool:
    stages = cast("list[Json]", properties_of(stack, plan).get("ApiStages", []))
    if len(stages) > 1:
        message = f"{plan}: more than one API stage is not supported here"
        raise TemplateError(message)
    for members in stages:
        _check(members, frozenset({"ApiId", "Stage"}), plan)
    return stages == [{"ApiId": physical_id_of(stack, api), "Stage": stage}]


def _is_enabled(stack: Stack, key: str) -> bool:
    # By default, CloudFormation creates a key that is disabled.
    return is_true(properties_of(stack, key).get("Enabled", False))


def _value_of(stack: Stack, key: str) -> str:
    value = properties_of(stack, key).get("Value")
    if value is None:
        message = f"{key}: requires a Value here; AWS would generate one"
        raise TemplateError(message)
    return text_of(value, f"{key}: Value")


def _read_plan(stack: Stack, plan: str) -> UsagePlan:
    members = properties_of(stack, plan)
    throttle, quota = cast("Json", members.get("Throttle", {})), members.get("Quota")
    if throttle and throttle.keys() != {"RateLimit", "BurstLimit"}:
        message = f"{plan}: Throttle requires RateLimit and BurstLimit"
        raise TemplateError(message)
    return UsagePlan(
        name=plan,
        throttle=(
            Throttle(
                float(text_of(throttle["RateLimit"], f"{plan}: RateLimit")),
                whole_number(throttle["BurstLimit"], f"{plan}: BurstLimit"),
            )
            if throttle
            else None
        ),
        quota=None if quota is None else _read_quota(cast("Json", quota), plan),
    )


def _read_quota(quota: Json, plan: str) -> Quota:
    if quota.keys() != {"Limit", "Period"}:
        message = f"{plan}: Quota requires Limit and Period; other members are not supported here"
        raise TemplateError(message)
    return Quota(whole_number(quota["Limit"], f"{plan}: Limit"), QuotaPeriod(str(quota["Period"])))
