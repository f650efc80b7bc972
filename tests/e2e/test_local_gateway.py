"""The template's own APIs with the real handlers, over HTTP."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final, cast

import httpx
import pytest

from keyscope.aws.flush_queue import FlushQueue
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope_local.emulators.embedded_aws import EmbeddedAws, embedded_aws
from keyscope_local.emulators.listening_program import free_ports
from keyscope_local.emulators.tables import local_client
from keyscope_local.gateway.gateway import Gateway
from keyscope_local.gateway.request import CacheUse, GatewayAnswer, GatewayRequest
from keyscope_local.invoke import provisioning_environment
from keyscope_local.running_stack import loaded_stack, polled_stack, served_stack, subscribed_stack
from keyscope_local.template.stack import Stack, physical_id_of
from keyscope_local.tour.event_values import VALUES, basic, bearer, bearer_secret
from keyscope_local.tour.seed import (
    INTEGRATION_ID,
    USER_ID,
    IssuedKey,
    SeededStore,
    local_provisioning,
    seed,
)
from tests.support import plain_http
from tests.support.mixed_calls import REFUSED
from tests.support.patience import PATIENCE_SECONDS
from tests.support.stacks import stack_of
from tests.support.stores import SteppedClock

if TYPE_CHECKING:
    from keyscope.aws.clients import SqsClient

PARAMETERS: Final = {
    "HttpApiEnabled": "true",
    "AccessLogEnabled": "true",
    "KeyCacheSeconds": "0",
    "CorsAllowOrigin": "https://shop.example",
}
REST, HTTP = 0, 1
BOTH: Final = pytest.mark.parametrize("api", [REST, HTTP], ids=["REST", "HTTP"])

ALLOWED: Final = (
    ("basic app", "GET", "/v2/apps/{app}/users"),
    ("basic app", "POST", "/v2/apps/{app}/conversations"),
    ("secret app", "GET", "/v2/apps/{app}/users"),
    ("jwt app", "GET", "/v2/apps/{app}/conversations/c1/messages"),
    ("jwt app_user", "GET", "/v2/apps/{app}/users/{user}"),
    ("jwt app_user", "POST", "/v2/apps/{app}/users/{user}/clients"),
    ("basic integration", "POST", "/v2/apps/{app}/conversations"),
    ("jwt integration", "GET", "/v2/apps/{app}/integrations/{integration}/webhooks"),
    ("basic account", "GET", "/v2/apps/{app}/integrations"),
    ("basic account", "DELETE", "/v2/apps/{svcApp}/users/u1"),
    ("jwt account", "POST", "/v2/apps/{app}/switchboards"),
    ("basic service_account", "PATCH", "/v2/apps/{svcApp}/conversations/c1"),
    ("jwt service_account", "GET", "/v2/apps/{svcApp}/users"),
)
# A REST API answers these by the management API; the HTTP API has none, only its echo.
MANAGED: Final = (
    ("basic account", "GET", "/v2/apps", 200),
    ("jwt account", "GET", "/v2/apps/{svcApp}", 200),
    ("basic account", "DELETE", "/v2/apps/{app}/keys/app_1", 404),
    ("jwt account", "POST", "/v2/apps/{app}/keys", 400),
    ("basic service_account", "PATCH", "/v2/apps/{svcApp}", 400),
    ("jwt service_account", "GET", "/v2/apps/{svcApp}/keys", 200),
    ("basic app", "GET", "/v2/apps/{app}", 200),
    ("basic app", "GET", "/v2/keys/self", 200),
    ("jwt service_account", "GET", "/v2/keys/self", 200),
    ("jwt app", "DELETE", "/v2/keys/self", 403),
    ("basic integration", "GET", "/v2/keys/self", 200),
    ("secret app", "GET", "/v2/keys/self", 200),
    ("jwt service_account", "GET", "/v2/permissions", 200),
)
OUTSIDE: Final = (
    ("basic app", "GET", "/v2/apps/{svcApp}/users"),
    ("basic app", "DELETE", "/v2/apps/{app}"),
    ("basic app", "POST", "/v2/apps"),
    ("secret app", "DELETE", "/v2/apps/{app}"),
    ("jwt app", "GET", "/v2/apps/{strangersApp}/users"),
    ("jwt app", "GET", "/v2/apps/{app}/keys"),
    ("jwt app_user", "GET", "/v2/apps/{app}/users/someone-else"),
    ("jwt app_user", "GET", "/v2/apps/{app}/users/{user}-2"),
    ("jwt app_user", "GET", "/v2/apps/{strangersApp}/users/{user}"),
    ("jwt app_user", "DELETE", "/v2/apps/{app}/users/{user}"),
    ("jwt app_user", "GET", "/v2/apps/{app}/conversations/c1"),
    ("jwt app_user", "GET", "/v2/keys/self"),
    ("basic app", "GET", "/v2/permissions"),
    ("basic integration", "GET", "/v2/apps/{app}/integrations/{integration}"),
    ("basic integration", "GET", "/v2/apps/{svcApp}/users"),
    ("jwt integration", "GET", "/v2/apps/{app}/integrations/{integration}/keys"),
    ("jwt integration", "GET", "/v2/apps/{app}/integrations/{app}/webhooks"),
    ("basic account", "GET", "/v2/apps/{strangersApp}"),
    ("jwt account", "GET", "/v2/apps/{strangersApp}/users"),
    ("basic service_account", "PATCH", "/v2/apps/{app}"),
    ("jwt service_account", "GET", "/v2/apps/{app}/users"),
    ("jwt service_account", "GET", "/v2/apps/{strangersApp}/users"),
)
CREDENTIALS: Final = [name for name in VALUES if name.startswith(("basic", "secret", "jwt"))]
MALFORMED: Final = (
    "x",
    "Basic",
    "Basic !",
    "Bearer a.b.c",
    "Digest x",
    "basic\tYTpi",
    "Basic YQ==",
)


def error_body(code: str, title: str) -> Mapping[str, object]:
    """Return the body of API Gateway's own answers, which clients of v2 and of v1.1 read."""
    return {
        "errors": [{"code": code, "title": title}],
        "error": {"code": code, "description": title},
    }


