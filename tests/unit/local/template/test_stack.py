from pathlib import Path

import pytest

from keyscope_local.template.intrinsics import TemplateError
from keyscope_local.template.stack import (
    Stack,
    code_folder_of,
    environment_of,
    load_stack,
    physical_id_of,
    properties_of,
)

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: prod, AllowedPattern: "[a-z]+", MinLength: 2, MaxLength: 4}
  Seconds: {Type: Number, Default: 30, MinValue: 0, MaxValue: 60}
  Extra: {Type: String, Default: "no", AllowedValues: ["yes", "no"]}
Rules:
  ZeroInDev:
    RuleCondition: !Equals [!Ref Stage, dev]
    Assertions:
      - {Assert: !Equals [!Ref Seconds, "0"], AssertDescription: Seconds must be 0 in dev}
Conditions:
  HasExtra: !Equals [!Ref Extra, "yes"]
Resources:
  Keys: {Type: "AWS::DynamoDB::Table", Properties: {BillingMode: PAY_PER_REQUEST}}
  More: {Type: "AWS::DynamoDB::Table", Condition: HasExtra, Properties: {}}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code/here
      Handler: app.handler
      Runtime: python3.13
      Environment: {Variables: {TABLE: !Ref Keys, SECONDS: !Ref Seconds}}
Outputs:
  Keys: {Value: !GetAtt Keys.Arn}
  More: {Value: !Ref More, Condition: HasExtra}
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE, "utf-8")
    return path


@pytest.fixture
def stack(template: Path) -> Stack:
    return load_stack(template)


def refusal_of(template: Path, **parameters: str) -> str:
    with pytest.raises(TemplateError) as refused:
        load_stack(template, parameters)
    return str(refused.value)


def test_parameters_take_their_defaults(stack: Stack) -> None:
    assert stack.parameters == {"Stage": "prod", "Seconds": "30", "Extra": "no"}


def test_given_parameters_replace_the_defaults(template: Path) -> None:
    stack = load_stack(template, {"Seconds": "60", "Stage": "test"})
    assert stack.parameters == {"Stage": "test", "Seconds": "60", "Extra": "no"}


@pytest.mark.parametrize(
    ("parameter", "value", "rule"),
    [
        ("Stage", "PROD", "AllowedPattern"),
        ("Stage", "p", "MinLength"),
        ("Stage", "produ", "MaxLength"),
        ("Seconds", "61", "MaxValue"),
        ("Seconds", "-1", "MinValue"),
        ("Seconds", "soon", "Type"),
        ("Extra", "maybe", "AllowedValues"),
    ],
)
def test_a_parameter_that_breaks_its_rule_is_refused(
    parameter: str, value: str, rule: str, template: Path
) -> None:
    told = refusal_of(template, **{parameter: value})
    assert told.startswith(f"The parameter {parameter} cannot be {value!r}: {rule} is")


def test_an_unknown_parameter_is_refused_with_those_that_there_are(template: Path) -> None:
    told = refusal_of(template, Nothing="x")
    assert told == "The template has no parameter 'Nothing'. It has Stage, Seconds, Extra"


def test_an_unknown_parameter_like_a_known_one_is_refused_with_that_one(template: Path) -> None:
    told = refusal_of(template, Second="30")
    assert told == "The template has no parameter 'Second'. Did you mean 'Seconds'?"


def test_a_parameter_without_a_default_must_be_given(template: Path) -> None:
    template.write_text(TEMPLATE.replace(", Default: 30", ""), "utf-8")
    assert refusal_of(template) == "The parameter Seconds has no default, so it requires a value"


def test_a_broken_rule_of_the_template_is_told_in_its_own_words(template: Path) -> None:
    assert refusal_of(template, Stage="dev") == "Seconds must be 0 in dev"


def test_a_rule_whose_condition_does_not_hold_asserts_nothing(template: Path) -> None:
    assert load_stack(template, {"Stage": "dev", "Seconds": "0"}).parameters["Stage"] == "dev"


def test_what_sam_refuses_is_told_with_its_reason(template: Path) -> None:
    template.write_text(TEMPLATE.replace("Handler: app.handler", "Handle: app.handler"), "utf-8")
    assert "SAM rejects the template" in refusal_of(template)


def test_a_functions_environment_is_resolved_text(stack: Stack) -> None:
    assert environment_of(stack, "Function") == {"TABLE": "keyscope-local-Keys", "SECONDS": "30"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("true", "true"),
        ("TRUE", "true"),
        ("no", "false"),
        ("2.0", "2.0"),
        ("7", "7"),
        ("'on'", "on"),
    ],
)
def test_a_value_without_quotes_is_the_text_that_cloudformation_makes_of_it(
    value: str, text: str, template: Path
) -> None:
    changed = TEMPLATE.replace("SECONDS: !Ref Seconds", f"VALUE: {value}, BY: !Ref Switch")
    changed = changed.replace(
        "Parameters:", f"Parameters:\n  Switch: {{Type: String, Default: {value}}}"
    ).replace("Value: !GetAtt Keys.Arn", f"Value: {value}")
    template.write_text(changed, "utf-8")
    stack = load_stack(template)
    variables = environment_of(stack, "Function")
    assert {variables["VALUE"], variables["BY"], stack.outputs["Keys"]} == {text}


def test_a_parameter_of_booleans_takes_their_texts(template: Path) -> None:
    template.write_text(TEMPLATE.replace('["yes", "no"]', "[yes, no]"), "utf-8")
    assert load_stack(template, {"Extra": "true"}).parameters["Extra"] == "true"


def test_a_functions_code_is_beside_the_template(template: Path, stack: Stack) -> None:
    assert code_folder_of(stack, "Function") == template.parent / "code" / "here"


def test_a_resource_is_found_by_its_logical_id(stack: Stack) -> None:
    assert physical_id_of(stack, "Keys") == "keyscope-local-Keys"
    assert properties_of(stack, "Keys") == {"BillingMode": "PAY_PER_REQUEST"}


def test_a_resource_whose_condition_is_false_is_absent(stack: Stack) -> None:
    assert "More" not in stack.resources
    assert "More" not in stack.outputs


def test_a_resource_whose_condition_holds_is_there(template: Path) -> None:
    stack = load_stack(template, {"Extra": "yes"})
    assert stack.outputs["More"] == physical_id_of(stack, "More") == "keyscope-local-More"


def test_outputs_are_resolved(stack: Stack) -> None:
    assert stack.outputs["Keys"].endswith("table/keyscope-local-Keys")


@pytest.mark.parametrize("look_up", [physical_id_of, properties_of, environment_of])
def test_a_resource_that_is_not_there_is_refused(look_up: object, stack: Stack) -> None:
    assert callable(look_up)
    with pytest.raises(TemplateError, match="no resource 'Nothing'"):
        look_up(stack, "Nothing")
