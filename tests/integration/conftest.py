"""DynamoDB, by moto and by Amazon's DynamoDB Local, with the template's own tables."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from keyscope.lifecycle.operations import Provisioning
from keyscope_local.emulators.embedded_aws import (
    DYNAMODB_ENDPOINT_VARIABLE,
    EmbeddedAws,
    embedded_aws,
)
from keyscope_local.emulators.tables import create_tables
from keyscope_local.template.stack import Stack, physical_id_of
from tests.support.builders import NOW
from tests.support.dynamodb_local import Store, empty_moto, start_or_skip
from tests.support.operations import operations_over
from tests.support.stacks import stack_of
from tests.support.stores import SteppedClock


@pytest.fixture(scope="session")
def stack() -> Stack:
    return stack_of()


@pytest.fixture(scope="session")
def dynamodb_local(stack: Stack) -> Iterator[str]:
    with ExitStack() as running:
        url = start_or_skip(running, os.environ)
        create_tables(stack, url)
        yield url


# moto has one store a process, so one that outlived its module would be there for all tests.
@pytest.fixture(scope="module")
def moto(stack: Stack) -> Iterator[EmbeddedAws]:
    with embedded_aws(stack) as aws:
        yield aws


@pytest.fixture
def emptied(moto: EmbeddedAws) -> Iterator[None]:
    """Empty moto's tables after the test, for files whose tests share no owner and no key."""
    del moto
    yield
    empty_moto()


@pytest.fixture(scope="module")
def moto_store(stack: Stack, moto: EmbeddedAws) -> Store:
    return _store(stack, moto, moto.environment[DYNAMODB_ENDPOINT_VARIABLE])


@pytest.fixture(scope="module")
def dynamodb_local_store(stack: Stack, moto: EmbeddedAws, dynamodb_local: str) -> Store:
    return _store(stack, moto, dynamodb_local)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("moto_store", id="moto"),
        pytest.param("dynamodb_local_store", id="dynamodb-local", marks=pytest.mark.dynamodb_local),
    ],
)
def store(request: pytest.FixtureRequest) -> Store:
    # Asked for by name, so that moto's half runs where DynamoDB Local cannot.
    chosen: Store = request.getfixturevalue(request.param)
    return chosen


def _store(stack: Stack, moto: EmbeddedAws, dynamodb_url: str) -> Store:
    return Store(
        dynamodb_url=dynamodb_url,
        kms_url=moto.endpoint_url,
        kms_key_arn=moto.kms_key_arn,
        keys_table=physical_id_of(stack, "KeysTable"),
        directory_table=physical_id_of(stack, "DirectoryTable"),
        use_table=physical_id_of(stack, "UseTable"),
        expiry_warnings_table=physical_id_of(stack, "ExpiryWarningsTable"),
        flush_queue_url=physical_id_of(stack, "FlushQueue"),
        environment={**moto.environment, DYNAMODB_ENDPOINT_VARIABLE: dynamodb_url},
    )


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(NOW)


@pytest.fixture
def operations(store: Store, clock: SteppedClock) -> Provisioning:
    return operations_over(store, clock)
