"""The projects API of the examples behind the real authorizers, on this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from local.emulators.embedded_aws import embedded_aws
from local.invoke import provisioning_environment
from local.running_stack import loaded_stack, served_stack
from local.template.access_map_file import with_access_map
from local.template.attached import attach
from local.tour.seed import SeededStore, local_provisioning, seed
from tests.support.stacks import stack_of

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
ACCESS_MAP: Final = EXAMPLES / "access-map" / "projects.toml"


@dataclass(frozen=True)
class ServedProjects:
    """The URL of an example's API, a filled account, and another one."""

    url: str
    store: SeededStore
    stranger: SeededStore


@pytest.fixture(scope="module", params=["sam-rest", "sam-http"])
def projects(request: pytest.FixtureRequest) -> Iterator[ServedProjects]:
    keyscope = with_access_map(stack_of({"AccessMapRoutes": "projects"}), ACCESS_MAP)
    stack = attach(keyscope, EXAMPLES / request.param / "template.yaml")
    with embedded_aws(stack) as aws, loaded_stack(stack, aws) as loaded:
        operations = local_provisioning(provisioning_environment(stack, aws))
        store, stranger = seed(operations), seed(operations)
        with served_stack(loaded, 0) as served:
            yield ServedProjects(served.urls[-1], store, stranger)
