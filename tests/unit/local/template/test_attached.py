from pathlib import Path

import pytest

from local.template.attached import attach
from local.template.intrinsics import TemplateError
from local.template.stack import Stack, code_folder_of, load_stack

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
