"""What the authorizers answer while DynamoDB or KMS fail, and afterwards.

Each fault meets the real handler, with the real botocore, over real TCP: a mix of credentials is
sent before, during and after it. An answer is right, or it is 500; it is never wrong. `make
test-hostile` prints the table of docs/reference/security-measurements.md.
"""

import base64
import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import pytest

from keyscope.authorize.decision import Outcome
from keyscope.model.secret import new_secret
from tests.support.builders import MadeKey, basic, make_key, token
from tests.support.faulty_aws import (
    Fault,
    FaultyAws,
    FaultyService,
    Reply,
    answering,
    changing,
    cutting_off,
    dripping_body,
    dripping_head,
    failing,
    faulty_aws,
    garbled,
    hanging_up_after,
    json_reply,
    once,
    raw_reply,
    resetting,
    silent,
    slow,
    well,
    with_attribute,
    with_length,
)
from tests.support.handlers import Asked, http_authorizer, rest_authorizer
from tests.support.patience import PATIENCE_SECONDS
from tests.support.profile import EVERY_NTH, FULL
from tests.support.report import Report

# What a given-up call leaves is closed by the garbage collector, which warns of it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

ROUNDS: Final = 5 if FULL else 1
ALLOWED, REFUSED, FAILED = Outcome.ALLOWED, Outcome.REFUSED, Outcome.FAILED

RIGHT: Final = {
    "seen Basic": ALLOWED,
    "seen JWT": ALLOWED,
    "seen key, wrong secret": REFUSED,
    "seen key, wrong signature": REFUSED,
    "seen key, expired": REFUSED,
    "seen unknown key": REFUSED,
    "new Basic": ALLOWED,
    "new JWT": ALLOWED,
    "new key, wrong secret": REFUSED,
    "new unknown key": REFUSED,
    "malformed": REFUSED,
}
"""What each credential is to be answered; the seen ones were sent before the fault, too."""

RECENT_RECORDS_SERVE: Final = RIGHT | dict.fromkeys(
    [
        "seen key, wrong secret",
        "seen key, wrong signature",
        "seen key, expired",
        "seen unknown key",
        "new Basic",
        "new JWT",
        "new key, wrong secret",
        "new unknown key",
    ],
    FAILED,
)
NOTHING_SERVES: Final = dict.fromkeys(RIGHT, FAILED) | {"malformed": REFUSED}
UNKNOWN_KEYS_ARE_TOLD: Final = {"seen unknown key": REFUSED, "new unknown key": REFUSED}
DAMAGE_IS_NO_OUTAGE: Final = NOTHING_SERVES | UNKNOWN_KEYS_ARE_TOLD
ONLY_NEW_TOKENS_FAIL: Final = RIGHT | {"new JWT": FAILED}

ANOTHER_SECRET: Final = base64.b64encode(make_key().secret.encode()).decode()
HTML: Final = Reply(b"<html>", headers={"content-type": "text/html", "content-length": "6"})


@dataclass(frozen=True)
class Row:
    """A fault, and what each credential must be answered while it lasts."""

    fault: str
    begin: Callable[[FaultyAws], None]
    during: Mapping[str, Outcome]
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sent:
    """What was answered, by phase and credential."""

    before: Mapping[str, set[Outcome]]
    during: Mapping[str, set[Outcome]]
    after: Mapping[str, set[Outcome]]
    counts: Counter[str]


def dynamodb(name: str, fault: Fault, during: Mapping[str, Outcome], **settings: str) -> Row:
    return Row(
        f"DynamoDB: {name}", lambda aws: setattr(aws.dynamodb, "fault", fault), during, settings
    )


def kms(name: str, fault: Fault, during: Mapping[str, Outcome] = ONLY_NEW_TOKENS_FAIL) -> Row:
    return Row(f"KMS: {name}", lambda aws: setattr(aws.kms, "fault", fault), during)


def damage(name: str, attribute: str, value: object) -> Row:
    return dynamodb(name, with_attribute(attribute, value), DAMAGE_IS_NO_OUTAGE)


def both(name: str, begin: Callable[[FaultyService], None]) -> Row:
    def begin_both(aws: FaultyAws) -> None:
        begin(aws.dynamodb)
        begin(aws.kms)

    return Row(f"both: {name}", begin_both, RECENT_RECORDS_SERVE)


def fall_silent(service: FaultyService) -> None:
    service.fault = silent


