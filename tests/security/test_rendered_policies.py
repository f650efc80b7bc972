"""The memory of rendered policies answers as the pipeline without it, and stays within its bounds.

A policy is found by everything that it depends on. What the memory would mix up, one tenant could
reach of another.
"""

import tracemalloc
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.access.method_arn import ApiStage
from keyscope.access.policy import (
    CACHE_MARGIN_SECONDS,
    LONGEST_CACHE_SECONDS,
    Policies,
    PolicyDocument,
    policy_document,
    websocket_policy_document,
)
from keyscope.authorize.answer import answer
from keyscope.authorize.event import read_http_event, read_rest_event
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.authorize.rendered_policies import MAX_POLICIES, RenderedPolicies
from keyscope.errors import Refused
from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from tests.support.builders import (
    ACCOUNT,
    APP,
    INTEGRATION,
    METHOD_ARN,
    NOW,
    OTHER_APP,
    MadeKey,
    http_event,
    limited,
    make_integration_key,
    make_key,
    rest_request_event,
    rotated,
)
from tests.support.profile import EXAMPLES
from tests.support.stores import MemoryKeyStore, MemorySecretOpener, SteppedClock
from tests.support.tenants import HTTP_STAGE, STAGE, pairs, policies_of

POLICIES: Final = policies_of("v2", "management")
HOUR: Final = LONGEST_CACHE_SECONDS + CACHE_MARGIN_SECONDS
PRINCIPAL: Final = Principal(Scope.APP, "app_1", OwnerType.APP, APP)
OF_USER: Final = replace(PRINCIPAL, scope=Scope.APP_USER, user_id="jane")
OF_INTEGRATION: Final = replace(PRINCIPAL, scope=Scope.INTEGRATION, integration_id=INTEGRATION)
OF_ACCOUNT: Final = Principal(Scope.ACCOUNT, "act_1", OwnerType.ACCOUNT, ACCOUNT)


@dataclass(frozen=True)
class Asked:
    """What a policy is asked for."""

    principal: Principal = PRINCIPAL
    stage: ApiStage = STAGE
    now: float = NOW
    opens_websocket: bool = False

    def plain(self, policies: Policies = POLICIES) -> PolicyDocument | str:
        """Return the policy that is rendered anew, or the reason of the refusal."""
        render = websocket_policy_document if self.opens_websocket else policy_document
        try:
            return render(self.principal, self.stage, policies, self.now)
        except Refused as refused:
            return refused.reason

    def remembered(self, memory: RenderedPolicies) -> PolicyDocument | str:
        try:
            return memory.policy(
                self.principal, self.stage, self.now, opens_websocket=self.opens_websocket
            )
        except Refused as refused:
            return refused.reason


def limited_to(**limits: Any) -> Principal:  # noqa: ANN401 - any limit
    return replace(PRINCIPAL, limits=KeyLimits(**limits))


DIFFERENT: Final = {
    "the API": (Asked(), Asked(stage=ApiStage(STAGE.arn.replace("a1b2", "z9y8")))),
    "the stage": (Asked(), Asked(stage=ApiStage(STAGE.arn + "2"))),
    "how the API decodes": (Asked(), Asked(stage=HTTP_STAGE)),
    "a VPC endpoint": (
        Asked(limited_to(allowed_cidrs=("192.0.2.0/24",))),
        Asked(limited_to(allowed_cidrs=("192.0.2.0/24",)), replace(STAGE, is_private=True)),
    ),
    "a WebSocket": (Asked(), Asked(opens_websocket=True)),
    "the scope": (Asked(OF_USER), Asked(replace(OF_USER, scope=Scope.APP))),
    "the kind of owner": (
        Asked(OF_ACCOUNT),
        Asked(replace(OF_ACCOUNT, owner_type=OwnerType.SERVICE_ACCOUNT)),
    ),
    "the owner": (Asked(), Asked(replace(PRINCIPAL, owner_id=OTHER_APP))),
    "the integration": (
        Asked(OF_INTEGRATION),
        Asked(replace(OF_INTEGRATION, integration_id=INTEGRATION[::-1])),
    ),
    "the user": (Asked(OF_USER), Asked(replace(OF_USER, user_id="joe"))),
    "the permissions": (
        Asked(limited_to(permissions=("conversations:read",))),
        Asked(limited_to(permissions=("conversations:write",))),
    ),
    "no permissions": (Asked(), Asked(limited_to(permissions=()))),
    "the CIDRs": (Asked(), Asked(limited_to(allowed_cidrs=("192.0.2.0/24",)))),
    "the end": (
        Asked(limited_to(expires_at=NOW + 60)),
        Asked(limited_to(expires_at=NOW + 61)),
    ),
    "an end that comes near": (
        Asked(limited_to(expires_at=NOW + HOUR)),
        Asked(limited_to(expires_at=NOW + HOUR), now=NOW + 1),
    ),
    "an end that is far again": (
        Asked(limited_to(expires_at=NOW + HOUR), now=NOW + 1),
        Asked(limited_to(expires_at=NOW + HOUR)),
    ),
}
"""Two askings that differ in one thing that a policy depends on."""


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_in_one_thing_gets_a_policy_of_its_own(one: Asked, other: Asked) -> None:
    memory = RenderedPolicies(POLICIES)
    assert one.plain() != other.plain()
    assert [asked.remembered(memory) for asked in (one, other, one, other)] == [
        asked.plain() for asked in (one, other, one, other)
    ]


