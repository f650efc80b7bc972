"""The steps of the pipeline in order, and their titles."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Step(StrEnum):
    """A step from an event to a response, in the order in which the pipeline takes them."""

    EVENT = "event_read"
    CREDENTIAL = "credential_parsed"
    KEY = "key_found"
    SECRET = "secret_proven"  # noqa: S105 - the name of a step
    ENABLED = "key_enabled"
    UNEXPIRED = "key_not_expired"
    SOURCE_ADDRESS = "source_address_allowed"
    TOKEN_TIMES = "token_times_hold"  # noqa: S105 - the name of a step
    SCOPE = "scope_of_owner"
    PERMISSIONS = "permissions_of_key"
    POLICY = "policy_built"
    REACH = "permissions_reach"
    ACCESS = "access_allowed"


STEPS: Final = tuple(Step)

TITLES: Final[Mapping[Step, str]] = {
    Step.EVENT: "Valid API Gateway event",
    Step.CREDENTIAL: "Well-formed credential",
    Step.KEY: "Key exists and is not revoked",
    Step.SECRET: "Correct secret or signature",
    Step.ENABLED: "Key is enabled",
    Step.UNEXPIRED: "Key has not expired",
    Step.SOURCE_ADDRESS: "Source address is allowed",
    Step.TOKEN_TIMES: "Token is valid at this time",
    Step.SCOPE: "Key's owner can claim the scope",
    Step.PERMISSIONS: "Key has the permissions that the token claims",
    Step.POLICY: "Policy is built",
    Step.REACH: "Key's permissions reach the method and path",
    Step.ACCESS: "Policy allows the method and path",
}
