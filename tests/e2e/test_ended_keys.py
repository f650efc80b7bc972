"""What a key could do ends everywhere once the key has ended, whatever was cached before."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from threading import Condition
from typing import Any, Final
from unittest.mock import patch

import httpx
import pytest
from moto.sqs import models as sqs

from keyscope.entry import authorizer
from keyscope_local.emulators import queue_poller
from keyscope_local.gateway.request import CacheUse
from keyscope_local.gateway.result_cache import ResultCache
from keyscope_local.gateway.server import CACHE_HEADER
from keyscope_local.tour.event_values import basic, bearer
from keyscope_local.tour.seed import USER_ID, IssuedKey, SeededStore, seed
from tests.support import plain_http
from tests.support.patience import PATIENCE_SECONDS
from tests.support.served_template import ServedTemplate, served_template

pytestmark = pytest.mark.flushes

KEY_CACHE_SECONDS: Final = 60
"""More than the first flush takes, which would otherwise stand for the second."""
FLUSH_MARGIN_SECONDS: Final = 2
"""What the flush queue adds to that before the second flush."""
CALLERS_TIMEOUT_SECONDS: Final = 29
"""What it adds to both before the flush that comes in any case."""
FLUSH_SECONDS: Final = 25
"""Less than the flush takes that comes in any case: it would hide that no other was asked for."""
PAUSE_SECONDS: Final = 0.05
"""Between two looks at what must change, also by the queues' pollers."""
PARAMETERS: Final = {
    "HttpApiEnabled": "true",
    "AccessMapRoutes": "v2,v1.1",
    "AuthorizerCacheSeconds": "300",
}


@dataclass(frozen=True)
class Use:
    """A credential at work at one of the APIs."""

    api_url: str
    path: str
    authorization: str = field(repr=False)

    def send(self) -> httpx.Response:
        headers = {"authorization": self.authorization}
        return plain_http.get(self.api_url + self.path, headers=headers)


