"""What importing the package loads: every module of it is paid for at cold start."""

import json
import subprocess
import sys

import pytest

LIST_MODULES = "import json, sys, {}; print(json.dumps(sorted(sys.modules)))"
AWS = {"boto3", "botocore", "aws_lambda_powertools"}


def modules_after_importing(module: str) -> set[str]:
    command = [sys.executable, "-c", LIST_MODULES.format(module)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 - ours
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "module",
    [
        "keyscope.authorize.pipeline",
        "keyscope.entry.settings",
        "keyscope.lifecycle.provisioning_request",
    ],
)
def test_the_core_loads_no_aws_sdk_and_no_powertools(module: str) -> None:
    assert not modules_after_importing(module) & AWS


def test_an_authorizer_loads_neither_an_aws_sdk_nor_what_only_others_need() -> None:
    loaded = modules_after_importing("keyscope.entry.authorizer")
    assert not loaded & {
        "aws_lambda_powertools",
        "boto3",
        "botocore",
        "urllib3",
        "jwt",
        "keyscope.aws.dynamodb.directory_table",
        "keyscope.aws.flush_queue",
        "keyscope.explain.explanation",
        "keyscope.access.policy_evaluation",
        "keyscope.lifecycle.provisioning_request",
    }


@pytest.mark.parametrize(
    "module",
    [
        "keyscope.access.policy",
        "keyscope.authorize.pipeline",
        "keyscope.authorize.key_cache",
        "keyscope.entry.settings",
    ],
)
def test_what_an_authorizer_shares_with_no_sdk_loads_nothing_that_is_slow_to_load(
    module: str,
) -> None:
    """`dataclasses` and what it imports take a tenth of a cold start, for nothing."""
    loaded = modules_after_importing(module)
    assert not loaded & {"dataclasses", "inspect", "ast", "jwt", "traceback", "urllib.request"}
