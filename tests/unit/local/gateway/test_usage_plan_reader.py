"""The usage plans of a template: what is read, and what is refused by name."""

import pytest

from keyscope_local.gateway.api_definition import Quota, QuotaPeriod, Throttle, UsagePlan
from keyscope_local.gateway.api_reader import read_apis
from keyscope_local.template.intrinsics import TemplateError
from tests.support.local_gateway import api_of, small_stack
from tests.support.usage_plans import GOLD, TEMPLATE, TIN

SECOND_PLAN = """
  GoldInTin:
    Type: AWS::ApiGateway::UsagePlanKey
    Properties: {KeyId: !Ref Gold, KeyType: API_KEY, UsagePlanId: !Ref TinPlan}
"""


def replaced(old: str, new: str) -> str:
    assert old in TEMPLATE
    return TEMPLATE.replace(old, new, 1)


def plans_of(template: str = TEMPLATE) -> dict[str, UsagePlan]:
    return dict(api_of(small_stack(template=template), "Rest").usage_plans)


def test_plans_are_read_by_the_values_of_their_keys() -> None:
    assert plans_of() == {
        GOLD: UsagePlan("GoldPlan", Throttle(10, 4), None),
        TIN: UsagePlan("TinPlan", Throttle(0.5, 2), Quota(5, QuotaPeriod.DAY)),
    }


def test_an_api_does_not_print_the_values() -> None:
    assert GOLD not in repr(api_of(small_stack(template=TEMPLATE), "Rest"))


@pytest.mark.parametrize(
    "disabled", ["{Enabled: false, Value: gold", "{Value: gold"], ids=["disabled", "by default"]
)
def test_a_disabled_key_is_in_no_plan(disabled: str) -> None:
    template = replaced("{Enabled: true, Value: gold", disabled)
    assert plans_of(template).keys() == {TIN}


def test_a_plan_of_another_api_does_not_count() -> None:
    template = replaced("[{ApiId: !Ref Rest, Stage: !Ref Rest.Stage}]", "[]")
    assert plans_of(template).keys() == {TIN}


@pytest.mark.parametrize(
    ("template", "told"),
    [
        pytest.param(
            replaced("Value: goldgoldgoldgoldgold", "Name: gold"),
            "Gold: requires a Value",
            id="a generated value",
        ),
        pytest.param(
            replaced("Value: goldgoldgoldgoldgold", "StageKeys: []"),
            "Gold: StageKeys is not supported",
            id="stage keys",
        ),
        pytest.param(
            replaced("Stage: !Ref Rest.Stage}]", "Stage: !Ref Rest.Stage, Throttle: {}}]"),
            "GoldPlan: Throttle is not supported",
            id="a throttle for one method",
        ),
        pytest.param(
            replaced("BurstLimit: 4", "Other: 4"),
            "GoldPlan: Throttle requires RateLimit and BurstLimit",
            id="half a throttle",
        ),
        pytest.param(
            replaced("Period: DAY", "Period: DAY, Offset: 1"),
            "TinPlan: Quota requires Limit and Period",
            id="an offset",
        ),
        pytest.param(
            replaced(
                "[{ApiId: !Ref Rest, Stage: !Ref Rest.Stage}]",
                "[{ApiId: a, Stage: b}, {ApiId: c, Stage: d}]",
            ),
            "GoldPlan: more than one API stage",
            id="two stages",
        ),
        pytest.param(
            replaced("UsagePlanId: !Ref GoldPlan", "UsagePlanId: elsewhere"),
            "GoldInPlan: 'elsewhere' is not an AWS::ApiGateway::UsagePlan",
            id="a plan of another stack",
        ),
        pytest.param(
            TEMPLATE + SECOND_PLAN, "Gold is in two usage plans of Rest", id="a key in two plans"
        ),
        pytest.param(
            replaced("ApiKeySourceType: AUTHORIZER", "ApiKeySourceType: HEADER"),
            "Rest: ApiKeySourceType HEADER",
            id="keys from a header",
        ),
    ],
)
def test_what_the_gateway_does_not_support_is_refused(template: str, told: str) -> None:
    with pytest.raises(TemplateError, match=told):
        read_apis(small_stack(template=template))
