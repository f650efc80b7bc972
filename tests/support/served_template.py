"""The template's own stack with its real functions, over HTTP."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from keyscope.lifecycle.operations import Provisioning
from keyscope_local.emulators.embedded_aws import embedded_aws
from keyscope_local.invoke import provisioning_environment
from keyscope_local.running_stack import loaded_stack, polled_stack, served_stack
from keyscope_local.tour.seed import local_provisioning
from tests.support.stacks import stack_of


@dataclass(frozen=True)
class ServedTemplate:
    """The URLs of the REST API and, if it is there, the HTTP API, and the operations behind."""

    urls: list[str]
    operations: Provisioning


@contextmanager
def served_template(
    parameters: Mapping[str, str], *, polled: bool = False
) -> Iterator[ServedTemplate]:
    """Serve the stack over an empty store; `polled` tells whether its queues are polled."""
    stack = stack_of(parameters)
    with embedded_aws(stack) as aws, loaded_stack(stack, aws) as loaded:
        operations = local_provisioning(provisioning_environment(stack, aws))
        with (
            served_stack(loaded, 0) as served,
            polled_stack(loaded) if polled else nullcontext(),
        ):
            yield ServedTemplate(served.urls, operations)
