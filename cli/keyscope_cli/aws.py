"""AWS with the credentials of the person who runs a command, or the emulated AWS of a local run."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
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
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}


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
            config = _ONCE if name == "lambda" else _CONFIG
            return cast("Any", self._session.create_client(name, config=config, **settings))


@contextmanager
def told_failures(unanswered: str = "") -> Iterator[None]:
    """Turn an AWS error into a `Failure` that says what to do.

    `unanswered` is what to do first if there was no response.
    """
    try:
        yield
    except NoCredentialsError:
        advice = "Log in (`aws sso login`, `aws configure`), or set AWS_PROFILE."
        raise Failure(ExitStatus.UNAVAILABLE, "There are no AWS credentials.", advice) from None
    except NoRegionError:
        advice = "Set AWS_REGION, or a region in the profile."
        raise Failure(ExitStatus.UNAVAILABLE, "No AWS region is set.", advice) from None
    except ClientError as error:
        code = error_code(error)
        message = f"AWS refused {error.operation_name}: {code}."
        advice = (
            "Your AWS credentials lack the permission;"
            " docs/reference/command-line.md lists those needed."
            if code in _DENIED
            else "Look at AWS_PROFILE, AWS_REGION and the stack's name."
        )
        raise Failure(ExitStatus.UNAVAILABLE, message, advice) from None
    except BotoCoreError as error:
        message = f"AWS could not be asked: {type(error).__name__}."
        advice = "Look at the network, AWS_PROFILE and AWS_REGION; with --local, at `make run`."
        advice = f"{unanswered} {advice}".lstrip()
        raise Failure(ExitStatus.UNAVAILABLE, message, advice) from None
