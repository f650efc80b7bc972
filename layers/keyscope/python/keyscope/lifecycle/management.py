"""What the management API lets a principal do with its own apps, service accounts and keys.

An app or service account of someone else gets the same answer as one that does not exist, so that
callers cannot find out which ids exist.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar, assert_never

from keyscope.errors import Fault, Forbidden, InvalidInput, KeyscopeError, NotFound
from keyscope.lifecycle.caller import HeritageChanged, ProvenKey
from keyscope.lifecycle.directory import (
    Key,
    KeyNotFound,
    Members,
    Owner,
    OwnerNotFound,
    Page,
    Position,
)
from keyscope.lifecycle.operations import CreatedKey, KeyRequest, Provisioning
from keyscope.lifecycle.own_limits import check_limits_within, check_permissions, inherited
from keyscope.model.ids import OwnerType, is_app_id, is_integration_id, is_service_account_id
from keyscope.model.key_limits import NO_LIMITS, KeyLimits
from keyscope.model.principal import CredentialKind, Principal
from keyscope.model.scopes import SCOPES, Scope

MAX_METADATA_BYTES = 4_096
"""The largest metadata of an app, in bytes of UTF-8 JSON; the Sunshine API's limit."""

MAX_OVERLAP_SECONDS = 30 * 24 * 3_600
"""The longest that a rotated key's previous secret is accepted."""
DEFAULT_OVERLAP_SECONDS = 24 * 3_600

METADATA_TOO_LARGE = f"must be at most {MAX_METADATA_BYTES} bytes as JSON"

_T = TypeVar("_T")

MergePatch = Mapping[str, str | int | float | bool | None]
"""Members to add or replace, or with `None` to remove (RFC 7396)."""


class KeyRequired(KeyscopeError):  # noqa: N818 - a state
    """Only a key's secret can do this, not a token that was signed with it."""


class KeysAreOfTheApp(Forbidden):
    """A caller of account scope with permissions manages these keys among those of the app."""


class IntegrationNotFound(NotFound):
    """There is no such integration: its id is not 24 hex characters."""


@dataclass(frozen=True, slots=True)
class AppRequest:
    """What a caller may choose for a new app."""

    display_name: str
    settings: Members = field(default_factory=dict)
    metadata: Members = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AppChange:
    """What to change in an app; without a display name, the app keeps its name."""

    display_name: str | None = None
    settings: MergePatch = field(default_factory=dict)
    metadata: MergePatch = field(default_factory=dict)
    clear_metadata: bool = False

    def apply(self, app: Owner) -> Owner:
        """Return the changed app; raises `InvalidInput` if its metadata grows too large."""
        metadata = merged({} if self.clear_metadata else app.metadata, self.metadata)
        if is_too_large(metadata):
            raise InvalidInput([Fault("bad_request", "metadata", METADATA_TOO_LARGE)])
        return replace(
            app,
            display_name=app.display_name if self.display_name is None else self.display_name,
            settings=merged(app.settings, self.settings),
            metadata=metadata,
        )


@dataclass(frozen=True, slots=True)
class KeyChange:
    """What to change in a key: its name, and the limits that `chosen` names.

    Without `display_name`, the key keeps its name.
    """

    display_name: str | None = None
    chosen: frozenset[str] = frozenset()
    limits: KeyLimits = NO_LIMITS

    def may_widen(self) -> bool:
        """Return whether the change can do more than rename or disable the key."""
        disables = self.limits.disabled_at is not None
        return bool(self.chosen - ({"disabled_at"} if disables else frozenset()))

    def apply(self, key: Key) -> Key:
        """Return the changed key."""
        return replace(
            key,
            display_name=key.display_name if self.display_name is None else self.display_name,
            limits=key.limits.changed(self.chosen, self.limits),
        )


