"""The method ARN, read by position (HTTP APIs call it route ARN).

    arn:PARTITION:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH

Keyscope uses only the part before the method. A policy never depends on the requested method or
path, because API Gateway applies it to later requests too.
"""

import re

from keyscope.errors import Reason, Unavailable
from keyscope.records import dataclass

LONGEST_REGION = "ap-southeast-1"
"""No region name of the partition `aws` is longer (botocore's endpoint data)."""
_PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}
"""Partitions other than `aws`, by the prefix of their region names (botocore's partitions data)."""
MAX_STAGE_LENGTH = 128
"""The longest stage name, in characters (API Gateway, CreateStage)."""

_METHOD_ARN = re.compile(
    r"(?P<api>arn:aws[a-z-]*:execute-api:[a-z]{2}[a-z0-9-]*:[0-9]{12}:[A-Za-z0-9]+)"
    r"/(?P<stage>[A-Za-z0-9_-]+|\$default)/.*",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class ApiStage:
    """The API stage that a policy is for. `arn` ends before the slash and the method.

    `decodes_path` is true for an HTTP API, which decodes the path once before it applies a policy.
    `is_private` is true for a request through a VPC endpoint, the only way to reach a private API.
    """

    arn: str
    decodes_path: bool = False
    is_private: bool = False

    def resource(self, method_and_path: str) -> str:
        """Return the ARN of a method and path pattern on this stage, such as `GET/v2/apps`."""
        return f"{self.arn}/{method_and_path}"

    def any_path(self, pattern: str) -> str:
        """Return the ARN of a pattern on every stage, such as `*/..*`, for use in a Deny only."""
        api = self.arn.partition("/")[0]
        return f"{api}/{pattern}"


def read_api_stage(method_arn: object, *, decodes_path: bool = False) -> ApiStage:
    """Read the API and stage of a method ARN.

    Raises:
        Unavailable: `MALFORMED_EVENT`; API Gateway never sends such an ARN.
    """
    parts = _METHOD_ARN.fullmatch(method_arn) if isinstance(method_arn, str) else None
    if parts is None:
        raise Unavailable(Reason.MALFORMED_EVENT, "method ARN")
    return ApiStage(f"{parts['api']}/{parts['stage']}", decodes_path)


def longest_api_stage(max_stage_length: int, region: str = LONGEST_REGION) -> ApiStage:
    """Return an API stage with the longest ARN for a region and a length of stage names."""
    found = (name for prefix, name in _PARTITIONS.items() if region.startswith(prefix))
    api = f"arn:{next(found, 'aws')}:execute-api:{region}:123456789012:abcdefghij"
    return ApiStage(f"{api}/{'s' * max_stage_length}")
