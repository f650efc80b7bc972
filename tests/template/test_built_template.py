"""What `sam build` makes of the template, and that handlers run on the layers."""

import json
import os
import re
import ssl
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import botocore
import pytest
from OpenSSL import crypto

from keyscope.lifecycle.operations import KeyRequest
from keyscope.model.ids import OwnerType
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from keyscope_local.emulators.embedded_aws import EmbeddedAws, embedded_aws
from keyscope_local.invoke import provisioning_environment
from keyscope_local.template.stack import environment_of
from keyscope_local.template.yaml_reader import parse_yaml
from keyscope_local.tour.event_values import bearer
from keyscope_local.tour.seed import local_provisioning, seed
from tests.support.builders import rest_request_event
from tests.support.commands import run
from tests.support.management import V2, proxy_event
from tests.support.stacks import stack_of

pytestmark = pytest.mark.build

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "layers" / "keyscope" / "python" / "keyscope"

RUNTIMES_PACKAGES: Final = ("botocore", "urllib3", "dateutil", "six.py")
"""What the Lambda runtime brings."""
LAYERS_OF_AUTHORIZERS: Final = ("KeyscopeLayer",)
REGION: Final = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
ANSWER_ONE_EVENT: Final = """
import json, sys, types, app
answer = app.handler(json.load(sys.stdin), types.SimpleNamespace(aws_request_id="invocation-1"))
unwanted = {"boto3", "botocore", "aws_lambda_powertools", "aws_xray_sdk", "cryptography"}
loaded = sorted(unwanted & {*sys.modules})
print(json.dumps({"scope": answer["context"]["scope"], "loaded": loaded}))
"""


ANSWER_EVENTS: Final = """
import json, sys, types, app, pydantic
context = types.SimpleNamespace(aws_request_id="invocation-1")
answers = [app.handler(event, context)["statusCode"] for event in json.load(sys.stdin)]
print(json.dumps({"answers": answers, "pydantic": pydantic.VERSION}))
"""


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def sources_in(folder: Path) -> set[str]:
    return {path for path in files_in(folder) if "__pycache__" not in path}


ROOTS: Final = "python/keyscope/aws/lean/roots/"
CHECKED: Final = "python/keyscope/access/scopes.checked.json"


def test_the_keyscope_layer_holds_the_package_its_checked_map_certificates_and_nothing_else(
    built: Path,
) -> None:
    sources = sources_in(PACKAGE)
    held = {path for path in sources_in(built / "KeyscopeLayer") if not path.startswith(ROOTS)}
    assert held == {*(f"python/keyscope/{path}" for path in sources), CHECKED}
    assert {Path(path).suffix for path in sources} == {".py", ".toml", ".typed"}


def installed(layer: str, folder: Path) -> Path:
    """Install what a layer's requirements pin into a folder, for the Python that runs here.

    The layer itself is compiled for Lambda's, and the tools installed here may need other versions.
    """
    requirements = ROOT / "layers" / layer / "requirements.txt"
    command = ("uv", "pip", "install", "--quiet", "--no-deps", "--python", sys.executable)
    options = ("--requirements", str(requirements), "--target", str(folder))
    assert run([*command, *options], ROOT) == (0, "")
    return folder


def test_openssl_finds_each_of_botocores_certificates_in_the_keyscope_layer(
    built: Path, tmp_path: Path
) -> None:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.load_verify_locations(installed("keyscope", tmp_path) / "botocore" / "cacert.pem")
    roots = sorted((built / "KeyscopeLayer" / ROOTS).iterdir())
    held = {ssl.PEM_cert_to_DER_cert(path.read_text("ascii")) for path in roots}
    assert held == set(found.get_ca_certs(binary_form=True))
    named = {path.name.partition(".")[0]: path for path in roots}
    assert len(named) > 100
    for name, path in named.items():
        certificate = crypto.load_certificate(crypto.FILETYPE_PEM, path.read_bytes())
        assert f"{certificate.subject_name_hash():08x}" == name


def test_the_management_layer_is_compiled_for_lambda(built: Path) -> None:
    layer = files_in(built / "PydanticLayer")
    (compiled,) = [path for path in layer if path.endswith(".so")]
    assert compiled.endswith(".cpython-313-aarch64-linux-gnu.so")


def test_the_layer_of_powertools_runs_on_any_processor(built: Path) -> None:
    assert [path for path in files_in(built / "PowertoolsLayer") if path.endswith(".so")] == []


@pytest.mark.parametrize(
    "function",
    [
        "RestAuthorizerFunction",
        "HttpAuthorizerFunction",
        "ProvisioningFunction",
        "ManagementFunction",
        "ExplanationFunction",
        "CacheFlushFunction",
        "KeyUseFunction",
        "ExpirySweepFunction",
        "EchoFunction",
        "HttpEchoFunction",
    ],
)
def test_a_function_holds_its_handler_and_nothing_else(function: str, built: Path) -> None:
    assert files_in(built / function) == {"app.py"}