UNAUTHORIZED: Final = error_body("unauthorized", "Authorization is required")
FORBIDDEN: Final = {
    **error_body("forbidden", "The credential is not allowed to access this resource"),
    "permissions": "",
}
INTERNAL_ERROR: Final = error_body(
    "internal_error", "The request could not be authorized. Try again later"
)


@dataclass(frozen=True)
class Running:
    """Both APIs over a seeded store, with the clock of their result caches."""

    urls: list[str]
    store: SeededStore
    strangers_app_id: str
    operations: Provisioning
    clock: SteppedClock
    gateways: list[Gateway]

    def send(
        self, method: str, path: str, api: int = REST, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        url = self.urls[api] + path.format_map(self.ids())
        return plain_http.request(method, url, headers=headers)

    def ask(self, name: str, method: str, path: str, api: int) -> httpx.Response:
        """Send a request with one of the credentials of the sample events."""
        return self.send(method, path, api, {"authorization": VALUES[name](self.store)})

    def get(self, path: str, authorization: str | None = None, api: int = REST) -> httpx.Response:
        headers = {} if authorization is None else {"authorization": authorization}
        return self.send("GET", path, api, headers)

    def get_from(self, address: str, path: str, authorization: str, api: int) -> GatewayAnswer:
        """Ask the gateway itself: over HTTP every request comes from this machine."""
        return self.gateways[api].answer(
            GatewayRequest(
                "GET",
                path.format_map(self.ids()),
                headers=[("authorization", authorization)],
                source_address=address,
            )
        )

    def flush(self) -> None:
        for gateway in self.gateways:
            gateway.cache.flush()

    def ids(self) -> dict[str, str]:
        return {
            "app": self.store.app_id,
            "svcApp": self.store.service_account_app_id,
            "strangersApp": self.strangers_app_id,
            "user": USER_ID,
            "integration": INTEGRATION_ID,
        }


@contextmanager
def run(
    stack: Stack,
    aws: EmbeddedAws,
    environment: Mapping[str, str] | None = None,
    *,
    polled: bool = False,
) -> Iterator[Running]:
    """Serve both APIs over a freshly seeded store; `environment` goes on top of the functions'.

    `polled` tells whether its queues are polled; one stack at a time may be.
    """
    operations = local_provisioning(provisioning_environment(stack, aws))
    store = seed(operations)
    stranger, _ = operations.create_account("Stranger", KeyRequest("First key"))
    strangers_app = operations.create_app(stranger.owner_id, "Elsewhere")
    clock = SteppedClock(time.time())
    with (
        loaded_stack(stack, aws, environment) as loaded,
        served_stack(loaded, 0, clock) as served,
        polled_stack(loaded) if polled else nullcontext(),
        subscribed_stack(loaded),
    ):
        yield Running(
            served.urls, store, strangers_app.owner_id, operations, clock, served.gateways
        )


@pytest.fixture(scope="module")
def stack() -> Stack:
    return stack_of(PARAMETERS)


@pytest.fixture(scope="module")
def aws(stack: Stack) -> Iterator[EmbeddedAws]:
    with embedded_aws(stack) as running:
        yield running


@pytest.fixture(scope="module")
def shared(stack: Stack, aws: EmbeddedAws) -> Iterator[Running]:
    """For tests that leave keys, caches and clock alone."""
    with run(stack, aws) as running:
        yield running


@pytest.fixture(scope="module")
def changing(stack: Stack, aws: EmbeddedAws) -> Iterator[Running]:
    with run(stack, aws) as running:
        yield running


@pytest.fixture
def running(changing: Running) -> Running:
    """For tests that end keys, flush caches and step the clock: each has keys of its own.

    No policy of one test is another's, because caches go by the credential.
    """
    return replace(changing, store=seed(changing.operations))


@pytest.fixture
def polled(stack: Stack, aws: EmbeddedAws) -> Iterator[Running]:
    """For tests of flushes that come later, which may come during the next test."""
    with run(stack, aws, polled=True) as running:
        yield running


@pytest.fixture
def flush_queue(stack: Stack, aws: EmbeddedAws) -> FlushQueue:
    """The queue as a function of a stack has it whose key cache is off."""
    client = cast("SqsClient", local_client("sqs", aws.endpoint_url))
    return FlushQueue(client, physical_id_of(stack, "FlushQueue"), key_cache_seconds=0)


def cache_use(running: Running, authorization: str, api: int) -> str:
    return running.get("/v2/apps", authorization, api).headers["x-keyscope-cache"]


def await_use(wanted: CacheUse, running: Running, authorization: str, api: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while cache_use(running, authorization, api) != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def context_of(name: str, store: SeededStore) -> dict[str, str]:
    """Return what a backend must be told, written out per credential."""
    key, owner, scope = {
        "basic app": (store.app_key, "app", "app"),
        "secret app": (store.app_key, "app", "app"),
        "jwt app": (store.app_key, "app", "app"),
        "jwt app_user": (store.app_key, "app", "appUser"),
        "basic integration": (store.integration_key, "app", "integration"),
        "jwt integration": (store.integration_key, "app", "integration"),
        "basic account": (store.account_key, "account", "account"),
        "jwt account": (store.account_key, "account", "account"),
        "basic service_account": (store.service_account_key, "serviceAccount", "account"),
        "jwt service_account": (store.service_account_key, "serviceAccount", "account"),
    }[name]
    further = {
        ("app", "app"): {"appId": store.app_id},
        ("app", "appUser"): {"appId": store.app_id, "userId": USER_ID},
        ("app", "integration"): {"appId": store.app_id, "integrationId": INTEGRATION_ID},
        ("account", "account"): {},
        ("serviceAccount", "account"): {"serviceAccountId": store.service_account_id},
    }[owner, scope]
    members = {"keyId": key.key_id, "scope": scope, "ownerType": owner}
    kinds = {"basic": "basic", "secret": "bearerSecret", "jwt": "jwt"}
    proof = {"credentialKind": kinds[name.split(maxsplit=1)[0]], "secretGeneration": "1"}
    return {**members, "accountId": store.account_id, **further, **proof}


def principal_of(name: str, store: SeededStore) -> str:
    return {
        "app": f"app/{store.app_id}",
        "app_user": f"appUser/{store.app_id}/{USER_ID}",
        "integration": f"integration/{store.app_id}/{INTEGRATION_ID}",
        "account": f"account/{store.account_id}",
        "service_account": f"serviceAccount/{store.service_account_id}",
    }[name.split()[1]]


@pytest.mark.parametrize(("name", "method", "path"), ALLOWED)
def test_a_rest_backend_is_told_who_asks_within_the_scope(
    name: str, method: str, path: str, shared: Running
) -> None:
    answer = shared.ask(name, method, path, REST)
    principal = {"principalId": principal_of(name, shared.store)}
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "method": method,
            "path": path.format_map(shared.ids()),
            "context": {**context_of(name, shared.store), **principal},
        },
    )


