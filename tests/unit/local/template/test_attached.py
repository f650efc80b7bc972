from pathlib import Path

import pytest

from keyscope_local.template.attached import attach
from keyscope_local.template.intrinsics import TemplateError
from keyscope_local.template.stack import Stack, code_folder_of, environment_of, load_stack

KEYSCOPE = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, Handler: app.handler}}
Resources:
  Guard: {Type: "AWS::Serverless::Function", Properties: {CodeUri: guard}}
Outputs:
  GuardArn: {Value: !GetAtt Guard.Arn, Export: {Name: !Sub "${AWS::StackName}-GuardArn"}}
"""
OTHER = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.13, Handler: app.handler}}
Resources:
  Backend:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ../backend
      Environment: {Variables: {GUARD: !ImportValue prod-GuardArn}}
"""


def attached(folder: Path, other: str) -> Stack:
    (folder / "template.yaml").write_text(KEYSCOPE, "utf-8")
    (folder / "other").mkdir()
    (folder / "other" / "template.yaml").write_text(other, "utf-8")
    return attach(load_stack(folder / "template.yaml"), folder / "other" / "template.yaml")


def test_an_attached_template_imports_what_the_stack_exports(tmp_path: Path) -> None:
    stack = attached(tmp_path, OTHER)
    arn = stack.exports["GuardArn"]
    assert stack.resources["Backend"]["Properties"]["Environment"] == {  # type: ignore[index]
        "Variables": {"GUARD": arn}
    }


def test_each_function_s_code_is_found_from_its_own_template(tmp_path: Path) -> None:
    stack = attached(tmp_path, OTHER)
    folders = [code_folder_of(stack, name) for name in ("Guard", "Backend")]
    assert folders == [tmp_path / "guard", tmp_path / "backend"]


def test_two_resources_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="Both templates have Guard"):
        attached(tmp_path, OTHER.replace("Backend:", "Guard:"))


def test_an_import_that_nothing_exports_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="no export 'prod-OtherArn'"):
        attached(tmp_path, OTHER.replace("GuardArn", "OtherArn"))


def refusal_of(folder: Path, other: str) -> str:
    with pytest.raises(TemplateError) as refused:
        attached(folder, other)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Resources: {", "is not YAML: while parsing a flow node"),
        ("Resources: !Ref [", "is not YAML: "),
        ("\0", "is not YAML: "),
        ("", "has no Resources section"),
        ("- Resources", "has no Resources section"),
        ("Resources:", "has no Resources section"),
        ("Resources: [a]", "Resources is not a mapping"),
        ("Resources: {A: }", "Resources.A is not a mapping"),
        ("Resources: {A: {Properties: {}}}", "Resources.A has no Type"),
        ("Resources: {A: {Type: 7}}", "Resources.A has no Type"),
        ("Resources: {A: {Type: B, Properties: 7}}", "Resources.A.Properties is not a mapping"),
        ("Parameters: 7\nResources: {A: {Type: B}}", "Parameters is not a mapping"),
    ],
)
def test_what_is_no_template_is_refused_with_its_place(
    text: str, told: str, tmp_path: Path
) -> None:
    refusal = refusal_of(tmp_path, text)
    assert refusal.startswith(str(tmp_path / "other" / "template.yaml"))
    assert told in refusal


def test_a_template_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_bytes(b"\xff")
    with pytest.raises(TemplateError, match="is not YAML: 'utf-8' codec can't decode"):
        load_stack(path)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("!If [a, b]", "a list of 3 was expected"),
        ("!GetAtt Backend", "a list of 2 was expected"),
        ("!Join [a]", "a list of 2 was expected"),
        ("!Sub [a]", "a list of 2 was expected"),
        ("!Select [1, [a]]", "Fn::Select finds no item '1'"),
        ("!Select [x, [a]]", "Fn::Select finds no item 'x'"),
        ("!Split [a]", "a list of 2 was expected"),
        ("!Base64 a", "the function Fn::Base64 is not supported here"),
        ("!Ref 7", "there is no parameter or resource '7'"),
    ],
)
def test_a_function_of_cloudformation_s_that_is_used_wrongly_is_refused_with_its_place(
    value: str, told: str, tmp_path: Path
) -> None:
    refusal = refusal_of(tmp_path, OTHER.replace("!ImportValue prod-GuardArn", value))
    assert refusal.startswith("Resources.Backend.Properties.Environment.Variables.GUARD: ")
    assert told in refusal


