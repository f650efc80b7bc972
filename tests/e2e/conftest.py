"""What tests of whole stacks share."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from botocore.loaders import JSONFileLoader

from tests.support.described_aws import DESCRIBED_AWS


@pytest.fixture(scope="session", autouse=True)
def _aws_is_described_once() -> Iterator[None]:
    with patch.object(JSONFileLoader, "load_file", DESCRIBED_AWS):
        yield
