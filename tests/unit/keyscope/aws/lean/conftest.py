from collections.abc import Iterator

import pytest

from tests.unit.keyscope.aws.lean.clients import close_all


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    close_all()
