"""A cached policy decides each later request as a fresh one would, and ends with what it proves.

API Gateway keeps a policy for the credential and applies it to every later request: at another
time, from another source address, for another method and path.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.access.policy import CACHE_MARGIN_SECONDS, LONGEST_CACHE_SECONDS
from keyscope.access.policy_evaluation import AccessRequest, Verdict, evaluate
from keyscope.authorize.answer import answer
from keyscope.authorize.event import read_http_event, read_rest_event
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.model.ids import OwnerType
from keyscope_local.gateway.request import CacheUse, GatewayAnswer
from tests.support.builders import (
    APP,
    METHOD_ARN,
    MadeKey,
    make_key,
    rest_request_event,
    rotated,
)
from tests.support.local_gateway import (
    HTTP_AUTHORIZER,
    NOW,
    REQUEST_AUTHORIZER,
    Served,
    served,
    small_stack,
)
from tests.support.profile import EXAMPLES
from tests.support.route_tables import ROWS, SERVED
from tests.support.stores import MemoryKeyStore, MemorySecretOpener, SteppedClock
from tests.support.tenants import policies_of

AUTHORIZERS: Final = {
    "REST REQUEST": ("Rest", REQUEST_AUTHORIZER.replace("60", "3600")),
    "REST TOKEN": ("Rest", "{FunctionArn: !GetAtt Guard.Arn, Identity: {ReauthorizeEvery: 3600}}"),
    "HTTP": ("Http", HTTP_AUTHORIZER.replace("60", "3600")),
}
"""Each kind of authorizer, with the longest time that API Gateway may cache for."""
WITH_ADDRESS: Final = ("REST REQUEST", "HTTP")
OWN_PATH: Final = f"/v2/apps/{APP}/users"
ADDRESSES: Final = st.sampled_from(
    [
        *("192.0.2.7", "192.0.2.200", "198.51.100.1", "255.255.255.255"),
        *("::ffff:192.0.2.7", "2001:db8::1", "2001:db8:1::1", "::", "fe80::1", "::192.0.2.7"),
    ]
)
NETWORKS: Final = st.sampled_from(
    [
        *("192.0.2.0/24", "192.0.2.7/32", "192.0.2.128/25", "0.0.0.0/0"),
        *("2001:db8::/48", "2001:db8::1/128", "::/0"),
    ]
)
CIDRS: Final = st.lists(NETWORKS, max_size=3, unique=True).map(tuple)
LATER: Final = LONGEST_CACHE_SECONDS + 30
"""The last second at which a policy may still be in a cache, as the authorizer's clock counts."""
ENDS: Final = st.none() | st.integers(NOW + 1, NOW + LATER + 100)
TIMES: Final = st.floats(NOW, NOW + LATER) | st.integers(NOW, NOW + LATER)


def pipeline(*keys: MadeKey, clock: SteppedClock, conditions: bool = True) -> Authorizer:
    policies = policies_of(*SERVED)
    return Authorizer(
        keys=MemoryKeyStore({key.key_id: key.record for key in keys}),
        secrets=MemorySecretOpener(),
        policies=replace(policies, conditions=conditions),
        clock=clock,
        timer=lambda: 0.0,
    )


@dataclass(frozen=True)
class Asked:
    """One request: when, from where, and for what."""

    now: float
    source_address: str
    request: str = f"GET{OWN_PATH}"

    def event(self, authorization: str) -> dict[str, object]:
        identity = {"sourceIp": self.source_address}
        return rest_request_event(
            authorization,
            methodArn=METHOD_ARN.replace("GET/v2/apps", self.request),
            requestContext={"requestId": "request-1", "identity": identity},
        )

    def passes(self, policy: object) -> bool:
        resource = METHOD_ARN.replace("GET/v2/apps", self.request)
        request = AccessRequest("execute-api:Invoke", resource, self.now, self.source_address)
        return evaluate(policy, request) is Verdict.ALLOWED


def fresh_policy(credential: str, asked: Asked, *keys: MadeKey) -> object:
    """Return the policy that an authorizer returns for a request, or none when it refuses."""
    authorizer = pipeline(*keys, clock=SteppedClock(asked.now))
    return authorize(asked.event(credential), read_rest_event, authorizer).policy


@st.composite
def credentials(draw: st.DrawFn) -> tuple[str, MadeKey]:
    """Draw a credential of any kind, and the key as it is stored."""
    owner_type = draw(st.sampled_from(OwnerType))
    key = make_key(owner_type, expires_at=draw(ENDS), allowed_cidrs=draw(CIDRS))
    scopes = ["app", "appUser"] if owner_type is OwnerType.APP else ["account"]
    claims = {"scope": draw(st.sampled_from(scopes)), "userId": "jane", "exp": draw(ENDS)}
    bearer = key.bearer(**{name: value for name, value in claims.items() if value is not None})
    credential = draw(st.sampled_from([key.basic(), bearer]))
    stored = rotated(key, draw(st.integers(NOW + 1, NOW + LATER))) if draw(st.booleans()) else key
    return credential, stored


