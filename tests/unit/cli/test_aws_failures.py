"""Each AWS error names its remedy."""

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from keyscope_cli.aws import told_failures
from keyscope_cli.failures import ExitStatus, Failure

AWS = "https://lambda.eu-west-1.amazonaws.com/"


def told(error: Exception) -> Failure:
    with pytest.raises(Failure) as failed, told_failures():
        raise error
    assert failed.value.status is ExitStatus.UNAVAILABLE
    return failed.value


def rejected(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


@pytest.mark.parametrize(
    ("error", "message", "remedy"),
    [
        (NoCredentialsError(), "There are no AWS credentials.", "aws sso login"),
        (
            PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            "There are no AWS credentials.",
            "aws configure",
        ),
        (NoRegionError(), "There is no AWS region.", "Set AWS_REGION"),
        (ProfileNotFound(profile="x"), "There is no AWS profile", "aws configure list-profiles"),
        (UnauthorizedSSOTokenError(), "Your AWS sign-in has expired.", "aws sso login"),
        (SSOTokenLoadError(error_msg="x"), "Your AWS sign-in has expired.", "aws sso login"),
        (
            TokenRetrievalError(provider="sso", error_msg="x"),
            "Your AWS sign-in has expired.",
            "aws sso login",
        ),
        (EndpointConnectionError(endpoint_url=AWS), f'"{AWS}"', "Check your network"),
        (
            EndpointConnectionError(endpoint_url="http://127.0.0.1:4000"),
            "The local stack is not running.",
            "keyscope up",
        ),
        (rejected("ExpiredToken"), "Your AWS credentials have expired", "aws sso login"),
        (rejected("InvalidClientTokenId"), "does not accept your credentials", "access key"),
        (
            rejected("AccessDenied", "no cloudformation:DescribeStacks."),
            "AWS denied DescribeStacks. AccessDenied: no cloudformation:DescribeStacks.",
            "Add this permission",
        ),
        (rejected("Throttling", "Rate exceeded"), "Throttling: Rate exceeded.", "Check"),
    ],
)
def test_an_error_says_what_is_wrong_and_what_to_do(
    error: BotoCoreError | ClientError, message: str, remedy: str
) -> None:
    failure = told(error)
    assert message in failure.message
    assert remedy in failure.advice


def test_the_sign_in_is_that_of_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "team a")
    assert "`aws sso login --profile 'team a'`" in told(NoCredentialsError()).advice


@pytest.mark.parametrize(
    ("error", "is_maybe_done"),
    [
        (ReadTimeoutError(endpoint_url=AWS), True),
        (ConnectionClosedError(endpoint_url=AWS), True),
        (EndpointConnectionError(endpoint_url=AWS), False),
        (ConnectTimeoutError(endpoint_url=AWS), False),
        (NoCredentialsError(), False),
    ],
)
def test_only_a_request_that_aws_may_have_received_may_be_done(
    error: BotoCoreError, *, is_maybe_done: bool
) -> None:
    with pytest.raises(Failure) as failed, told_failures("It may have been created."):
        raise error
    assert failed.value.advice.startswith("It may have been created. ") is is_maybe_done
