"""What every key store promises the authorizers, whatever it keeps its records in.

A new key store is one more `Subject` here.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import pytest

from keyscope.authorize.key_cache import RECHECK_SECONDS, KeyCache
from keyscope.aws.dynamodb.key_table import KeyTable
from keyscope.errors import Reason, Unavailable
from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import MAX_ALLOWED_CIDRS
from keyscope.model.key_record import KeyRecord, KeyStore, Lookup, RecordSource
from tests.support.builders import NOW, in_usage_plan, limited, make_key, rotated
from tests.support.dynamodb_local import Store
from tests.support.operations import damage_key, dynamodb_of, hold_record
from tests.support.stores import MemoryKeyStore, SteppedClock


@dataclass(frozen=True)
class Subject:
    """A key store, and what is done to it from outside.

    `hold` stores a record in place of another one of the same id, `damage` spoils the record with
    an id, and `wait` lets a number of seconds go by. Nothing can be read from `unreachable`.
    """

    store: KeyStore
    hold: Callable[[KeyRecord], None]
    damage: Callable[[str], None]
    unreachable: KeyStore
    wait: Callable[[float], None] = lambda _: None


def memory() -> Subject:
    store = MemoryKeyStore()
    unreachable = MemoryKeyStore(failure=Reason.KEY_STORE_UNAVAILABLE)
    return Subject(store, store.hold, store.damaged.add, unreachable)


def cache() -> Subject:
    behind, clock = memory(), SteppedClock(NOW)

    def over(store: KeyStore) -> KeyCache:
        return KeyCache(
            store, clock, fresh_seconds=30, stale_seconds=900, max_entries=99, timer=clock
        )

    def wait(seconds: float) -> None:
        clock.now += seconds

    return replace(
        behind, store=over(behind.store), unreachable=over(behind.unreachable), wait=wait
    )


def table(store: Store) -> Subject:
    client = dynamodb_of(store)
    return Subject(
        KeyTable(client, store.keys_table),
        lambda record: hold_record(store, record),
        lambda key_id: damage_key(store, key_id),
        KeyTable(client, "absent"),
    )


@pytest.fixture(
    params=[
        "memory",
        "cache",
        pytest.param("moto_store", id="moto"),
        pytest.param("dynamodb_local_store", id="dynamodb-local", marks=pytest.mark.dynamodb_local),
    ]
)
def subject(request: pytest.FixtureRequest) -> Subject:
    in_memory = {"memory": memory, "cache": cache}
    if request.param in in_memory:
        return in_memory[request.param]()
    return table(request.getfixturevalue(request.param))


PLAIN: Final = make_key()
REVOKED: Final = [
    make_key(revoked_at=NOW).record,
    replace(rotated(make_key(), NOW + 60).record, revoked_at=NOW),
    replace(in_usage_plan(make_key(), "gold" * 5).record, revoked_at=NOW),
]
RECORDS: Final = [
    *(make_key(owner_type).record for owner_type in OwnerType),
    make_key(expires_at=NOW + 60).record,
    make_key(allowed_cidrs=("192.0.2.0/24", "2001:db8::/32")).record,
    make_key(allowed_cidrs=("192.0.2.0/24",) * MAX_ALLOWED_CIDRS).record,
    limited(make_key().record, disabled_at=NOW),
    limited(make_key().record, suspended_at=NOW),
    rotated(make_key(), NOW + 60).record,
    rotated(rotated(make_key(), NOW), NOW + 60).record,
    in_usage_plan(make_key(), "gold" * 5).record,
    replace(make_key().record, external_ids=ExternalIds("Acme", "acme-Shop")),
    replace(make_key(OwnerType.ACCOUNT).record, external_ids=ExternalIds("Acme")),
]


def failure_of(read: Callable[[], Lookup]) -> Reason:
    with pytest.raises(Unavailable) as unavailable:
        read()
    return unavailable.value.reason


def test_a_key_that_does_not_exist_has_no_record(subject: Subject) -> None:
    assert subject.store.get(PLAIN.key_id) == Lookup(None, RecordSource.TABLE)


def test_a_record_is_read_as_it_is_stored(subject: Subject) -> None:
    for record in RECORDS:
        subject.hold(record)
    read = [subject.store.get(record.key_id) for record in RECORDS]
    assert read == [Lookup(record, RecordSource.TABLE) for record in RECORDS]


def test_a_revoked_record_says_when_and_has_neither_a_secret_nor_a_usage_plan(
    subject: Subject,
) -> None:
    for record in REVOKED:
        subject.hold(record)
    assert [subject.store.get(record.key_id).record for record in REVOKED] == [
        replace(
            record,
            secret_hash=b"",
            secret_ciphertext=b"",
            previous=None,
            usage_identifier_key=None,
        )
        for record in REVOKED
    ]


@pytest.mark.parametrize(
    "other_id",
    [
        pytest.param(PLAIN.key_id[:-1], id="the beginning of an id"),
        pytest.param(PLAIN.key_id.upper(), id="upper case"),
        pytest.param(f"{PLAIN.key_id} ", id="a space after"),
        pytest.param(f"{PLAIN.key_id[:-1]}%", id="a wildcard"),
        pytest.param("' OR ''='", id="a quotation mark"),
    ],
)
def test_only_the_very_id_finds_a_record(other_id: str, subject: Subject) -> None:
    subject.hold(PLAIN.record)
    assert subject.store.get(other_id).record is None


def test_a_fresh_read_finds_what_changed_a_second_ago(subject: Subject) -> None:
    made = make_key()
    seen = [subject.store.get(made.key_id, fresh=True).record]
    steps = [made.record, rotated(made, NOW + 60).record, limited(made.record, disabled_at=NOW)]
    for record in steps:
        subject.hold(record)
        subject.wait(RECHECK_SECONDS)
        lookup = subject.store.get(made.key_id, fresh=True)
        assert lookup.source is not RecordSource.STALE
        seen.append(lookup.record)
    assert seen == [None, *steps]


@pytest.mark.parametrize("fresh", [False, True])
def test_a_store_that_cannot_be_read_is_a_failure_and_no_unknown_key(
    subject: Subject, *, fresh: bool
) -> None:
    assert failure_of(lambda: subject.unreachable.get(PLAIN.key_id, fresh=fresh)) is (
        Reason.KEY_STORE_UNAVAILABLE
    )


@pytest.mark.parametrize("fresh", [False, True])
def test_a_damaged_record_is_a_failure_of_its_own_key_alone(
    subject: Subject, *, fresh: bool
) -> None:
    other, damaged = make_key(), make_key()
    for made in (other, damaged):
        subject.hold(made.record)
    subject.damage(damaged.key_id)
    assert failure_of(lambda: subject.store.get(damaged.key_id, fresh=fresh)) is (
        Reason.DAMAGED_RECORD
    )
    assert subject.store.get(other.key_id, fresh=fresh).record == other.record


def test_threads_that_did_not_make_the_store_can_read_it(subject: Subject) -> None:
    made = [make_key() for _ in range(4)]
    for key in made:
        subject.hold(key.record)
    with ThreadPoolExecutor(max_workers=4) as pool:
        read = list(pool.map(subject.store.get, [key.key_id for key in made]))
    assert [lookup.record for lookup in read] == [key.record for key in made]
