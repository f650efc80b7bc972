"""The CDK, Serverless and Terraform examples, by their own tools, without an AWS account."""

import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

import hcl2
import pytest

from keyscope_local.template.intrinsics import Json
from tests.examples.conftest import EXAMPLES
from tests.support.attachments import (
    CORS_PARAMETER,
    HTTP,
    RESPONSES,
    REST,
    gateway_responses,
    is_for_authorizers_only,
    of_type,
    permissions,
    responses_without_cors,
)
from tests.support.commands import run
from tests.support.lint import complaints

pytestmark = pytest.mark.example_tools

TOOLS: Final = Path(__file__).parent
NODE_TOOLS: Final = TOOLS / "node_modules" / ".bin"
PYTHON_TOOLS: Final = TOOLS / ".venv" / "bin"
UNPACKED: Final = TOOLS / ".venv" / "jsii"
"""Where CDK's library, 200 MB, is unpacked once instead of in each run."""
DEPENDS_ON_A_REFERENCE: Final = "W3005"
"""Says that a dependency which both tools write down follows from a reference, too."""
PROVIDERS: Final = Path(os.environ.get("KEYSCOPE_TERRAFORM_PROVIDERS", "/opt/tf-plugins"))
"""A folder with Terraform's AWS provider, 700 MB, which no package registry has."""
NO_NETWORK: Final = {"AWS_EC2_METADATA_DISABLED": "true", "CI": "true"}

needs_node_tools = pytest.mark.skipif(
    not (NODE_TOOLS.exists() and PYTHON_TOOLS.exists() and shutil.which("node")),
    reason="the tools are not installed: `make example-tools`, which needs npm",
)
needs_terraform = pytest.mark.skipif(
    not (shutil.which("terraform") and PROVIDERS.is_dir()),
    reason="needs terraform, and its AWS provider in a folder that KEYSCOPE_TERRAFORM_PROVIDERS"
    " names; what was not checked: the arguments' names and types",
)


def backend_zip(folder: Path) -> Path:
    path = folder / "backend.zip"
    with zipfile.ZipFile(path, "w") as package:
        for source in (EXAMPLES / "backend").glob("*.py"):
            package.write(source, source.name)
    return path


@pytest.fixture(scope="module")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The template that `cdk synth` makes."""
    folder = tmp_path_factory.mktemp("cdk")
    options = ["--output", str(folder), "--quiet", "--no-notices", "--no-version-reporting"]
    path = f"{PYTHON_TOOLS}{os.pathsep}{os.environ['PATH']}"
    settings = {
        "PATH": path,
        "HOME": str(folder),
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(UNPACKED),
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
    }
    status, said = run([str(NODE_TOOLS / "cdk"), "synth", *options], EXAMPLES / "cdk", **settings)
    assert status == 0, said
    return (folder / "keyscope-example-cdk.template.json").read_text("utf-8")


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The template that `serverless package` makes."""
    folder = tmp_path_factory.mktemp("serverless")
    shutil.copy(EXAMPLES / "serverless" / "serverless.yml", folder)
    backend_zip(folder)
    command = [str(NODE_TOOLS / "osls"), "package", "--package", "packaged"]
    status, said = run(command, folder, HOME=str(folder), **NO_NETWORK)
    assert status == 0, said
    return (folder / "packaged/cloudformation-template-update-stack.json").read_text("utf-8")


@pytest.fixture(params=["synthesized", "packaged"])
def template(request: pytest.FixtureRequest) -> str:
    """What each of the tools makes for CloudFormation."""
    made: str = request.getfixturevalue(request.param)
    return made


def resources_of(template: str) -> Json:
    return cast("Json", json.loads(template)["Resources"])


@needs_node_tools
def test_the_tool_s_template_passes_cfn_lint(template: str) -> None:
    assert complaints(template, DEPENDS_ON_A_REFERENCE) == []


@needs_node_tools
def test_the_apis_authorizers_alone_may_invoke_the_imports(template: str) -> None:
    found = permissions(resources_of(template))
    assert {*found} == {REST, HTTP}
    assert all(is_for_authorizers_only(permission) for permission in found.values())


@needs_node_tools
def test_the_rest_authorizer_is_cached_by_the_authorization_header(template: str) -> None:
    (authorizer,) = of_type(resources_of(template), "AWS::ApiGateway::Authorizer")
    assert authorizer["Type"] == "REQUEST"
    assert authorizer["IdentitySource"] == "method.request.header.Authorization"
    assert authorizer["AuthorizerResultTtlInSeconds"] == 300
    assert REST in str(authorizer["AuthorizerUri"])


