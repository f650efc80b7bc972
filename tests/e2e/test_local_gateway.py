"""The template's own APIs with the real handlers, over HTTP."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest

from keyscope.provisioning import Provisioning
from local.api_definition import read_apis
from local.embedded_aws import EmbeddedAws, embedded_aws
from local.event_values import basic, bearer
from local.function_loader import loaded_functions
from local.gateway import Gateway
from local.invoke import provisioning_environment
from local.listening_program import free_ports
from local.seed import SeededStore, local_provisioning, seed
from local.server import serving
from local.template import Stack, load_stack
from tests.support.stores import SteppedClock

TEMPLATE: Final = Path(__file__).parents[2] / "template.yaml"
PARAMETERS: Final = {"HttpApiEnabled": "true", "KeyCacheSeconds": "0"}


@dataclass(frozen=True)
class Running:
    """Both APIs over a seeded store, with the clock of their result caches."""

    urls: list[str]
    store: SeededStore
    operations: Provisioning
    clock: SteppedClock
    gateways: list[Gateway]

    def get(self, path: str, authorization: str | None = None, api: int = 0) -> httpx.Response:
        headers = {} if authorization is None else {"authorization": authorization}
        return httpx.get(self.urls[api] + path.format_map(self.ids()), headers=headers)

    def ids(self) -> dict[str, str]:
        return {"app": self.store.app_id, "svcApp": self.store.service_account_app_id}


@pytest.fixture(scope="module")
def stack() -> Stack:
    return load_stack(TEMPLATE, PARAMETERS)


@pytest.fixture(scope="module")
def aws(stack: Stack) -> Iterator[EmbeddedAws]:
    with embedded_aws(stack) as running:
        yield running


@pytest.fixture
def running(stack: Stack, aws: EmbeddedAws) -> Iterator[Running]:
    with ExitStack() as context:
        functions = context.enter_context(loaded_functions(stack, aws.environment))
        clock = SteppedClock(1_800_000_000)
        gateways = [Gateway(api, functions, clock) for api in read_apis(stack)]
        urls = context.enter_context(serving(gateways, 0))
        operations = local_provisioning(provisioning_environment(stack, aws))
        yield Running(urls, seed(operations), operations, clock, gateways)


@pytest.mark.parametrize("api", [0, 1], ids=["REST", "HTTP"])
@pytest.mark.parametrize(
    ("allowed", "denied"),
    [
        pytest.param("/v2/apps/{app}/users", "/v2/apps/{svcApp}/users", id="app"),
        pytest.param("/v2/apps/{app}/conversations/c", "/v2/apps/{app}/keys", id="app, keys"),
    ],
)
def test_one_cached_policy_answers_for_every_path(
    allowed: str, denied: str, api: int, running: Running
) -> None:
    credential = basic(running.store.app_key)
    answers = [running.get(path, credential, api) for path in (denied, allowed, denied)]
    assert [answer.status_code for answer in answers] == [403, 200, 403]
    assert [answer.headers["x-keyscope-cache"] for answer in answers] == ["miss", "hit", "hit"]


@pytest.mark.parametrize("api", [0, 1], ids=["REST", "HTTP"])
def test_a_revoked_key_is_refused_once_the_result_cache_is_flushed(
    api: int, running: Running
) -> None:
    key = running.store.spare_key
    assert running.get("/v2/apps", basic(key), api).status_code == 200
    running.operations.revoke_key(running.store.account_id, key.key_id)
    assert running.get("/v2/apps", basic(key), api).status_code == 200
    running.gateways[api].cache.flush()
    assert running.get("/v2/apps", basic(key), api).status_code == 401


def test_a_refusal_says_nothing_about_its_reason(running: Running) -> None:
    store = running.store
    refused = [basic(store.revoked_key), basic(store.expired_key), basic(store.cidr_key), "x"]
    bodies = {running.get("/v2/apps", credential).text for credential in [*refused, None]}
    assert bodies == {'{"errors":[{"code":"unauthorized","title":"Authorization is required"}]}'}


@pytest.mark.parametrize("api", [0, 1], ids=["REST", "HTTP"])
def test_no_answer_holds_the_credential(api: int, running: Running) -> None:
    credential = basic(running.store.app_key)
    for path in ("/v2/apps/{app}/users", "/v2/apps", "/"):
        answer = running.get(path, credential, api)
        assert credential.split()[1] not in answer.text + str(answer.headers)


@pytest.mark.parametrize("api", [0, 1], ids=["REST", "HTTP"])
def test_an_outage_of_dynamodb_is_500(api: int, stack: Stack, aws: EmbeddedAws) -> None:
    operations = local_provisioning(provisioning_environment(stack, aws))
    credential = basic(seed(operations).account_key)
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
    environment = {**aws.environment, "AWS_ENDPOINT_URL_DYNAMODB": nowhere}
    with ExitStack() as context:
        functions = context.enter_context(loaded_functions(stack, environment))
        gateways = [Gateway(each, functions) for each in read_apis(stack)]
        urls = context.enter_context(serving(gateways, 0))
        answer = httpx.get(f"{urls[api]}/v2/apps", headers={"authorization": credential})
    assert answer.status_code == 500


def test_an_outage_of_kms_is_500_for_tokens_and_nothing_for_basic(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Before the first token, and so before the KMS client is made.
    monkeypatch.setitem(os.environ, "AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_ports(1)[0]}")
    key = running.store.app_key
    path = "/v2/apps/{app}/users"
    assert running.get(path, bearer(key, {"scope": "app"})).status_code == 500
    assert running.get(path, basic(key)).status_code == 200
