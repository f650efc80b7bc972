"""The container's cache of policies, so a principal's policy is not rendered for every request.

The cache key is everything that a policy depends on, and the policy is rendered from exactly these
parts. So a change of the key, of its limits or of the token leads to another policy at once. Only a
proven principal gets a policy. The holder of one key can fill the cache, for example with users of
its app, but the cache is bounded, and evicted policies are rendered again.
"""

from threading import Lock
from typing import Final, NamedTuple

from keyscope.access.method_arn import ApiStage
from keyscope.access.policy import (
    Policies,
    PolicyDocument,
    end_within_cache,
    policy_document,
    websocket_policy_document,
)
from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope

MAX_POLICIES: Final = 2_000
"""The largest number of cached policies."""
MAX_BYTES: Final = 4 * 1_048_576
"""The largest memory use of cached policies, in bytes, approximately."""
_BYTES_BESIDE_RESOURCES: Final = 2_000
_BYTES_BESIDE_TEXT: Final = 60
"""A string in CPython, and its place in a list."""


class _Subject(NamedTuple):
    """What a policy of one access map depends on.

    `ends_at` is the end that the policy contains, which is why the time is not a part of it.
    """

    opens_websocket: bool
    stage_arn: str
    decodes_path: bool
    is_private: bool
    scope: Scope
    owner_type: OwnerType
    owner_id: str
    integration_id: str | None
    user_id: str | None
    external_ids: ExternalIds
    permissions: tuple[str, ...] | None
    allowed_cidrs: tuple[str, ...]
    ends_at: int | None

    @property
    def stage(self) -> ApiStage:
        return ApiStage(self.stage_arn, self.decodes_path, self.is_private)

    @property
    def principal(self) -> Principal:
        """A principal that has nothing else."""
        return Principal(
            scope=self.scope,
            key_id="",
            owner_type=self.owner_type,
            owner_id=self.owner_id,
            user_id=self.user_id,
            integration_id=self.integration_id,
            limits=KeyLimits(
                expires_at=self.ends_at,
                allowed_cidrs=self.allowed_cidrs,
                permissions=self.permissions,
            ),
            external_ids=self.external_ids,
        )


class RenderedPolicies:
    """Renders the policies of one access map, and caches the last `max_policies` of them.

    Responses share a cached policy, so it must not be changed. Threads may share this object.
    """

    def __init__(
        self, policies: Policies, *, max_policies: int = MAX_POLICIES, max_bytes: int = MAX_BYTES
    ) -> None:
        """Start with an empty cache."""
        self.policies = policies
        self._max_policies = max_policies
        self._max_bytes = max_bytes
        self._rendered: dict[_Subject, tuple[PolicyDocument, int]] = {}
        self._bytes = 0
        self._turn = Lock()

    def policy(
        self, principal: Principal, stage: ApiStage, now: float, *, opens_websocket: bool
    ) -> PolicyDocument:
        """Return what `policy_document` or `websocket_policy_document` returns.

        Raises:
            Refused: as `websocket_policy_document` does.
            Unavailable: as `policy_document` does.
        """
        limits = principal.limits
        subject = _Subject(
            opens_websocket,
            stage.arn,
            stage.decodes_path,
            stage.is_private,
            principal.scope,
            principal.owner_type,
            principal.owner_id,
            principal.integration_id,
            principal.user_id,
            principal.external_ids,
            limits.permissions,
            limits.allowed_cidrs,
            end_within_cache(limits.expires_at, now),
        )
        remembered = self._rendered.get(subject)
        if remembered is not None:
            return remembered[0]
        render = websocket_policy_document if opens_websocket else policy_document
        document = render(subject.principal, subject.stage, self.policies, now)
        self._remember(subject, document)
        return document

    def _remember(self, subject: _Subject, document: PolicyDocument) -> None:
        size = _size(document)
        with self._turn:
            if subject in self._rendered:
                return
            self._rendered[subject] = document, size
            self._bytes += size
            while len(self._rendered) > self._max_policies or self._bytes > self._max_bytes:
                oldest = next(iter(self._rendered))
                self._bytes -= self._rendered.pop(oldest)[1]


def _size(document: PolicyDocument) -> int:
    """Return the memory that a policy takes, in bytes, approximately."""
    resources = [text for statement in document["Statement"] for text in statement["Resource"]]
    return _BYTES_BESIDE_RESOURCES + sum(map(len, resources)) + _BYTES_BESIDE_TEXT * len(resources)
