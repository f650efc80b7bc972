"""The outcome of one authorizer invocation; what feeds the answer, the log line and the metrics."""

from dataclasses import dataclass, field
from enum import StrEnum

from keyscope.access.policy import PolicyDocument
from keyscope.errors import Reason
from keyscope.model.key_record import RecordSource
from keyscope.model.principal import Principal, Scheme


class Outcome(StrEnum):
    """How an invocation ended: a policy, 401 or 500."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Decision:
    """How an invocation ended, and as much as became known on the way.

    `reason` and `detail` tell why it was not allowed; `key_id` is what the caller named, proven
    only when `principal` is there. Durations are milliseconds; `None` where the step did not run.
    `secret_from_cache` is `None` when no secret was opened, and `False` when KMS was called for the
    current secret or the previous one. `usage_identifier_key` selects the usage plan, where the
    API has such plans and the key one of them.
    """

    outcome: Outcome
    total_ms: float
    reason: Reason | None = None
    detail: str = ""
    scheme: Scheme | None = None
    key_id: str | None = None
    record_source: RecordSource | None = None
    lookup_ms: float | None = None
    secret_from_cache: bool | None = None
    open_ms: float | None = None
    principal: Principal | None = None
    policy: PolicyDocument | None = None
    usage_identifier_key: str | None = field(default=None, repr=False)