@dataclass(frozen=True, slots=True)
class Management:
    """The operations that a principal may carry out.

    Each raises `Forbidden` if the principal's scope does not allow it, `OwnerNotFound` if the app
    or service account does not exist or is not the principal's, and whatever `Provisioning` raises.
    Each also raises `Forbidden` if the principal's credential is not valid at that moment. A change
    raises it if the credential is not valid at the moment of the write, and `ExceedsOwnLimits` if a
    key is, or would be, wider than the principal's.

    With `integration_id`, the operations on an app's keys are those on the keys that are bound to
    that integration, which the app's own keys may carry out, too. Others are not found.
    """

    provisioning: Provisioning
    principal: Principal
    source_address: str | None
    integration_id: str | None = None

    @property
    def own_prefix(self) -> str:
        """The prefix of the ids of all the principal's apps."""
        # Ids nest: an app's id begins with that of its account and service account.
        return self.principal.service_account_id or self.principal.account_id

    def create_app(self, request: AppRequest) -> Owner:
        """Create an app of the account, or of the service account that owns the key."""
        self._require_account()
        try:
            return self._operations().create_app(
                self.principal.account_id,
                request.display_name,
                self.principal.service_account_id,
                settings=request.settings,
                metadata=request.metadata,
            )
        except OwnerNotFound:
            # The service account was deleted while its key was still cached.
            raise Forbidden from None

    def list_apps(self, position: Position, size: int, creator_id: str | None = None) -> Page:
        """Return the principal's apps, or those that one service account created.

        Raises:
            Forbidden: also if that service account is another account's, or if the principal is
                another service account.
        """
        self._require_account()
        operations = self._operations()
        if creator_id is not None and not creator_id.startswith(self.own_prefix):
            raise Forbidden
        return operations.list_apps(creator_id or self.own_prefix, position, size)

    def get_app(self, app_id: str) -> Owner:
        """Return an app; an app's own key may do so, too."""
        self._require_own_app(app_id)
        return self._operations().get_owner(app_id)

    def update_app(self, app_id: str, change: AppChange) -> Owner:
        """Change an app; an app's own key may do so, too."""
        self._require_own_app(app_id)
        return self._operations().update_owner(app_id, change.apply)

    def delete_app(self, app_id: str) -> None:
        """Delete an app and revoke its keys at once."""
        self._require_managed(OwnerType.APP, app_id)
        self._operations().delete_owner(app_id)

    def create_service_account(self, display_name: str) -> Owner:
        """Create a service account of the account."""
        self._require_user_account()
        try:
            return self._operations().create_service_account(
                self.principal.account_id, display_name
            )
        except OwnerNotFound:
            raise Forbidden from None

    def list_service_accounts(self, position: Position, size: int) -> Page:
        """Return the account's service accounts."""
        self._require_user_account()
        return self._operations().list_service_accounts(self.principal.account_id, position, size)

    def get_service_account(self, service_account_id: str) -> Owner:
        """Return a service account."""
        self._require_managed(OwnerType.SERVICE_ACCOUNT, service_account_id)
        return self._operations().get_owner(service_account_id)

    def rename_service_account(self, service_account_id: str, display_name: str) -> Owner:
        """Change the name of a service account."""
        self._require_managed(OwnerType.SERVICE_ACCOUNT, service_account_id)
        return self._operations().update_owner(
            service_account_id, lambda owner: replace(owner, display_name=display_name)
        )

    def delete_service_account(self, service_account_id: str) -> None:
        """Delete a service account that has no apps, and revoke its keys at once."""
        self._require_managed(OwnerType.SERVICE_ACCOUNT, service_account_id)
        self._operations().delete_owner(service_account_id)

    def create_key(self, owner_type: OwnerType, owner_id: str, request: KeyRequest) -> CreatedKey:
        """Create a key for an app or a service account, in the usage plan of the caller's key."""
        self._require_keys_of(owner_type, owner_id)

        def create(operations: Provisioning, key: Key) -> CreatedKey:
            own = self._own_limits(key)
            limits = inherited(request.limits, own)
            check_limits_within(limits, own)
            planned = replace(
                request,
                limits=limits,
                integration_id=self.integration_id or request.integration_id,
                usage_identifier_key=key.usage_identifier_key,
            )
            return operations.create_key(owner_type, owner_id, planned)

        return self._within_own(create)

    def list_keys(self, owner_type: OwnerType, owner_id: str) -> Sequence[Key]:
        """Return the keys of an app or a service account, except revoked ones."""
        self._require_keys_of(owner_type, owner_id)
        return [key for key in self._operations().list_keys(owner_id) if self._is_among(key)]

    def get_key(self, owner_type: OwnerType, owner_id: str, key_id: str) -> Key:
        """Return a key of an app or a service account that is not revoked."""
        self._require_keys_of(owner_type, owner_id)
        return self._found(self._operations().get_key(owner_id, key_id))

    def update_key(
        self, owner_type: OwnerType, owner_id: str, key_id: str, change: KeyChange
    ) -> Key:
        """Change the name or the limits of a key."""
        self._require_keys_of(owner_type, owner_id)

        def update(operations: Provisioning, key: Key) -> Key:
            own = self._own_limits(key)

            def apply(before: Key) -> Key:
                after = change.apply(self._found(before))
                check_permissions(before.limits, own)
                if change.may_widen():
                    check_limits_within(after.limits, own)
                return after

            return operations.update_key(owner_id, key_id, apply)

        return self._within_own(update)

    def rotate_key(
        self, owner_type: OwnerType, owner_id: str, key_id: str, overlap_seconds: int
    ) -> CreatedKey:
        """Give a key a new secret; the old one is accepted during the overlap."""
        self._require_keys_of(owner_type, owner_id)

        def rotate(operations: Provisioning, key: Key) -> CreatedKey:
            own = self._own_limits(key)
            return operations.rotate_key(
                owner_id,
                key_id,
                overlap_seconds,
                lambda key: check_limits_within(self._found(key).limits, own),
            )

        return self._within_own(rotate)

    def end_overlap(self, owner_type: OwnerType, owner_id: str, key_id: str) -> Key:
        """Stop accepting a key's previous secret at once."""
        self._require_keys_of(owner_type, owner_id)
        operations, key = self._judged()
        own = self._own_limits(key)
        return operations.end_overlap(
            owner_id, key_id, lambda key: check_permissions(self._found(key).limits, own)
        )

    def delete_key(self, owner_type: OwnerType, owner_id: str, key_id: str) -> None:
        """Revoke a key."""
        self._require_keys_of(owner_type, owner_id)
        operations, own = self._judged()
        key = self._found(operations.get_key(owner_id, key_id))
        check_permissions(key.limits, self._own_limits(own))
        operations.revoke_key(owner_id, key_id)

    def get_own_key(self) -> Key:
        """Return the key that the principal's credential belongs to."""
        self._require_holder()
        _, key = self._judged()
        return key

    def end_own_key(self) -> None:
        """Revoke the key that was sent, or end the overlap if its previous secret was sent.

        Doing so again changes nothing.

        Raises:
            KeyRequired: the credential is a token.
        """
        self._require_holder()
        match self.principal.credential_kind:
            case CredentialKind.BASIC | CredentialKind.BEARER_SECRET:
                self.provisioning.end_own_secret(self._proven())
            case CredentialKind.JWT:
                raise KeyRequired
            case _:
                assert_never(self.principal.credential_kind)

    def _operations(self) -> Provisioning:
        """Judge the principal's credential; return the operations on its behalf."""
        operations, _ = self._judged()
        return operations

    def _judged(self) -> tuple[Provisioning, Key]:
        return self.provisioning.on_behalf_of(self._proven())

    def _proven(self) -> ProvenKey:
        return ProvenKey.of(self.principal, self.source_address)

    def _require_holder(self) -> None:
        if not SCOPES[self.principal.scope].by_secret:
            raise Forbidden

    def _within_own(self, change: Callable[[Provisioning, Key], _T]) -> _T:
        """Make a change that the caller's own key decides, as that key is at the write."""
        while True:
            operations, key = self.provisioning.on_behalf_of(self._proven(), as_it_is=True)
            try:
                return change(operations, key)
            except HeritageChanged:
                continue

    def _own_limits(self, own: Key) -> KeyLimits:
        """Return the limits of the caller's key, as narrow as its token is."""
        return own.limits._replace(permissions=self.principal.limits.permissions)

    def _require_account(self) -> None:
        if self.principal.scope is not Scope.ACCOUNT:
            raise Forbidden

    def _require_user_account(self) -> None:
        self._require_account()
        if self.principal.service_account_id is not None:
            raise Forbidden

    def _require_own_app(self, app_id: str) -> None:
        if self.principal.scope is Scope.APP:
            if app_id != self.principal.app_id:
                raise OwnerNotFound
        else:
            self._require_managed(OwnerType.APP, app_id)

    def _require_keys_of(self, owner_type: OwnerType, owner_id: str) -> None:
        """Check that the principal manages the keys of an owner, or those of the integration."""
        if self.integration_id is None:
            self._require_managed(owner_type, owner_id)
            return
        self._require_own_app(owner_id)
        if not is_integration_id(self.integration_id):
            raise IntegrationNotFound
        is_limited = self.principal.limits.permissions is not None
        if self.principal.scope is Scope.ACCOUNT and is_limited:
            # The permissions for integrations reach their keys: a policy of account scope has no
            # room for paths that tell them apart.
            raise KeysAreOfTheApp

    def _is_among(self, key: Key) -> bool:
        return self.integration_id in (None, key.integration_id)

    def _found(self, key: Key) -> Key:
        if not self._is_among(key):
            raise KeyNotFound
        return key

    def _require_managed(self, owner_type: OwnerType, owner_id: str) -> None:
        """Check that the principal's account scope covers an app or service account."""
        if owner_type is OwnerType.APP:
            self._require_account()
            is_id = is_app_id(owner_id)
        else:
            self._require_user_account()
            is_id = is_service_account_id(owner_id)
        if not is_id or not owner_id.startswith(self.own_prefix):
            raise OwnerNotFound


def merged(members: Members, patch: MergePatch) -> Members:
    """Apply a merge patch to flat members."""
    both = {**members, **patch}
    return {name: value for name, value in both.items() if value is not None}


def is_too_large(metadata: Members) -> bool:
    """Return whether metadata exceeds `MAX_METADATA_BYTES`."""
    text = json.dumps(dict(metadata), ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass")) > MAX_METADATA_BYTES