@pytest.mark.parametrize(("name", "method", "path", "status"), MANAGED)
def test_a_rest_apis_apps_and_keys_are_answered_by_the_management_api(
    name: str, method: str, path: str, status: int, shared: Running
) -> None:
    answer = shared.ask(name, method, path, REST)
    assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store")
    assert "context" not in answer.json()


def app_ids(answer: httpx.Response) -> list[str]:
    return [app["id"] for app in answer.json()["apps"]]


def test_the_links_of_a_list_lead_through_every_page_and_back(running: Running) -> None:
    store = running.store
    created = [running.operations.create_app(store.account_id, f"App {n}") for n in range(5)]
    ids = [store.app_id, store.service_account_app_id, *(app.owner_id for app in created)]
    pages = [running.get("/v2/apps?page[size]=3", basic(store.account_key))]
    for link in ("next", "next", "prev", "prev"):
        url = pages[-1].json()["links"][link]
        headers = {"authorization": basic(store.account_key)}
        pages.append(plain_http.get(url, headers=headers))
    first, second, third = (sorted(ids)[start : start + 3] for start in (0, 3, 6))
    assert [app_ids(page) for page in pages] == [first, second, third, second, first]
    assert "next" not in pages[2].json()["links"]


@pytest.mark.parametrize(
    ("name", "method", "path"), [*ALLOWED, *(managed[:3] for managed in MANAGED)]
)
def test_an_http_backend_is_told_who_asks_within_the_scope(
    name: str, method: str, path: str, shared: Running
) -> None:
    answer = shared.ask(name, method, path, HTTP)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "method": method,
            "path": path.format_map(shared.ids()),
            "context": context_of(name, shared.store),
        },
    )


