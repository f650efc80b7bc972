"""What `sam build` makes of the template: what the layers hold, and that handlers run on them."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import botocore
import pytest
from cfnlint.api import lint_all

from local.template import environment_of, load_stack

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "layers" / "keyscope" / "python" / "keyscope"
MANAGEMENT_PACKAGES: Final = ("annotated_types", "pydantic", "pydantic_core", "typing_inspection")
MAX_ZIPPED_BYTES: Final = 3 * 1024 * 1024

pytestmark = pytest.mark.build


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    binaries = ROOT / ".venv" / "bin"
    environment = {
        **os.environ,
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    done = subprocess.run(  # noqa: S603 - our own command
        [str(binaries / "sam"), "build", "--build-dir", str(folder / "build")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "build"


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_keyscope_layer_holds_the_package_and_nothing_else(built: Path) -> None:
    sources = {path for path in files_in(PACKAGE) if "__pycache__" not in path}
    assert files_in(built / "KeyscopeLayer") == {f"python/keyscope/{path}" for path in sources}
    assert {Path(path).suffix for path in sources} == {".py", ".toml", ".typed"}


def test_the_dependencies_layer_holds_what_the_runtime_lacks(built: Path) -> None:
    packages = {path.name for path in (built / "DependenciesLayer" / "python").iterdir()}
    assert {name for name in packages if not name.endswith(".dist-info")} == {
        "aws_lambda_powertools",
        "jmespath",
        "jwt",
        "typing_extensions.py",
    }


def test_the_management_layer_holds_what_the_management_function_needs_beside(built: Path) -> None:
    packages = {path.name for path in (built / "ManagementDependenciesLayer" / "python").iterdir()}
    assert {name for name in packages if not name.endswith(".dist-info")} == {*MANAGEMENT_PACKAGES}


def test_the_management_layer_is_compiled_for_lambda(built: Path) -> None:
    layer = files_in(built / "ManagementDependenciesLayer")
    (compiled,) = [path for path in layer if path.endswith(".so")]
    assert compiled.endswith(".cpython-313-aarch64-linux-gnu.so")


def test_the_dependencies_layer_runs_on_any_processor(built: Path) -> None:
    assert [path for path in files_in(built / "DependenciesLayer") if path.endswith(".so")] == []


def test_the_layers_are_small(built: Path, tmp_path: Path) -> None:
    archive = tmp_path / "layers.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for layer in ("KeyscopeLayer", "DependenciesLayer"):
            for path in files_in(built / layer):
                file.write(built / layer / path, path)
    assert archive.stat().st_size < MAX_ZIPPED_BYTES


@pytest.mark.parametrize(
    "function",
    [
        "RestAuthorizerFunction",
        "HttpAuthorizerFunction",
        "ProvisioningFunction",
        "ManagementFunction",
        "CacheFlushFunction",
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


def test_the_built_template_passes_cfn_lint(built: Path) -> None:
    found = lint_all((built / "template.yaml").read_text("utf-8"))
    assert [str(each) for each in found if each.rule.severity == "error"] == []


@pytest.mark.parametrize(
    "function",
    [
        "RestAuthorizerFunction",
        "HttpAuthorizerFunction",
        "ProvisioningFunction",
        "ManagementFunction",
        "CacheFlushFunction",
    ],
)
def test_a_handler_starts_on_the_built_layers_and_the_runtimes_botocore(
    function: str, built: Path, tmp_path: Path
) -> None:
    # What the Lambda runtime brings, and nothing else that is installed here.
    site_packages = Path(botocore.__file__).parent.parent
    names = ["botocore", "urllib3", "dateutil", "six.py"]
    if function == "ManagementFunction":
        # Its own layer's are compiled for Lambda's processor.
        names += MANAGEMENT_PACKAGES
    for name in names:
        (tmp_path / name).symlink_to(site_packages / name)
    layers = [built / layer / "python" for layer in ("KeyscopeLayer", "DependenciesLayer")]
    environment = {
        **environment_of(load_stack(ROOT / "template.yaml"), function),
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONPATH": os.pathsep.join(map(str, [*layers, tmp_path])),
    }
    script = "import sys, app; print(sorted({'cryptography', 'aws_xray_sdk'} & set(sys.modules)))"
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-S", "-c", script],
        cwd=built / function,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
