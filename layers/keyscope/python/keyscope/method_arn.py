"""The method ARN, read by position (HTTP APIs call it route ARN).

    arn:PARTITION:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH

Only what stands before the method is taken from it: a policy never depends on the method or path
that was asked for, because API Gateway applies it to later requests too.
"""

import re
from dataclasses import dataclass

from keyscope.errors import Reason, Unavailable

_LONGEST_ARN_WITHOUT_STAGE = (
    "arn:aws-iso-f:execute-api:us-isof-south-1:123456789012:abcdefghij/"  # botocore's endpoint data
)
MAX_STAGE_LENGTH = 128
"""Characters of a stage name (API Gateway, CreateStage)."""

_METHOD_ARN = re.compile(
    r"(?P<api>arn:aws[a-z-]*:execute-api:[a-z]{2}[a-z0-9-]*:[0-9]{12}:[A-Za-z0-9]+)"
    r"/(?P<stage>[A-Za-z0-9_-]+|\$default)/.*",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ApiStage:
    """The stage of an API that a policy is for; `arn` ends before the slash and the method."""

    arn: str

    def resource(self, method_and_path: str) -> str:
        """Return the ARN of a method and path pattern of this stage, such as `GET/v2/apps`."""
        return f"{self.arn}/{method_and_path}"

    def any_path(self, pattern: str) -> str:
        """Return the ARN of a pattern such as `*/..*`, whatever comes before, for a Deny alone.

        It names no API, which makes it short; API Gateway's own examples do so.
        """
        partition = self.arn.split(":", 2)[1]
        return f"arn:{partition}:execute-api:*:*:{pattern}"


def read_api_stage(method_arn: object) -> ApiStage:
    """Read the API and stage of a method ARN.

    Raises:
        Unavailable: `MALFORMED_EVENT`; API Gateway never sends such an ARN.
    """
    parts = _METHOD_ARN.fullmatch(method_arn) if isinstance(method_arn, str) else None
    if parts is None:
        raise Unavailable(Reason.MALFORMED_EVENT, "method ARN")
    return ApiStage(f"{parts['api']}/{parts['stage']}")


def longest_api_stage(max_stage_length: int) -> ApiStage:
    """Return an API stage whose ARN is as long as any that AWS has, with such a stage name."""
    return ApiStage(_LONGEST_ARN_WITHOUT_STAGE + "s" * max_stage_length)