@pytest.mark.parametrize(("name", "method", "path"), OUTSIDE)
def test_outside_the_scope_a_rest_api_answers_403(
    name: str, method: str, path: str, shared: Running
) -> None:
    answer = shared.ask(name, method, path, REST)
    assert (answer.status_code, answer.json()) == (403, FORBIDDEN)
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize(("name", "method", "path"), OUTSIDE)
def test_outside_the_scope_an_http_api_answers_403(
    name: str, method: str, path: str, shared: Running
) -> None:
    answer = shared.ask(name, method, path, HTTP)
    assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_credential_is_401_on_a_rest_api_and_the_reason_is_not_told(
    name: str, shared: Running
) -> None:
    answer = shared.ask(name, "GET", "/v2/apps/{app}/users", REST)
    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)
    assert answer.headers["www-authenticate"] == (
        'Basic realm="keyscope", charset="UTF-8", Bearer realm="keyscope"'
    )


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_credential_is_401_on_an_http_api(name: str, shared: Running) -> None:
    answer = shared.ask(name, "GET", "/v2/apps/{app}/users", HTTP)
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


@BOTH
@pytest.mark.parametrize("authorization", [*MALFORMED, None])
def test_what_is_no_credential_is_401(authorization: str | None, api: int, shared: Running) -> None:
    assert shared.get("/v2/apps", authorization, api).status_code == 401


