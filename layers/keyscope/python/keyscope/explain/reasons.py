"""Each reason code of an authorizer: the step that it stops, and what an operator can do about it.

Callers never see the advice, which is one or two sentences. `docs/decision-log.md` explains the
codes.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from keyscope.authorize.decision import Decision
from keyscope.errors import Reason
from keyscope.explain.steps import Step
from keyscope.model.ids import OWNERS, IdName
from keyscope.model.scopes import SCOPES, Scope


class ReasonRow(NamedTuple):
    """The step that a reason stops, `None` for one that several steps share, and advice."""

    step: Step | None
    advice: str


def _any_of(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


_PREFIXES: Final = _any_of(shape.key_id_prefix for shape in OWNERS.values())
_OF_USERS: Final = _any_of(scope for scope, row in SCOPES.items() if IdName.USER in row.claims)
_COPY_IT_AGAIN: Final = (
    "Have the caller copy the secret again, whole; if it is lost, rotate the key."
)
_USE_A_LIBRARY: Final = "Have the caller make the token with a JWT library, as the README shows."

REASONS: Final[Mapping[Reason, ReasonRow]] = {
    Reason.NO_CREDENTIAL: ReasonRow(
        Step.CREDENTIAL, "Have the caller send an Authorization header, Basic or Bearer."
    ),
    Reason.AMBIGUOUS_CREDENTIAL: ReasonRow(
        Step.EVENT,
        "Have the caller send one credential: one Authorization header, or on a WebSocket one"
        " query parameter instead.",
    ),
    Reason.CREDENTIAL_TOO_LONG: ReasonRow(
        Step.CREDENTIAL, "Have the caller make a shorter token: fewer or shorter claims."
    ),
    Reason.UNSUPPORTED_SCHEME: ReasonRow(
        Step.CREDENTIAL,
        "Have the caller use Basic keyid:secret, or Bearer with a secret or a JWT.",
    ),
    Reason.MALFORMED_BASIC: ReasonRow(
        Step.CREDENTIAL,
        "Have the caller send base64 of keyid:secret, in the standard alphabet, padded, in UTF-8,"
        " without a line break.",
    ),
    Reason.MALFORMED_KEY_ID: ReasonRow(
        Step.CREDENTIAL,
        f"Look whether key id and secret were swapped or cut; a key id is {_PREFIXES} and 24 hex"
        " characters.",
    ),
    Reason.MALFORMED_SECRET: ReasonRow(Step.CREDENTIAL, _COPY_IT_AGAIN),
    Reason.MISTYPED_SECRET: ReasonRow(Step.CREDENTIAL, _COPY_IT_AGAIN),
    Reason.SECRET_OF_ANOTHER_KEY: ReasonRow(
        Step.CREDENTIAL,
        "Have the caller send the key id that the secret contains, or the secret of this key.",
    ),
    Reason.MALFORMED_TOKEN: ReasonRow(Step.CREDENTIAL, _USE_A_LIBRARY),
    Reason.DUPLICATE_TOKEN_MEMBER: ReasonRow(Step.CREDENTIAL, _USE_A_LIBRARY),
    Reason.UNSUPPORTED_ALGORITHM: ReasonRow(
        Step.CREDENTIAL, "Have the caller sign with HS256 and the key's secret."
    ),
    Reason.UNSUPPORTED_TOKEN_TYPE: ReasonRow(
        Step.CREDENTIAL, "Have the caller leave typ out of the header, or set it to JWT."
    ),
    Reason.UNSUPPORTED_HEADER_PARAMETER: ReasonRow(
        Step.CREDENTIAL,
        "Have the caller leave crit, b64 and embedded keys out of the header; kid is enough.",
    ),
    Reason.MALFORMED_CLAIM: ReasonRow(
        Step.CREDENTIAL,
        "Have the caller send exp and nbf as whole seconds since the epoch, scope and userId as"
        " strings.",
    ),
    Reason.MISSING_SCOPE: ReasonRow(
        Step.CREDENTIAL, f"Have the caller add the claim scope: {_any_of(Scope)}."
    ),
    Reason.UNKNOWN_SCOPE: ReasonRow(
        Step.CREDENTIAL, f"Have the caller claim one of the scopes {_any_of(Scope)}."
    ),
    Reason.MISSING_USER_ID: ReasonRow(
        Step.CREDENTIAL,
        f"Have the caller add the claim userId, which the scope {_OF_USERS} needs, or external_id"
        " if the token claims the scope user, as the SDKs' tokens do.",
    ),
    Reason.CONFLICTING_CLAIMS: ReasonRow(
        Step.CREDENTIAL,
        "Have the caller send userId with the scope appUser, or external_id with the scope user,"
        " but not both.",
    ),
    Reason.UNSAFE_USER_ID: ReasonRow(
        Step.CREDENTIAL,
        "Have the caller use a user id of letters, digits and - . _ ~ @ + :, at most 64 of them.",
    ),
    Reason.UNKNOWN_KEY: ReasonRow(
        Step.KEY,
        "Look whether the key is of another stack or stage, or expired and was deleted; else"
        " create a key.",
    ),
    Reason.REVOKED_KEY: ReasonRow(
        Step.KEY, "Create another key for the caller; a revoked one cannot come back."
    ),
    Reason.WRONG_SECRET: ReasonRow(
        Step.SECRET,
        "Look whether the secret is that of another key; if it is lost, rotate the key.",
    ),
    Reason.WRONG_SIGNATURE: ReasonRow(
        Step.SECRET,
        "Have the caller sign with the secret of the key that kid names, as it is: UTF-8 text, not"
        " decoded.",
    ),
    Reason.ROTATED_SECRET: ReasonRow(
        Step.SECRET, "Give the caller the key's new secret; the overlap has ended."
    ),
    Reason.DISABLED_KEY: ReasonRow(Step.ENABLED, "Enable the key again, if it is to work."),
    Reason.EXPIRED_KEY: ReasonRow(
        Step.UNEXPIRED, "Give the key a later expiry, or the caller another key."
    ),
    Reason.EXPIRED_TOKEN: ReasonRow(
        Step.TOKEN_TIMES,
        "Have the caller make a new token; if it is fresh, look at the caller's clock.",
    ),
    Reason.TOKEN_NOT_YET_VALID: ReasonRow(
        Step.TOKEN_TIMES,
        "Look at the caller's clock, or set LeewaySeconds if it runs a little ahead.",
    ),
    Reason.SOURCE_ADDRESS_UNKNOWN: ReasonRow(
        Step.SOURCE_ADDRESS,
        "Attach the authorizer as REQUEST, whose events tell the address, or take the allowed"
        " CIDRs off the key.",
    ),
    Reason.SOURCE_ADDRESS_NOT_ALLOWED: ReasonRow(
        Step.SOURCE_ADDRESS,
        "Add the caller's network to the key's allowed CIDRs, if it is a good one.",
    ),
    Reason.SCOPE_NOT_OF_OWNER: ReasonRow(
        Step.SCOPE,
        "Have the caller claim a scope that the key's owner gives, or use another owner's key.",
    ),
    Reason.WEBSOCKET_NOT_OF_SCOPE: ReasonRow(
        Step.POLICY,
        "Have the caller use another scope, or add this one to websocket in the access map.",
    ),
    Reason.WEBSOCKET_NOT_OF_PERMISSIONS: ReasonRow(
        Step.POLICY,
        "Give the key a permission that lists websocket in the access map, if it is to open"
        " WebSockets.",
    ),
    Reason.PERMISSION_NOT_OF_KEY: ReasonRow(
        Step.PERMISSIONS,
        "Have the caller claim fewer permissions, or give the key the ones that it lacks.",
    ),
    Reason.UNKNOWN_PERMISSION: ReasonRow(
        Step.PERMISSIONS,
        "Have the caller claim permissions that the access map names: `keyscope access check` lists"
        " them.",
    ),
    Reason.KEY_STORE_UNAVAILABLE: ReasonRow(
        Step.KEY,
        "Look at DynamoDB's status and at the function's permission to read the keys' table.",
    ),
    Reason.KMS_UNAVAILABLE: ReasonRow(
        Step.SECRET,
        "Look whether the KMS key is enabled, and at the function's permission to decrypt with it.",
    ),
    Reason.DAMAGED_RECORD: ReasonRow(
        None,
        "Find out what wrote the record beside Keyscope; then revoke the key and create another.",
    ),
    Reason.MALFORMED_EVENT: ReasonRow(
        Step.EVENT,
        "Look at how the authorizer is attached: the event is none that API Gateway sends to it.",
    ),
    Reason.STAGE_NAME_TOO_LONG: ReasonRow(Step.POLICY, "Raise the parameter MaxStageLength."),
    Reason.INTERNAL_ERROR: ReasonRow(
        None, "Report a fault in Keyscope, with the error's type and place."
    ),
}
"""Every reason for which `authorize` refuses or fails."""


def stopping_step(decision: Decision) -> Step | None:
    """Return the step that stopped the pipeline, or `None` if it took all of its steps.

    A damaged record can show up when it is read or when its secret is decrypted. An unexpected
    error counts for the step after what the decision already knows.
    """
    if decision.reason is None:
        return None
    step = REASONS[decision.reason].step
    if step is not None:
        return step
    if decision.credential_kind is None:
        return Step.EVENT
    return Step.KEY if decision.record_source is None else Step.SECRET