def test_the_console_function_holds_its_handler_and_the_pages_files(built: Path) -> None:
    static = ROOT / "functions/console/static"
    assert files_in(built / "ConsoleFunction") == {
        "app.py",
        *(f"static/{path.name}" for path in static.iterdir()),
    }


def test_the_built_template_has_no_aliases_which_cloudformation_refuses(built: Path) -> None:
    text = (built / "template.yaml").read_text("utf-8")
    assert re.findall(r"^\s*[\w.-]+: [&*]\w+", text, re.MULTILINE) == []


def test_the_built_template_is_the_linted_one_with_other_paths_of_code(built: Path) -> None:
    expected, found = (
        parse_yaml((folder / "template.yaml").read_text("utf-8")) for folder in (ROOT, built)
    )
    for name, resource in expected["Resources"].items():
        path = {
            "AWS::Serverless::Function": "CodeUri",
            "AWS::Serverless::LayerVersion": "ContentUri",
        }.get(resource["Type"])
        if path:
            resource["Properties"][path] = name
            resource["Metadata"] = {**resource.get("Metadata", {}), "SamResourceId": name}
    assert found == expected


def run_on_layers(
    built: Path, function: str, script: str, environment: Mapping[str, str], event: str = ""
) -> tuple[str, str]:
    """Run a script with a function's code and nothing that is installed here but `environment`'s.

    Returns:
        What it wrote to standard output and to standard error.
    """
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-S", "-B", "-c", script],
        cwd=built / function,
        env={**environment_of(stack_of(), function), **environment},
        input=event,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, done.stderr


def path_of(*folders: Path) -> str:
    return os.pathsep.join(map(str, folders))


@pytest.fixture(scope="module")
def python_path(built: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The layers, and what the Lambda runtime brings, for the Python that runs here."""
    folder = installed("pydantic", tmp_path_factory.mktemp("packages"))
    for name in RUNTIMES_PACKAGES:
        (folder / name).symlink_to(Path(botocore.__file__).parent.parent / name)
    layers = [built / layer / "python" for layer in ("KeyscopeLayer", "PowertoolsLayer")]
    return path_of(*layers, folder)


@pytest.mark.parametrize(
    "function",
    [
        "ProvisioningFunction",
        "ManagementFunction",
        "ExplanationFunction",
        "CacheFlushFunction",
        "KeyUseFunction",
        "ExpirySweepFunction",
    ],
)
def test_a_handler_starts_on_the_built_layers_and_the_runtimes_botocore(
    function: str, built: Path, python_path: str
) -> None:
    environment = {**REGION, "PYTHONPATH": python_path}
    assert run_on_layers(built, function, "import app", environment) == ("", "")


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    with embedded_aws(stack_of()) as running:
        yield running


@pytest.mark.parametrize("claims", [{"scope": "app"}, {"scope": "appUser", "userId": "user-1"}])
def test_an_authorizer_answers_with_nothing_but_its_layers(
    claims: dict[str, str], built: Path, aws: EmbeddedAws
) -> None:
    stack = stack_of()
    key = seed(local_provisioning(provisioning_environment(stack, aws))).app_key
    layers = [built / layer / "python" for layer in LAYERS_OF_AUTHORIZERS]
    output, errors = run_on_layers(
        built,
        "RestAuthorizerFunction",
        ANSWER_ONE_EVENT,
        {**aws.environment, "PYTHONPATH": path_of(*layers)},
        json.dumps(rest_request_event(bearer(key, claims))),
    )
    answered = json.loads(output.splitlines()[-1])
    assert (answered["scope"], answered["loaded"], errors) == (claims["scope"], [], "")


def test_the_management_function_answers_with_the_pydantic_of_its_layer(
    built: Path, aws: EmbeddedAws, python_path: str
) -> None:
    stack = stack_of()
    provisioning = local_provisioning(provisioning_environment(stack, aws))
    account, created = provisioning.create_account("Acme", KeyRequest())
    caller = Principal(
        Scope.ACCOUNT, created.key.key_id, OwnerType.ACCOUNT, account.owner_id
    ).context()
    events = [
        proxy_event("POST", V2, caller, json.dumps(body))
        for body in ({"displayName": "Shop"}, {"displayName": ["no text"]})
    ]
    output, errors = run_on_layers(
        built,
        "ManagementFunction",
        ANSWER_EVENTS,
        {**aws.environment, "PYTHONPATH": python_path},
        json.dumps(events),
    )
    assert errors == ""
    locked = tomllib.loads((ROOT / "layers/uv.lock").read_text("utf-8"))["package"]
    (version,) = [each["version"] for each in locked if each["name"] == "pydantic"]
    answered = json.loads(output.splitlines()[-1])
    assert answered == {"answers": [201, 400], "pydantic": version}
