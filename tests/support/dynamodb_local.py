"""When tests may do without DynamoDB Local, and when they must not."""

from collections.abc import Mapping
from contextlib import ExitStack

import pytest

from local.dynamodb_local import (
    DownloadFailed,
    DynamoDbLocalMissing,
    check_machine,
    running_dynamodb_local,
)


def start_or_skip(running: ExitStack, environment: Mapping[str, str]) -> str:
    """Start DynamoDB Local and return its endpoint URL, or skip the test with the reason.

    A machine without Java or Maven, or without a network, skips. CI with both must not pass
    without these tests, so there a failed download is a failure.

    Raises:
        DownloadFailed: in CI.
    """
    try:
        check_machine()
        return running.enter_context(running_dynamodb_local())
    except DynamoDbLocalMissing as missing:
        pytest.skip(str(missing))
    except DownloadFailed as failed:
        if environment.get("CI") == "true":
            raise
        pytest.skip(str(failed))
