"""Who a credential was proven to be."""

from dataclasses import dataclass, field
from enum import StrEnum

from keyscope.model.ids import OwnerType


class Scope(StrEnum):
    """How far a principal reaches; the words of the `scope` claim."""

    APP_USER = "appUser"
    APP = "app"
    ACCOUNT = "account"


SCOPES_BY_OWNER = {
    OwnerType.APP: frozenset({Scope.APP, Scope.APP_USER}),
    OwnerType.ACCOUNT: frozenset({Scope.ACCOUNT}),
    OwnerType.SERVICE_ACCOUNT: frozenset({Scope.ACCOUNT}),
}
"""The scopes that a token signed with a key of this owner may claim."""

SCOPE_OF_BASIC = {
    OwnerType.APP: Scope.APP,
    OwnerType.ACCOUNT: Scope.ACCOUNT,
    OwnerType.SERVICE_ACCOUNT: Scope.ACCOUNT,
}
"""The scope that a key of this owner gives with Basic."""


class ProvenSecret(StrEnum):
    """Which of its key's secrets a credential proved; two are good while a rotation overlaps."""

    CURRENT = "current"
    PREVIOUS = "previous"


class CredentialKind(StrEnum):
    """How a caller proved itself."""

    BASIC = "basic"
    JWT = "jwt"


@dataclass(frozen=True, slots=True)
class Principal:
    """A proven caller, and for how long and from where the proof holds.

    `expires_at` is the earliest of the token's `exp`, the key's expiry and, for a previous secret,
    the overlap's end, in seconds since the epoch; `allowed_cidrs` are the key's CIDRs, empty when
    any source address will do. `secret_generation` is that of the secret that was proven: a key's
    first secret is 1, and each rotation adds one. The management API judges by it. `secret` is for
    the operator: who still uses the previous one. `usage_identifier_key` is for API Gateway alone,
    which throttles by it.
    """

    scope: Scope
    key_id: str
    owner_type: OwnerType
    account_id: str
    service_account_id: str | None = None
    app_id: str | None = None
    user_id: str | None = None
    expires_at: int | None = None
    allowed_cidrs: tuple[str, ...] = ()
    secret: ProvenSecret = ProvenSecret.CURRENT
    credential_kind: CredentialKind = CredentialKind.BASIC
    secret_generation: int = 1
    usage_identifier_key: str | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The `principalId`: it names the principal, not the key, so two keys of one app agree."""
        if self.scope is Scope.APP_USER:
            return f"appUser/{self.app_id}/{self.user_id}"
        if self.scope is Scope.APP:
            return f"app/{self.app_id}"
        if self.service_account_id is not None:
            return f"serviceAccount/{self.service_account_id}"
        return f"account/{self.account_id}"

    def context(self) -> dict[str, str]:
        """Return what the backend is told: flat strings, without the members that do not apply."""
        members = {
            "keyId": self.key_id,
            "scope": self.scope.value,
            "ownerType": self.owner_type.value,
            "accountId": self.account_id,
            "serviceAccountId": self.service_account_id,
            "appId": self.app_id,
            "userId": self.user_id,
            "credentialKind": self.credential_kind.value,
            "secretGeneration": str(self.secret_generation),
        }
        return {name: value for name, value in members.items() if value is not None}