def test_every_sample_credential_has_its_row() -> None:
    assert {name for name, _, _ in ALLOWED} | {*REFUSED} == {*CREDENTIALS}


@BOTH
@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/v2/apps/{app}/users/", 200, id="a trailing slash within"),
        pytest.param("/v2/apps/{app}/../{strangersApp}/users", 403, id="dots"),
        pytest.param("/v2//apps/{app}/users", 403, id="a double slash"),
        pytest.param("/V2/apps/{app}/users", 403, id="another case"),
        pytest.param("/v2/apps/{app}%2F..%2F{strangersApp}/users", 403, id="encoded slashes"),
        pytest.param("/v2/apps/%2A/users", 403, id="an encoded star"),
        pytest.param("/v2/apps/{app}x/users", 403, id="an id that begins alike"),
    ],
)
def test_a_path_is_taken_as_it_was_sent(path: str, status: int, api: int, shared: Running) -> None:
    # Not over HTTP: a client library would tidy the path up.
    answer = shared.get_from("127.0.0.1", path, basic(shared.store.app_key), api)
    assert answer.status == status


@pytest.mark.parametrize(
    ("authorization", "path", "status"),
    [
        pytest.param(None, "/v2/apps", 401, id="401"),
        pytest.param("jwt app", "/v2/apps", 403, id="403"),
        pytest.param("jwt app", "/", 404, id="404"),
    ],
)
def test_a_page_elsewhere_can_read_every_refusal_of_a_rest_api(
    authorization: str | None, path: str, status: int, shared: Running
) -> None:
    value = VALUES[authorization](shared.store) if authorization else None
    answer = shared.get(path, value)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"


@pytest.mark.parametrize(("path", "status"), [("/v2/apps", 401), ("/", 404)], ids=["401", "404"])
def test_a_page_elsewhere_can_read_every_refusal_of_an_http_api(
    path: str, status: int, shared: Running
) -> None:
    answer = shared.send("GET", path, HTTP, {"origin": "https://shop.example"})
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"


def test_what_a_rest_api_does_not_have_is_404(shared: Running) -> None:
    answer = shared.get("/")
    assert (answer.status_code, answer.json()) == (
        404,
        error_body("not_found", "Resource not found"),
    )


def test_what_an_http_api_does_not_have_is_404(shared: Running) -> None:
    answer = shared.get("/", api=HTTP)
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


@pytest.mark.parametrize(("api", "status"), [(REST, 200), (HTTP, 204)], ids=["REST", "HTTP"])
def test_a_preflight_needs_no_credential(api: int, status: int, shared: Running) -> None:
    headers = {"origin": "https://shop.example", "access-control-request-method": "PUT"}
    answer = shared.send("OPTIONS", "/v2/apps", api, headers)
    assert answer.status_code == status
    assert {
        name: answer.headers[f"access-control-{name}"].lower()
        for name in ("allow-origin", "allow-methods", "allow-headers", "max-age")
    } == {
        "allow-origin": "https://shop.example",
        "allow-methods": "get,post,put,patch,delete,options",
        "allow-headers": "authorization,content-type",
        "max-age": "600",
    }


@BOTH
@pytest.mark.parametrize(
    ("allowed", "denied"),
    [
        pytest.param("/v2/apps/{app}/users", "/v2/apps/{svcApp}/users", id="another app"),
        pytest.param("/v2/apps/{app}/conversations/c", "/v2/apps/{app}/keys", id="keys"),
    ],
)
def test_one_cached_policy_answers_for_every_path(
    allowed: str, denied: str, api: int, running: Running
) -> None:
    credential = basic(running.store.app_key)
    answers = [running.get(path, credential, api) for path in (denied, allowed, denied)]
    assert [answer.status_code for answer in answers] == [403, 200, 403]
    assert [answer.headers["x-keyscope-cache"] for answer in answers] == ["miss", "hit", "hit"]


