"""Who a credential was proven to be."""

from enum import StrEnum
from typing import Final

from keyscope.model.external_ids import NO_EXTERNAL_IDS, ExternalIds
from keyscope.model.ids import IdName, OwnerType, account_id_of, ids_of_owner
from keyscope.model.key_limits import NO_LIMITS, KeyLimits
from keyscope.model.scopes import SCOPES, Scope
from keyscope.records import dataclass, field

_INTEGRATION: Final[str] = IdName.INTEGRATION.value
_USER: Final[str] = IdName.USER.value


class ProvenSecret(StrEnum):
    """Which secret of its key a credential proved; during an overlap, a key has two."""

    CURRENT = "current"
    PREVIOUS = "previous"


class CredentialKind(StrEnum):
    """How a caller proved itself."""

    BASIC = "basic"
    JWT = "jwt"
    BEARER_SECRET = "bearerSecret"  # noqa: S105 - the name of a kind


class Scheme(StrEnum):
    """An authentication scheme (RFC 9110, section 11.1)."""

    BASIC = "Basic"
    BEARER = "Bearer"


@dataclass(frozen=True, slots=True)
class Principal:
    """A proven caller, and for how long and from where the proof is valid.

    `limits` are the key's, with two exceptions. `expires_at` is the earliest of the key's expiry,
    the token's `exp` and, for a previous secret, the end of the overlap. `permissions` are the
    effective ones: the token's if it claims some, and only those in the access map.
    `secret_generation` is the generation of the proven secret: a key's first secret is 1, and each
    rotation adds one. The management API uses it to judge the caller again. `secret` shows the
    operator who still uses a previous secret. `usage_identifier_key` is only for API Gateway, which
    throttles by it.
    """

    scope: Scope
    key_id: str
    owner_type: OwnerType
    owner_id: str
    user_id: str | None = None
    integration_id: str | None = None
    limits: KeyLimits = NO_LIMITS
    secret: ProvenSecret = ProvenSecret.CURRENT
    credential_kind: CredentialKind = CredentialKind.BASIC
    secret_generation: int = 1
    usage_identifier_key: str | None = field(default=None, repr=False)
    external_ids: ExternalIds = NO_EXTERNAL_IDS

    @property
    def ids(self) -> dict[str, str]:
        """The ids that identify the principal: its key's, the operator's, and those it claimed."""
        ids = ids_of_owner(self.owner_type, self.owner_id)
        if self.integration_id is not None:
            ids[_INTEGRATION] = self.integration_id
        if self.user_id is not None:
            ids[_USER] = self.user_id
        ids.update(self.external_ids.by_name())
        return ids

    @property
    def account_id(self) -> str:
        """The account that owns the key, or that the key's owner belongs to."""
        return account_id_of(self.owner_id)

    @property
    def service_account_id(self) -> str | None:
        """The service account that owns the key, or `None`."""
        return self.ids.get(IdName.SERVICE_ACCOUNT)

    @property
    def app_id(self) -> str | None:
        """The app that owns the key, or `None`."""
        return self.ids.get(IdName.APP)

    @property
    def name(self) -> str:
        """The `principalId`. It names the principal, not the key: keys of one app share it."""
        return SCOPES[self.scope].principals[self.owner_type].format_map(self.ids)

    def context(self) -> dict[str, str]:
        """Return the backend's context: strings only, without members that do not apply."""
        permissions = self.limits.permissions
        return {
            "keyId": self.key_id,
            "scope": self.scope.value,
            "ownerType": self.owner_type.value,
            **self.ids,
            "credentialKind": self.credential_kind.value,
            "secretGeneration": str(self.secret_generation),
            **({} if permissions is None else {"permissions": " ".join(permissions)}),
        }