@needs_node_tools
def test_the_http_authorizer_is_asked_in_format_2_for_a_policy(template: str) -> None:
    (authorizer,) = of_type(resources_of(template), "AWS::ApiGatewayV2::Authorizer")
    assert authorizer["AuthorizerPayloadFormatVersion"] == "2.0"
    assert authorizer["EnableSimpleResponses"] is False
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
    assert authorizer["AuthorizerResultTtlInSeconds"] == 300
    assert HTTP in str(authorizer["AuthorizerUri"])


@needs_node_tools
def test_every_route_asks_an_authorizer(template: str) -> None:
    kinds = ("AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Route")
    asked = [route["AuthorizationType"] for route in of_type(resources_of(template), *kinds)]
    assert asked == ["CUSTOM", "CUSTOM"]


@needs_node_tools
def test_every_answer_of_the_rest_api_has_a_body_of_its_own(template: str) -> None:
    assert gateway_responses(resources_of(template)) == RESPONSES


@needs_node_tools
def test_a_page_can_read_every_refusal_of_both_apis(template: str) -> None:
    assert responses_without_cors(resources_of(template)) == []
    (api,) = of_type(resources_of(template), "AWS::ApiGatewayV2::Api")
    assert cast("Json", api["CorsConfiguration"])["AllowOrigins"] == ["*"]


@needs_node_tools
def test_usage_plans_go_by_the_authorizer_s_key(template: str) -> None:
    (api,) = of_type(resources_of(template), "AWS::ApiGateway::RestApi")
    assert api["ApiKeySourceType"] == "AUTHORIZER"


@needs_terraform
def test_the_terraform_example_is_valid_to_terraform(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "terraform", tmp_path, dirs_exist_ok=True)
    backend_zip(tmp_path)
    options = ["-backend=false", "-input=false", "-no-color", f"-plugin-dir={PROVIDERS}"]
    status, said = run(["terraform", "init", *options], tmp_path)
    assert status == 0, said
    status, said = run(["terraform", "validate", "-no-color"], tmp_path)
    assert status == 0, said


@needs_terraform
def test_the_terraform_example_is_formatted() -> None:
    status, said = run(["terraform", "fmt", "-check"], EXAMPLES / "terraform")
    assert status == 0, said


def terraform_resource(kind: str, name: str) -> Mapping[str, object]:
    """Return a resource's arguments, without the quotes that the parser keeps around texts."""
    texts = [path.read_text("utf-8") for path in (EXAMPLES / "terraform").glob("*.tf")]
    blocks = [block for text in texts for block in hcl2.loads(text)["resource"]]
    bare = json.loads(json.dumps(blocks).replace('\\"', ""))
    (found,) = [block[kind][name] for block in bare if name in block.get(kind, {})]
    return cast("Mapping[str, object]", found)


def test_a_page_can_read_every_refusal_of_terraform_s_apis() -> None:
    answer = terraform_resource("aws_api_gateway_gateway_response", "answer")
    assert CORS_PARAMETER in str(answer["response_parameters"])
    assert "cors_configuration" in terraform_resource("aws_apigatewayv2_api", "projects")


def test_terraform_s_rest_authorizer_is_cached_by_the_authorization_header() -> None:
    authorizer = terraform_resource("aws_api_gateway_authorizer", "keyscope")
    assert authorizer["type"] == "REQUEST"
    assert authorizer["identity_source"] == "method.request.header.Authorization"


def test_terraform_s_http_authorizer_is_asked_in_format_2_for_a_policy() -> None:
    authorizer = terraform_resource("aws_apigatewayv2_authorizer", "keyscope")
    assert authorizer["authorizer_payload_format_version"] == "2.0"
    assert authorizer["enable_simple_responses"] is False
    assert authorizer["identity_sources"] == ["$request.header.Authorization"]


@pytest.mark.parametrize(
    ("name", "api"),
    [
        ("rest_authorizer", "aws_api_gateway_rest_api"),
        ("http_authorizer", "aws_apigatewayv2_api"),
    ],
)
def test_terraform_lets_the_apis_authorizers_alone_invoke_the_alias(name: str, api: str) -> None:
    permission = terraform_resource("aws_lambda_permission", name)
    assert permission["principal"] == "apigateway.amazonaws.com"
    assert permission["source_arn"] == f"${{local.apis_arn}}:${{{api}.projects.id}}/authorizers/*"
    assert "qualifier" in permission


@pytest.mark.parametrize("kind", ["aws_api_gateway_method", "aws_apigatewayv2_route"])
def test_terraform_s_routes_ask_the_authorizer(kind: str) -> None:
    route = terraform_resource(kind, "tenants")
    assert "CUSTOM" in {route.get("authorization"), route.get("authorization_type")}
