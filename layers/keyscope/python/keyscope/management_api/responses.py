"""The responses of the management API, in the v2 and v1.1 shapes of the Sunshine API."""

from typing import Any, NotRequired, cast

from typing_extensions import TypedDict

from keyscope.lifecycle.directory import Key, Owner
from keyscope.lifecycle.key_fields import present, shown_key, shown_last_use
from keyscope.lifecycle.key_use import LastUse
from keyscope.management_api.key_limits import ShownLimits
from keyscope.model.key_limits import shown_limits
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from keyscope.model.times import rfc3339


class OwnerFacts(TypedDict):
    """When an owner of keys was created, and how many keys count toward its limit of ten."""

    createdAt: str
    keyCount: int


class App(OwnerFacts):
    """An app. `externalId` is the operator's own id of it, if it has one.

    `keyCount` counts expired keys until a new key takes their place.
    """

    id: str
    externalId: NotRequired[str]
    displayName: str
    settings: dict[str, Any]
    metadata: dict[str, Any]


class _ExternalId(TypedDict):
    externalId: NotRequired[str]


class KeyState(TypedDict):
    """Whether a key can be used, and when it was created."""

    state: str
    createdAt: str


class KeyFacts(KeyState, ShownLimits):
    """A key without its name. `previousSecretEndsAt` is present during an overlap.

    `integrationId` is the integration that an app's key is bound to, if it is bound to one.
    `lastUsedAt` is null if the key was never used, and absent if that is not known. `suspendedAt`
    is present while the key's account is suspended.
    """

    integrationId: NotRequired[str]
    lastUsedAt: NotRequired[str | None]
    suspendedAt: NotRequired[str]
    rotatedAt: NotRequired[str]
    previousSecretEndsAt: NotRequired[str]


class KeyName(TypedDict):
    """The id and name of a key."""

    id: str
    displayName: NotRequired[str]


class ApiKey(KeyName, KeyFacts):
    """A key. Only responses to creation and rotation contain the secret."""

    secret: NotRequired[str]


class Meta(TypedDict):
    """The position of a page among the others."""

    hasMore: bool
    afterCursor: NotRequired[str]
    beforeCursor: NotRequired[str]


class Links(TypedDict):
    """The pages before and after this one."""

    prev: NotRequired[str]
    next: NotRequired[str]


class AppAnswer(TypedDict):
    """One app."""

    app: App


class AppsAnswer(TypedDict):
    """A page of apps."""

    apps: list[App]
    meta: Meta
    links: Links


class KeyAnswer(TypedDict):
    """One key."""

    key: ApiKey


class KeysAnswer(TypedDict):
    """All keys of an app, oldest first."""

    keys: list[ApiKey]


class OwnKey(KeyName, ShownLimits):
    """A key as its holder sees it. A token sees the id, scope, state and permissions."""

    scope: str
    integrationId: NotRequired[str]
    state: str
    createdAt: NotRequired[str]
    rotatedAt: NotRequired[str]
    previousSecretEndsAt: NotRequired[str]
    lastUsedAt: NotRequired[str | None]


class OwnKeyAnswer(TypedDict):
    """The key that the request is made with."""

    key: OwnKey


class Nothing(TypedDict):
    """An empty object, returned on success."""


class AppV11(OwnerFacts):
    """An app, in the v1.1 shape."""

    _id: str
    externalId: NotRequired[str]
    name: str
    settings: dict[str, Any]
    metadata: dict[str, Any]


class KeyNameV11(TypedDict):
    """The id and name of a key, in the v1.1 shape."""

    _id: str
    name: NotRequired[str]


class ApiKeyV11(KeyNameV11, KeyFacts):
    """A key, in the v1.1 shape. Only responses to creation and rotation contain the secret."""

    secret: NotRequired[str]


class AppAnswerV11(TypedDict):
    """One app."""

    app: AppV11


class AppsAnswerV11(TypedDict):
    """Some apps, after `offset` others."""

    apps: list[AppV11]
    hasMore: bool
    offset: int


class KeyAnswerV11(TypedDict):
    """One key."""

    key: ApiKeyV11


class KeysAnswerV11(TypedDict):
    """All keys of an app or a service account, oldest first."""

    keys: list[ApiKeyV11]


class ServiceAccount(OwnerFacts):
    """A service account."""

    _id: str
    name: str


class ServiceAccountAnswer(TypedDict):
    """One service account."""

    serviceAccount: ServiceAccount


class ServiceAccountsAnswer(TypedDict):
    """Some service accounts, after `offset` others."""

    serviceAccounts: list[ServiceAccount]
    hasMore: bool
    offset: int


def app_v2(app: Owner) -> App:
    """Return an app in the v2 shape."""
    return {
        "id": app.owner_id,
        **_external_id(app),
        "displayName": app.display_name,
        "settings": dict(app.settings),
        "metadata": dict(app.metadata),
        **_owner_facts(app),
    }


def app_v11(app: Owner) -> AppV11:
    """Return an app in the v1.1 shape."""
    return {
        "_id": app.owner_id,
        **_external_id(app),
        "name": app.display_name,
        "settings": dict(app.settings),
        "metadata": dict(app.metadata),
        **_owner_facts(app),
    }


def service_account(owner: Owner) -> ServiceAccount:
    """Return a service account in the v1.1 shape."""
    return {"_id": owner.owner_id, "name": owner.display_name, **_owner_facts(owner)}


def key_v2(key: Key, now: float, last_use: LastUse, secret: str | None = None) -> ApiKey:
    """Return a key in the v2 shape, with its secret if it was just created or rotated."""
    named = present({"id": key.key_id, "displayName": key.display_name, "secret": secret})
    return cast("ApiKey", named | _facts(key, now, last_use))


def own_key(key: Key, now: float, last_use: LastUse, scope: Scope) -> OwnKey:
    """Return a key as it is shown to the holder of its secret."""
    return cast("OwnKey", {**key_v2(key, now, last_use), "scope": scope.value})


def own_key_of_token(key: Key, now: float, principal: Principal) -> OwnKey:
    """Return a key as it is shown to a token that was signed with it."""
    limits = shown_limits(principal.limits)
    return cast(
        "OwnKey",
        present(
            {
                "id": key.key_id,
                "scope": principal.scope.value,
                "integrationId": principal.integration_id,
                "state": key.state(now).value,
                "permissions": limits["permissions"],
            }
        ),
    )


def key_v11(key: Key, now: float, last_use: LastUse, secret: str | None = None) -> ApiKeyV11:
    """Return a key in the v1.1 shape, with its secret if it was just created or rotated."""
    named = present({"_id": key.key_id, "name": key.display_name, "secret": secret})
    return cast("ApiKeyV11", named | _facts(key, now, last_use))


def _owner_facts(owner: Owner) -> OwnerFacts:
    return {"createdAt": rfc3339(owner.created_at), "keyCount": owner.key_count}


def _external_id(app: Owner) -> _ExternalId:
    return {} if app.external_id is None else {"externalId": app.external_id}


def _facts(key: Key, now: float, last_use: LastUse) -> dict[str, object]:
    return shown_key(key, now) | shown_last_use(last_use)