@st.composite
def requests(draw: st.DrawFn) -> str:
    row = draw(st.sampled_from(ROWS))
    owner = draw(st.sampled_from([APP, "f" * 24]))
    ids = dict.fromkeys(("userId", "userIdOrExternalId", "zendeskId"), "jane")
    return row.method + row.filled({**ids, "appId": owner})


ASKED: Final = st.builds(Asked, TIMES, ADDRESSES, requests())


@given(credentials(), ASKED, ASKED, st.floats(0, LATER))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_cached_policy_decides_as_a_fresh_one(
    drawn: tuple[str, MadeKey], first: Asked, other: Asked, age: float
) -> None:
    credential, key = drawn
    later = replace(other, now=first.now + age)
    cached = fresh_policy(credential, first, key)
    fresh = fresh_policy(credential, later, key)
    expected = fresh is not None and later.passes(fresh)
    assert cached is None or later.passes(cached) is expected


@given(CIDRS.filter(bool), ADDRESSES.filter(lambda address: not address.startswith("::ffff:")))
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_authorizer_and_the_condition_agree_on_an_address(
    cidrs: tuple[str, ...], address: str
) -> None:
    key = make_key(allowed_cidrs=cidrs)
    inside = next(iter(ip_network(cidrs[0])))
    policy = fresh_policy(key.basic(), Asked(NOW, str(inside)), key)
    asked = Asked(NOW, address)
    assert asked.passes(policy) is (fresh_policy(key.basic(), asked, key) is not None)


@pytest.mark.parametrize("cidr", ["192.0.2.0/24", "0.0.0.0/0"])
@pytest.mark.parametrize(
    "address", ["192.0.2.7", "192.0.2.7:39870", "::ffff:192.0.2.7", "[::ffff:192.0.2.7]:443"]
)
def test_an_authorizer_reads_every_form_of_an_address(address: str, cidr: str) -> None:
    key = make_key(allowed_cidrs=(cidr,))
    assert fresh_policy(key.basic(), Asked(NOW, address), key) is not None


def test_a_condition_holds_no_mapped_address_in_an_ipv4_network() -> None:
    key = make_key(allowed_cidrs=("192.0.2.0/24",))
    policy = fresh_policy(key.basic(), Asked(NOW, "192.0.2.7"), key)
    assert not Asked(NOW, "::ffff:192.0.2.7").passes(policy)


@dataclass
class Cached:
    """The local gateway with an authorizer of some kind, which really decides."""

    served: Served
    authorizer: Authorizer
    latency_seconds: float = 0

    def __post_init__(self) -> None:
        self.served.guard.respond = self._respond

    def _respond(self, event: object) -> object:
        is_http = self.served.gateway.api.logical_id == "Http"
        decision = authorize(
            event, read_http_event if is_http else read_rest_event, self.authorizer
        )
        self.served.clock.now += self.latency_seconds
        return answer(decision)

    def get(self, credential: str, path: str = OWN_PATH, **options: str) -> GatewayAnswer:
        return self.served.get(path, ("authorization", credential), **options)

    def status(self, credential: str, path: str = OWN_PATH, **options: str) -> int:
        return self.get(credential, path, **options).status


Serve = Callable[..., Cached]


