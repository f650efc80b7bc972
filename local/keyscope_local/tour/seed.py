"""Fills a local store with one of everything, through the package's own operations."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from keyscope.aws.dynamodb.directory_table import DirectoryTable
from keyscope.aws.dynamodb.transactions import Database
from keyscope.aws.secret_sealing import SecretSealingBox
from keyscope.entry.settings import DEFAULT_MAX_APPS_PER_CREATOR
from keyscope.lifecycle.audit import AuditEvent
from keyscope.lifecycle.external_ids import ExternalName
from keyscope.lifecycle.key_use import LastUses
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType, new_key_id
from keyscope.model.key_limits import KeyLimits
from keyscope.model.secret import new_secret
from keyscope_local.emulators.tables import local_client

if TYPE_CHECKING:
    from keyscope.aws.clients import DynamoDbClient, KmsClient

USER_ID: Final = "customer-7"
"""The user that an `appUser` token names. Users exist only in the backend, not in the store."""
INTEGRATION_ID: Final = "5f8a9d0c1b2e3f4a5b6c7d8e"
"""The integration that a key is bound to. Integrations, too, exist only in the backend."""
ACCOUNT_EXTERNAL_ID: Final = "local-account"
"""The external id of a local run's account, for access maps whose paths contain external ids."""
APP_EXTERNAL_ID: Final = "local-app"
"""The external id of the app of a local run's account."""
ALLOWED_CIDR: Final = "198.51.100.0/24"
"""The network of `SeededStore.cidr_key`; the sample events come from 203.0.113.10 instead."""

_EXPIRED_FOR_SECONDS = 60


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key id and its secret, as returned to its creator."""

    key_id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls, owner_type: OwnerType) -> "IssuedKey":
        """Create a key that no store contains."""
        key_id = new_key_id(owner_type)
        return cls(key_id, new_secret(key_id))


@dataclass(frozen=True, slots=True)
class SeededStore:
    """The ids and keys in a seeded store: one account with one of everything.

    `integration_key` is a key of the app that is bound to `INTEGRATION_ID`. `expired_key`,
    `revoked_key` and `cidr_key` (usable only from `ALLOWED_CIDR`) are app keys.
    `spare_key` is an account key that nothing else uses, to be revoked.
    """

    account_id: str
    app_id: str
    service_account_id: str
    service_account_app_id: str
    account_key: IssuedKey
    app_key: IssuedKey
    integration_key: IssuedKey
    service_account_key: IssuedKey
    expired_key: IssuedKey
    revoked_key: IssuedKey
    cidr_key: IssuedKey
    spare_key: IssuedKey


class NoCachedPolicies:
    """For a store whose policies no gateway has cached yet."""

    def flush_in_any_case(self) -> None:
        """Do nothing: there is nothing to flush."""

    def flush(self) -> None:
        """Do nothing: there is nothing to flush."""


class NoAuditTrail:
    """Discards audit events, because seeding has no actor."""

    def record(self, events: Sequence[AuditEvent], /) -> None:
        """Do nothing."""


class NoUses:
    """For operations whose results are not shown."""

    def last_uses(self, key_ids: Sequence[str], /) -> Mapping[str, int]:
        """Return no use."""
        del key_ids
        return {}


def local_provisioning(environment: Mapping[str, str]) -> Provisioning:
    """Build the operations on a local store.

    `environment` contains the provisioning function's variables and the store's endpoints.
    """
    anywhere = environment["AWS_ENDPOINT_URL"]
    dynamodb = local_client("dynamodb", environment.get("AWS_ENDPOINT_URL_DYNAMODB") or anywhere)
    kms = local_client("kms", environment.get("AWS_ENDPOINT_URL_KMS") or anywhere)
    return Provisioning(
        directory=DirectoryTable(
            Database(cast("DynamoDbClient", dynamodb)),
            environment["KEYSCOPE_DIRECTORY_TABLE"],
            environment["KEYSCOPE_KEYS_TABLE"],
        ),
        sealer=SecretSealingBox(cast("KmsClient", kms), environment["KEYSCOPE_KMS_KEY_ARN"]),
        policies=NoCachedPolicies(),
        audit_trail=NoAuditTrail(),
        uses=LastUses(NoUses(), sees_all=False, report=lambda _: None),
        clock=time.time,
        max_apps_per_creator=DEFAULT_MAX_APPS_PER_CREATOR,
    )


def seed(provisioning: Provisioning) -> SeededStore:
    """Create an account and fill it."""
    account, created = provisioning.create_account("Example Bakery", KeyRequest("First key"))
    account_key = IssuedKey(created.key.key_id, created.secret)
    return fill_account(provisioning, account.owner_id, account_key)


def fill_account(
    provisioning: Provisioning,
    account_id: str,
    account_key: IssuedKey,
    name_of_app: ExternalName | None = None,
) -> SeededStore:
    """Create a service account, two apps, and keys of every kind and state in an account."""
    app_id = provisioning.create_named_app(account_id, "Shop", name=name_of_app)[0].owner_id
    service_account_id = provisioning.create_service_account(account_id, "Deployer").owner_id
    service_account_app = provisioning.create_app(account_id, "Staging", service_account_id)

    def issue(
        owner_type: OwnerType,
        owner_id: str,
        expires_at: int | None = None,
        allowed_cidrs: tuple[str, ...] = (),
        integration_id: str | None = None,
    ) -> IssuedKey:
        limits = KeyLimits(expires_at=expires_at, allowed_cidrs=allowed_cidrs)
        request = KeyRequest(limits=limits, integration_id=integration_id)
        created = provisioning.create_key(owner_type, owner_id, request)
        return IssuedKey(created.key.key_id, created.secret)

    revoked_key = issue(OwnerType.APP, app_id)
    provisioning.revoke_key(app_id, revoked_key.key_id)
    return SeededStore(
        account_id=account_id,
        app_id=app_id,
        service_account_id=service_account_id,
        service_account_app_id=service_account_app.owner_id,
        account_key=account_key,
        app_key=issue(OwnerType.APP, app_id),
        integration_key=issue(OwnerType.APP, app_id, integration_id=INTEGRATION_ID),
        service_account_key=issue(OwnerType.SERVICE_ACCOUNT, service_account_id),
        expired_key=issue(OwnerType.APP, app_id, int(time.time()) - _EXPIRED_FOR_SECONDS),
        revoked_key=revoked_key,
        cidr_key=issue(OwnerType.APP, app_id, allowed_cidrs=(ALLOWED_CIDR,)),
        spare_key=issue(OwnerType.ACCOUNT, account_id),
    )
