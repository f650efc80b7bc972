"""What a refusal costs, counted: without the secret the state of a key makes no difference."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import prepare_policies
from keyscope.authorize import basic, bearer_secret, jwt
from keyscope.authorize.answer import Unauthorized, answer
from keyscope.authorize.decision import Decision
from keyscope.authorize.event import read_rest_event
from keyscope.authorize.key_cache import KeyCache
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.aws.kms_secrets import SecretOpeningBox
from keyscope.entry.settings import read_authorizer_settings
from keyscope.model.key_record import KeyRecord
from keyscope.model.principal import CredentialKind
from keyscope.model.secret import new_secret
from tests.support.builders import NOW, MadeKey, limited, make_key, rest_request_event, rotated
from tests.support.stores import MemoryKeyStore, SteppedClock

KEY: Final = make_key()
STRANGER: Final = MadeKey(KEY.record, new_secret(KEY.record.key_id))
CREDENTIALS: Final = STRANGER.of_each_kind(scope="app")
RECORDS: Final[dict[str, KeyRecord | None]] = {
    "unknown": None,
    "wrong secret": KEY.record,
    "expired": limited(KEY.record, expires_at=NOW - 1),
    "not from this address": limited(KEY.record, allowed_cidrs=("198.51.100.0/24",)),
    "disabled": limited(KEY.record, disabled_at=NOW - 1),
    "rotated, overlap running": rotated(KEY, NOW + 60).record,
    "rotated, overlap over": rotated(KEY, NOW - 60).record,
    "revoked": replace(KEY.record, revoked_at=NOW - 1, secret_hash=b"", secret_ciphertext=b""),
}
SETTINGS: Final = read_authorizer_settings(
    {"KEYSCOPE_KEYS_TABLE": "keys", "KEYSCOPE_KMS_KEY_ARN": "arn"}
)
POLICIES: Final = prepare_policies(read_access_map(SETTINGS.access_map, ("v2",)), 16)
OF_EACH_STATE: Final = pytest.mark.parametrize("state", RECORDS)
OF_EACH_KIND: Final = pytest.mark.parametrize("kind", CREDENTIALS)
OF_EACH_SECRET: Final = pytest.mark.parametrize(
    "kind", [CredentialKind.BASIC, CredentialKind.BEARER_SECRET]
)


@dataclass
class CountedKms:
    """A KMS that opens what the builders seal, and counts."""

    calls: int = 0

    def encrypt(self, **_: object) -> dict[str, Any]:
        raise NotImplementedError

    def decrypt(self, **request: object) -> dict[str, Any]:
        self.calls += 1
        sealed = request["CiphertextBlob"]
        assert isinstance(sealed, bytes)
        return {"Plaintext": sealed.removeprefix(b"sealed ")}


@dataclass
class Counted:
    """An authorizer over one record; all that a decision costs is counted."""

    table: MemoryKeyStore
    kms: CountedKms = field(default_factory=CountedKms)
    clock: SteppedClock = field(default_factory=lambda: SteppedClock(NOW))
    comparisons: int = 0
    hashes: int = 0
    signatures: int = 0
    authorizer: Authorizer = field(init=False)

    def __post_init__(self) -> None:
        keys = KeyCache(self.table, self.clock, fresh_seconds=30, stale_seconds=900, max_entries=10)
        box = SecretOpeningBox(lambda: self.kms, "arn", 10)
        self.authorizer = Authorizer(keys, box, POLICIES, self.clock, lambda: 0.0)

    def decided(self, kind: CredentialKind) -> Decision:
        event = rest_request_event(CREDENTIALS[kind])
        return authorize(event, read_rest_event, self.authorizer)

    def counting(self, name: str, function: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object) -> object:
            setattr(self, name, getattr(self, name) + 1)
            return function(*arguments)

        return counted

    @property
    def work(self) -> dict[str, int]:
        return {
            "reads": self.table.reads,
            "hashes": self.hashes,
            "comparisons": self.comparisons,
            "signatures": self.signatures,
        }


Count = Callable[[str], Counted]


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Count:
    def counted(state: str) -> Counted:
        record = RECORDS[state]
        made = Counted(MemoryKeyStore({} if record is None else {KEY.key_id: record}))
        for module, name, counter in [
            (basic, "compare_digest", "comparisons"),
            (basic, "hash_secret", "hashes"),
            (bearer_secret, "hash_secret", "hashes"),
            (jwt, "is_signed_with", "signatures"),
        ]:
            monkeypatch.setattr(module, name, made.counting(counter, getattr(module, name)))
        return made

    return counted


@OF_EACH_STATE
@OF_EACH_SECRET
def test_a_secret_costs_one_read_one_hash_and_two_comparisons(
    state: str, kind: CredentialKind, count: Count
) -> None:
    counted = count(state)
    counted.decided(kind)
    assert counted.work == {"reads": 1, "hashes": 1, "comparisons": 2, "signatures": 0}


@OF_EACH_STATE
def test_a_token_costs_one_read_and_two_signatures(state: str, count: Count) -> None:
    counted = count(state)
    counted.decided(CredentialKind.JWT)
    assert counted.work == {"reads": 1, "hashes": 0, "comparisons": 0, "signatures": 2}


@OF_EACH_STATE
@OF_EACH_KIND
def test_a_remembered_record_is_rechecked_once_a_second(
    state: str, kind: CredentialKind, count: Count
) -> None:
    counted = count(state)
    reads = []
    for _ in range(5):
        counted.decided(kind)
        reads.append(counted.table.reads)
        counted.clock.now += 0.5
    assert reads == [1, 1, 2, 2, 3]


@OF_EACH_STATE
@OF_EACH_KIND
def test_a_remembered_record_is_verified_twice(
    state: str, kind: CredentialKind, count: Count
) -> None:
    counted = count(state)
    counted.decided(kind)
    first = counted.work
    counted.decided(kind)
    times = {"reads": 1, "hashes": 2, "comparisons": 3, "signatures": 3}
    assert counted.work == {name: times[name] * n for name, n in first.items()}


@OF_EACH_STATE
@OF_EACH_SECRET
def test_a_secret_never_asks_kms(state: str, kind: CredentialKind, count: Count) -> None:
    counted = count(state)
    counted.decided(kind)
    assert counted.kms.calls == 0


@pytest.mark.parametrize(
    ("state", "calls"),
    [
        ("unknown", 0),
        ("revoked", 0),
        ("wrong secret", 1),
        ("disabled", 1),
        ("rotated, overlap running", 2),
        ("rotated, overlap over", 2),
    ],
)
def test_the_first_token_in_a_container_asks_kms_for_the_secrets_that_there_are(
    state: str, calls: int, count: Count
) -> None:
    counted = count(state)
    counted.decided(CredentialKind.JWT)
    assert counted.kms.calls == calls


@OF_EACH_STATE
def test_no_later_token_asks_kms(state: str, count: Count) -> None:
    counted = count(state)
    counted.decided(CredentialKind.JWT)
    first = counted.kms.calls
    counted.clock.now += 60
    counted.decided(CredentialKind.JWT)
    assert counted.kms.calls == first


@OF_EACH_STATE
@OF_EACH_KIND
def test_the_answer_tells_nothing(state: str, kind: CredentialKind, count: Count) -> None:
    decision = count(state).decided(kind)
    with pytest.raises(Unauthorized) as refused:
        answer(decision)
    assert refused.value.args == ("Unauthorized",)


@OF_EACH_SECRET
def test_a_mistyped_secret_reads_nothing_whoever_the_key_is(
    kind: CredentialKind, count: Count
) -> None:
    counted = count("wrong secret")
    mistyped = KEY.secret[:-1] + ("A" if KEY.secret[-1] != "A" else "B")
    event = rest_request_event(MadeKey(KEY.record, mistyped).of_each_kind()[kind])
    authorize(event, read_rest_event, counted.authorizer)
    assert counted.work == dict.fromkeys(counted.work, 0)
