"""The SAM and CloudFormation examples, by their own tools and against what they must say."""

import re
import sys
import tomllib
from typing import Final, cast

import pytest

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import prepare_policies
from keyscope_local.gateway.api_definition import (
    Authorizer,
    AuthorizerKind,
    IdentityPlace,
    IdentitySource,
)
from keyscope_local.gateway.api_reader import read_apis
from keyscope_local.template.attached import attach
from keyscope_local.template.intrinsics import Json
from keyscope_local.template.yaml_reader import parse_yaml
from tests.examples.conftest import ACCESS_MAP, EXAMPLES
from tests.support.attachments import (
    HTTP,
    RESPONSES,
    REST,
    gateway_responses,
    is_for_authorizers_only,
    of_type,
    permissions,
    responses_without_cors,
    sam_resources,
)
from tests.support.commands import run
from tests.support.lint import complaints
from tests.support.stacks import stack_of

SAM: Final = ("sam-rest", "sam-http", "sam-websocket")
EXPORTS: Final = {
    "sam-rest": REST,
    "sam-http": HTTP,
    "sam-websocket": REST,
    "cloudformation": REST,
}
ONLY_FOR_PACKAGE: Final = "W3002"
"""Says that `aws cloudformation package` must come before a deploy, as the README does."""
VALIDATE: Final = """
import sys
from samcli.cli.main import cli
for path in sys.argv[1:]:
    cli(["validate", "--lint", "--template", path], standalone_mode=False)
"""
"""Runs `sam validate --lint` for each path; to load what it needs takes longer than one of them."""
INTERPRETED: Final = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def text_of(example: str) -> str:
    return (EXAMPLES / example / "template.yaml").read_text("utf-8")


def resources_of(example: str) -> Json:
    return sam_resources(text_of(example))


def authorizer_of(example: str) -> Authorizer:
    stack = attach(stack_of(), EXAMPLES / example / "template.yaml")
    (authorizer,) = read_apis(stack)[-1].authorizers.values()
    return authorizer


@pytest.mark.cfn_lint
def test_the_cloudformation_template_passes_cfn_lint() -> None:
    assert complaints(text_of("cloudformation"), ONLY_FOR_PACKAGE) == []


