"""What a record that was read before an outage decides while it lasts."""

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Final

import pytest

from keyscope.authorize.decision import Outcome
from keyscope.authorize.key_cache import RETRY_SECONDS
from keyscope.aws.clients import writing_dynamodb_client
from keyscope.aws.dynamodb.key_writes import record_key
from keyscope.aws.dynamodb.transactions import Database
from keyscope.entry import authorizer
from keyscope.errors import Unavailable
from keyscope.model.secret import new_secret
from tests.support.builders import MadeKey, basic, limited, make_key, rotated
from tests.support.faulty_aws import (
    Fault,
    FaultyAws,
    answering,
    failing,
    faulty_aws,
    for_keys,
    raw_reply,
    resetting,
    silent,
    well,
    with_attribute,
)
from tests.support.handlers import Asked, rest_authorizer
from tests.support.stores import SteppedClock

# What a given-up call leaves is closed by the garbage collector, which warns of it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ALLOWED, REFUSED, FAILED = Outcome.ALLOWED, Outcome.REFUSED, Outcome.FAILED
PAST, FUTURE = int(time.time()) - 60, int(time.time()) + 3_600


def changed(**changes: object) -> MadeKey:
    made = make_key()
    return MadeKey(limited(made.record, **changes), made.secret)


GOOD: Final = make_key()
EXPIRED: Final = changed(expires_at=PAST)
DISABLED: Final = changed(disabled_at=PAST)
SUSPENDED: Final = changed(suspended_at=PAST)
REVOKED: Final = changed(revoked_at=PAST)
ELSEWHERE: Final = changed(allowed_cidrs=("203.0.113.0/24",))
OLD, OLDER = make_key(), make_key()
ROTATED: Final = rotated(OLD, FUTURE)
ROTATED_LONG_AGO: Final = rotated(OLDER, PAST)
UNKNOWN: Final = make_key()
KEYS: Final = (GOOD, EXPIRED, DISABLED, SUSPENDED, REVOKED, ELSEWHERE, ROTATED, ROTATED_LONG_AGO)


@pytest.fixture(autouse=True, scope="module")
def collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def running() -> Iterator[FaultyAws]:
    with faulty_aws(*KEYS) as services:
        yield services


@pytest.fixture
def aws(running: FaultyAws) -> Iterator[FaultyAws]:
    yield running
    running.dynamodb.fault = running.kms.fault = well


@pytest.fixture(scope="module")
def asked(running: FaultyAws) -> Asked:
    """An authorizer that has seen all the keys, and reads again for each request."""
    asked = rest_authorizer(running, key_cache_seconds="0")
    for made in (*KEYS, UNKNOWN):
        asked.outcome(made.basic())
    return asked


@pytest.mark.parametrize(
    ("authorization", "outcome"),
    [
        pytest.param(GOOD.basic(), ALLOWED, id="key as it was"),
        pytest.param(GOOD.bearer(scope="app"), ALLOWED, id="its token, opened by KMS"),
        pytest.param(GOOD.bearer(scope="app", exp=PAST), REFUSED, id="its token, expired"),
        pytest.param(GOOD.bearer(scope="account"), REFUSED, id="its token, scope not its own"),
        pytest.param(EXPIRED.basic(), FAILED, id="expired key, prolonged since or not"),
        pytest.param(REVOKED.basic(), FAILED, id="revoked key, as one that is unknown"),
        pytest.param(ELSEWHERE.basic(), FAILED, id="key for other addresses, widened since or not"),
        pytest.param(OLD.basic(), ALLOWED, id="previous secret, overlap running"),
        pytest.param(OLDER.basic(), REFUSED, id="previous secret, overlap over"),
        pytest.param(DISABLED.basic(), FAILED, id="disabled key, enabled since or not"),
        pytest.param(SUSPENDED.basic(), FAILED, id="suspended key, resumed since or not"),
        pytest.param(
            basic(GOOD.key_id, new_secret(GOOD.key_id)), FAILED, id="secret, new since or wrong"
        ),
        pytest.param(UNKNOWN.basic(), FAILED, id="key that was unknown, created since or not"),
        pytest.param(make_key().basic(), FAILED, id="key that was not seen"),
    ],
)
@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_a_recent_record_decides_what_nothing_can_have_changed_and_fails_else(
    code: str, authorization: str, outcome: Outcome, aws: FaultyAws, asked: Asked
) -> None:
    aws.dynamodb.fault = failing(code)
    assert asked.outcome(authorization) is outcome


def test_damage_is_no_outage_although_a_good_record_is_remembered(
    aws: FaultyAws, asked: Asked
) -> None:
    aws.dynamodb.fault = with_attribute("secret_hash", {"B": "QUFB"})
    assert asked.outcome(GOOD.basic()) is FAILED


