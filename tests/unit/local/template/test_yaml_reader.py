"""Templates are read as SAM CLI reads them."""

from pathlib import Path
from typing import Final

import pytest
from samcli.yamlhelper import yaml_parse
from yaml import YAMLError

from keyscope_local.template.yaml_reader import parse_yaml

ROOT: Final = Path(__file__).parents[4]
FORMS: Final = """
Version: 2012-10-17
Reference: !Ref One
Attributes: [!GetAtt One.Arn.Two, !GetAtt [One, Arn]]
Text: !Sub
  - ${a}/{b}
  - {a: !Ref One}
Choice: !If [IsOn, {a: 1, b: 0x10}, !Ref "AWS::NoValue"]
Rule: !And [!Condition One, !Equals [!Ref Two, "yes"]]
Defaults: &defaults {a: 1, b: [2]}
Merged: {<<: *defaults, a: 3}
Account: "012345678901"
Literal: |
  one
  two
"""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(FORMS, id="every form"),
        pytest.param((ROOT / "deploy" / "replica-key.yaml").read_text("utf-8"), id="a template"),
        pytest.param('{"Resources": {"A": {"Ref": "B"}}}', id="JSON"),
    ],
)
def test_a_template_is_read_as_by_sam_cli(text: str) -> None:
    assert parse_yaml(text) == yaml_parse(text)


def test_a_date_is_a_text() -> None:
    assert parse_yaml(FORMS)["Version"] == "2012-10-17"


def test_no_python_object_can_be_made() -> None:
    with pytest.raises(YAMLError):
        parse_yaml("a: !!python/object/apply:os.getcwd []")
