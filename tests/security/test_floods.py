"""What a flood of requests that prove nothing costs, and what it does not do.

A container's costs are reads of the key store, calls of KMS, memory, and the dimensions of its
metrics. Lambda hands a container one request at a time.
"""

import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import Any, Final, cast
from uuid import uuid4

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from keyscope.authorize.decision import Decision, Outcome
from keyscope.authorize.event import read_rest_event
from keyscope.authorize.key_cache import RECHECK_SECONDS, RETRY_SECONDS, KeyCache
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.aws.kms_secrets import SecretOpeningBox
from keyscope.aws.telemetry import COMPONENT, Telemetry, TelemetrySettings
from keyscope.errors import HeldUp, Hung, Reason, Unavailable
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType, new_key_id
from keyscope.model.key_record import KeyRecord, RecordSource
from keyscope.model.secret import new_secret
from keyscope_local.emulators.embedded_aws import embedded_aws
from keyscope_local.invoke import provisioning_environment
from keyscope_local.running_stack import loaded_stack, served_stack
from keyscope_local.template.function_failure import FunctionFailed
from keyscope_local.template.function_loader import LocalFunction
from keyscope_local.tour.event_values import basic as basic_of
from keyscope_local.tour.seed import IssuedKey, local_provisioning
from tests.support.builders import (
    NOW,
    MadeKey,
    basic,
    make_key,
    rest_request_event,
    rotated,
    token,
)
from tests.support.profile import EXAMPLES, FULL
from tests.support.stacks import stack_of
from tests.support.stores import MemoryKeyStore, MemorySecretOpener, SteppedClock
from tests.support.usage_plans import POLICIES

FLOOD: Final = 100_000 if FULL else 2_000
"""Requests of a flood."""
PER_SECOND: Final = 64
FRESH: Final = 30
KEY: Final = make_key()


@dataclass
class Container:
    """One container of an authorizer, with its store, its clock and its KMS in hand."""

    fresh_seconds: int = FRESH
    entries: int = 100
    store: MemoryKeyStore = field(default_factory=lambda: MemoryKeyStore({KEY.key_id: KEY.record}))
    opener: MemorySecretOpener = field(default_factory=MemorySecretOpener)
    clock: SteppedClock = field(default_factory=lambda: SteppedClock(NOW))

    def __post_init__(self) -> None:
        keys = KeyCache(
            self.store,
            self.clock,
            fresh_seconds=self.fresh_seconds,
            stale_seconds=900,
            max_entries=self.entries,
        )
        self.authorizer = Authorizer(keys, self.opener, POLICIES, self.clock, self.clock)

    def decide(self, authorization: str) -> Decision:
        return authorize(rest_request_event(authorization), read_rest_event, self.authorizer)

    def reads_of(self, authorization: str, seconds: int) -> int:
        """Ask again and again for some seconds; return how many reads that was."""
        before = self.store.reads
        for _ in range(seconds * PER_SECOND):
            self.decide(authorization)
            self.clock.now += 1 / PER_SECOND
        return self.store.reads - before


def unknown_basic() -> str:
    return make_key().basic()


def unknown_bearer() -> str:
    return make_key().bearer(scope="app")


def mistyped() -> str:
    key = make_key()
    other = "A" if key.secret[40] != "A" else "B"
    return basic(key.key_id, f"{key.secret[:40]}{other}{key.secret[41:]}")


@pytest.mark.parametrize("unknown", [unknown_basic, unknown_bearer])
def test_each_of_many_unknown_ids_costs_one_read_and_no_kms_call(
    unknown: Callable[[], str],
) -> None:
    container = Container()
    reasons = {container.decide(unknown()).reason for _ in range(FLOOD)}
    assert reasons == {Reason.UNKNOWN_KEY}
    assert (container.store.reads, container.opener.opened) == (FLOOD, 0)


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        pytest.param(mistyped(), Reason.MISTYPED_SECRET, id="mistyped secret"),
        pytest.param(basic("app_1", KEY.secret), Reason.MALFORMED_KEY_ID, id="malformed id"),
        pytest.param(
            basic(KEY.key_id.upper(), KEY.secret), Reason.MALFORMED_KEY_ID, id="id in upper case"
        ),
        pytest.param(basic(KEY.key_id, "secret"), Reason.MALFORMED_SECRET, id="guessed secret"),
        pytest.param(
            basic(KEY.key_id, make_key().secret),
            Reason.SECRET_OF_ANOTHER_KEY,
            id="another key's secret",
        ),
        pytest.param(
            f"Bearer {token('app_1', KEY.secret, {'scope': 'app'})}",
            Reason.MALFORMED_KEY_ID,
            id="token of a malformed id",
        ),
    ],
)
def test_what_cannot_be_a_key_costs_no_read(authorization: str, reason: Reason) -> None:
    container = Container()
    assert container.decide(authorization).reason is reason
    assert (container.store.reads, container.opener.opened) == (0, 0)


