"""The steps of the pipeline in order, and the step that each reason code belongs to."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from keyscope.authorize.decision import Decision
from keyscope.errors import Reason


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
    Step.ACCESS: "The policy allows the method and path",
}

_EVENT_REASONS = {Reason.AMBIGUOUS_CREDENTIAL, Reason.MALFORMED_EVENT}
_CREDENTIAL_REASONS = {
    Reason.NO_CREDENTIAL,
    Reason.CREDENTIAL_TOO_LONG,
    Reason.UNSUPPORTED_SCHEME,
    Reason.MALFORMED_BASIC,
    Reason.MALFORMED_KEY_ID,
    Reason.MALFORMED_SECRET,
    Reason.MISTYPED_SECRET,
    Reason.SECRET_OF_ANOTHER_KEY,
    Reason.MALFORMED_TOKEN,
    Reason.DUPLICATE_TOKEN_MEMBER,
    Reason.UNSUPPORTED_ALGORITHM,
    Reason.UNSUPPORTED_TOKEN_TYPE,
    Reason.UNSUPPORTED_HEADER_PARAMETER,
    Reason.MALFORMED_CLAIM,
    Reason.MISSING_SCOPE,
    Reason.UNKNOWN_SCOPE,
    Reason.MISSING_USER_ID,
    Reason.UNSAFE_USER_ID,
    Reason.CONFLICTING_CLAIMS,
}
STEP_OF_REASON: Final[Mapping[Reason, Step]] = {
    **dict.fromkeys(_EVENT_REASONS, Step.EVENT),
    **dict.fromkeys(_CREDENTIAL_REASONS, Step.CREDENTIAL),
    Reason.UNKNOWN_KEY: Step.KEY,
    Reason.REVOKED_KEY: Step.KEY,
    Reason.KEY_STORE_UNAVAILABLE: Step.KEY,
    Reason.WRONG_SECRET: Step.SECRET,
    Reason.WRONG_SIGNATURE: Step.SECRET,
    Reason.ROTATED_SECRET: Step.SECRET,
    Reason.KMS_UNAVAILABLE: Step.SECRET,
    Reason.DISABLED_KEY: Step.ENABLED,
    Reason.EXPIRED_KEY: Step.UNEXPIRED,
    Reason.SOURCE_ADDRESS_UNKNOWN: Step.SOURCE_ADDRESS,
    Reason.SOURCE_ADDRESS_NOT_ALLOWED: Step.SOURCE_ADDRESS,
    Reason.EXPIRED_TOKEN: Step.TOKEN_TIMES,
    Reason.TOKEN_NOT_YET_VALID: Step.TOKEN_TIMES,
    Reason.SCOPE_NOT_OF_OWNER: Step.SCOPE,
    Reason.STAGE_NAME_TOO_LONG: Step.POLICY,
    Reason.PERMISSION_NOT_OF_KEY: Step.PERMISSIONS,
    Reason.UNKNOWN_PERMISSION: Step.PERMISSIONS,
    Reason.WEBSOCKET_NOT_OF_SCOPE: Step.POLICY,
    Reason.WEBSOCKET_NOT_OF_PERMISSIONS: Step.POLICY,
}
"""The step at which each reason stops the pipeline, except for the two that several steps share."""


def stopping_step(decision: Decision) -> Step | None:
    """Return the step that stopped the pipeline, or `None` if it took all of its steps.

    A damaged record can show up when it is read or when its secret is decrypted. An unexpected
    error counts for the step after what the decision already knows.
    """
    if decision.reason is None:
        return None
    if decision.reason in STEP_OF_REASON:
        return STEP_OF_REASON[decision.reason]
    if decision.credential_kind is None:
        return Step.EVENT
    return Step.KEY if decision.record_source is None else Step.SECRET
