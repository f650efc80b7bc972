"""The templates that the documents tell operators to use against abuse."""

import re
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest

from tests.support.lint import complaints

DOCS: Final = Path(__file__).parents[2] / "docs"
HEADER: Final = "AWSTemplateFormatVersion: '2010-09-09'\n"


def template_of(page: str) -> str:
    """Return the only template of a page."""
    text = (DOCS / page).read_text("utf-8")
    (block,) = re.findall(r"^ *```yaml\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return HEADER + dedent(block)


@pytest.mark.cfn_lint
@pytest.mark.parametrize(
    ("page", "resources"),
    [
        (
            "how-to/manage-accounts.md",
            ["ApiGateway::ApiKey", "ApiGateway::UsagePlan", "UsagePlanKey"],
        ),
        ("how-to/block-floods.md", ["WAFv2::WebACL", "WAFv2::WebACLAssociation"]),
    ],
)
def test_a_template_passes_cfn_lint(page: str, resources: list[str]) -> None:
    template = template_of(page)
    assert [name for name in resources if f"{name}\n" not in template] == []
    assert complaints(template) == []


def test_each_credential_has_a_limit_of_its_own_and_none_is_sampled() -> None:
    template = template_of("how-to/block-floods.md")
    assert "Header: {Name: authorization" in template
    assert set(re.findall(r"SampledRequestsEnabled: (\w+)", template)) == {"false"}