@pytest.mark.parametrize("authorization", [unknown_basic(), unknown_bearer()])
def test_one_unknown_id_costs_one_read_a_second(authorization: str) -> None:
    assert Container().reads_of(authorization, seconds=10) == 10


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(basic(KEY.key_id, new_secret(KEY.key_id)), id="secret"),
        pytest.param(
            MadeKey(KEY.record, new_secret(KEY.key_id)).bearer(scope="app"), id="signature"
        ),
    ],
)
def test_what_is_wrong_for_a_known_key_costs_one_read_a_second(authorization: str) -> None:
    assert Container().reads_of(authorization, seconds=10) == 10


def test_with_no_container_cache_each_request_costs_one_read_and_no_more() -> None:
    container = Container(fresh_seconds=0)
    assert container.reads_of(unknown_basic(), seconds=1) == PER_SECOND


def test_while_one_key_is_flooded_with_wrong_secrets_the_right_one_works() -> None:
    container = Container()
    for _ in range(FLOOD // 10):
        container.decide(basic(KEY.key_id, new_secret(KEY.key_id)))
        assert container.decide(KEY.basic()).outcome is Outcome.ALLOWED
        container.clock.now += 1 / PER_SECOND


@pytest.mark.parametrize("unknown", [unknown_basic, unknown_bearer])
def test_a_flood_of_unknown_ids_evicts_no_known_key(unknown: Callable[[], str]) -> None:
    container = Container(entries=1)
    container.decide(KEY.basic())
    for _ in range(FLOOD // 10):
        container.decide(unknown())
    assert container.decide(KEY.basic()).record_source is RecordSource.CACHE


def memory_of(container: Container, requests: int) -> int:
    """Return the bytes that a container has more after some requests for unknown ids."""
    tracemalloc.start()
    try:
        for _ in range(requests):
            container.decide(unknown_basic())
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.traced
def test_the_memory_of_a_flood_is_bounded_by_the_setting_and_not_by_the_flood() -> None:
    entries = 500
    once = memory_of(Container(entries=entries), entries)
    assert memory_of(Container(entries=entries), 8 * entries) < 1.5 * once


@pytest.mark.traced
def test_ten_thousand_remembered_ids_take_less_than_four_megabytes() -> None:
    assert memory_of(Container(entries=10_000), 10_000) < 4_000_000


@dataclass
class CountedKms:
    """A KMS that opens what the builders seal."""

    calls: int = 0

    def decrypt(self, **request: object) -> dict[str, Any]:
        self.calls += 1
        return {"Plaintext": cast("bytes", request["CiphertextBlob"]).removeprefix(b"sealed ")}

    def encrypt(self, **request: object) -> dict[str, Any]:
        raise NotImplementedError(request)


@pytest.mark.parametrize(
    ("key", "calls"),
    [pytest.param(KEY, 1, id="key"), pytest.param(rotated(KEY, NOW + 60), 2, id="rotated key")],
)
def test_wrong_signatures_for_one_key_cost_a_call_of_kms_for_each_secret_and_no_more(
    key: MadeKey, calls: int
) -> None:
    kms = CountedKms()
    container = Container(store=MemoryKeyStore({key.key_id: key.record}))
    box = SecretOpeningBox(lambda: kms, "arn", 10)
    container.authorizer = replace(container.authorizer, secrets=box)
    for _ in range(FLOOD // 10):
        wrong = token(key.key_id, new_secret(key.key_id), {"scope": "app"})
        assert container.decide(f"Bearer {wrong}").reason is Reason.WRONG_SIGNATURE
    assert kms.calls == calls


def test_while_the_store_fails_a_flood_is_neither_refused_nor_allowed() -> None:
    container = Container(store=MemoryKeyStore(failure=Reason.KEY_STORE_UNAVAILABLE))
    outcomes = {container.decide(unknown_basic()).outcome for _ in range(100)}
    assert (outcomes, container.store.reads) == ({Outcome.FAILED}, 100)


SERVICE: Final = f"authorizer-{uuid4()}"
TELEMETRY: Final = Telemetry(SERVICE, TelemetrySettings())
DIMENSIONS: Final = {"service": SERVICE, "component": COMPONENT}


def hostile() -> st.SearchStrategy[str]:
    """Return credentials that name whatever they like wherever they can."""
    text = st.text(st.characters(codec="utf-8"), max_size=40)
    claims = st.fixed_dictionaries({"scope": text}, optional={"userId": text})
    return st.one_of(
        text,
        st.builds(basic, text, text),
        st.builds(lambda kid, payload: "Bearer " + token(kid, "x" * 32, payload), text, claims),
        st.builds(lambda claim: KEY.bearer(scope="appUser", userId=claim), text),
        st.builds(lambda _: unknown_basic(), st.none()),
    )


def metrics_of(decision: Decision) -> dict[str, Any]:
    with redirect_stdout(StringIO()) as output:
        TELEMETRY.record(decision, "request-1", "invocation-1")
    metrics: dict[str, Any] = json.loads(output.getvalue().splitlines()[0])
    return metrics


@settings(max_examples=EXAMPLES, deadline=None)
@given(authorization=hostile())
def test_no_dimension_of_a_metric_holds_what_a_caller_sent(authorization: str) -> None:
    out = MemoryKeyStore(failure=Reason.KEY_STORE_UNAVAILABLE)
    for container in (Container(), Container(store=out)):
        metrics = metrics_of(container.decide(authorization))
        directives = metrics["_aws"]["CloudWatchMetrics"]
        sets = [names for directive in directives for names in directive["Dimensions"]]
        found = {name: metrics[name] for names in sets for name in names}
        assert found.items() <= DIMENSIONS.items()


@settings(max_examples=EXAMPLES, deadline=None)
@given(authorization=hostile())
def test_no_request_costs_more_than_one_read(authorization: str) -> None:
    container = Container()
    container.decide(authorization)
    assert container.store.reads <= 1


IDS: Final = [new_key_id(OwnerType.APP) for _ in range(6)]
RECORDS: Final = [make_key().record for _ in range(40)]
ENTRIES: Final = 2
STALE_SECONDS: Final = 10


class RememberedKeys(RuleBasedStateMachine):
    """Keys come, change and go behind a cache, and are asked for all the while."""

    @initialize(fresh_seconds=st.sampled_from([0, 1, 3]))
    def start(self, fresh_seconds: int) -> None:
        self.fresh_seconds = fresh_seconds
        self.clock = SteppedClock(NOW)
        self.store = MemoryKeyStore()
        self.cache = KeyCache(
            self.store,
            self.clock,
            fresh_seconds=fresh_seconds,
            stale_seconds=STALE_SECONDS,
            max_entries=ENTRIES,
            timer=self.clock,
        )
        # What the table has held for each id, since when, the latest last.
        self.held: dict[str, list[tuple[float, KeyRecord | None]]] = {
            key_id: [(NOW - 1_000, None)] for key_id in IDS
        }
        self.read: list[tuple[str, bool, float]] = []
        # When each key's last read hung, if it did.
        self.hung: dict[str, float] = {}

    @rule(key_id=st.sampled_from(IDS), record=st.sampled_from(RECORDS))
    def create_or_rotate(self, key_id: str, record: KeyRecord) -> None:
        self.store.records[key_id] = record
        self.held[key_id].append((self.clock.now, record))

    @rule(key_id=st.sampled_from(IDS))
    def delete(self, key_id: str) -> None:
        self.store.records.pop(key_id, None)
        self.held[key_id].append((self.clock.now, None))

    @rule(seconds=st.sampled_from([0.25, 0.5, 1, 2, 5]))
    def tick(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(fails_by=st.sampled_from([Unavailable, Hung, HeldUp]))
    def break_or_mend_the_store(self, fails_by: type[Unavailable]) -> None:
        broken = self.store.failure is not None
        self.store.failure = None if broken else Reason.KEY_STORE_UNAVAILABLE
        self.store.fails_by = fails_by

    @rule(key_id=st.sampled_from(IDS))
    def get(self, key_id: str) -> None:
        self._look_up(key_id, self.fresh_seconds)

    @rule(key_id=st.sampled_from(IDS))
    def get_fresh(self, key_id: str) -> None:
        self._look_up(key_id, min(RECHECK_SECONDS, self.fresh_seconds), fresh=True)

    def _look_up(self, key_id: str, seconds: float, *, fresh: bool = False) -> None:
        before, remembered = self.store.reads, self._must_be_remembered(key_id, seconds)
        try:
            lookup = self.cache.get(key_id, fresh=fresh)
        except Unavailable:
            self._note_failure(key_id)
            assert self.store.failure is not None
            assert not remembered
            return
        reads = self.store.reads - before
        if lookup.source is RecordSource.STALE:
            self._check_stale(key_id, reads)
        else:
            assert reads == (lookup.source is RecordSource.TABLE)
        assert not (remembered and reads)
        oldest = {
            RecordSource.TABLE: 0,
            RecordSource.CACHE: seconds,
            RecordSource.STALE: STALE_SECONDS,
        }
        assert lookup.record in self._held_within(key_id, oldest[lookup.source])
        assert lookup.source is not RecordSource.STALE or lookup.record is not None
        if lookup.source is RecordSource.TABLE:
            self.read.append((key_id, lookup.record is not None, self.clock.now))
            self.hung.pop(key_id, None)

    def _check_stale(self, key_id: str, reads: int) -> None:
        """Only what became of the key's own reads lets its old record serve."""
        if reads == 0:
            spared_seconds = min(RETRY_SECONDS, self.fresh_seconds)
            assert self.clock.now - self.hung[key_id] < spared_seconds
            return
        assert reads == 1
        assert self.store.failure is not None
        assert self.store.fails_by is not HeldUp or key_id in self.hung
        self._note_failure(key_id)

    def _note_failure(self, key_id: str) -> None:
        if self.store.fails_by is Hung:
            self.hung[key_id] = self.clock.now

    def _must_be_remembered(self, key_id: str, fresh: float) -> bool:
        """Tell whether a key was read just now, and too few others since to push it out."""
        positions = [position for position, read in enumerate(self.read) if read[0] == key_id]
        if not positions:
            return False
        _, was_there, at = self.read[positions[-1]]
        others = {other for other, there, _ in self.read[positions[-1] :] if there is was_there}
        return self.clock.now - at < fresh and len(others) <= ENTRIES

    def _held_within(self, key_id: str, seconds: float) -> list[KeyRecord | None]:
        held = self.held[key_id]
        ends = [*(since for since, _ in held[1:]), float("inf")]
        earliest = self.clock.now - seconds
        return [record for (_, record), end in zip(held, ends, strict=True) if end > earliest]

    @invariant()
    def both_memories_are_bounded(self) -> None:
        assert len(self.cache._known) <= ENTRIES  # noqa: SLF001 - nothing else tells
        assert len(self.cache._unknown) <= ENTRIES  # noqa: SLF001


def test_a_memory_of_keys_is_bounded_reads_once_and_tells_nothing_older_than_it_may() -> None:
    effort = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
    run_state_machine_as_test(RememberedKeys, settings=effort)


@dataclass(frozen=True)
class ServedStack:
    """The template's REST API and its authorizer over moto, with the defaults' caches."""

    url: str
    authorizer: LocalFunction
    operations: Provisioning


@pytest.fixture(scope="module")
def stack() -> Iterator[ServedStack]:
    source = stack_of()
    with (
        embedded_aws(source) as aws,
        loaded_stack(source, aws) as loaded,
        served_stack(loaded, 0) as served,
    ):
        operations = local_provisioning(provisioning_environment(source, aws))
        yield ServedStack(served.urls[0], loaded.functions["RestAuthorizerFunction"], operations)


@pytest.fixture
def foretold(monkeypatch: pytest.MonkeyPatch) -> IssuedKey:
    """A key that a caller knows before it is created."""
    key = IssuedKey.new(OwnerType.ACCOUNT)
    monkeypatch.setattr("keyscope.lifecycle.operations.new_key_id", lambda *_: key.key_id)
    monkeypatch.setattr("keyscope.lifecycle.operations.new_secret", lambda _: key.secret)
    return key


def test_a_key_that_was_asked_for_before_it_was_there_is_known_to_a_container_a_second_later(
    stack: ServedStack, foretold: IssuedKey
) -> None:
    event = rest_request_event(basic_of(foretold))
    with pytest.raises(FunctionFailed, match="Unauthorized"):
        stack.authorizer.invoke(event)
    stack.operations.create_account("Acme", KeyRequest())
    time.sleep(RECHECK_SECONDS)
    assert stack.authorizer.invoke(event)


def test_a_key_that_was_asked_for_before_it_was_there_works_a_second_later(
    stack: ServedStack, foretold: IssuedKey
) -> None:
    url, headers = f"{stack.url}/v2/apps", {"Authorization": basic_of(foretold)}
    assert httpx.get(url, headers=headers).status_code == 401
    stack.operations.create_account("Acme", KeyRequest())
    time.sleep(RECHECK_SECONDS)
    assert httpx.get(url, headers=headers).status_code == 200