@dataclass(frozen=True)
class Caller:
    """The account's user, who manages keys over the REST API."""

    url: str
    key: IssuedKey

    def call(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        auth = (self.key.key_id, self.key.secret)
        url = self.url + path
        answer = plain_http.request(method, url, auth=auth, json=body)
        assert answer.is_success
        answered: dict[str, Any] = answer.json()
        return answered

    def create_key(self, owner: str, name: str) -> IssuedKey:
        key = self.call("POST", f"{owner}/keys", {name: "Key"})["key"]
        return IssuedKey(key.get("id") or key["_id"], key["secret"])


@dataclass
class Later:
    """The clock of the authorizers and of the queues, which a test sets forward."""

    seconds: float = 0

    def time(self) -> float:
        return time.time() + self.seconds

    def monotonic(self) -> float:
        return time.monotonic() + self.seconds

    def perf_counter(self) -> float:
        return time.perf_counter()

    def milliseconds(self) -> float:
        return self.time() * 1_000

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell this time to the functions that start and the queues that are used meanwhile."""
        with (
            patch.object(authorizer, "time", self),
            patch.object(sqs, "unix_time_millis", self.milliseconds),
        ):
            yield


@dataclass
class Flushes:
    """When the result cache of each API was last flushed, by the monotonic clock."""

    _last: dict[int, float] = field(default_factory=dict)
    _changed: Condition = field(default_factory=Condition)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the flushes of all gateways."""
        flush = ResultCache.flush

        def noting(cache: ResultCache[object], delay_seconds: float = 0) -> None:
            flush(cache, delay_seconds)
            with self._changed:
                self._last[id(cache)] = time.monotonic()
                self._changed.notify_all()

        with patch.object(ResultCache, "flush", noting):
            yield

    def wait_for_all(self, apis: int, since: float) -> None:
        """Wait until each API was flushed since a moment."""

        def came() -> bool:
            return sum(at >= since for at in self._last.values()) == apis

        with self._changed:
            assert self._changed.wait_for(came, FLUSH_SECONDS)


@pytest.fixture
def flushes() -> Iterator[Flushes]:
    flushes = Flushes()
    with flushes.noted():
        yield flushes


@pytest.fixture
def later() -> Iterator[Later]:
    later = Later()
    with later.told():
        yield later


@pytest.fixture
def key_cache_seconds() -> int:
    return KEY_CACHE_SECONDS


@pytest.fixture
def running(key_cache_seconds: int, later: Later) -> Iterator[ServedTemplate]:
    # One for each test: a flush that is due from another one would hide that it was not asked for.
    assert later.seconds == 0
    parameters = {**PARAMETERS, "KeyCacheSeconds": str(key_cache_seconds)}
    with (
        patch.object(queue_poller, "PAUSE_SECONDS", PAUSE_SECONDS),
        patch.object(queue_poller, "LONGEST_PAUSE_SECONDS", PAUSE_SECONDS),
        served_template(parameters, polled=True) as running,
    ):
        yield running


@pytest.fixture
def store(running: ServedTemplate) -> SeededStore:
    return seed(running.operations)


@pytest.fixture
def account(running: ServedTemplate, store: SeededStore) -> Caller:
    return Caller(running.urls[0], store.account_key)


@pytest.fixture
def bystander(running: ServedTemplate, store: SeededStore) -> Use:
    """A credential that goes on working, whose cached policy shows when the cache is flushed."""
    return Use(running.urls[0], "/v2/apps", basic(store.spare_key))


def uses_of_app_key(running: ServedTemplate, app_id: str, *keys: IssuedKey) -> list[Use]:
    """Return every kind of credential of the keys, at each API."""
    users = f"/v2/apps/{app_id}/users"
    of_user = {"scope": "appUser", "userId": USER_ID}
    credentials = [
        credential
        for key in keys
        for credential in (
            (users, basic(key)),
            (users, bearer(key, {"scope": "app"})),
            (f"{users}/{USER_ID}", bearer(key, of_user)),
        )
    ]
    return [Use(url, *credential) for url, credential in product(running.urls, credentials)]


def get_cached(*uses: Use) -> None:
    """Use credentials until each is answered from the cache."""
    for use in uses:
        answers = [use.send() for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[-1].headers[CACHE_HEADER] == CacheUse.HIT


@dataclass(frozen=True)
class Ending:
    """What becomes of credentials when a management call ends them; a bystander looks on."""

    flushes: Flushes
    bystander: Use
    apis: int
    later: Later

    @contextmanager
    def of(self, *uses: Use) -> Iterator[None]:
        """Make the call within; then each use is refused once all flushes have come.

        One comes at once, and one when no container serves the old record any more.
        """
        called_at = time.monotonic()
        yield
        self.flushes.wait_for_all(self.apis, since=called_at)
        assert self.bystander.send().headers[CACHE_HEADER] == CacheUse.MISS
        self.refused(uses, self.refused(uses))
        self.flushed_after(KEY_CACHE_SECONDS + FLUSH_MARGIN_SECONDS)
        assert self.refused(uses) == {*uses}

    def flushed_after(self, seconds: float) -> None:
        """Set the clock forward, and wait for the flushes that are due then."""
        set_at = time.monotonic()
        self.later.seconds += seconds
        self.flushes.wait_for_all(self.apis, since=set_at)

    def refused(
        self,
        uses: Sequence[Use],
        ended: Collection[Use] = (),
        refusals: frozenset[int] = frozenset({401}),
    ) -> set[Use]:
        """Return which uses are refused; none that has ended is accepted again.

        The bystander is never refused.
        """
        refused = set()
        for use in uses:
            assert self.bystander.send().status_code == 200
            status = use.send().status_code
            # The management API refuses an ended key by itself while its policy is cached.
            assert status in (refusals if use in ended else {200, 403, *refusals})
            if status in refusals:
                refused.add(use)
        return refused


@pytest.fixture
def ending(flushes: Flushes, running: ServedTemplate, bystander: Use, later: Later) -> Ending:
    return Ending(flushes, bystander, len(running.urls), later)


def test_a_deleted_key_is_refused_though_its_policies_were_cached(
    running: ServedTemplate, store: SeededStore, account: Caller, bystander: Use, ending: Ending
) -> None:
    uses = uses_of_app_key(running, store.app_id, store.app_key)
    get_cached(bystander, *uses)
    with ending.of(*uses):
        account.call("DELETE", f"/v2/apps/{store.app_id}/keys/{store.app_key.key_id}")


def test_every_key_of_a_deleted_app_is_refused(
    running: ServedTemplate, account: Caller, bystander: Use, ending: Ending
) -> None:
    app_id = account.call("POST", "/v2/apps", {"displayName": "Shop"})["app"]["id"]
    keys = [account.create_key(f"/v2/apps/{app_id}", "displayName") for _ in range(3)]
    uses = uses_of_app_key(running, app_id, *keys)
    get_cached(bystander, *uses)
    with ending.of(*uses):
        account.call("DELETE", f"/v2/apps/{app_id}")


def test_every_key_of_a_deleted_service_account_is_refused(
    running: ServedTemplate, account: Caller, bystander: Use, ending: Ending
) -> None:
    created = account.call("POST", "/v1.1/serviceaccounts", {"name": "Robot"})
    path = f"/v1.1/serviceaccounts/{created['serviceAccount']['_id']}"
    keys = [account.create_key(path, "name") for _ in range(2)]
    credentials = [*map(basic, keys), *(bearer(key, {"scope": "account"}) for key in keys)]
    uses = [Use(url, "/v2/apps", value) for url, value in product(running.urls, credentials)]
    get_cached(bystander, *uses)
    with ending.of(*uses):
        account.call("DELETE", path)


def test_a_disabled_key_is_refused_until_it_is_enabled(
    running: ServedTemplate, store: SeededStore, account: Caller, bystander: Use, ending: Ending
) -> None:
    path = f"/v2/apps/{store.app_id}/keys/{store.app_key.key_id}"
    uses = uses_of_app_key(running, store.app_id, store.app_key)
    get_cached(bystander, *uses)
    with ending.of(*uses):
        account.call("PATCH", path, {"disabled": True})

    account.call("PATCH", path, {"disabled": False})
    ending.later.seconds += KEY_CACHE_SECONDS
    deadline = time.monotonic() + PATIENCE_SECONDS
    while [use.send().status_code for use in uses] != [200] * len(uses):
        assert time.monotonic() < deadline
        time.sleep(PAUSE_SECONDS)


def test_a_previous_secret_is_refused_once_its_overlap_was_ended(
    running: ServedTemplate, store: SeededStore, account: Caller, bystander: Use, ending: Ending
) -> None:
    path = f"/v2/apps/{store.app_id}/keys/{store.app_key.key_id}"
    uses = uses_of_app_key(running, store.app_id, store.app_key)
    get_cached(bystander)
    # The rotation's own flushes come first, so that they are not taken for the others.
    with ending.of():
        account.call("POST", f"{path}/rotate", {"overlapSeconds": 3_600})
    ending.flushed_after(CALLERS_TIMEOUT_SECONDS)
    get_cached(bystander, *uses)
    with ending.of(*uses):
        account.call("DELETE", f"{path}/overlap")


@pytest.mark.parametrize("key_cache_seconds", [1])
def test_a_previous_secret_is_refused_once_its_overlap_is_over(
    running: ServedTemplate, store: SeededStore, account: Caller, bystander: Use, ending: Ending
) -> None:
    path = f"/v2/apps/{store.app_id}/keys/{store.app_key.key_id}"
    uses = uses_of_app_key(running, store.app_id, store.app_key)
    get_cached(bystander, *uses)
    key = account.call("POST", f"{path}/rotate", {"overlapSeconds": 2})["key"]
    deadline = time.monotonic() + FLUSH_SECONDS
    ended: set[Use] = set()
    while len(ended) < len(uses):
        assert time.monotonic() < deadline
        time.sleep(PAUSE_SECONDS)
        # While a policy is cached that ends with the overlap, API Gateway refuses by itself: 403.
        ended = ending.refused(uses, ended, frozenset({401, 403}))
    rotated = IssuedKey(key["id"], key["secret"])
    get_cached(*uses_of_app_key(running, store.app_id, rotated))
