"""The error tree and the reason codes.

    KeyscopeError
    |-- Refused          the credential is not valid: 401
    |-- Unavailable      the authorizer or function cannot decide now: 500, never an allow
    |   |-- Hung         the call itself timed out, or its connection broke
    |   |-- HeldUp       other calls left this one no time; it might have succeeded
    |   `-- Contended    other changes blocked this one for too long: 503, nothing was written
    |-- InvalidInput     a request breaks its rules: 400, with its faults
    |-- Forbidden        the principal is not allowed to do this: 403
    |-- NotFound         a request names an owner or a key that does not exist: 404
    |-- Conflict         the state of an owner or a key rules out a change: 409
    `-- Misconfigured    a setting or the access map is wrong: the function does not start

Any other exception is a bug, for which the authorizers return 500.
"""

from collections.abc import Iterable
from enum import StrEnum
from itertools import islice

from keyscope.records import dataclass, replace


class Reason(StrEnum):
    """Why a request was refused or failed. For the operator's log, never for the caller."""

    NO_CREDENTIAL = "no_credential"
    AMBIGUOUS_CREDENTIAL = "ambiguous_credential"
    CREDENTIAL_TOO_LONG = "credential_too_long"
    UNSUPPORTED_SCHEME = "unsupported_scheme"
    MALFORMED_BASIC = "malformed_basic"
    MALFORMED_KEY_ID = "malformed_key_id"
    MALFORMED_SECRET = "malformed_secret"  # noqa: S105 - a reason code, not a secret
    MISTYPED_SECRET = "mistyped_secret"  # noqa: S105 - a reason code, not a secret
    SECRET_OF_ANOTHER_KEY = "secret_of_another_key"  # noqa: S105 - a reason code
    MALFORMED_TOKEN = "malformed_token"  # noqa: S105 - a reason code, not a token
    DUPLICATE_TOKEN_MEMBER = "duplicate_token_member"  # noqa: S105 - a reason code
    UNSUPPORTED_ALGORITHM = "unsupported_algorithm"
    UNSUPPORTED_TOKEN_TYPE = "unsupported_token_type"  # noqa: S105 - a reason code
    UNSUPPORTED_HEADER_PARAMETER = "unsupported_header_parameter"
    MALFORMED_CLAIM = "malformed_claim"
    MISSING_SCOPE = "missing_scope"
    UNKNOWN_SCOPE = "unknown_scope"
    MISSING_USER_ID = "missing_user_id"
    UNSAFE_USER_ID = "unsafe_user_id"
    CONFLICTING_CLAIMS = "conflicting_claims"
    UNKNOWN_KEY = "unknown_key"
    REVOKED_KEY = "revoked_key"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 - a reason code, not a secret
    WRONG_SIGNATURE = "wrong_signature"
    ROTATED_SECRET = "rotated_secret"  # noqa: S105 - a reason code, not a secret
    SUSPENDED_KEY = "suspended_key"
    DISABLED_KEY = "disabled_key"
    EXPIRED_KEY = "expired_key"
    EXPIRED_TOKEN = "expired_token"  # noqa: S105 - a reason code, not a token
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"  # noqa: S105 - a reason code
    SOURCE_ADDRESS_UNKNOWN = "source_address_unknown"
    SOURCE_ADDRESS_NOT_ALLOWED = "source_address_not_allowed"
    SCOPE_NOT_OF_OWNER = "scope_not_of_owner"
    WEBSOCKET_NOT_OF_SCOPE = "websocket_not_of_scope"
    WEBSOCKET_NOT_OF_PERMISSIONS = "websocket_not_of_permissions"
    PERMISSION_NOT_OF_KEY = "permission_not_of_key"
    UNKNOWN_PERMISSION = "unknown_permission"

    KEY_STORE_UNAVAILABLE = "key_store_unavailable"
    KMS_UNAVAILABLE = "kms_unavailable"
    FLUSH_QUEUE_UNAVAILABLE = "flush_queue_unavailable"
    CACHE_NOT_FLUSHED = "cache_not_flushed"
    USE_TABLE_UNAVAILABLE = "use_table_unavailable"
    EXPIRY_WARNINGS_NOT_SENT = "expiry_warnings_not_sent"
    TOO_MANY_CHANGES = "too_many_changes"
    DAMAGED_RECORD = "damaged_record"
    MALFORMED_EVENT = "malformed_event"
    MALFORMED_CONTEXT = "malformed_context"
    STAGE_NAME_TOO_LONG = "stage_name_too_long"
    INTERNAL_ERROR = "internal_error"


