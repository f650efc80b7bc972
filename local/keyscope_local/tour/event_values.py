"""The values of the placeholders in sample events, from a seeded store.

A committed event contains `{{basic app}}` instead of a credential and `{{app_id}}` instead of an
id, so that no secret is committed and no id outlives its store. Placeholders of credentials are
named like the events' files: what the credential gives, or what is wrong with it.
"""

import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final

import jwt

from keyscope.model.ids import OwnerType
from keyscope.model.secret import CHECKSUM_LENGTH, new_secret
from keyscope_local.tour.seed import INTEGRATION_ID, USER_ID, IssuedKey, SeededStore

TOKEN_LIFETIME_SECONDS: Final = 8 * 3_600
"""How long a token of a local run is valid, in seconds: a working day."""
PLACEHOLDER: Final = re.compile(r"\{\{([a-z_ ]+)\}\}")


class UnknownPlaceholder(Exception):  # noqa: N818 - a state, named as what it says
    """An event contains a placeholder without a known value."""


def placeholders(store: SeededStore) -> dict[str, str]:
    """Return the value of each placeholder, by name."""
    return {name: value(store) for name, value in VALUES.items()}


def fill(event: object, store: SeededStore) -> object:
    """Return a copy of an event with every placeholder in its strings replaced.

    Raises:
        UnknownPlaceholder: with its name and the known ones.
    """
    match event:
        case str():
            return PLACEHOLDER.sub(lambda found: _value(found[1], store), event)
        case list():
            return [fill(item, store) for item in event]
        case dict():
            return {name: fill(item, store) for name, item in event.items()}
        case _:
            return event


def _value(name: str, store: SeededStore) -> str:
    if name not in VALUES:
        message = f"{{{{{name}}}}} is not a placeholder. Known: {', '.join(sorted(VALUES))}"
        raise UnknownPlaceholder(message)
    return VALUES[name](store)


def basic(key: IssuedKey, secret: str | None = None) -> str:
    """Return an `Authorization` value of the Basic scheme (RFC 7617)."""
    return "Basic " + b64encode(f"{key.key_id}:{secret or key.secret}".encode()).decode()


def bearer_secret(secret: str) -> str:
    """Return an `Authorization` value that contains only a secret."""
    return f"Bearer {secret}"


def bearer(key: IssuedKey, claims: Mapping[str, object]) -> str:
    """Return an `Authorization` value with a token of these claims, valid for a working day."""
    lifetime = {"exp": int(time.time()) + TOKEN_LIFETIME_SECONDS}
    return "Bearer " + jwt.encode(
        {**lifetime, **claims}, key.secret, algorithm="HS256", headers={"kid": key.key_id}
    )


def _unsigned(key: IssuedKey, claims: Mapping[str, object]) -> str:
    token = jwt.encode(dict(claims), "", algorithm="none", headers={"kid": key.key_id})
    return f"Bearer {token}"


def _mistyped(secret: str) -> str:
    """Change one character, so that the checksum at the end no longer matches."""
    position = len(secret) - CHECKSUM_LENGTH - 1
    other = "A" if secret[position] != "A" else "B"
    return secret[:position] + other + secret[position + 1 :]


def _unknown_key() -> IssuedKey:
    return IssuedKey.new(OwnerType.APP)


def _with_another_secret(key: IssuedKey) -> IssuedKey:
    return IssuedKey(key.key_id, new_secret(key.key_id))


def _seconds_from_now(seconds: int) -> int:
    return int(time.time()) + seconds


_APP = {"scope": "app"}
_ACCOUNT = {"scope": "account"}
_APP_USER = {"scope": "appUser", "userId": USER_ID}

VALUES: Final[Mapping[str, Callable[[SeededStore], str]]] = {
    "account_id": lambda store: store.account_id,
    "app_id": lambda store: store.app_id,
    "service_account_app_id": lambda store: store.service_account_app_id,
    "account_key_id": lambda store: store.account_key.key_id,
    "app_key_id": lambda store: store.app_key.key_id,
    "spare_key_id": lambda store: store.spare_key.key_id,
    "user_id": lambda _: USER_ID,
    "integration_id": lambda _: INTEGRATION_ID,
    "basic app": lambda store: basic(store.app_key),
    "basic integration": lambda store: basic(store.integration_key),
    "basic account": lambda store: basic(store.account_key),
    "basic service_account": lambda store: basic(store.service_account_key),
    "basic wrong_secret": lambda store: basic(_with_another_secret(store.app_key)),
    "basic mistyped_secret": lambda store: basic(store.app_key, _mistyped(store.app_key.secret)),
    "basic secret_of_another_key": lambda store: basic(store.app_key, store.account_key.secret),
    "secret app": lambda store: bearer_secret(store.app_key.secret),
    "secret mistyped": lambda store: bearer_secret(_mistyped(store.app_key.secret)),
    "basic unknown_key": lambda _: basic(_unknown_key()),
    "basic revoked_key": lambda store: basic(store.revoked_key),
    "basic expired_key": lambda store: basic(store.expired_key),
    "basic wrong_address": lambda store: basic(store.cidr_key),
    "jwt app_user": lambda store: bearer(store.app_key, _APP_USER),
    "jwt app": lambda store: bearer(store.app_key, _APP),
    "jwt integration": lambda store: bearer(store.integration_key, {"scope": "integration"}),
    "jwt account": lambda store: bearer(store.account_key, _ACCOUNT),
    "jwt service_account": lambda store: bearer(store.service_account_key, _ACCOUNT),
    "jwt expired_token": lambda store: bearer(
        store.app_key, {**_APP, "exp": _seconds_from_now(-60)}
    ),
    "jwt not_yet_valid": lambda store: bearer(
        store.app_key, {**_APP, "nbf": _seconds_from_now(TOKEN_LIFETIME_SECONDS)}
    ),
    "jwt wrong_scope": lambda store: bearer(store.app_key, _ACCOUNT),
    "jwt wrong_signature": lambda store: bearer(_with_another_secret(store.app_key), _APP),
    "jwt unsigned": lambda store: _unsigned(store.app_key, _APP),
    "jwt no_user_id": lambda store: bearer(store.app_key, {"scope": "appUser"}),
    "jwt unknown_key": lambda _: bearer(_unknown_key(), _APP),
}
