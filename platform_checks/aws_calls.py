"""AWS calls that report a failure in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    WaiterError,
)

_DENIED: Final = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_EXPIRED: Final = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId"}


class AwsRefused(Exception):  # noqa: N818 - a state
    """An AWS call failed; the text says which, why, and what to do. It contains no credential."""


@contextmanager
def told(purpose: str) -> Iterator[None]:
    """Raise a failure inside as `AwsRefused`; `purpose` completes "Cannot ...".

    Raises:
        AwsRefused: a call failed.
        WaiterError: the awaited state was not reached; only the caller knows why it matters.
    """
    try:
        yield
    except WaiterError:
        raise
    except ClientError as error:
        message = f"Cannot {purpose}: {_reason(error)}"
        raise AwsRefused(message) from error
    except NoCredentialsError as error:
        message = f"Cannot {purpose}: no AWS credentials were found. Set AWS_PROFILE, for example"
        raise AwsRefused(message) from error
    except NoRegionError as error:
        message = f"Cannot {purpose}: no region was found. Set AWS_REGION"
        raise AwsRefused(message) from error
    except BotoCoreError as error:
        message = f"Cannot {purpose}: {type(error).__name__}"
        raise AwsRefused(message) from error


def is_not_there(error: ClientError) -> bool:
    """Return whether CloudFormation reports that there is no such stack."""
    told_by = error.response["Error"]
    return told_by["Code"] == "ValidationError" and "does not exist" in told_by["Message"]


def _reason(error: ClientError) -> str:
    code = str(error.response["Error"]["Code"])
    if code in _DENIED:
        return (
            f"{error.operation_name} is not allowed;"
            " docs/reference/platform-facts.md lists the permissions"
        )
    if code in _EXPIRED:
        return "the AWS credentials have expired or are no longer valid. Sign in again"
    return f"{error.operation_name} answered {code}: {error.response['Error'].get('Message', '')}"