class KeyscopeError(Exception):
    """Base of every error that Keyscope raises on purpose; never raised itself."""


class Refused(KeyscopeError):  # noqa: N818 - a state, named as in the log
    """The credential is not valid: the response is 401."""

    def __init__(self, reason: Reason) -> None:
        """Store the reason code, and nothing that the caller sent."""
        super().__init__(reason.value)
        self.reason = reason


class Unavailable(KeyscopeError):  # noqa: N818 - a state, named as in the log
    """Keyscope cannot decide now: the response is 500.

    `detail` is for the operator: an AWS error code or the name of a damaged attribute. It never
    contains a credential.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        """Store the reason code and the operator's detail."""
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail


class Hung(Unavailable):
    """The call timed out or its connection broke. The next call may take just as long."""


class HeldUp(Unavailable):
    """Other calls left no time for this one, which might have succeeded."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request, and what to do about it.

    `code` is a stable snake_case code, `field` the dotted name of the invalid member.
    """

    code: str
    field: str
    title: str


MAX_FAULTS = 20
"""The largest number of faults that one response reports."""
MAX_FAULT_FIELD_LENGTH = 100
"""The longest field name that a response repeats, in characters, because callers choose the
names."""
_MORE_FAULTS = Fault("bad_request", "", "There are more errors. Fix these first")


def bounded_faults(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return the first `MAX_FAULTS` faults, plus one that says if there are more.

    The size of a response does not grow with the number of faults or the length of names that a
    caller sends.
    """
    found = tuple(islice(faults, MAX_FAULTS + 1))
    told = tuple(replace(fault, field=_shortened(fault.field)) for fault in found[:MAX_FAULTS])
    return told if len(found) <= MAX_FAULTS else (*told, _MORE_FAULTS)


def _shortened(field: str) -> str:
    if len(field) <= MAX_FAULT_FIELD_LENGTH:
        return field
    return f"{field[:MAX_FAULT_FIELD_LENGTH]}..."


class InvalidInput(KeyscopeError):  # noqa: N818 - a state, named as in the answer
    """A request breaks its rules; nothing was written."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Store the faults, at most `MAX_FAULTS` and one more."""
        self.faults = bounded_faults(faults)
        super().__init__("; ".join(f"{fault.field}: {fault.title}" for fault in self.faults))


class Forbidden(KeyscopeError):  # noqa: N818 - a state, named as in the answer
    """The principal is not, or no longer, allowed to do this; nothing was written."""


class NotFound(KeyscopeError):  # noqa: N818 - a state, named as in the answer
    """A request names an owner or a key that does not exist; nothing was written."""


class Conflict(KeyscopeError):  # noqa: N818 - a state, named as in the answer
    """The state of an owner or a key rules out a change; nothing was written."""


class Contended(Unavailable):
    """Other changes to the same records blocked this one for too long: the response is 503.

    Nothing was written.
    """

    def __init__(self) -> None:
        """Store the reason code."""
        super().__init__(Reason.TOO_MANY_CHANGES)


class Misconfigured(KeyscopeError):  # noqa: N818 - a state, named as in the log
    """A setting or the access map is wrong; the text says which one and what to do."""


def type_and_place(error: Exception) -> str:
    """Return an unexpected error's type and place, not its text, which may quote a credential."""
    from traceback import extract_tb  # noqa: PLC0415 - a cold start without errors does not need it

    place = extract_tb(error.__traceback__)[-1]
    file = place.filename.rpartition("/")[-1]
    return f"{type(error).__name__} in {file}:{place.lineno} {place.name}"