TRANSPORT: Final = {
    "answers after 30 s": slow(30),
    "one byte every 0.3 s": dripping_head,
    "takes the connection, never answers": silent,
    "resets the connection": resetting,
    "hangs up in the middle of the body": cutting_off,
    "Content-Length too small": with_length(-1),
    "Content-Length too large, then hangs up": with_length(50),
    "500": failing("InternalServerError", 500),
    "503": failing("ServiceUnavailable", 503),
    "AccessDeniedException": failing("AccessDeniedException"),
    "ThrottlingException": failing("ThrottlingException"),
    "ExpiredTokenException": failing("ExpiredTokenException"),
    "HTML with status 200": answering(HTML),
    "HTML with status 502": answering(
        Reply(b"<html>", 502, {"content-type": "text/html", "content-length": "6"})
    ),
    "redirect": answering(Reply(b"", 302, {"location": "http://x", "content-length": "0"})),
    "empty body with status 200": answering(raw_reply(b"")),
    "JSON that is no object": answering(json_reply([])),
    "no JSON": answering(raw_reply(b'{"Item": {')),
    "no UTF-8": answering(raw_reply(b'{"Item": "\xff"}')),
}
PASSING: Final = {
    "answers after 0.2 s": slow(0.2),
    "throttles each request once": once(failing("ThrottlingException")),
    "resets each request once": once(resetting),
    "hangs up when idle for 50 ms": hanging_up_after(0.05),
}
ATTRIBUTES: Final = (
    "key_id",
    "format",
    "owner_type",
    "owner_id",
    "secret_hash",
    "secret_ciphertext",
)
TABLE: Final = [
    *(dynamodb(name, fault, RECENT_RECORDS_SERVE) for name, fault in TRANSPORT.items()),
    dynamodb(
        "body one byte every 0.3 s", dripping_body, RECENT_RECORDS_SERVE | UNKNOWN_KEYS_ARE_TOLD
    ),
    *(dynamodb(name, fault, RIGHT) for name, fault in PASSING.items()),
    Row("DynamoDB: port closed", lambda aws: aws.dynamodb.refuse(), RECENT_RECORDS_SERVE),
    *(
        dynamodb(code, failing(code), RECENT_RECORDS_SERVE)
        for code in (
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "ResourceNotFoundException",
        )
    ),
    dynamodb("never answers, StaleSeconds 0", silent, NOTHING_SERVES, stale_seconds="0"),
    dynamodb(
        "AccessDeniedException, StaleSeconds 0",
        failing("AccessDeniedException"),
        NOTHING_SERVES,
        stale_seconds="0",
    ),
    dynamodb("Item is null", changing(lambda _: {"Item": None}), RECENT_RECORDS_SERVE),
    dynamodb("Item is a list", changing(lambda _: {"Item": []}), RECENT_RECORDS_SERVE),
    dynamodb(
        "an error with status 200", changing(lambda _: {"message": "Sorry"}), RECENT_RECORDS_SERVE
    ),
    dynamodb(
        "one character changed on the way", garbled, RECENT_RECORDS_SERVE | UNKNOWN_KEYS_ARE_TOLD
    ),
    dynamodb(
        "attribute without a type",
        with_attribute("secret_hash", "text"),
        RECENT_RECORDS_SERVE | UNKNOWN_KEYS_ARE_TOLD,
    ),
    *(damage(f"item without {name}", name, None) for name in ATTRIBUTES),
    *(damage(f"{name} of another type", name, {"BOOL": True}) for name in ATTRIBUTES),
    damage("item of another key", "key_id", {"S": make_key().key_id}),
    damage("secret_hash in bad base64", "secret_hash", {"B": "*"}),
    damage("secret_hash too short", "secret_hash", {"B": "QUFB"}),
    damage("owner_id of another owner type", "owner_id", {"S": "0" * 12}),
    damage("half a rotation", "previous_ends_at", {"N": "1"}),
    damage("expires_at is text", "expires_at", {"S": "tomorrow"}),
    *(kms(name, fault) for name, fault in TRANSPORT.items()),
    kms("body one byte every 0.3 s", dripping_body),
    *(kms(name, fault, RIGHT) for name, fault in PASSING.items()),
    Row("KMS: port closed", lambda aws: aws.kms.refuse(), ONLY_NEW_TOKENS_FAIL),
    *(
        kms(code, failing(code))
        for code in (
            "InvalidCiphertextException",
            "DisabledException",
            "KeyUnavailableException",
            "NotFoundException",
        )
    ),
    kms("answers without a plaintext", changing(lambda _: {})),
    kms("another secret", changing(lambda _: {"Plaintext": ANOTHER_SECRET})),
    kms("a plaintext that is no text", changing(lambda _: {"Plaintext": "/w=="})),
    kms("one character changed on the way", garbled),
    both("never answer", fall_silent),
    both("ports closed", FaultyService.refuse),
]

ROWS: Final = TABLE[::EVERY_NTH]


