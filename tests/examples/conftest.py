"""The projects API of the examples behind the real authorizers, on this machine."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from keyscope_local.emulators.embedded_aws import embedded_aws
from keyscope_local.gateway.api_definition import Api
from keyscope_local.invoke import provisioning_environment
from keyscope_local.running_stack import loaded_stack, served_stack
from keyscope_local.template.access_map_file import with_access_map
from keyscope_local.template.attached import attach
from keyscope_local.tour.seed import SeededStore, local_provisioning, seed
from tests.support.stacks import stack_of

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
ACCESS_MAP: Final = EXAMPLES / "access-map" / "projects.toml"


@dataclass(frozen=True)
class ServedProjects:
    """An example's API, its URL, a filled account, and another one."""

    api: Api
    url: str
    store: SeededStore
    stranger: SeededStore


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("sam-rest", "python3.13"), id="REST, Python"),
        pytest.param(
            ("sam-http", "nodejs22.x"),
            id="HTTP, Node.js",
            marks=pytest.mark.skipif(not shutil.which("node"), reason="needs node"),
        ),
    ],
)
def projects(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedProjects]:
    example, runtime = request.param
    text = (EXAMPLES / example / "template.yaml").read_text("utf-8")
    template = tmp_path_factory.mktemp("example") / "template.yaml"
    text = text.replace("../backend", str(EXAMPLES / "backend"))
    # On a busy machine, even a short function can take longer than Lambda's default of 3 s.
    text = text.replace("Runtime: python3.13", f"Runtime: {runtime}\n      Timeout: 60")
    template.write_text(text, "utf-8")
    keyscope = with_access_map(stack_of({"AccessMapRoutes": "projects"}), ACCESS_MAP)
    stack = attach(keyscope, template)
    with embedded_aws(stack) as aws, loaded_stack(stack, aws) as loaded:
        operations = local_provisioning(provisioning_environment(stack, aws))
        store, stranger = seed(operations), seed(operations)
        with served_stack(loaded, 0) as served:
            yield ServedProjects(served.gateways[-1].api, served.urls[-1], store, stranger)
