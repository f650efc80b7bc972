"""Each reason code of an authorizer: the step that it stops, and its remedies.

Callers never see a remedy, only operators and the account of the key.
`docs/reference/decision-log.md` explains the codes.
"""

from collections.abc import Mapping
from typing import Final

from keyscope.authorize.decision import Decision
from keyscope.errors import Reason
from keyscope.explain.known import Known
from keyscope.explain.remedies.access import WEBSOCKETS
from keyscope.explain.remedies.credentials import CREDENTIALS
from keyscope.explain.remedies.failures import FAILURES
from keyscope.explain.remedies.keys import KEYS
from keyscope.explain.remedies.remedy import RemediesByReason, advice_among
from keyscope.explain.remedies.tokens import TOKENS
from keyscope.explain.steps import Step

STEPS_OF: Final[Mapping[Reason, Step | None]] = {
    Reason.NO_CREDENTIAL: Step.CREDENTIAL,
    Reason.AMBIGUOUS_CREDENTIAL: Step.EVENT,
    Reason.CREDENTIAL_TOO_LONG: Step.CREDENTIAL,
    Reason.UNSUPPORTED_SCHEME: Step.CREDENTIAL,
    Reason.MALFORMED_BASIC: Step.CREDENTIAL,
    Reason.MALFORMED_KEY_ID: Step.CREDENTIAL,
    Reason.MALFORMED_SECRET: Step.CREDENTIAL,
    Reason.MISTYPED_SECRET: Step.CREDENTIAL,
    Reason.SECRET_OF_ANOTHER_KEY: Step.CREDENTIAL,
    Reason.MALFORMED_TOKEN: Step.CREDENTIAL,
    Reason.DUPLICATE_TOKEN_MEMBER: Step.CREDENTIAL,
    Reason.UNSUPPORTED_ALGORITHM: Step.CREDENTIAL,
    Reason.UNSUPPORTED_TOKEN_TYPE: Step.CREDENTIAL,
    Reason.UNSUPPORTED_HEADER_PARAMETER: Step.CREDENTIAL,
    Reason.MALFORMED_CLAIM: Step.CREDENTIAL,
    Reason.MISSING_SCOPE: Step.CREDENTIAL,
    Reason.UNKNOWN_SCOPE: Step.CREDENTIAL,
    Reason.MISSING_USER_ID: Step.CREDENTIAL,
    Reason.CONFLICTING_CLAIMS: Step.CREDENTIAL,
    Reason.UNSAFE_USER_ID: Step.CREDENTIAL,
    Reason.UNKNOWN_KEY: Step.KEY,
    Reason.REVOKED_KEY: Step.KEY,
    Reason.WRONG_SECRET: Step.SECRET,
    Reason.WRONG_SIGNATURE: Step.SECRET,
    Reason.ROTATED_SECRET: Step.SECRET,
    Reason.SUSPENDED_KEY: Step.ENABLED,
    Reason.DISABLED_KEY: Step.ENABLED,
    Reason.EXPIRED_KEY: Step.UNEXPIRED,
    Reason.EXPIRED_TOKEN: Step.TOKEN_TIMES,
    Reason.TOKEN_NOT_YET_VALID: Step.TOKEN_TIMES,
    Reason.SOURCE_ADDRESS_UNKNOWN: Step.SOURCE_ADDRESS,
    Reason.SOURCE_ADDRESS_NOT_ALLOWED: Step.SOURCE_ADDRESS,
    Reason.SCOPE_NOT_OF_OWNER: Step.SCOPE,
    Reason.WEBSOCKET_NOT_OF_SCOPE: Step.POLICY,
    Reason.WEBSOCKET_NOT_OF_PERMISSIONS: Step.POLICY,
    Reason.PERMISSION_NOT_OF_KEY: Step.PERMISSIONS,
    Reason.UNKNOWN_PERMISSION: Step.PERMISSIONS,
    Reason.KEY_STORE_UNAVAILABLE: Step.KEY,
    Reason.KMS_UNAVAILABLE: Step.SECRET,
    Reason.DAMAGED_RECORD: None,
    Reason.MALFORMED_EVENT: Step.EVENT,
    Reason.STAGE_NAME_TOO_LONG: Step.POLICY,
    Reason.INTERNAL_ERROR: None,
}
"""The step that each reason of `authorize` stops, `None` for one that several steps share."""

REMEDIES: Final[RemediesByReason] = {**CREDENTIALS, **TOKENS, **KEYS, **WEBSOCKETS, **FAILURES}
"""The remedies of every reason of `authorize`."""


def advice_on(reason: Reason, known: Known) -> str:
    """Return what to do about a refusal or a failure: one text for each cause inside a reason."""
    return advice_among(REMEDIES[reason], known)


def stopping_step(decision: Decision) -> Step | None:
    """Return the step that stopped the pipeline, or `None` if it took all of its steps.

    A damaged record can show up when it is read or when its secret is decrypted. An unexpected
    error counts for the step after what the decision already knows.
    """
    if decision.reason is None:
        return None
    step = STEPS_OF[decision.reason]
    if step is not None:
        return step
    if decision.credential_kind is None:
        return Step.EVENT
    return Step.KEY if decision.record_source is None else Step.SECRET
