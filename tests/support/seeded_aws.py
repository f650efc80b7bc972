"""An embedded AWS with one of everything in it, and the environment of functions over it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from keyscope.lifecycle.operations import Provisioning
from keyscope_local.emulators.embedded_aws import embedded_aws
from keyscope_local.template.stack import physical_id_of
from keyscope_local.tour.seed import SeededStore, local_provisioning, seed
from tests.support.stacks import stack_of


@dataclass(frozen=True)
class Context:
    """What Lambda tells of an invocation."""

    aws_request_id: str = "invocation-1"


@dataclass(frozen=True)
class SeededAws:
    """`variables` are those of the functions' settings; botocore's are in the environment."""

    variables: Mapping[str, str]
    operations: Provisioning
    keys: SeededStore = field(repr=False)


@contextmanager
def seeded_aws() -> Iterator[SeededAws]:
    """Run it; functions that are made meanwhile reach it."""
    stack = stack_of()
    with embedded_aws(stack) as aws, pytest.MonkeyPatch.context() as patched:
        for name, value in aws.environment.items():
            patched.setenv(name, value)
        variables = {
            "KEYSCOPE_KEYS_TABLE": physical_id_of(stack, "KeysTable"),
            "KEYSCOPE_DIRECTORY_TABLE": physical_id_of(stack, "DirectoryTable"),
            "KEYSCOPE_EXPIRY_WARNINGS_TABLE": physical_id_of(stack, "ExpiryWarningsTable"),
            "KEYSCOPE_USE_TABLE": physical_id_of(stack, "UseTable"),
            "KEYSCOPE_FLUSH_QUEUE_URL": physical_id_of(stack, "FlushQueue"),
            "KEYSCOPE_KMS_KEY_ARN": aws.kms_key_arn,
        }
        operations = local_provisioning({**aws.environment, **variables})
        yield SeededAws(variables, operations, seed(operations))