@BOTH
def test_a_refusal_is_not_cached(api: int, running: Running) -> None:
    credential = basic(running.store.revoked_key)
    answers = [running.get("/v2/apps", credential, api) for _ in range(2)]
    assert [answer.headers["x-keyscope-cache"] for answer in answers] == ["miss", "miss"]


def of_backend(running: Running) -> str:
    """Return a path of the echo backend; the management API refuses a revoked key by itself."""
    return f"/v2/apps/{running.store.app_id}/conversations"


@BOTH
def test_a_cached_policy_lets_a_revoked_key_list_nothing(api: int, running: Running) -> None:
    key = running.store.spare_key
    assert running.get("/v2/apps", basic(key), api).status_code == 200
    running.operations.revoke_key(running.store.account_id, key.key_id)
    assert running.get("/v2/apps", basic(key), api).status_code == (403 if api == REST else 200)


@BOTH
def test_a_revoked_key_is_refused_once_the_result_cache_is_flushed(
    api: int, running: Running
) -> None:
    key = running.store.spare_key
    assert running.get(of_backend(running), basic(key), api).status_code == 200
    running.operations.revoke_key(running.store.account_id, key.key_id)
    assert running.get(of_backend(running), basic(key), api).status_code == 200
    running.flush()
    assert running.get(of_backend(running), basic(key), api).status_code == 401


@pytest.mark.parametrize(
    "credential",
    [
        pytest.param(lambda store: bearer_secret(store.app_key.secret), id="an app's secret"),
        pytest.param(lambda store: basic(store.account_key), id="an account's key"),
        pytest.param(lambda store: basic(store.service_account_key), id="a service account's key"),
    ],
)
def test_a_leaked_secret_ends_its_key_with_one_request(
    credential: Callable[[SeededStore], str], running: Running
) -> None:
    used = {"authorization": credential(running.store)}
    assert running.send("GET", "/v2/keys/self", REST, used).json()["key"]["state"] == "active"
    # The second request is let through by the cached policy.
    ends = [running.send("DELETE", "/v2/keys/self", REST, used) for _ in range(2)]
    assert [(end.status_code, end.json()) for end in ends] == [(200, {}), (200, {})]
    running.flush()
    assert running.send("GET", "/v2/keys/self", REST, used).status_code == 401


@BOTH
def test_a_message_to_the_flush_queue_ends_what_is_cached(
    api: int, polled: Running, flush_queue: FlushQueue
) -> None:
    caller = basic(polled.store.app_key)
    before = [cache_use(polled, caller, api) for _ in range(2)]
    flush_queue.flush()
    await_use(CacheUse.MISS, polled, caller, api)
    assert before == [CacheUse.MISS, CacheUse.HIT]


def test_a_flush_comes_a_second_time_when_the_key_caches_are_over(
    polled: Running, flush_queue: FlushQueue
) -> None:
    caller = basic(polled.store.app_key)
    cache_use(polled, caller, REST)
    replace(flush_queue, key_cache_seconds=2).flush()
    for _ in range(2):
        await_use(CacheUse.MISS, polled, caller, REST)


def test_a_revoked_key_is_refused_after_a_flush_through_the_queue(
    polled: Running, flush_queue: FlushQueue
) -> None:
    key = polled.store.spare_key
    assert polled.get(of_backend(polled), basic(key)).status_code == 200
    polled.operations.revoke_key(polled.store.account_id, key.key_id)
    assert polled.get(of_backend(polled), basic(key)).status_code == 200
    flush_queue.flush()
    await_use(CacheUse.MISS, polled, basic(key), REST)
    assert polled.get(of_backend(polled), basic(key)).status_code == 401


@BOTH
def test_a_revoked_key_is_refused_once_the_cached_result_is_too_old(
    api: int, running: Running
) -> None:
    key = running.store.spare_key
    running.get(of_backend(running), basic(key), api)
    running.operations.revoke_key(running.store.account_id, key.key_id)
    running.clock.now += 299
    assert running.get(of_backend(running), basic(key), api).status_code == 200
    running.clock.now += 1
    assert running.get(of_backend(running), basic(key), api).status_code == 401