@pytest.mark.example_tools
def test_the_sam_templates_are_valid_to_sam_and_to_cfn_lint() -> None:
    paths = [str(EXAMPLES / example / "template.yaml") for example in SAM]
    settings = {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    status, said = run([sys.executable, "-c", VALIDATE, *paths], EXAMPLES, **settings)
    assert status == 0, said
    assert said.count("is a valid SAM Template") == len(SAM), said


@pytest.mark.parametrize(("example", "export"), EXPORTS.items())
def test_the_api_s_authorizers_alone_may_invoke_the_import(example: str, export: str) -> None:
    found = permissions(resources_of(example))
    assert list(found) == [export]
    assert is_for_authorizers_only(found[export])


@pytest.mark.parametrize("example", ["sam-rest", "sam-http"])
def test_answers_are_cached_by_the_authorization_header(example: str) -> None:
    authorizer = authorizer_of(example)
    header = IdentitySource(IdentityPlace.HEADER, "Authorization")
    assert authorizer.kind is AuthorizerKind.REQUEST
    assert (list(authorizer.identity_sources), authorizer.ttl_seconds) == ([header], 300)


def test_the_cloudformation_authorizer_is_cached_by_the_authorization_header() -> None:
    (authorizer,) = of_type(resources_of("cloudformation"), "AWS::ApiGateway::Authorizer")
    assert authorizer["Type"] == "REQUEST"
    assert authorizer["IdentitySource"] == "method.request.header.Authorization"
    assert authorizer["AuthorizerResultTtlInSeconds"] == 300


def test_every_cloudformation_method_asks_the_authorizer() -> None:
    methods = list(of_type(resources_of("cloudformation"), "AWS::ApiGateway::Method"))
    asked = [(method["AuthorizationType"], method["AuthorizerId"]) for method in methods]
    assert asked == [("CUSTOM", {"Ref": "Keyscope"})]


def test_the_cloudformation_deployment_waits_for_all_that_it_copies() -> None:
    resources = cast("dict[str, Json]", resources_of("cloudformation"))
    copied = {"AWS::ApiGateway::Method", "AWS::ApiGateway::GatewayResponse"}
    (waits,) = (
        cast("list[str]", each["DependsOn"])
        for each in resources.values()
        if each["Type"] == "AWS::ApiGateway::Deployment"
    )
    assert {name for name, each in resources.items() if each["Type"] in copied} == {*waits}


def test_connecting_a_websocket_asks_the_authorizer() -> None:
    resources = resources_of("sam-websocket")
    (authorizer,) = of_type(resources, "AWS::ApiGatewayV2::Authorizer")
    routes = {route["RouteKey"]: route for route in of_type(resources, "AWS::ApiGatewayV2::Route")}
    assert authorizer["IdentitySource"] == ["route.request.header.Authorization"]
    assert routes["$connect"]["AuthorizationType"] == "CUSTOM"
    assert routes["$connect"]["AuthorizerId"] == {"Ref": "Keyscope"}


def test_every_answer_of_the_sam_rest_api_has_a_body_of_its_own() -> None:
    source = parse_yaml(text_of("sam-rest"))
    responses = source["Resources"]["ProjectsApi"]["Properties"]["GatewayResponses"]
    assert {name: str(each["StatusCode"]) for name, each in responses.items()} == RESPONSES


def test_every_answer_of_the_cloudformation_api_has_a_body_of_its_own() -> None:
    assert gateway_responses(resources_of("cloudformation")) == RESPONSES


@pytest.mark.parametrize("example", ["sam-rest", "other-account"])
def test_a_page_can_read_every_refusal_of_a_sam_rest_api(example: str) -> None:
    source = parse_yaml(text_of(example))
    responses = source["Resources"]["ProjectsApi"]["Properties"]["GatewayResponses"]
    headers = [each["ResponseParameters"]["Headers"] for each in responses.values()]
    assert {each.get("Access-Control-Allow-Origin") for each in headers} == {"'*'"}


def test_a_page_can_read_every_refusal_of_the_cloudformation_api() -> None:
    assert responses_without_cors(resources_of("cloudformation")) == []


def test_a_page_can_read_every_refusal_of_the_sam_http_api() -> None:
    stack = attach(stack_of(), EXAMPLES / "sam-http" / "template.yaml")
    cors = read_apis(stack)[-1].cors
    assert cors is not None
    assert cors.allow_origins == ["*"]


@pytest.mark.parametrize("example", ["sam-rest", "cloudformation"])
def test_usage_plans_go_by_the_authorizer_s_key(example: str) -> None:
    (api,) = of_type(resources_of(example), "AWS::ApiGateway::RestApi")
    assert api["ApiKeySourceType"] == "AUTHORIZER"


def test_what_the_examples_import_is_exported() -> None:
    assert {REST, HTTP} == {f"keyscope-{name}" for name in stack_of().exports}


def test_the_access_map_loads_and_fits() -> None:
    source = ACCESS_MAP.read_text("utf-8")
    names = list(tomllib.loads(source))
    assert prepare_policies(read_access_map(source, names), max_stage_length=10).grants


def test_the_guide_shows_the_access_map_that_is_tested() -> None:
    guide = (EXAMPLES.parent / "docs" / "reference" / "access-map.md").read_text("utf-8")
    shown, *_ = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    assert tomllib.loads(shown) == tomllib.loads(ACCESS_MAP.read_text("utf-8"))


@pytest.mark.parametrize("example", [*EXPORTS, "cdk", "terraform", "serverless"])
def test_an_example_tells_what_to_change_and_how_to_deploy(example: str) -> None:
    text = (EXAMPLES / example / "README.md").read_text("utf-8")
    assert "Change" in text
    assert INTERPRETED.search(text)
