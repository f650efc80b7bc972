"""The stores of the integration tests, and when they may do without DynamoDB Local."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from moto.dynamodb.models import dynamodb_backends

from keyscope_local.emulators.dynamodb_local import (
    DownloadFailed,
    DynamoDbLocalMissing,
    check_machine,
    libraries_folder,
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
    use_table: str
    expiry_warnings_table: str
    flush_queue_url: str
    environment: Mapping[str, str]


def empty_moto() -> None:
    """Remove all items of moto's tables.

    moto copies a whole table for each part of a transaction, so that every test would cost more
    than the one before it.
    """
    for regions in dynamodb_backends.values():
        for backend in regions.values():
            for table in backend.tables.values():
                table.items.clear()


def download_in_own_process() -> None:
    """Download DynamoDB Local if it is missing, although a test may reach only this machine.

    Raises:
        DownloadFailed: with what the download's process says.
    """
    if libraries_folder().is_dir():
        return
    command = [sys.executable, "-m", "keyscope_local.emulators.dynamodb_local"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode != 0:
        raise DownloadFailed(done.stderr)


def start_or_skip(
    running: ExitStack,
    environment: Mapping[str, str],
    download: Callable[[], None] = download_in_own_process,
) -> str:
    """Start DynamoDB Local and return its endpoint URL, or skip the test with the reason.

    A machine without Java, or without a network, skips. CI with Java must not pass without these
    tests, so there a failed download is a failure.

    Raises:
        DownloadFailed: in CI.
    """
    try:
        check_machine()
        download()
        return running.enter_context(running_dynamodb_local())
    except DynamoDbLocalMissing as missing:
        pytest.skip(str(missing))
    except DownloadFailed as failed:
        if environment.get("CI") == "true":
            raise
        pytest.skip(str(failed))