@pytest.mark.parametrize(
    "addition", ["Outputs: {Name: 7}", "Outputs: {Name: {}}", "Conditions: {A: 7}\nRules: {B: 7}"]
)
def test_a_part_of_another_shape_is_refused(addition: str, tmp_path: Path) -> None:
    assert refusal_of(tmp_path, f"{OTHER}{addition}\n") != ""


def function(properties: str) -> str:
    return OTHER.replace("CodeUri: ../backend", properties)


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ("InlineCode: x", "Backend: CodeUri must name a folder"),
        ("CodeUri: s3://bucket/key", "Backend: CodeUri must name a folder"),
        ("CodeUri: {Bucket: a, Key: b}", "Backend: CodeUri must name a folder"),
        ("PackageType: Image\n      ImageUri: a/b:c", "Backend"),
        ("MemorySize: 128", "SAM rejects the template: Resource with id [Backend] is invalid"),
    ],
)
def test_code_that_is_not_in_a_folder_is_refused_by_name(
    properties: str, told: str, tmp_path: Path
) -> None:
    assert told in refusal_of(tmp_path, function(properties))


@pytest.mark.parametrize(
    "template",
    [
        OTHER.replace(
            "Handler: app.handler}", "Handler: app.handler, CodeUri: ../backend}"
        ).replace("CodeUri: ../backend\n", "MemorySize: 128\n"),
        """
Resources:
  Backend:
    Type: AWS::Lambda::Function
    Properties: {Runtime: python3.13, Handler: app.handler, Code: ../backend}
""",
    ],
    ids=["of all functions", "without SAM"],
)
def test_a_folder_may_be_named_elsewhere(template: str, tmp_path: Path) -> None:
    assert code_folder_of(attached(tmp_path, template), "Backend") == tmp_path / "backend"


def test_a_folder_may_be_named_by_its_absolute_path(tmp_path: Path) -> None:
    stack = attached(tmp_path, function(f"CodeUri: {tmp_path / 'anywhere'}"))
    assert code_folder_of(stack, "Backend") == tmp_path / "anywhere"


def test_a_websocket_api_is_refused_by_name() -> None:
    path = Path(__file__).parents[4] / "examples" / "sam-websocket" / "template.yaml"
    exports = {"RestAuthorizerArn": "arn:aws:lambda:us-east-1:123456789012:function:f:live"}
    with pytest.raises(TemplateError) as refused:
        load_stack(path, imports=exports)
    assert str(refused.value) == (
        "ChatApi is a WebSocket API; the local gateway serves only REST and HTTP APIs"
    )


def test_the_other_template_has_parameters_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(KEYSCOPE, "utf-8")
    path = tmp_path / "other.yaml"
    text = OTHER.replace("!ImportValue prod-GuardArn", "!Ref Stage")
    path.write_text(f"Parameters: {{Stage: {{Type: String}}}}\n{text}", "utf-8")
    keyscope = load_stack(tmp_path / "template.yaml")
    stack = attach(keyscope, path, {"Stage": "test"})
    assert environment_of(stack, "Backend") == {"GUARD": "test"}
    with pytest.raises(TemplateError, match="The parameter Stage has no default"):
        attach(keyscope, path)


def test_it_is_known_what_was_attached(tmp_path: Path) -> None:
    assert "Backend" in attached(tmp_path, OTHER).attached
    assert "Guard" not in load_stack(tmp_path / "template.yaml").attached
