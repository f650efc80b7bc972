from dataclasses import replace
from importlib.resources import files

import pytest

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import prepare_policies
from keyscope.authorize.answer import AuthorizerFailed, Unauthorized, answer
from keyscope.authorize.decision import Decision, Outcome
from keyscope.authorize.event import read_http_event, read_rest_event
from keyscope.authorize.key_cache import KeyCache
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.errors import Reason
from keyscope.model.ids import OwnerType
from keyscope.model.key_record import KeyRecord, Lookup, RecordSource
from keyscope.model.principal import CredentialKind
from keyscope.model.secret import new_secret
from tests.support.builders import (
    APP,
    NOW,
    basic,
    http_event,
    limited,
    make_key,
    rest_request_event,
    rotated,
)
from tests.support.stores import MemoryKeyStore, MemorySecretOpener, SteppedClock

KEY = make_key()
POLICIES = prepare_policies(
    read_access_map((files("keyscope.access") / "scopes.toml").read_text("utf-8"), ["v2"]), 16
)


class Stopped:
    """A timer that moves on by a millisecond whenever it is asked."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 0.001
        return self.seconds


def authorizer(
    store: MemoryKeyStore | None = None, opener: MemorySecretOpener | None = None
) -> Authorizer:
    return Authorizer(
        keys=store or MemoryKeyStore({KEY.key_id: KEY.record}),
        secrets=opener or MemorySecretOpener(),
        policies=POLICIES,
        clock=SteppedClock(NOW),
        timer=Stopped(),
    )


def decided(authorization: str | None, by: Authorizer | None = None) -> Decision:
    return authorize(rest_request_event(authorization), read_rest_event, by or authorizer())


@pytest.mark.parametrize(
    ("authorization", "kind"),
    [(KEY.basic(), CredentialKind.BASIC), (KEY.bearer(scope="app"), CredentialKind.JWT)],
)
def test_a_proven_credential_is_allowed_with_a_policy(
    authorization: str, kind: CredentialKind
) -> None:
    decision = decided(authorization)
    assert (decision.outcome, decision.reason, decision.credential_kind) == (
        Outcome.ALLOWED,
        None,
        kind,
    )
    assert decision.policy is not None
    assert decision.policy["Statement"][0]["Effect"] == "Allow"


def test_the_answer_names_principal_policy_and_context() -> None:
    decision = decided(KEY.basic())
    assert answer(decision) == {
        "principalId": f"app/{APP}",
        "policyDocument": decision.policy,
        "context": {
            "keyId": KEY.key_id,
            "scope": "app",
            "ownerType": "app",
            "accountId": APP[:12],
            "appId": APP,
            "credentialKind": "basic",
            "secretGeneration": "1",
        },
    }


def test_an_http_api_gets_the_same_answer_but_for_what_it_is_denied() -> None:
    by_http = answer(authorize(http_event(KEY.basic()), read_http_event, authorizer()))
    by_rest = answer(decided(KEY.basic()))
    allowed = [given["policyDocument"]["Statement"][0] for given in (by_http, by_rest)]
    assert allowed[0] == allowed[1]
    assert {**by_http, "policyDocument": None} == {**by_rest, "policyDocument": None}


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, Reason.NO_CREDENTIAL),
        (basic(KEY.key_id, new_secret(KEY.key_id)), Reason.WRONG_SECRET),
        (make_key().basic(), Reason.UNKNOWN_KEY),
        (KEY.bearer(scope="account"), Reason.SCOPE_NOT_OF_OWNER),
        (KEY.bearer(scope="app", exp=NOW), Reason.EXPIRED_TOKEN),
    ],
)
def test_a_refusal_is_unauthorized_and_nothing_more(
    authorization: str | None, reason: Reason
) -> None:
    decision = decided(authorization)
    assert (decision.outcome, decision.reason) == (Outcome.REFUSED, reason)
    with pytest.raises(Unauthorized) as unauthorized:
        answer(decision)
    assert str(unauthorized.value) == "Unauthorized"


@pytest.mark.parametrize("reason", [Reason.KEY_STORE_UNAVAILABLE, Reason.DAMAGED_RECORD])
def test_a_key_store_that_cannot_answer_is_a_failure(reason: Reason) -> None:
    decision = decided(KEY.basic(), authorizer(MemoryKeyStore(failure=reason)))
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, reason)
    with pytest.raises(AuthorizerFailed) as failed:
        answer(decision)
    assert str(failed.value) == reason


def test_a_kms_that_cannot_answer_is_a_failure_for_a_token() -> None:
    opener = MemorySecretOpener(failure=Reason.KMS_UNAVAILABLE)
    decision = decided(KEY.bearer(scope="app"), authorizer(opener=opener))
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, Reason.KMS_UNAVAILABLE)
    assert decision.open_ms is not None


def test_a_kms_that_cannot_answer_does_not_touch_basic() -> None:
    opener = MemorySecretOpener(failure=Reason.KMS_UNAVAILABLE)
    assert decided(KEY.basic(), authorizer(opener=opener)).outcome is Outcome.ALLOWED


def test_an_event_that_api_gateway_never_sends_is_a_failure() -> None:
    decision = authorize({"type": "OTHER"}, read_rest_event, authorizer())
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, Reason.MALFORMED_EVENT)


def test_an_unexpected_error_is_a_failure_that_tells_its_place_and_not_its_text() -> None:
    class Broken:
        def get(self, key_id: str, /, *, fresh: bool = False) -> Lookup:
            raise RuntimeError(key_id, fresh)

    decision = decided(KEY.basic(), replace(authorizer(), keys=Broken()))
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, Reason.INTERNAL_ERROR)
    assert decision.detail.startswith("RuntimeError in test_pipeline.py:")
    assert KEY.key_id not in decision.detail


def test_one_decision_reads_the_key_store_once() -> None:
    store = MemoryKeyStore({KEY.key_id: KEY.record})
    decided(KEY.bearer(scope="app"), authorizer(store))
    assert store.reads == 1


def test_a_malformed_credential_reads_nothing() -> None:
    store = MemoryKeyStore()
    decided(basic(KEY.key_id, KEY.secret[:-1] + "!"), authorizer(store))
    assert store.reads == 0


def test_a_decision_tells_what_became_known_on_the_way() -> None:
    decision = decided(KEY.bearer(scope="app"))
    assert (decision.key_id, decision.record_source) == (KEY.key_id, RecordSource.TABLE)
    assert decision.secret_from_cache is False
    assert decision.lookup_ms == pytest.approx(1)
    assert decision.open_ms == pytest.approx(1)
    assert decision.total_ms == pytest.approx(5)


def decided_after_rotation(authorization: str, ends_at: int) -> Decision:
    store = MemoryKeyStore({KEY.key_id: rotated(KEY, ends_at).record})
    return decided(authorization, authorizer(store))


def conditions_of(decision: Decision) -> list[object]:
    assert decision.policy is not None
    return [statement.get("Condition") for statement in decision.policy["Statement"][:1]]


@pytest.mark.parametrize("authorization", [KEY.basic(), KEY.bearer(scope="app", exp=NOW + 90)])
def test_a_cached_policy_of_a_previous_secret_ends_with_the_overlap(authorization: str) -> None:
    decision = decided_after_rotation(authorization, NOW + 60)
    assert conditions_of(decision) == [
        {"DateLessThan": {"aws:CurrentTime": "2027-01-15T08:01:00Z"}}
    ]


def test_a_cached_policy_of_the_new_secret_does_not_end_with_the_overlap() -> None:
    key = rotated(KEY, NOW + 60)
    decision = decided(key.basic(), authorizer(MemoryKeyStore({key.key_id: key.record})))
    assert conditions_of(decision) == [None]


def test_the_backend_is_not_told_which_secret_was_used() -> None:
    before = answer(decided(KEY.basic()))["context"]
    assert answer(decided_after_rotation(KEY.basic(), NOW + 60))["context"] == before


@pytest.mark.parametrize("authorization", [KEY.basic(), KEY.bearer(scope="app")])
def test_a_previous_secret_after_its_end_is_unauthorized_and_nothing_more(
    authorization: str,
) -> None:
    decision = decided_after_rotation(authorization, NOW)
    assert (decision.outcome, decision.reason) == (Outcome.REFUSED, Reason.ROTATED_SECRET)
    with pytest.raises(Unauthorized) as unauthorized:
        answer(decision)
    assert str(unauthorized.value) == "Unauthorized"


def test_a_disabled_key_is_unauthorized_and_nothing_more() -> None:
    store = MemoryKeyStore({KEY.key_id: limited(KEY.record, disabled_at=NOW)})
    decision = decided(KEY.basic(), authorizer(store))
    assert (decision.outcome, decision.reason) == (Outcome.REFUSED, Reason.DISABLED_KEY)
    with pytest.raises(Unauthorized) as unauthorized:
        answer(decision)
    assert str(unauthorized.value) == "Unauthorized"


def test_a_suspended_key_is_unauthorized_and_nothing_more() -> None:
    store = MemoryKeyStore({KEY.key_id: SUSPENDED})
    decision = decided(KEY.basic(), authorizer(store))
    assert (decision.outcome, decision.reason) == (Outcome.REFUSED, Reason.SUSPENDED_KEY)
    with pytest.raises(Unauthorized) as unauthorized:
        answer(decision)
    assert str(unauthorized.value) == "Unauthorized"


def test_a_kms_that_cannot_open_the_previous_secret_is_a_failure() -> None:
    opener = MemorySecretOpener(failure=Reason.KMS_UNAVAILABLE, opens=1)
    store = MemoryKeyStore({KEY.key_id: rotated(KEY, NOW + 60).record})
    decision = decided(KEY.bearer(scope="app"), authorizer(store, opener))
    assert (decision.outcome, decision.reason) == (Outcome.FAILED, Reason.KMS_UNAVAILABLE)


def test_opening_two_secrets_is_timed_as_one_and_tells_each_call_of_kms() -> None:
    current = rotated(KEY, NOW + 60)
    opener = MemorySecretOpener(remembered={KEY.record.secret_ciphertext})
    store = MemoryKeyStore({KEY.key_id: current.record})
    decision = decided(KEY.bearer(scope="app"), authorizer(store, opener))
    assert decision.secret_from_cache is False
    assert decision.open_ms == pytest.approx(2)


class Remembering:
    """An authorizer with a key cache, its table and its clock in hand."""

    def __init__(self, *records: KeyRecord) -> None:
        self.clock = SteppedClock(NOW)
        self.table = MemoryKeyStore({record.key_id: record for record in records})
        cache = KeyCache(self.table, self.clock, fresh_seconds=30, stale_seconds=900, max_entries=9)
        self.authorizer = replace(authorizer(), keys=cache, clock=self.clock)

    def decided(self, authorization: str) -> Decision:
        return decided(authorization, self.authorizer)

    def change(self, record: KeyRecord) -> None:
        self.table.records = {record.key_id: record}
        self.clock.now += 1


NEW = rotated(KEY, NOW + 60)
DISABLED = limited(KEY.record, disabled_at=NOW)
SUSPENDED = limited(KEY.record, suspended_at=NOW)
OF_OTHER_NETWORKS = limited(KEY.record, allowed_cidrs=("203.0.113.0/24",))


@pytest.mark.parametrize("authorization", [NEW.basic(), NEW.bearer(scope="app")])
def test_a_new_secret_works_where_the_record_from_before_the_rotation_is_remembered(
    authorization: str,
) -> None:
    remembering = Remembering(KEY.record)
    remembering.decided(KEY.basic())
    remembering.change(NEW.record)
    decision = remembering.decided(authorization)
    assert (decision.outcome, decision.record_source) == (Outcome.ALLOWED, RecordSource.TABLE)


@pytest.mark.parametrize("record", [DISABLED, SUSPENDED])
def test_a_key_works_again_where_it_is_remembered_as_disabled_or_suspended(
    record: KeyRecord,
) -> None:
    remembering = Remembering(record)
    remembering.decided(KEY.basic())
    remembering.change(KEY.record)
    assert remembering.decided(KEY.basic()).outcome is Outcome.ALLOWED


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(limited(KEY.record, expires_at=NOW), id="expired, and prolonged since"),
        pytest.param(OF_OTHER_NETWORKS, id="of networks that were widened"),
    ],
)
def test_a_key_with_later_limits_works_where_the_earlier_ones_are_remembered(
    record: KeyRecord,
) -> None:
    remembering = Remembering(record)
    assert remembering.decided(KEY.basic()).outcome is Outcome.REFUSED
    remembering.change(KEY.record)
    assert remembering.decided(KEY.basic()).outcome is Outcome.ALLOWED


def test_a_key_without_networks_works_by_token_events_where_its_networks_are_remembered() -> None:
    remembering = Remembering(OF_OTHER_NETWORKS)
    event = {**rest_request_event(None), "type": "TOKEN", "authorizationToken": KEY.basic()}
    refused = authorize(event, read_rest_event, remembering.authorizer)
    assert refused.reason is Reason.SOURCE_ADDRESS_UNKNOWN
    remembering.change(KEY.record)
    assert authorize(event, read_rest_event, remembering.authorizer).outcome is Outcome.ALLOWED


def test_a_new_key_works_where_its_id_is_remembered_as_unknown() -> None:
    remembering = Remembering()
    remembering.decided(KEY.basic())
    remembering.change(KEY.record)
    assert remembering.decided(KEY.basic()).outcome is Outcome.ALLOWED


@pytest.mark.parametrize("record", [KEY.record, NEW.record, make_key().record])
def test_a_secret_that_is_wrong_costs_the_same_reads_as_a_key_that_is_unknown(
    record: KeyRecord,
) -> None:
    remembering = Remembering(record)
    wrong = basic(KEY.key_id, new_secret(KEY.key_id))
    for _ in range(3):
        assert remembering.decided(wrong).outcome is Outcome.REFUSED
        remembering.clock.now += 0.5
    assert remembering.table.reads == 2


def test_a_secret_that_is_right_is_not_rechecked() -> None:
    remembering = Remembering(KEY.record)
    for _ in range(3):
        remembering.decided(KEY.basic())
        remembering.clock.now += 1
    assert remembering.table.reads == 1


def test_a_refusal_that_no_change_of_the_key_lifts_is_not_rechecked() -> None:
    remembering = Remembering(KEY.record)
    for _ in range(3):
        remembering.decided(KEY.bearer(scope="app", exp=NOW))
        remembering.clock.now += 1
    assert remembering.table.reads == 1


@pytest.mark.parametrize("seconds", [1, 60])
@pytest.mark.parametrize(
    ("record", "authorization", "detail"),
    [
        (KEY.record, NEW.basic(), "wrong_secret"),
        (KEY.record, NEW.bearer(scope="app"), "wrong_signature"),
        (DISABLED, KEY.basic(), "disabled_key"),
        (SUSPENDED, KEY.basic(), "suspended_key"),
        (replace(KEY.record, revoked_at=NOW), KEY.basic(), "revoked_key"),
        (limited(KEY.record, expires_at=NOW), KEY.basic(), "expired_key"),
        (OF_OTHER_NETWORKS, KEY.basic(), "source_address_not_allowed"),
    ],
)
def test_a_record_that_cannot_be_rechecked_refuses_nobody(
    record: KeyRecord, authorization: str, detail: str, seconds: int
) -> None:
    remembering = Remembering(record)
    remembering.decided(KEY.basic())
    remembering.clock.now += seconds
    remembering.table.failure = Reason.KEY_STORE_UNAVAILABLE
    decision = remembering.decided(authorization)
    assert (decision.outcome, decision.reason, decision.detail) == (
        Outcome.FAILED,
        Reason.KEY_STORE_UNAVAILABLE,
        detail,
    )


def test_the_lookups_of_one_decision_are_timed_together() -> None:
    remembering = Remembering(KEY.record)
    remembering.decided(KEY.basic())
    remembering.change(NEW.record)
    assert remembering.decided(NEW.basic()).lookup_ms == pytest.approx(2)


def test_an_outage_is_tried_once_for_one_decision() -> None:
    remembering = Remembering(KEY.record)
    remembering.decided(KEY.basic())
    remembering.clock.now += 60
    remembering.table.failure = Reason.KEY_STORE_UNAVAILABLE
    remembering.decided(NEW.basic())
    assert remembering.table.reads == 2


def test_a_remembered_previous_secret_ends_on_time() -> None:
    remembering = Remembering(rotated(KEY, NOW + 5).record)
    assert remembering.decided(KEY.basic()).outcome is Outcome.ALLOWED
    remembering.clock.now += 5
    decision = remembering.decided(KEY.basic())
    assert (decision.reason, decision.record_source) == (Reason.ROTATED_SECRET, RecordSource.CACHE)


def test_a_service_account_is_told_to_the_backend() -> None:
    key = make_key(OwnerType.SERVICE_ACCOUNT)
    decision = decided(key.basic(), authorizer(MemoryKeyStore({key.key_id: key.record})))
    assert answer(decision)["context"]["serviceAccountId"] == key.record.owner_id


def test_a_decision_does_not_print_the_credential() -> None:
    decision = decided(KEY.basic())
    assert KEY.secret not in repr(decision)
    assert KEY.basic().split()[1] not in repr(decision)


def test_the_context_names_the_permissions_of_a_limited_key_alone() -> None:
    narrow = limited(KEY.record, permissions=("read", "users:write"))
    by = authorizer(MemoryKeyStore({KEY.key_id: narrow}))
    assert answer(decided(KEY.basic(), by))["context"]["permissions"] == "read users:write"
    one = KEY.bearer(scope="app", permissions=["read"])
    assert answer(decided(one, by))["context"]["permissions"] == "read"
    assert "permissions" not in answer(decided(KEY.basic()))["context"]


def test_a_key_whose_permissions_the_map_does_not_know_reaches_nothing_but_itself() -> None:
    narrow = limited(KEY.record, permissions=("gone",))
    decision = decided(KEY.basic(), authorizer(MemoryKeyStore({KEY.key_id: narrow})))
    assert decision.policy is not None
    allowed = [one["Resource"] for one in decision.policy["Statement"] if one["Effect"] == "Allow"]
    stage = "arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/prod"
    assert allowed == [[f"{stage}/GET/v2/keys/self", f"{stage}/DELETE/v2/keys/self"]]


def test_a_token_is_refused_by_the_record_as_it_is_now_and_not_as_it_was_cached() -> None:
    store = MemoryKeyStore({KEY.key_id: limited(KEY.record, permissions=("read",))})
    clock = SteppedClock(NOW)
    cache = KeyCache(store, clock, fresh_seconds=30, stale_seconds=0, max_entries=9)
    by = replace(authorizer(), keys=cache, clock=clock)
    claimed = KEY.bearer(scope="app", permissions=["users:read"])
    assert decided(claimed, by).reason is Reason.PERMISSION_NOT_OF_KEY
    store.records[KEY.key_id] = KEY.record
    clock.now += 2
    assert decided(claimed, by).outcome is Outcome.ALLOWED
