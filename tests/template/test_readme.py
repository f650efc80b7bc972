"""What the documents say, held against what there is."""

import re
import tomllib
from pathlib import Path
from typing import Final, cast

import pytest
from cfnlint.api import lint_all
from samcli.yamlhelper import yaml_parse

from keyscope.access_map import read_access_map
from keyscope.errors import Reason
from keyscope.policy import prepare_policies
from local.intrinsics import Json
from local.template import load_stack, translate

ROOT: Final = Path(__file__).parents[2]
README: Final = (ROOT / "README.md").read_text("utf-8")
MAKE: Final = re.compile(r"(?:^|`)make ([a-z -]+)", re.MULTILINE)
DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def snippet(kind: str) -> str:
    (found,) = [block for block in blocks(README, "yaml") if kind in block]
    return found


def resources_of(kind: str) -> dict[str, Json]:
    source = yaml_parse(snippet(kind))
    template = {"Transform": "AWS::Serverless-2016-10-31", **source}
    return cast("dict[str, Json]", translate(template, {})["Resources"])


def of_type(resources: dict[str, Json], kind: str) -> list[Json]:
    return [cast("Json", each["Properties"]) for each in resources.values() if each["Type"] == kind]


@pytest.mark.parametrize("kind", ["Serverless::Api", "Serverless::HttpApi", "WEBSOCKET"])
def test_a_snippet_passes_cfn_lint(kind: str) -> None:
    header = "AWSTemplateFormatVersion: '2010-09-09'\nTransform: AWS::Serverless-2016-10-31\n"
    found = lint_all(header + snippet(kind))
    assert [match for match in found if match.rule.severity != "informational"] == []


@pytest.mark.parametrize(
    ("kind", "export"),
    [
        ("Serverless::Api", "keyscope-RestAuthorizerArn"),
        ("Serverless::HttpApi", "keyscope-HttpAuthorizerArn"),
        ("WEBSOCKET", "keyscope-RestAuthorizerArn"),
    ],
)
def test_a_snippet_lets_the_api_invoke_the_imported_authorizer(kind: str, export: str) -> None:
    (permission,) = of_type(resources_of(kind), "AWS::Lambda::Permission")
    assert permission["FunctionName"] == {"Fn::ImportValue": export}
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert "/authorizers/*" in str(permission["SourceArn"])


def test_the_imported_names_are_exported() -> None:
    template = cast("Json", yaml_parse((ROOT / "template.yaml").read_text("utf-8")))
    exports = re.findall(r"\{AWS::StackName\}(-\w+)", str(template["Outputs"]))
    assert set(re.findall(r"!ImportValue keyscope(\S+)", README)) == set(exports)


def test_the_guide_lists_every_parameter_with_its_default() -> None:
    parameters = load_stack(ROOT / "template.yaml").parameters
    guide = (ROOT / "docs" / "configure.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", guide, re.MULTILINE)
    assert dict(rows) == dict(parameters)


def test_every_make_target_that_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        name
        for document in DOCUMENTS
        for command in re.findall(
            r"(?:^|`)make ([a-z -]+)", document.read_text("utf-8"), re.MULTILINE
        )
        for name in command.split()
    }
    assert named - targets == set()


def test_every_file_that_the_documents_link_to_exists() -> None:
    links = [
        (document.parent / link, link)
        for document in DOCUMENTS
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8"))
    ]
    assert [link for path, link in links if not path.exists()] == []


def test_every_test_that_the_documents_name_exists() -> None:
    named = {
        name
        for document in DOCUMENTS
        for name in re.findall(r"`(tests/[\w/.]+)", document.read_text("utf-8"))
    }
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_reason_code_is_explained() -> None:
    text = (ROOT / "docs" / "decision-log.md").read_text("utf-8")
    assert [reason for reason in Reason if f"`{reason}`" not in text] == []


def test_the_access_map_of_the_guide_loads_and_fits() -> None:
    (source,) = blocks((ROOT / "docs" / "access-map.md").read_text("utf-8"), "toml")
    names = list(tomllib.loads(source))
    assert prepare_policies(read_access_map(source, names), max_stage_length=10).grants
