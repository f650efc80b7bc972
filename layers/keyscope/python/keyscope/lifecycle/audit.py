"""The audit events of lifecycle changes: who did what, when and from where.

`docs/reference/audit-events.md` documents the events; their JSON schema is next to it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from keyscope.lifecycle.account import Account
from keyscope.lifecycle.account_fields import shown_changeable
from keyscope.lifecycle.directory import Key, Owner
from keyscope.lifecycle.key_fields import Json, present, shown_key, shown_usage
from keyscope.model.external_ids import NO_EXTERNAL_IDS, ExternalIds
from keyscope.model.ids import OwnerType, account_id_of
from keyscope.model.times import rfc3339

EVENT_VERSION = 1


class Action(StrEnum):
    """What was done."""

    ACCOUNT_CREATED = "account.created"
    ACCOUNT_UPDATED = "account.updated"
    ACCOUNT_SUSPENDED = "account.suspended"
    ACCOUNT_RESUMED = "account.resumed"
    ACCOUNT_DELETED = "account.deleted"
    SERVICE_ACCOUNT_CREATED = "serviceAccount.created"
    SERVICE_ACCOUNT_UPDATED = "serviceAccount.updated"
    SERVICE_ACCOUNT_DELETED = "serviceAccount.deleted"
    APP_CREATED = "app.created"
    APP_UPDATED = "app.updated"
    APP_DELETED = "app.deleted"
    KEY_CREATED = "key.created"
    KEY_UPDATED = "key.updated"
    KEY_ROTATED = "key.rotated"
    KEY_OVERLAP_ENDED = "key.overlapEnded"
    KEY_REVOKED = "key.revoked"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change.

    `key_id`, `scope` and the ids belong to the API key that was used; an IAM caller of the
    provisioning function has none. `request_id` comes from API Gateway, or from Lambda for an IAM
    caller. With `itself`, the key that was used revokes itself.
    """

    request_id: str | None = None
    source_address: str | None = None
    key_id: str | None = None
    scope: str | None = None
    account_id: str | None = None
    service_account_id: str | None = None
    app_id: str | None = None
    integration_id: str | None = None
    itself: bool = False
    external_ids: ExternalIds = NO_EXTERNAL_IDS

    def shown(self) -> Json:
        """Return the actor as it appears in an event."""
        by_key = "self" if self.itself else "apiKey"
        return present(
            {
                "type": "iam" if self.key_id is None else by_key,
                "keyId": self.key_id,
                "scope": self.scope,
                "accountId": self.account_id,
                "serviceAccountId": self.service_account_id,
                "appId": self.app_id,
                "integrationId": self.integration_id,
                **self.external_ids.by_name(),
                "sourceAddress": self.source_address,
                "requestId": self.request_id,
            }
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to an owner, or to one of its keys if `key_id` is set.

    A creation has no `before`, and a deletion no `after`.
    """

    action: Action
    owner_id: str
    before: Owner | Account | Key | None = None
    after: Owner | Account | Key | None = None
    key_id: str | None = None

    @property
    def external_ids(self) -> ExternalIds:
        """The operator's ids of the account and the app that the change is about."""
        changed = self.after or self.before
        return NO_EXTERNAL_IDS if changed is None else changed.external_ids

    def resource(self) -> Json:
        """Return what was changed: `type`, `id`, and the `ownerId` of a key."""
        resource_type, _, _ = self.action.value.partition(".")
        owner_id = None if self.key_id is None else self.owner_id
        members = {"type": resource_type, "id": self.key_id or self.owner_id, "ownerId": owner_id}
        return present(members)


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """A lifecycle change, who made it, and when, in seconds since the epoch."""

    change: Change
    actor: Actor
    at: int
    event_id: str = field(default_factory=lambda: secrets.token_hex(16))

    def detail(self) -> Json:
        """Return the event as JSON, without members that have no value.

        It contains no secrets. Of an app's metadata it contains only the names, and of a usage
        identifier key only a hash.
        """
        return present(
            {
                "version": EVENT_VERSION,
                "id": self.event_id,
                "time": rfc3339(self.at),
                "action": self.change.action.value,
                "accountId": account_id_of(self.change.owner_id),
                **self.change.external_ids.by_name(),
                "actor": self.actor.shown(),
                "resource": self.change.resource(),
                "before": _seen(self.change.before, self.at),
                "after": _seen(self.change.after, self.at),
            }
        )


class AuditTrail(Protocol):
    """Where audit events go."""

    def record(self, events: Sequence[AuditEvent], /) -> None:
        """Record the events.

        Does not raise: the change is already made, and the operator must deal with events that
        cannot be delivered.
        """
        ...


def _seen(one: Owner | Account | Key | None, now: int) -> Json | None:
    match one:
        case None:
            return None
        case Account():
            return shown_changeable(one)
        case Key():
            named = present({"displayName": one.display_name})
            return named | shown_key(one, now) | shown_usage(one)
        case Owner():
            seen: Json = {"displayName": one.display_name}
            if one.owner_type is OwnerType.APP:
                # Metadata values belong to the customer and may be secret.
                names = sorted(one.metadata)
                seen |= {"settings": dict(one.settings), "metadataMembers": names}
            return seen
