"""Credentials of every kind of owner and scheme, as a client's program receives them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keyscope.model.secret import new_secret
from keyscope_local.tour.event_values import bearer
from keyscope_local.tour.seed import INTEGRATION_ID, USER_ID, IssuedKey, SeededStore
from tests.clients.downstream import ID

BASIC, JWT = "Basic", "JWT"
SCOPES: Final = {
    "appUser": "appUser",
    "app": "app",
    "integration": "integration",
    "account": "account",
    "service account": "account",
}
"""The scope that a token of each kind of caller claims."""


@dataclass(frozen=True)
class Credential:
    """A credential under a name, such as `app with Basic`; without a kind, it is not valid."""

    name: str
    kind: str | None
    scope: str
    app_id: str
    key: IssuedKey
    token: str | None

    def as_json(self) -> Mapping[str, str | None]:
        """Return what a client's program reads: a token if it is to send that, else the secret."""
        return {
            "name": self.name,
            "scope": self.scope,
            "appId": self.app_id,
            # Of the same creator, so that a service account reaches it, too.
            "unknownAppId": self.app_id[:-8] + "ffffffff",
            "keyId": self.key.key_id,
            "secret": None if self.token else self.key.secret,
            "token": self.token,
        }


def token_of(key: IssuedKey, **claims: object) -> str:
    return bearer(key, claims).removeprefix("Bearer ")


def valid_credentials(store: SeededStore) -> list[Credential]:
    """Return one of each kind of caller and scheme. Only tokens can name a user."""
    keys = {
        "appUser": store.app_key,
        "app": store.app_key,
        "integration": store.integration_key,
        "account": store.account_key,
        "service account": store.service_account_key,
    }
    found = []
    for kind, key in keys.items():
        scope = SCOPES[kind]
        app_id = store.service_account_app_id if kind == "service account" else store.app_id
        if kind == "appUser":
            token = token_of(key, scope=scope, userId=USER_ID)
        else:
            found.append(Credential(f"{kind} with {BASIC}", kind, scope, app_id, key, None))
            token = token_of(key, scope=scope)
        found.append(Credential(f"{kind} with {JWT}", kind, scope, app_id, key, token))
    return found


def invalid_credentials(store: SeededStore) -> list[Credential]:
    """Return credentials that every route answers with 401."""
    key = store.account_key
    wrong = IssuedKey(key.key_id, new_secret(key.key_id))
    expired = token_of(key, scope="account", exp=int(time.time()) - 60)
    unsigned_for = token_of(store.app_key, scope="account")
    return [
        Credential("wrong secret", None, "account", store.app_id, wrong, None),
        Credential("revoked key", None, "app", store.app_id, store.revoked_key, None),
        Credential("expired token", None, "account", store.app_id, key, expired),
        Credential("app key for accounts", None, "account", store.app_id, key, unsigned_for),
    ]


def ids(store: SeededStore, stranger: SeededStore) -> Mapping[str, str]:
    """Return the ids that programs put into paths; users' and others' exist only downstream."""
    return {
        "userId": USER_ID,
        "otherUserId": "customer-8",
        "integrationId": INTEGRATION_ID,
        "otherIntegrationId": ID,
        "downstreamId": ID,
        "unusedKeyId": store.cidr_key.key_id,
        "strangersAppId": stranger.app_id,
        "fullAppId": store.service_account_app_id,
        "serviceAccountId": store.service_account_id,
    }