@BOTH
def test_a_token_ends_while_its_policy_is_cached(api: int, running: Running) -> None:
    claims = {"scope": "app", "exp": int(running.clock.now) + 100}
    token = bearer(running.store.app_key, claims)
    assert running.get("/v2/apps/{app}/users", token, api).status_code == 200
    running.clock.now += 100
    late = running.get("/v2/apps/{app}/users", token, api)
    assert (late.status_code, late.headers["x-keyscope-cache"]) == (403, "hit")


@BOTH
def test_a_network_limit_holds_while_its_policy_is_cached(api: int, running: Running) -> None:
    credential, path = basic(running.store.cidr_key), "/v2/apps/{app}/users"
    inside = running.get_from("198.51.100.7", path, credential, api)
    outside = running.get_from("203.0.113.10", path, credential, api)
    assert [(inside.status, inside.cache), (outside.status, outside.cache)] == [
        (200, "miss"),
        (403, "hit"),
    ]


@BOTH
def test_a_list_of_keys_shows_the_last_use_of_the_key_that_was_used_and_of_no_other(
    api: int, running: Running
) -> None:
    used, refused = running.store.app_key, running.store.cidr_key
    assert running.get("/v2/apps/{app}/users", basic(refused), api).status_code == 401
    assert running.get("/v2/apps/{app}/users", basic(used), api).status_code == 200
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (last_uses := listed_last_uses(running))[used.key_id] is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert last_uses[refused.key_id] is None


def listed_last_uses(running: Running) -> dict[str, str | None]:
    listed = running.get("/v2/apps/{app}/keys", basic(running.store.account_key)).json()
    return {key["id"]: key["lastUsedAt"] for key in listed["keys"]}


def test_without_caching_the_authorizer_decides_every_request(aws: EmbeddedAws) -> None:
    uncached = stack_of({**PARAMETERS, "AuthorizerCacheSeconds": "0"})
    with run(uncached, aws) as running:
        key = running.store.spare_key
        before = running.get("/v2/apps", basic(key))
        running.operations.revoke_key(running.store.account_id, key.key_id)
        after = running.get("/v2/apps", basic(key))
        without = running.get("/v2/apps")
    assert [each.status_code for each in (before, after, without)] == [200, 401, 401]
    assert [each.headers["x-keyscope-cache"] for each in (before, after, without)] == ["none"] * 3


def refused_connection() -> str:
    return f"http://127.0.0.1:{free_ports(1)[0]}"


@BOTH
def test_an_outage_of_dynamodb_is_500_and_never_401(
    api: int, stack: Stack, aws: EmbeddedAws
) -> None:
    outage = {"AWS_ENDPOINT_URL_DYNAMODB": refused_connection()}
    names = (
        "basic app",
        "jwt account",
        "basic wrong_secret",
        "basic unknown_key",
        "jwt unknown_key",
    )
    with run(stack, aws, outage) as running:
        answers = [running.ask(name, "GET", "/v2/apps", api) for name in names]
    assert [answer.status_code for answer in answers] == [500] * len(names)
    assert [answer.headers["x-keyscope-cache"] for answer in answers] == ["miss"] * len(names)


def test_an_outage_is_told_as_the_template_says(stack: Stack, aws: EmbeddedAws) -> None:
    with run(stack, aws, {"AWS_ENDPOINT_URL_DYNAMODB": refused_connection()}) as running:
        rest, http = (running.ask("basic app", "GET", "/v2/apps", api) for api in (REST, HTTP))
    assert (rest.json(), http.json()) == (INTERNAL_ERROR, {"message": "Internal Server Error"})
    assert rest.headers["access-control-allow-origin"] == "https://shop.example"


