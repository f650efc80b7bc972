"""The outcome of one authorizer invocation: the input of its response, log line and metrics."""

from enum import StrEnum

from keyscope.access.policy import PolicyDocument
from keyscope.errors import Reason
from keyscope.model.key_record import RecordSource
from keyscope.model.principal import CredentialKind, Principal
from keyscope.records import dataclass, field


class Outcome(StrEnum):
    """How an invocation ended: a policy, 401 or 500."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Decision:
    """How an invocation ended, and what became known on the way.

    `reason` and `detail` say why it was not allowed. `key_id` is the key that the caller named; it
    is proven only if `principal` is set. Durations are in milliseconds, `None` if the step did not
    run. `secret_from_cache` is `None` if no secret was opened, and `False` if KMS was called for
    the current or the previous secret. `usage_identifier_key` selects the usage plan, if the API
    has usage plans and the key belongs to one.
    """

    outcome: Outcome
    total_ms: float
    reason: Reason | None = None
    detail: str = ""
    credential_kind: CredentialKind | None = None
    key_id: str | None = None
    record_source: RecordSource | None = None
    lookup_ms: float | None = None
    secret_from_cache: bool | None = None
    open_ms: float | None = None
    principal: Principal | None = None
    policy: PolicyDocument | None = None
    usage_identifier_key: str | None = field(default=None, repr=False)
