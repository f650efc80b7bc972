"""The default stack with an API behind its authorizer, and what each client gets of it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import pytest

from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope_local.emulators.embedded_aws import embedded_aws
from keyscope_local.invoke import provisioning_environment
from keyscope_local.running_stack import loaded_stack, served_stack
from keyscope_local.tour.seed import SeededStore, local_provisioning, seed
from tests.clients import client_programs
from tests.clients.credentials import Credential, ids, invalid_credentials, valid_credentials
from tests.clients.downstream import answer
from tests.support.stacks import stack_of

BACKEND: Final = "EchoFunction"
"""The function of the REST API that the downstream API takes the place of."""


@dataclass(frozen=True)
class Api:
    """The URL of the REST API, and a way to fill an account of one's own behind it."""

    url: str
    account: Callable[[], SeededStore]


@pytest.fixture(scope="package")
def api() -> Iterator[Api]:
    """Serve the stack to the files of this folder only: it changes the process's environment."""
    stack = stack_of()
    with embedded_aws(stack) as aws, loaded_stack(stack, aws) as loaded:
        operations = local_provisioning(provisioning_environment(stack, aws))
        backend = replace(loaded.functions[BACKEND], handler=answer)
        behind = replace(loaded, functions={**loaded.functions, BACKEND: backend})
        with served_stack(behind, 0) as served:
            yield Api(served.urls[0], lambda: account_with_a_full_app(operations))


def account_with_a_full_app(operations: Provisioning) -> SeededStore:
    """Fill an account, and let the app of its service account have ten keys.

    Clients that created as many would take seconds.
    """
    store = seed(operations)
    for _ in range(10):
        operations.create_key(OwnerType.APP, store.service_account_app_id, KeyRequest())
    return store


@dataclass(frozen=True)
class Report:
    """How a program's calls ended, and the credentials that it made them with."""

    program: client_programs.Program
    credentials: Mapping[str, Credential]
    outcomes: list[client_programs.Outcome]


def report_of(
    program: client_programs.Program, api: Api, more: Callable[[SeededStore], list[Credential]]
) -> Report:
    """Run a program, with more credentials than those of each kind, or skip the test."""
    if (reason := program.missing()) is not None:
        pytest.skip(reason)
    store, stranger = api.account(), api.account()
    credentials = [*valid_credentials(store), *more(store), *invalid_credentials(store)]
    document = {
        "url": api.url,
        "ids": ids(store, stranger),
        "credentials": [each.as_json() for each in credentials],
    }
    return Report(
        program, {each.name: each for each in credentials}, client_programs.run(program, document)
    )


@pytest.fixture(scope="package", params=client_programs.ALL, ids=lambda program: program.name)
def report(request: pytest.FixtureRequest, api: Api) -> Report:
    """What came of each program, which runs once."""
    return report_of(request.param, api, lambda _: [])
