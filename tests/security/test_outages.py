"""What a record that was read before an outage decides while it lasts."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest

from keyscope.aws.clients import writing_dynamodb_client
from keyscope.aws.transactions import Database
from keyscope.decision import Outcome
from keyscope.errors import Unavailable
from tests.support.builders import MadeKey, basic, make_key, rotated
from tests.support.faulty_aws import (
    FaultyAws,
    answering,
    failing,
    faulty_aws,
    raw_reply,
    silent,
    well,
    with_attribute,
)
from tests.support.handlers import Asked, rest_authorizer

ALLOWED, REFUSED, FAILED = Outcome.ALLOWED, Outcome.REFUSED, Outcome.FAILED
PAST, FUTURE = int(time.time()) - 60, int(time.time()) + 3_600


def changed(**changes: object) -> MadeKey:
    made = make_key()
    return MadeKey(replace(made.record, **changes), made.secret)  # type: ignore[arg-type]


GOOD: Final = make_key()
EXPIRED: Final = changed(expires_at=PAST)
DISABLED: Final = changed(disabled_at=PAST)
REVOKED: Final = changed(revoked_at=PAST)
ELSEWHERE: Final = changed(allowed_cidrs=("203.0.113.0/24",))
OLD, OLDER = make_key(), make_key()
ROTATED: Final = rotated(OLD, FUTURE)
ROTATED_LONG_AGO: Final = rotated(OLDER, PAST)
UNKNOWN: Final = make_key()
KEYS: Final = (GOOD, EXPIRED, DISABLED, REVOKED, ELSEWHERE, ROTATED, ROTATED_LONG_AGO)


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
        pytest.param(basic(GOOD.key_id, UNKNOWN.secret), FAILED, id="secret, new since or wrong"),
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
    put = {"Put": {"TableName": "keys", "Item": {"key_id": {"S": GOOD.key_id}}}}
    assert database.write({"key": put}) == set()
    aws.dynamodb.fault = answering(raw_reply(body))
    with pytest.raises(Unavailable) as unavailable:
        database.write({"key": put})
    assert unavailable.value.detail == "UnreadableAnswer"


def test_kms_is_not_asked_again_for_a_secret_that_is_remembered(
    aws: FaultyAws, asked: Asked
) -> None:
    asked.outcome(GOOD.bearer(scope="app"))
    aws.kms.fault = silent
    assert asked.outcome(GOOD.bearer(scope="app")) is ALLOWED
    assert aws.decryptions_of(GOOD) == 1
