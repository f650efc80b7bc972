"""AWS with the credentials of the person who runs a command, or the emulated AWS of a local run."""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    ResponseStreamingError,
    SSOError,
    TokenRetrievalError,
)
from botocore.session import Session

from keyscope.aws.calls import error_code
from keyscope_cli.failures import ExitStatus, Failure

_CONFIG = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 3}
)
# Retrying an invocation that creates something could create two, so each function is invoked once.
_ONCE = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 1}
)
_DENIED: Final = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
}
_EXPIRED: Final = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN: Final = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "AuthFailure",
}
_MAYBE_RECEIVED: Final = (ReadTimeoutError, ConnectionClosedError, ResponseStreamingError)
"""The errors after which AWS may have received the request."""
_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class Aws:
    """Creates clients from the usual environment, or only from the variables of a local run.

    `region` takes the place of the environment's.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    region: str | None = None
    _session: Session = field(default_factory=Session)

    def client(self, name: str) -> Any:  # noqa: ANN401 - botocore ships no types
        """Create a client of an AWS service, by the service's name in botocore.

        Raises:
            Failure: no region is set.
        """
        local = self.variables
        # botocore alone reads only AWS_DEFAULT_REGION; the other SDKs read this variable, too.
        settings: dict[str, Any] = {"region_name": self.region or os.environ.get("AWS_REGION")}
        if local:
            settings = {
                "region_name": local["AWS_REGION"],
                "aws_access_key_id": local["AWS_ACCESS_KEY_ID"],
                "aws_secret_access_key": local["AWS_SECRET_ACCESS_KEY"],
                "endpoint_url": local.get(f"AWS_ENDPOINT_URL_{name.upper()}")
                or local["AWS_ENDPOINT_URL"],
            }
        with told_failures():
            # A local stack that does not respond is not running.
            config = _ONCE if local or name == "lambda" else _CONFIG
            return cast("Any", self._session.create_client(name, config=config, **settings))


@contextmanager
def told_failures(unanswered: str = "") -> Iterator[None]:
    """Turn an AWS error into a `Failure` that says what to do.

    `unanswered` is what to do first if AWS may have received the request, but did not respond.
    """
    try:
        yield
    except ClientError as error:
        raise _rejected(error) from None
    except BotoCoreError as error:
        message, advice = without_response(error)
        if isinstance(error, _MAYBE_RECEIVED):
            advice = f"{unanswered} {advice}".lstrip()
        raise Failure(ExitStatus.UNAVAILABLE, message, advice) from None


def _rejected(error: ClientError) -> Failure:
    """Return what an error response of AWS means, and what to do."""
    code, operation = error_code(error), error.operation_name
    why = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
    told = f"{code}: {why}" if why else code
    if code in _EXPIRED:
        message, advice = f"Your AWS credentials have expired ({code}).", _log_in()
    elif code in _UNKNOWN:
        message = f"AWS does not accept your credentials ({code})."
        advice = f"Check the access key and AWS_PROFILE. {_log_in()}"
    elif code in _DENIED:
        message = f"AWS denied {operation}. {told}."
        advice = (
            "Add this permission to your AWS identity, or use another one (AWS_PROFILE)."
            " docs/reference/command-line.md lists the permissions that each command needs."
        )
    else:
        message = f"AWS rejected {operation}. {told}."
        advice = "Check AWS_PROFILE, AWS_REGION and the stack's name."
    return Failure(ExitStatus.UNAVAILABLE, message, advice)


def without_response(error: BotoCoreError) -> tuple[str, str]:
    """Return what an error without a response of AWS means, and what to do."""
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            message = "There are no AWS credentials."
            advice = f"{_log_in()} For the local stack, which needs none, add --local."
        case SSOError() | TokenRetrievalError():
            message, advice = "Your AWS sign-in has expired.", _log_in()
        case NoRegionError():
            message = "There is no AWS region."
            advice = "Set AWS_REGION, for example to eu-west-1, or a region in your profile."
        case ProfileNotFound():
            message = f"There is no AWS profile {os.environ.get('AWS_PROFILE', '')!r}."
            advice = "Check AWS_PROFILE. `aws configure list-profiles` shows the profiles."
        case EndpointConnectionError() if _is_local(error):
            message = "The local stack is not running."
            advice = (
                "Start it with `keyscope up`. If it is running, use --session FILE with the session"
                " file that it names."
            )
        case EndpointConnectionError():
            message = f"Cannot connect to AWS. {error}"
            advice = "Check your network, any proxy, and AWS_REGION."
        case _:
            message = f"The call to AWS failed: {error}"
            advice = "Check your network, AWS_PROFILE and AWS_REGION."
    return message, advice


def _log_in() -> str:
    profile = os.environ.get("AWS_PROFILE")
    command = f"aws sso login --profile {shlex.quote(profile)}" if profile else "aws sso login"
    return f"Sign in with `{command}`, or set up credentials with `aws configure`."


def _is_local(error: EndpointConnectionError) -> bool:
    return urlsplit(str(error.kwargs.get("endpoint_url", ""))).hostname in _LOOPBACK