def test_what_differs_in_external_ids_gets_a_policy_of_its_own() -> None:
    policies = policies_of("v2")
    with_ids = replace(
        policies,
        grants={
            **policies.grants,
            Scope.APP: policies.grants[Scope.APP]._replace(
                allow=("GET/tenants/{accountExternalId}/apps/{appExternalId}",)
            ),
        },
    )
    memory = RenderedPolicies(with_ids)
    names = [ExternalIds("Acme", "Shop"), ExternalIds("Acme", "Depot"), ExternalIds("Acme")]
    asked = [Asked(replace(PRINCIPAL, external_ids=ids)) for ids in names]
    plain = [each.plain(with_ids) for each in asked]
    assert plain[0] != plain[1] != plain[2]
    assert [each.remembered(memory) for each in asked * 2] == plain * 2


def test_one_principals_next_policy_is_the_same_object() -> None:
    memory = RenderedPolicies(POLICIES)
    other_key = replace(PRINCIPAL, key_id="app_2", secret_generation=2)
    first = Asked().remembered(memory)
    assert Asked(other_key, now=NOW + HOUR).remembered(memory) is first


@given(tenants=pairs(), stages=st.permutations([STAGE, HTTP_STAGE]))
@settings(max_examples=EXAMPLES)
def test_two_tenants_never_share_a_policy(tenants: Any, stages: list[ApiStage]) -> None:  # noqa: ANN401 - a pair
    memory = RenderedPolicies(POLICIES)
    for tenant in (*tenants, *tenants):
        for stage in stages:
            asked = Asked(tenant.principal, stage)
            assert asked.remembered(memory) == asked.plain()


ENDS: Final = st.sampled_from([NOW + 1, NOW + 60, NOW + HOUR, NOW + HOUR + 60])
PERMISSIONS: Final = st.sampled_from(
    [("conversations:read",), ("conversations:read", "users:read"), ("gone",)]
)
CHANGES: Final = st.fixed_dictionaries(
    {},
    optional={
        "expires_at": st.none() | ENDS,
        "permissions": st.none() | PERMISSIONS,
        "allowed_cidrs": st.sampled_from([(), ("192.0.2.0/24",), ("198.51.100.0/24",)]),
        "external_ids": st.sampled_from([ExternalIds(), ExternalIds("Acme")]),
        "suspended_at": st.sampled_from([None, None, NOW]),
    },
)
SCOPES: Final = st.sampled_from(["app", "appUser", "account", "integration"])
CLAIMS: Final[st.SearchStrategy[dict[str, object]]] = st.fixed_dictionaries(
    {"scope": SCOPES},
    optional={
        "userId": st.sampled_from(["jane", "joe", "a+b@example.org"]),
        "exp": ENDS,
        "permissions": PERMISSIONS.map(lambda names: [*names]),
    },
)
CREDENTIALS: Final = st.none() | CLAIMS
"""`None` for Basic, else the claims of a token."""
EVENTS: Final = st.sampled_from(["rest", "private", "websocket", "other stage", "http"])
STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 4), CREDENTIALS, EVENTS),
        st.tuples(st.just("ask"), st.integers(0, 4), CREDENTIALS, EVENTS),
        st.tuples(st.just("change"), st.integers(0, 4), CHANGES, st.none()),
        st.tuples(st.just("rotate"), st.integers(0, 4), st.none(), st.none()),
        st.tuples(st.just("move"), st.sampled_from([-90, 1, 59, 3_000]), st.none(), st.none()),
    ),
    max_size=15,
)


def event_of(kind: str, credential: str) -> dict[str, object]:
    identity: dict[str, object] = {"sourceIp": "192.0.2.7"}
    match kind:
        case "private":
            private = {"identity": {**identity, "vpceId": "vpce-1"}}
            return rest_request_event(credential, requestContext=private)
        case "websocket":
            connecting = {"identity": identity, "eventType": "CONNECT"}
            return rest_request_event(credential, requestContext=connecting)
        case "other stage":
            return rest_request_event(credential, methodArn=METHOD_ARN.replace("prod", "test"))
        case "http":
            return http_event(credential)
        case _:
            return rest_request_event(credential)


