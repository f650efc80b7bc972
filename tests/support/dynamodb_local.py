"""The stores of the integration tests, and when they may do without DynamoDB Local."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from local.dynamodb_local import (
    DownloadFailed,
    DynamoDbLocalMissing,
    check_machine,
    running_dynamodb_local,
)


@dataclass(frozen=True, slots=True)
class Store:
    """The template's tables at one endpoint, its flush queue, and a KMS key.

    `environment` points botocore, and a function, at all of them. Tables are shared by all tests
    of a session: ids are random, so tests do not meet unless they share one.
    """

    dynamodb_url: str
    kms_url: str
    kms_key_arn: str
    keys_table: str
    directory_table: str
    flush_queue_url: str
    environment: Mapping[str, str]


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
