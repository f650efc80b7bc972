"""Keys that are created, used and ended, in every way, at a gateway that runs."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import httpx

from keyscope.entry.provisioning import ProvisioningHandler, provisioning_handler
from keyscope_local.tour.event_values import basic, bearer
from keyscope_local.tour.seed import IssuedKey
from tests.support.local_run import LocalRun


@dataclass(frozen=True)
class Use:
    """A credential of an ended key, at one API; `ended_at` is when its end was answered."""

    key_id: str
    ended_by: str
    url: str
    ended_at: float
    authorization: str = field(repr=False)

    def status(self, client: httpx.Client) -> int:
        return client.get(self.url, headers={"authorization": self.authorization}).status_code


@dataclass(frozen=True)
class KeyOwner:
    """An account's user, who manages keys over the REST API, and the operator behind the user."""

    run: LocalRun
    client: httpx.Client
    provisioning: ProvisioningHandler

    @staticmethod
    @contextmanager
    def of(run: LocalRun) -> Iterator["KeyOwner"]:
        # The provisioning function, which no API reaches, works from here on the run's AWS.
        with patch.dict(os.environ, run.environment), httpx.Client(trust_env=False) as client:
            yield KeyOwner(run, client, provisioning_handler(os.environ))

    def manage(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - JSON
        key = self.run.store.account_key
        url = f"{self.run.rest_url}/v2/apps/{self.run.store.app_id}{path}"
        answer = self.client.request(method, url, json=body, auth=(key.key_id, key.secret))
        return answer.raise_for_status().json()

    def provision(self, operation: str, **members: str) -> Any:  # noqa: ANN401 - JSON
        request = {
            "operation": operation,
            "accountId": self.run.store.account_id,
            **members,
        }
        answer = self.provisioning(request, SimpleNamespace(aws_request_id="request-1"))
        assert "errors" not in answer, json.dumps(answer)
        return answer


def end_keys(owner: KeyOwner) -> list[Use]:
    """Create keys, use each as every kind of credential at both APIs, and end it."""
    path = f"/v2/apps/{owner.run.store.app_id}/users"
    ended: list[Use] = []
    for method, suffix, body in (
        ("DELETE", "", None),
        ("PATCH", "", {"disabled": True}),
        ("POST", "/rotate", {"overlapSeconds": 0}),
    ):
        created = owner.manage("POST", "/keys", {"displayName": "Ends"})["key"]
        key = IssuedKey(created["id"], created["secret"])
        urls = _used(owner, path, key, "app")
        owner.manage(method, f"/keys/{key.key_id}{suffix}", body)
        ended += _uses(key, f"{method} {suffix}", urls, "app")
    created = owner.provision("createKey")["key"]
    key = IssuedKey(created["id"], created["secret"])
    urls = _used(owner, path, key, "account")
    owner.provision("revokeKey", keyId=key.key_id)
    return [*ended, *_uses(key, "revokeKey", urls, "account")]


def _used(owner: KeyOwner, path: str, key: IssuedKey, scope: str) -> Sequence[str]:
    urls = [f"{url}{path}" for url in (owner.run.rest_url, owner.run.http_url)]
    statuses = [use.status(owner.client) for use in _uses(key, "nothing", urls, scope)]
    assert statuses == [200] * len(statuses)
    return urls


def _uses(key: IssuedKey, ended_by: str, urls: Sequence[str], scope: str) -> list[Use]:
    ended_at = time.monotonic()
    # The same token each time, so that it is cached.
    claims = {"scope": scope, "exp": 4_000_000_000}
    credentials = (basic(key), bearer(key, claims))
    return [Use(key.key_id, ended_by, url, ended_at, each) for url in urls for each in credentials]
