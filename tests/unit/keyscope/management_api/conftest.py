"""The management API over a directory in memory, and a caller with a new account's key."""

import time

import pytest

from keyscope.entry.management import ManagementHandler
from keyscope.lifecycle.operations import Provisioning
from tests.support.directories import Operations
from tests.support.management import Caller, handler_over, new_caller


@pytest.fixture(scope="module")
def provisioning() -> Provisioning:
    return Operations(time.time).provisioning()


@pytest.fixture(scope="module")
def handler(provisioning: Provisioning) -> ManagementHandler:
    return handler_over(provisioning)


@pytest.fixture
def caller(handler: ManagementHandler, provisioning: Provisioning) -> Caller:
    return new_caller(handler, provisioning)
