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
    Step.EVENT: "The event is one of API Gateway's",
    Step.CREDENTIAL: "The credential is well formed",
    Step.KEY: "The key exists and was not revoked",
    Step.SECRET: "The secret or the signature is right",
    Step.ENABLED: "The key is enabled",
    Step.UNEXPIRED: "The key has not expired",
    Step.SOURCE_ADDRESS: "The source address is allowed",
    Step.TOKEN_TIMES: "The token's time has come and not passed",
    Step.SCOPE: "The key's owner may claim the scope",
    Step.PERMISSIONS: "The key has the permissions that the token claims",
    Step.POLICY: "A policy is made for the principal",
    Step.REACH: "The key's permissions reach the method and path",
    Step.ACCESS: "The policy allows the method and path",
}
