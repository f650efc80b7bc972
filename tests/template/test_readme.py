"""What the documents say, held against what there is."""

import re
from pathlib import Path
from typing import Final

import pytest

from keyscope.errors import Reason
from tests.support.attachments import (
    REST,
    is_for_authorizers_only,
    permissions,
    sam_resources,
)
from tests.support.lint import complaints
from tests.support.stacks import stack_of

ROOT: Final = Path(__file__).parents[2]
README: Final = (ROOT / "README.md").read_text("utf-8")
MAKE: Final = re.compile(r"(?:^|`)make (?:-C \S+ (?=[a-z])|(?!-))([a-z -]+)", re.MULTILINE)
DOCUMENTS: Final = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
)
(SNIPPET,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)


@pytest.mark.cfn_lint
def test_the_snippet_passes_cfn_lint() -> None:
    header = "AWSTemplateFormatVersion: '2010-09-09'\nTransform: AWS::Serverless-2016-10-31\n"
    assert complaints(header + SNIPPET) == []


def test_the_snippet_lets_the_api_invoke_the_imported_authorizer() -> None:
    found = permissions(sam_resources(SNIPPET))
    assert list(found) == [REST]
    assert is_for_authorizers_only(found[REST])


def test_every_name_that_the_readme_imports_is_exported() -> None:
    exports = stack_of().exports
    imported = set(re.findall(r"`keyscope-(\w+)`|!ImportValue keyscope-(\w+)", README))
    assert {name for names in imported for name in names if name} == set(exports)


def test_the_guide_lists_every_parameter_with_its_default() -> None:
    parameters = stack_of().parameters
    guide = (ROOT / "docs" / "reference" / "parameters.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", guide, re.MULTILINE)
    assert dict(rows) == dict(parameters)


def test_every_make_target_that_the_documents_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        name
        for document in DOCUMENTS
        for command in MAKE.findall(document.read_text("utf-8"))
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
    # The page about changes names a file that its reader will write.
    named = {name for name in named if "KIND" not in name}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_reason_code_is_explained() -> None:
    text = (ROOT / "docs" / "reference" / "decision-log.md").read_text("utf-8")
    assert [reason for reason in Reason if f"`{reason}`" not in text] == []