@dataclass
class World:
    """Keys, a clock, and two pipelines over them: with a memory and without."""

    keys: list[MadeKey]
    clock: SteppedClock
    store: MemoryKeyStore
    pipelines: tuple[Authorizer, Authorizer]

    @classmethod
    def new(cls, max_policies: int) -> "World":
        owners = [(OwnerType.APP, APP), (OwnerType.APP, OTHER_APP), (OwnerType.ACCOUNT, None)]
        keys = [make_key(owner_type, owner_id=owner_id) for owner_type, owner_id in owners]
        keys += [make_key(OwnerType.SERVICE_ACCOUNT), make_integration_key()]
        clock, store = SteppedClock(NOW), MemoryKeyStore()
        for key in keys:
            store.hold(key.record)
        plain = Authorizer(
            keys=store,
            secrets=MemorySecretOpener(),
            policies=POLICIES,
            clock=clock,
            timer=lambda: 0.0,
        )
        rendered = RenderedPolicies(POLICIES, max_policies=max_policies)
        return cls(keys, clock, store, (plain, replace(plain, rendered=rendered)))

    def put(self, place: int, key: MadeKey) -> None:
        self.keys[place] = key
        self.store.hold(key.record)

    def answers(self, place: int, claims: dict[str, object] | None, kind: str) -> list[object]:
        key = self.keys[place]
        event = event_of(kind, key.basic() if claims is None else key.bearer(**claims))
        read = read_http_event if kind == "http" else read_rest_event
        decisions = [authorize(event, read, pipeline) for pipeline in self.pipelines]
        return [each.reason or answer(each) for each in decisions]


@given(steps=STEPS, max_policies=st.sampled_from([1, 3, MAX_POLICIES]))
@settings(max_examples=EXAMPLES, deadline=None)
def test_every_answer_is_that_of_the_pipeline_without_a_memory(
    steps: list[Any], max_policies: int
) -> None:
    world = World.new(max_policies)
    for action, which, what, kind in steps:
        match action:
            case "ask":
                plain, remembered = world.answers(which, what, kind)
                assert remembered == plain
            case "change":
                key = world.keys[which]
                world.put(which, MadeKey(limited(key.record, **what), key.secret))
            case "rotate":
                world.put(which, rotated(world.keys[which], NOW + 60))
            case _:
                world.clock.now += which


def test_a_memory_for_another_map_is_not_used() -> None:
    key = make_key()
    store, clock = MemoryKeyStore({key.key_id: key.record}), SteppedClock(NOW)
    other = policies_of("v1.1")
    pipeline = Authorizer(
        keys=store,
        secrets=MemorySecretOpener(),
        policies=POLICIES,
        clock=clock,
        timer=lambda: 0.0,
        rendered=RenderedPolicies(other),
    )
    decision = authorize(rest_request_event(key.basic()), read_rest_event, pipeline)
    assert decision.principal is not None
    assert decision.policy == Asked(decision.principal, STAGE).plain()


def test_users_of_one_app_do_not_make_it_grow_beyond_its_number() -> None:
    memory = RenderedPolicies(POLICIES, max_policies=10)
    for number in range(100):
        Asked(replace(OF_USER, user_id=f"user-{number}")).remembered(memory)
    kept = [subject.user_id for subject in memory._rendered]  # noqa: SLF001 - what the bound is for
    assert kept == [f"user-{number}" for number in range(90, 100)]


def test_it_does_not_grow_beyond_its_bytes() -> None:
    memory = RenderedPolicies(POLICIES, max_bytes=100_000)
    kept: list[int] = []
    for number in range(100):
        asked = Asked(replace(OF_USER, user_id=f"user-{number}"))
        assert asked.remembered(memory) == asked.plain()
        kept = [size for _, size in memory._rendered.values()]  # noqa: SLF001 - what the bound is for
        assert sum(kept) == memory._bytes <= 100_000  # noqa: SLF001
    assert 1 < len(kept) < 100


def test_a_policy_larger_than_the_memory_is_answered_and_not_kept() -> None:
    memory = RenderedPolicies(POLICIES, max_bytes=100)
    assert Asked().remembered(memory) == Asked().plain()
    assert not memory._rendered  # noqa: SLF001 - what the bound is for


def test_its_bytes_are_counted_high_enough() -> None:
    """`CONTAINER_MB` of the settings has room for them."""
    users = [Asked(replace(OF_USER, user_id=f"user-{number}")) for number in range(200)]
    tracemalloc.start()
    memory = RenderedPolicies(POLICIES)
    for asked in users:
        asked.remembered(memory)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.5 * memory._bytes < taken < memory._bytes  # noqa: SLF001 - what the bound is for