@dataclass(frozen=True)
class Keys:
    """The keys of one row: those that are used before the fault, and one that is not."""

    seen: MadeKey
    expired: MadeKey
    new: MadeKey
    newest: MadeKey

    def credentials(self, new: MadeKey) -> Mapping[str, str]:
        unknown = make_key()
        return {
            "seen Basic": self.seen.basic(),
            "seen JWT": self.seen.bearer(scope="app"),
            "seen key, wrong secret": basic(self.seen.key_id, new_secret(self.seen.key_id)),
            "seen key, wrong signature": "Bearer "
            + token(self.seen.key_id, unknown.secret, {"scope": "app"}),
            "seen key, expired": self.expired.basic(),
            "seen unknown key": UNKNOWN.basic(),
            "new Basic": new.basic(),
            "new JWT": new.bearer(scope="app"),
            "new key, wrong secret": basic(new.key_id, new_secret(new.key_id)),
            "new unknown key": unknown.basic(),
            "malformed": "Basic *",
        }


UNKNOWN: Final = make_key()


def send(
    asked: Sequence[Asked], credentials: Mapping[str, str], rounds: int, counts: Counter[str]
) -> Mapping[str, set[Outcome]]:
    """Send all credentials at once, and wait for the answers."""
    outcomes: dict[str, set[Outcome]] = {name: set() for name in credentials}
    with ThreadPoolExecutor(len(credentials) * len(asked)) as pool:
        for _ in range(rounds):
            answers = [
                (name, pool.submit(one.outcome, authorization))
                for name, authorization in credentials.items()
                for one in asked
            ]
            for name, answer in answers:
                outcome = answer.result(PATIENCE_SECONDS)
                outcomes[name].add(outcome)
                counts[verdict(RIGHT[name], outcome)] += 1
    return outcomes


def verdict(right: Outcome, outcome: Outcome) -> str:
    if outcome is FAILED:
        return "500"
    return f"{right} rightly" if outcome is right else "wrong"


def run(row: Row) -> Sent:
    keys = Keys(make_key(), make_key(expires_at=int(time.time()) - 60), make_key(), make_key())
    counts: Counter[str] = Counter()
    with faulty_aws(keys.seen, keys.expired, keys.new, keys.newest) as aws:
        settings = {"key_cache_seconds": "0", **row.settings}
        asked = [rest_authorizer(aws, **settings), http_authorizer(aws, **settings)]
        asked = asked if FULL else asked[len(row.fault) % 2 :][:1]
        credentials = keys.credentials(keys.new)
        seen = {name: value for name, value in credentials.items() if not name.startswith("new")}
        before = send(asked, seen, 1, counts)
        row.begin(aws)
        during = send(asked, credentials, ROUNDS, counts)
        for service in (aws.dynamodb, aws.kms):
            service.fault = well
            service.recover()
        after = send(asked, keys.credentials(keys.newest), 1, counts)
    return Sent(before, during, after, counts)


@pytest.fixture(scope="module")
def runs() -> Iterator[Mapping[str, Future[Sent]]]:
    """Run the rows side by side: most of their time is waiting.

    Each row sends eleven credentials at once, and the handlers' deadlines are the product's: more
    rows at a time would miss them on a busy machine.
    """
    with ThreadPoolExecutor(3) as pool:
        started = {row.fault: pool.submit(run, row) for row in ROWS}
    # All have ended: what they log belongs to this fixture, not between the dots of the tests.
    yield started
    gc.collect()


def expected(outcomes: Mapping[str, Outcome], names: Mapping[str, object]) -> object:
    return {name: {outcomes[name]} for name in names}


EVERY_ROW: Final = pytest.mark.parametrize("row", [pytest.param(row, id=row.fault) for row in ROWS])


@EVERY_ROW
def test_no_answer_is_wrong(row: Row, runs: Mapping[str, Future[Sent]], report: Report) -> None:
    counts = runs[row.fault].result().counts
    if FULL:
        verdicts = ("allowed rightly", "refused rightly", "500", "wrong")
        answers = {verdict: counts[verdict] for verdict in verdicts}
        report.row("Faults", fault=row.fault, sent=counts.total(), **answers)
    assert counts["wrong"] == 0


@EVERY_ROW
def test_each_credential_is_answered_as_the_fault_allows(
    row: Row, runs: Mapping[str, Future[Sent]]
) -> None:
    during = runs[row.fault].result().during
    assert during == expected(row.during, during)


@EVERY_ROW
def test_every_answer_is_right_before_the_fault_and_without_a_restart_after_it(
    row: Row, runs: Mapping[str, Future[Sent]]
) -> None:
    sent = runs[row.fault].result()
    assert sent.before == expected(RIGHT, sent.before)
    assert sent.after == expected(RIGHT, sent.after)
