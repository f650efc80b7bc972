"""The pipeline: event -> credential -> key record -> principal -> policy -> decision."""

from collections.abc import Callable

from keyscope.access.policy import (
    Policies,
    PolicyDocument,
    policy_document,
    websocket_policy_document,
)
from keyscope.authorize.credential import Credential, parse_credential
from keyscope.authorize.decision import Decision, Outcome
from keyscope.authorize.event import AuthorizerRequest
from keyscope.authorize.rendered_policies import RenderedPolicies
from keyscope.authorize.verification import Circumstances, verify
from keyscope.errors import Reason, Refused, Unavailable, type_and_place
from keyscope.model.key_limits import LIMIT_REASONS
from keyscope.model.key_record import KeyRecord, KeyStore, Lookup, RecordSource, SecretOpener
from keyscope.model.principal import CredentialKind, Principal
from keyscope.records import dataclass

Clock = Callable[[], float]
"""Returns the time, in seconds since the epoch."""
Timer = Callable[[], float]
"""Returns monotonic seconds from an arbitrary start."""

_RECHECKED = LIMIT_REASONS | {
    Reason.UNKNOWN_KEY,
    Reason.WRONG_SECRET,
    Reason.WRONG_SIGNATURE,
    Reason.REVOKED_KEY,
    Reason.SUSPENDED_KEY,
    Reason.PERMISSION_NOT_OF_KEY,
}
"""Refusals that a key created, rotated, resumed or given other limits since the read would not get.

A revoked key stays revoked. It is included so that, without the secret, the number of reads does
not distinguish it from an unknown key.
"""


@dataclass(frozen=True, slots=True)
class Authorizer:
    """What the pipeline needs besides the event.

    `rendered` caches policies. Without it, or if it is for other `policies`, the pipeline renders
    each policy again.
    """

    keys: KeyStore
    secrets: SecretOpener
    policies: Policies
    clock: Clock
    timer: Timer
    leeway_seconds: int = 0
    rendered: RenderedPolicies | None = None


def authorize(
    event: object, read_event: Callable[[object], AuthorizerRequest], authorizer: Authorizer
) -> Decision:
    """Decide one authorizer event, with at most one read of the key table.

    Never raises. Anything that is neither an allow nor a refusal is a failure, which fails closed.
    """
    steps = _Steps(authorizer)
    try:
        principal, policy = steps.run(read_event(event))
    except Refused as refused:
        return steps.decision(Outcome.REFUSED, reason=refused.reason)
    except Unavailable as unavailable:
        return steps.decision(Outcome.FAILED, reason=unavailable.reason, detail=unavailable.detail)
    except Exception as error:  # noqa: BLE001 - no error may become an allow
        return steps.decision(
            Outcome.FAILED, reason=Reason.INTERNAL_ERROR, detail=type_and_place(error)
        )
    return steps.decision(Outcome.ALLOWED, principal=principal, policy=policy)


class _Steps:
    """One run of the pipeline, which records what becomes known on the way."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer
        self._started = authorizer.timer()
        self._credential_kind: CredentialKind | None = None
        self._key_id: str | None = None
        self._record_source: RecordSource | None = None
        self._lookup_ms: float | None = None
        self._secret_from_cache: bool | None = None
        self._open_ms: float | None = None
        self._usage_identifier_key: str | None = None

    def run(self, request: AuthorizerRequest) -> tuple[Principal, PolicyDocument]:
        authorizer = self._authorizer
        now = authorizer.clock()
        credential = parse_credential(request.authorization)
        self._credential_kind = credential.kind
        self._key_id = credential.key_id
        circumstances = Circumstances(
            now,
            request.source_address,
            authorizer.leeway_seconds,
            authorizer.policies.permissions.keys(),
        )
        principal = self._prove(credential, circumstances)
        if request.has_usage_plans:
            self._usage_identifier_key = principal.usage_identifier_key
        return principal, self._policy(principal, request, now)

    def _policy(
        self, principal: Principal, request: AuthorizerRequest, now: float
    ) -> PolicyDocument:
        rendered, policies = self._authorizer.rendered, self._authorizer.policies
        if rendered is not None and rendered.policies is policies:
            return rendered.policy(
                principal, request.api_stage, now, opens_websocket=request.opens_websocket
            )
        render = websocket_policy_document if request.opens_websocket else policy_document
        return render(principal, request.api_stage, policies, now)

    def decision(
        self,
        outcome: Outcome,
        *,
        reason: Reason | None = None,
        detail: str = "",
        principal: Principal | None = None,
        policy: PolicyDocument | None = None,
    ) -> Decision:
        return Decision(
            outcome=outcome,
            total_ms=self._ms_since(self._started),
            reason=reason,
            detail=detail,
            credential_kind=self._credential_kind,
            key_id=self._key_id,
            record_source=self._record_source,
            lookup_ms=self._lookup_ms,
            secret_from_cache=self._secret_from_cache,
            open_ms=self._open_ms,
            principal=principal,
            policy=policy,
            usage_identifier_key=self._usage_identifier_key,
        )

    def _prove(self, credential: Credential, circumstances: Circumstances) -> Principal:
        """Verify the credential; read the record again before a cached one causes a refusal.

        So a new secret works at once, and a record that cannot be refreshed never causes a refusal.
        """
        lookup = self._look_up(credential.key_id)
        try:
            return verify(credential, lookup.record, self._open, circumstances)
        except Refused as refused:
            up_to_date = lookup.source is RecordSource.TABLE
            if up_to_date or refused.reason not in _RECHECKED:
                raise
            refusal = refused.reason
        if lookup.source is RecordSource.CACHE:
            lookup = self._look_up(credential.key_id, fresh=True)
        if lookup.source is RecordSource.STALE:
            raise Unavailable(Reason.KEY_STORE_UNAVAILABLE, refusal)
        return verify(credential, lookup.record, self._open, circumstances)

    def _look_up(self, key_id: str, *, fresh: bool = False) -> Lookup:
        started = self._authorizer.timer()
        try:
            lookup = self._authorizer.keys.get(key_id, fresh=fresh)
        finally:
            self._lookup_ms = (self._lookup_ms or 0) + self._ms_since(started)
        self._record_source = lookup.source
        return lookup

    def _open(self, record: KeyRecord) -> str:
        started = self._authorizer.timer()
        try:
            opened = self._authorizer.secrets.open(record)
        finally:
            self._open_ms = (self._open_ms or 0) + self._ms_since(started)
        # A rotated key's token may need two secrets, and each KMS call counts.
        self._secret_from_cache = opened.from_cache and self._secret_from_cache is not False
        return opened.secret

    def _ms_since(self, started: float) -> float:
        return (self._authorizer.timer() - started) * 1_000