@pytest.fixture(params=AUTHORIZERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def serve(kind: str) -> Serve:
    api, authorizer = AUTHORIZERS[kind]

    def start(*keys: MadeKey, conditions: bool = True) -> Cached:
        stack = small_stack(**{f"{api.lower()}_authorizer": authorizer})
        gateway = served(stack, api)
        return Cached(gateway, pipeline(*keys, clock=gateway.clock, conditions=conditions))

    return start


def test_a_cached_policy_answers_for_other_paths_of_its_own_and_of_others(serve: Serve) -> None:
    key = make_key()
    cached = serve(key)
    assert cached.status(key.basic()) == 200
    other = cached.get(key.basic(), f"/v2/apps/{APP}/conversations/c1")
    assert (other.status, other.cache) == (200, CacheUse.HIT)
    assert cached.status(key.basic(), f"/v2/apps/{'f' * 24}/users") == 403
    assert cached.status(key.basic(), f"/v2/apps/{APP}/conversations/../../{'f' * 24}/users") == 403
    assert len(cached.served.guard.events) == 1


def test_a_policy_asked_for_a_path_of_others_lets_later_ones_of_its_own_through(
    serve: Serve,
) -> None:
    key = make_key()
    cached = serve(key)
    assert cached.status(key.basic(), f"/v2/apps/{'f' * 24}/users") == 403
    assert cached.status(key.basic()) == 200


@pytest.mark.parametrize("seconds", [1, 300, 3_599, 3_600, 3_601, 3_629])
def test_a_cached_policy_ends_in_the_second_in_which_its_key_does(
    serve: Serve, seconds: int
) -> None:
    key = make_key(expires_at=NOW + seconds)
    cached = serve(key)
    # As late as API Gateway can begin to count: it waits for an authorizer for 30 s at most.
    cached.latency_seconds = min(29.5, seconds - 0.5)
    assert cached.status(key.basic()) == 200
    cached.served.clock.now = NOW + seconds - 0.01
    assert cached.get(key.basic()).cache is CacheUse.HIT
    assert cached.status(key.basic()) == 200
    cached.served.clock.now = NOW + seconds
    assert cached.get(key.basic()).cache is CacheUse.HIT
    assert cached.status(key.basic()) == 403


def test_a_cached_policy_ends_with_its_token_and_not_with_another_of_the_same_key(
    serve: Serve,
) -> None:
    key = make_key()
    short, long = (key.bearer(scope="app", exp=NOW + seconds) for seconds in (60, 600))
    cached = serve(key)
    credentials = (short, long, key.basic())
    assert [cached.status(credential) for credential in credentials] == [200, 200, 200]
    cached.served.clock.now = NOW + 60
    assert [cached.status(credential) for credential in credentials] == [403, 200, 200]
    assert len(cached.served.guard.events) == 3


def test_a_cached_policy_of_a_previous_secret_ends_with_the_overlap(serve: Serve) -> None:
    old = make_key()
    new = rotated(old, NOW + 100)
    cached = serve(new)
    assert [cached.status(key.basic()) for key in (old, new)] == [200, 200]
    cached.served.clock.now = NOW + 100
    assert [cached.status(key.basic()) for key in (old, new)] == [403, 200]


def test_two_users_of_one_key_get_policies_of_their_own(serve: Serve) -> None:
    key = make_key()
    cached = serve(key)
    tokens = [key.bearer(scope="appUser", userId=user) for user in ("jane", "jane2")]
    statuses = [
        cached.status(token, f"/v2/apps/{APP}/users/{user}")
        for token in tokens
        for user in ("jane", "jane2")
    ]
    assert statuses == [200, 403, 403, 200]


@pytest.mark.parametrize("kind", WITH_ADDRESS, indirect=True)
@pytest.mark.parametrize(
    ("cidr", "inside", "outside"),
    [
        ("192.0.2.0/24", "192.0.2.7", "198.51.100.1"),
        ("192.0.2.0/24", "192.0.2.7", "::ffff:192.0.2.7"),
        ("2001:db8::/32", "2001:db8::1", "2001:db9::1"),
        ("2001:db8::/32", "2001:db8::1", "192.0.2.7"),
    ],
)
def test_another_source_address_is_refused_under_a_cached_policy(
    serve: Serve, cidr: str, inside: str, outside: str
) -> None:
    key = make_key(allowed_cidrs=(cidr,))
    cached = serve(key)
    assert cached.status(key.basic(), source_address=inside) == 200
    other = cached.get(key.basic(), source_address=outside)
    assert (other.status, other.cache) == (403, CacheUse.HIT)
    assert cached.status(key.basic(), source_address=inside) == 200


@pytest.mark.parametrize("kind", ["REST TOKEN"], indirect=True)
def test_a_token_event_refuses_a_key_with_cidrs_from_everywhere(serve: Serve) -> None:
    key = make_key(allowed_cidrs=("192.0.2.0/24", "0.0.0.0/0"))
    cached = serve(key)
    assert cached.status(key.basic(), source_address="192.0.2.7") == 401


@pytest.mark.parametrize("kind", WITH_ADDRESS, indirect=True)
def test_without_conditions_a_cached_policy_outlives_its_limits(serve: Serve) -> None:
    """Why the template takes PolicyConditions=false only with AuthorizerCacheSeconds=0."""
    key = make_key(expires_at=NOW + 60, allowed_cidrs=("192.0.2.0/24",))
    cached = serve(key, conditions=False)
    assert cached.status(key.basic(), source_address="192.0.2.7") == 200
    cached.served.clock.now = NOW + 61
    assert cached.status(key.basic(), source_address="198.51.100.1") == 200


def test_the_margin_covers_the_wait_for_an_answer_twice() -> None:
    assert CACHE_MARGIN_SECONDS >= 2 * 30
