"""Builders of keys, credentials and events; every secret is new."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import jwt

from keyscope.lifecycle.caller import Standing
from keyscope.lifecycle.directory import Key
from keyscope.model.ids import IdName, OwnerType, new_key_id
from keyscope.model.key_limits import KeyLimits
from keyscope.model.key_record import KeyRecord, PreviousSecret
from keyscope.model.principal import CredentialKind, Principal
from keyscope.model.secret import hash_secret, new_secret

_Limited = TypeVar("_Limited", KeyRecord, Key, Principal, Standing)

NOW = 1_800_000_000
ACCOUNT = "0a1b2c3d4e5f"
SERVICE_ACCOUNT = ACCOUNT + "c0de"
APP = ACCOUNT + "0000" + "12345678"
APP_OF_SERVICE_ACCOUNT = SERVICE_ACCOUNT + "12345678"
OTHER_ACCOUNT = "ffffffffffff"
OTHER_APP = OTHER_ACCOUNT + "0000" + "12345678"
INTEGRATION = "5f8a9d0c1b2e3f4a5b6c7d8e"
OTHER_INTEGRATION = "5f8a9d0c1b2e3f4a5b6c7d8f"
USER = "user-1"
METHOD_ARN = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod/GET/v2/apps"

OWNERS = {
    OwnerType.APP: APP,
    OwnerType.ACCOUNT: ACCOUNT,
    OwnerType.SERVICE_ACCOUNT: SERVICE_ACCOUNT,
}


@dataclass(frozen=True)
class MadeKey:
    """A key whose secret the test knows."""

    record: KeyRecord
    secret: str = field(repr=False)

    @property
    def key_id(self) -> str:
        return self.record.key_id

    def basic(self) -> str:
        return basic(self.key_id, self.secret)

    def bearer(self, **claims: object) -> str:
        return "Bearer " + token(self.key_id, self.secret, claims)

    def of_each_kind(self, **claims: object) -> dict[CredentialKind, str]:
        """Return a credential of each kind; the claims are a token's."""
        return {
            CredentialKind.BASIC: self.basic(),
            CredentialKind.JWT: self.bearer(**claims),
            CredentialKind.BEARER_SECRET: f"Bearer {self.secret}",
        }


def make_key(
    owner_type: OwnerType = OwnerType.APP,
    *,
    owner_id: str | None = None,
    expires_at: int | None = None,
    allowed_cidrs: tuple[str, ...] = (),
    revoked_at: int | None = None,
) -> MadeKey:
    key_id = new_key_id(owner_type)
    secret = new_secret(key_id)
    return MadeKey(
        KeyRecord(
            key_id=key_id,
            owner_type=owner_type,
            owner_id=owner_id or OWNERS[owner_type],
            secret_hash=hash_secret(secret),
            secret_ciphertext=b"sealed " + secret.encode(),
            revoked_at=revoked_at,
            limits=KeyLimits(expires_at=expires_at, allowed_cidrs=allowed_cidrs),
        ),
        secret,
    )


def make_integration_key(integration_id: str = INTEGRATION, app_id: str = APP) -> MadeKey:
    key_id = new_key_id(OwnerType.APP, IdName.INTEGRATION)
    secret = new_secret(key_id)
    sealed = b"sealed " + secret.encode()
    record = KeyRecord(
        key_id, OwnerType.APP, app_id, hash_secret(secret), sealed, integration_id=integration_id
    )
    return MadeKey(record, secret)


def limited(one: _Limited, **members: Any) -> _Limited:  # noqa: ANN401 - any member of a key
    """Return what has limits with other members: those of its limits, and those of its own."""
    limits = {name: members.pop(name) for name in KeyLimits._fields if name in members}
    return replace(one, limits=one.limits._replace(**limits), **members)


def in_usage_plan(key: MadeKey, usage_identifier_key: str) -> MadeKey:
    return replace(key, record=replace(key.record, usage_identifier_key=usage_identifier_key))


def rotated(old: MadeKey, ends_at: int) -> MadeKey:
    """Return the key with a new secret; its record takes the old one until `ends_at`."""
    secret = new_secret(old.key_id)
    record = replace(
        old.record,
        secret_hash=hash_secret(secret),
        secret_ciphertext=b"sealed " + secret.encode(),
        previous=PreviousSecret(old.record.secret_hash, old.record.secret_ciphertext, ends_at),
        secret_generation=old.record.secret_generation + 1,
    )
    return MadeKey(record, secret)


def basic(key_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{key_id}:{secret}".encode()).decode()


def token(
    key_id: str,
    secret: str,
    claims: Mapping[str, object],
    header: Mapping[str, object] | None = None,
) -> str:
    return jwt.encode(dict(claims), secret, "HS256", headers={"kid": key_id, **(header or {})})


def compact(header: object, claims: object, signature: str = "A" * 43) -> str:
    """Join the segments of a token by hand; text is taken as it stands, the rest as JSON."""
    return ".".join([_segment(header), _segment(claims), signature])


def _segment(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def rest_request_event(authorization: str | None, **members: object) -> dict[str, object]:
    values = [] if authorization is None else [authorization]
    return {
        "type": "REQUEST",
        "methodArn": METHOD_ARN,
        "headers": dict.fromkeys(["authorization"][: len(values)], authorization),
        "multiValueHeaders": {"authorization": values} if values else {},
        "queryStringParameters": {},
        "multiValueQueryStringParameters": {},
        "requestContext": {"requestId": "request-1", "identity": {"sourceIp": "192.0.2.7"}},
        **members,
    }


def http_event(authorization: str | None, **members: object) -> dict[str, object]:
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": METHOD_ARN,
        "headers": {} if authorization is None else {"authorization": authorization},
        "requestContext": {"requestId": "request-1", "http": {"sourceIp": "192.0.2.7"}},
        **members,
    }