@BOTH
def test_in_an_outage_of_dynamodb_a_known_key_serves_on_and_a_wrong_secret_is_no_401(
    api: int, stack: Stack, aws: EmbeddedAws
) -> None:
    path = "/v2/apps/{app}/users"
    with ExitStack() as outage:
        # A second one, to be stopped; both share their tables.
        stopped = outage.enter_context(embedded_aws(stack))
        endpoint = {"AWS_ENDPOINT_URL_DYNAMODB": stopped.endpoint_url}
        with run(stack, aws, endpoint) as running:
            assert running.ask("basic app", "GET", path, api).status_code == 200
            outage.close()
            running.flush()
            known = running.ask("basic app", "GET", path, api)
            unknown = running.ask("basic service_account", "GET", path, api)
            deadline = time.monotonic() + PATIENCE_SECONDS
            # What was read a moment ago still refuses; later the key may have a new secret.
            while running.ask("basic wrong_secret", "GET", path, api).status_code != 500:
                assert time.monotonic() < deadline
                time.sleep(0.1)
    assert [each.status_code for each in (known, unknown)] == [200, 500]
    assert known.headers["x-keyscope-cache"] == "miss"


@BOTH
def test_an_outage_of_kms_is_500_for_tokens_and_nothing_for_basic(
    api: int, stack: Stack, aws: EmbeddedAws
) -> None:
    path = "/v2/apps/{app}/users"
    with run(stack, aws, {"AWS_ENDPOINT_URL_KMS": refused_connection()}) as running:
        answers = [
            running.ask(name, "GET", path, api)
            for name in ("jwt app", "jwt wrong_signature", "basic app")
        ]
    assert [answer.status_code for answer in answers] == [500, 500, 200]


@BOTH
def test_in_an_outage_of_kms_a_key_whose_token_came_before_serves_on(
    api: int, stack: Stack, aws: EmbeddedAws
) -> None:
    with ExitStack() as outage:
        stopped = outage.enter_context(embedded_aws(stack))
        with run(stack, aws, {"AWS_ENDPOINT_URL_KMS": stopped.endpoint_url}) as running:
            assert running.ask("jwt app", "GET", "/v2/apps/{app}/users", api).status_code == 200
            outage.close()
            known = running.ask("jwt app_user", "GET", "/v2/apps/{app}/users/{user}", api)
            unknown = running.ask("jwt account", "GET", "/v2/apps", api)
    assert [each.status_code for each in (known, unknown)] == [200, 500]


def secrets_of(store: SeededStore, authorizations: Sequence[str]) -> set[str]:
    members = [getattr(store, field.name) for field in fields(store)]
    keys = [member for member in members if isinstance(member, IssuedKey)]
    return {key.secret for key in keys} | {value.split()[1] for value in authorizations}


def test_no_answer_and_no_log_holds_a_credential(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    stack: Stack,
    aws: EmbeddedAws,
) -> None:
    caplog.set_level("INFO")
    with run(stack, aws) as running:
        values = [VALUES[name](running.store) for name in CREDENTIALS]
        answers = [
            running.get(path, value, api)
            for value in values
            for path in ("/v2/apps/{app}/users", "/")
            for api in (REST, HTTP)
        ]
        secrets = secrets_of(running.store, values)
    written = capsys.readouterr()
    accesses = [one for one in caplog.records if one.name == "keyscope.local.access"]
    assert len(accesses) == len(answers)
    # The key's id is logged, so that an operator can look into a refusal.
    assert running.store.revoked_key.key_id in written.out
    told = [answer.text + str(answer.headers) for answer in answers]
    everything = "".join([*told, written.out, written.err, caplog.text])
    assert {secret for secret in secrets if secret in everything} == set()


def test_each_decision_is_logged_with_the_request_id_that_the_caller_got(
    capsys: pytest.CaptureFixture[str], stack: Stack, aws: EmbeddedAws
) -> None:
    with run(stack, aws) as running:
        answers = [running.ask("basic app", "GET", "/v2/apps", api) for api in (REST, HTTP)]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    logged = [line["request_id"] for line in lines if line.get("message") == "decision"]
    assert logged == [answer.headers["x-amzn-requestid"] for answer in answers]