def test_a_key_that_is_unknown_for_a_while_is_refused_without_a_read_in_an_outage(
    aws: FaultyAws,
) -> None:
    asked = rest_authorizer(aws, key_cache_seconds="300")
    asked.outcome(UNKNOWN.basic())
    aws.dynamodb.fault = failing("AccessDeniedException")
    assert asked.outcome(UNKNOWN.basic()) is REFUSED


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b'{"Responses"'], ids=["HTML", "nothing", "list", "cut off"]
)
def test_an_answer_that_is_none_does_not_say_that_a_write_was_done(
    body: bytes, aws: FaultyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    database = Database(writing_dynamodb_client())
    put = {"Put": {"TableName": "keys", "Item": record_key(GOOD.key_id)}}
    assert database.write({"key": put}, database.patience()) == set()
    aws.dynamodb.fault = answering(raw_reply(body))
    with pytest.raises(Unavailable) as unavailable:
        database.write({"key": put}, database.patience())
    assert unavailable.value.detail == "UnreadableAnswer"


def test_kms_is_not_asked_again_for_a_secret_that_is_remembered(
    aws: FaultyAws, asked: Asked
) -> None:
    asked.outcome(GOOD.bearer(scope="app"))
    aws.kms.fault = silent
    assert asked.outcome(GOOD.bearer(scope="app")) is ALLOWED
    assert aws.decryptions_of(GOOD) == 1


CACHE_SECONDS: Final = 30
THROTTLED: Final = failing("ThrottlingException")
FAST: Final = [
    pytest.param(THROTTLED, id="throttled"),
    pytest.param(failing("AccessDeniedException"), id="denied"),
    pytest.param(failing("InternalServerError", 500), id="broken"),
    pytest.param(answering(raw_reply(b"<html>")), id="no answer of DynamoDB's"),
]
COSTLY: Final = [
    pytest.param(silent, id="never answers"),
    pytest.param(resetting, id="resets connections"),
]


class Container:
    """An authorizer's container that has seen some keys, whose records have grown old since."""

    def __init__(self, aws: FaultyAws, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.clock = SteppedClock(time.time())
        self.key, *self.others = (make_key() for _ in range(4))
        aws.hold(self.key, *self.others)
        times = SimpleNamespace(
            time=self.clock, monotonic=self.clock, perf_counter=time.perf_counter
        )
        monkeypatch.setattr(authorizer, "time", times)
        self.asked = rest_authorizer(aws, key_cache_seconds=str(CACHE_SECONDS))
        for made in (self.key, *self.others):
            self.asked.outcome(made.basic())
        self.clock.now += CACHE_SECONDS

    def revoke(self) -> None:
        revoked = replace(self.key.record, revoked_at=PAST)
        self.aws.hold(MadeKey(revoked, self.key.secret))

    def outcome(self) -> Outcome:
        return self.asked.outcome(self.key.basic())

    def fail(self, fault: Fault, *keys: MadeKey) -> None:
        """Use the keys while their reads fail: their old records serve."""
        self.aws.dynamodb.fault = for_keys(fault, *keys)
        with ThreadPoolExecutor(len(keys)) as pool:
            outcomes = set(pool.map(self.asked.outcome, [made.basic() for made in keys]))
        assert outcomes == {ALLOWED}


@pytest.fixture
def container(aws: FaultyAws, monkeypatch: pytest.MonkeyPatch) -> Container:
    return Container(aws, monkeypatch)


@pytest.mark.parametrize("fault", [*FAST, *COSTLY])
def test_a_key_revoked_since_is_refused_although_the_reads_of_others_fail(
    fault: Fault, container: Container
) -> None:
    container.revoke()
    container.fail(fault, *container.others)
    assert container.outcome() is REFUSED


@pytest.mark.parametrize("fault", FAST)
def test_a_fast_failure_spares_no_read(fault: Fault, container: Container) -> None:
    container.fail(fault, container.key)
    container.revoke()
    container.aws.dynamodb.fault = well
    assert container.outcome() is REFUSED


@pytest.mark.parametrize("fault", COSTLY)
def test_a_failure_that_cost_time_spares_the_next_reads_of_that_key(
    fault: Fault, container: Container
) -> None:
    container.fail(fault, container.key)
    reads = container.aws.reads_of(container.key)
    assert container.outcome() is ALLOWED
    assert container.aws.reads_of(container.key) == reads


@pytest.mark.parametrize("fault", COSTLY)
def test_a_spared_key_is_read_again_a_few_seconds_later(fault: Fault, container: Container) -> None:
    container.fail(fault, container.key)
    container.revoke()
    container.aws.dynamodb.fault = well
    container.clock.now += RETRY_SECONDS
    assert container.outcome() is REFUSED


def test_a_throttled_key_is_read_again_at_each_request_and_served_meanwhile(
    container: Container,
) -> None:
    container.fail(THROTTLED, container.key)
    reads = container.aws.reads_of(container.key)
    assert [container.outcome() for _ in range(3)] == [ALLOWED] * 3
    assert container.aws.reads_of(container.key) >= reads + 3
