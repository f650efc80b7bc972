"""Explanations: they agree with the authorizer, name the right step, and hold nothing secret."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.access.access_map import read_access_map
from keyscope.access.policy import prepare_policies
from keyscope.authorize.decision import Decision
from keyscope.authorize.pipeline import Authorizer, authorize
from keyscope.errors import Reason
from keyscope.explain.explanation import (
    Explanation,
    RequestResult,
    StepVerdict,
    explain,
)
from keyscope.explain.reasons import STEPS_OF
from keyscope.explain.remedies.access import NOT_ALLOWED, NOT_PERMITTED
from keyscope.explain.request import AskedRequest, EventKind, reader_of
from keyscope.explain.step_details import DETAILS
from keyscope.explain.steps import STEPS, TITLES, Step
from keyscope.model.external_ids import ExternalIds
from keyscope.model.ids import OwnerType
from keyscope.model.scopes import scopes_of_key
from keyscope.model.secret import new_secret
from tests.support.builders import (
    ACCOUNT,
    APP,
    INTEGRATION,
    NOW,
    OTHER_APP,
    MadeKey,
    basic,
    limited,
    make_integration_key,
    make_key,
    rest_request_event,
    rotated,
    token,
)
from tests.support.profile import UNIT_EXAMPLES
from tests.support.stores import MemoryKeyStore, MemorySecretOpener, SteppedClock

MAP: Final = (files("keyscope.access") / "scopes.toml").read_text("utf-8")
POLICIES: Final = prepare_policies(read_access_map(MAP, ["v2", "v1.1"]), 10)
KEY: Final = make_key()
ADDRESS: Final = "192.0.2.7"
EXAMPLES: Final = 2 * UNIT_EXAMPLES
USERS: Final = f"/v2/apps/{APP}/users"
OF_OTHER_FUNCTIONS: Final = {
    Reason.FLUSH_QUEUE_UNAVAILABLE,
    Reason.CACHE_NOT_FLUSHED,
    Reason.USE_TABLE_UNAVAILABLE,
    Reason.EXPIRY_WARNINGS_NOT_SENT,
    Reason.MALFORMED_CONTEXT,
    Reason.TOO_MANY_CHANGES,
}


def authorizer(*keys: MadeKey) -> Authorizer:
    return Authorizer(
        keys=MemoryKeyStore({key.key_id: key.record for key in keys}),
        secrets=MemorySecretOpener(),
        policies=POLICIES,
        clock=SteppedClock(NOW),
        timer=SteppedClock(0),
    )


def explained(asked: AskedRequest, *keys: MadeKey) -> Explanation:
    event = asked.event()
    return explain(event, reader_of(event), authorizer(*(keys or (KEY,))))


def get(path: str, authorization: str, *keys: MadeKey) -> Explanation:
    return explained(AskedRequest(authorization, "GET", path, ADDRESS), *keys)


def failed_step(explanation: Explanation) -> Step | None:
    failed = [one.step for one in explanation.steps if one.verdict is StepVerdict.FAILED]
    assert len(failed) <= 1
    return failed[0] if failed else None


@dataclass(frozen=True)
class Case:
    """A key and a credential with faults, and the step at which the first of them shows."""

    key: MadeKey
    authorization: str
    stored: bool
    first_fault: Step | None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    faults = draw(
        st.sets(
            st.sampled_from(
                [
                    Step.KEY,
                    Step.SECRET,
                    Step.ENABLED,
                    Step.UNEXPIRED,
                    Step.SOURCE_ADDRESS,
                    Step.TOKEN_TIMES,
                    Step.SCOPE,
                ]
            )
        )
    )
    owner_type = draw(st.sampled_from(OwnerType))
    is_token = draw(st.booleans())
    key = make_key(
        owner_type,
        expires_at=NOW - 1 if Step.UNEXPIRED in faults else NOW + 60,
        allowed_cidrs=("198.51.100.0/24" if Step.SOURCE_ADDRESS in faults else f"{ADDRESS}/32",),
    )
    if Step.ENABLED in faults:
        key = MadeKey(limited(key.record, disabled_at=NOW - 5), key.secret)
    secret = new_secret(key.key_id) if Step.SECRET in faults else key.secret
    good, bad = ("app", "account") if owner_type is OwnerType.APP else ("account", "app")
    claims = {
        "scope": bad if Step.SCOPE in faults else good,
        "exp": NOW - 1 if Step.TOKEN_TIMES in faults else NOW + 60,
    }
    if not is_token:
        faults -= {Step.TOKEN_TIMES, Step.SCOPE}
    authorization = (
        f"Bearer {token(key.key_id, secret, claims)}" if is_token else basic(key.key_id, secret)
    )
    first = next((step for step in STEPS if step in faults), None)
    return Case(key, authorization, Step.KEY not in faults, first)


@given(case=cases())
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_first_step_at_fault_is_named_and_those_before_it_passed(case: Case) -> None:
    keys = [case.key] if case.stored else [KEY]
    explanation = get("/v2/apps", case.authorization, *keys)
    if case.first_fault is None:
        assert explanation.result in {RequestResult.PASSES, RequestResult.FORBIDDEN}
        return
    position = STEPS.index(case.first_fault)
    assert [one.verdict for one in explanation.steps] == [
        *[StepVerdict.PASSED] * position,
        StepVerdict.FAILED,
        *[StepVerdict.NOT_REACHED] * (len(STEPS) - position - 1),
    ]


@given(
    authorization=st.one_of(
        st.none(),
        st.text(max_size=40),
        st.binary(max_size=60).map(lambda octets: "Basic " + octets.hex()),
        cases().map(lambda case: case.authorization),
    ),
    case=cases(),
    kind=st.sampled_from(EventKind),
    address=st.sampled_from([None, ADDRESS, "198.51.100.9", "nowhere"]),
    failure=st.sampled_from([None, Reason.KEY_STORE_UNAVAILABLE, Reason.DAMAGED_RECORD]),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_an_explanation_agrees_with_the_authorizer(
    authorization: str | None,
    case: Case,
    kind: EventKind,
    address: str | None,
    failure: Reason | None,
) -> None:
    by = replace(
        authorizer(case.key), keys=MemoryKeyStore({case.key.key_id: case.key.record}, failure)
    )
    for sent in (authorization, case.authorization):
        event = AskedRequest(sent, "GET", "/v2/apps", address, kind).event()
        decided = authorize(event, reader_of(event), by)
        explanation = explain(event, reader_of(event), by)
        assert told(explanation.decision) == told(decided)
        is_allowed = explanation.result in {RequestResult.PASSES, RequestResult.FORBIDDEN}
        assert is_allowed == (decided.policy is not None)


def told(decision: Decision) -> tuple[object, ...]:
    return (decision.outcome, decision.reason, decision.detail, decision.principal, decision.policy)


@given(case=cases())
@settings(max_examples=EXAMPLES, deadline=None)
def test_an_explanation_holds_no_secret_and_no_token(case: Case) -> None:
    explanation = get("/v2/apps", case.authorization, case.key)
    shown = json.dumps(explanation.members())
    sent = case.authorization.partition(" ")[2]
    assert case.key.secret not in shown
    assert not [part for part in sent.split(".") if part in shown]
    assert case.key.record.secret_hash.hex() not in shown


@pytest.mark.parametrize("table", [TITLES, DETAILS], ids=["titles", "details"])
def test_every_step_has_an_entry(table: Mapping[Step, object]) -> None:
    assert set(table) == set(Step)


def test_every_reason_of_an_authorizer_stops_a_step() -> None:
    assert set(STEPS_OF) == set(Reason) - OF_OTHER_FUNCTIONS


@pytest.mark.parametrize("reason", sorted(set(Reason) - OF_OTHER_FUNCTIONS))
def test_every_reason_stops_at_a_step_with_advice(reason: Reason) -> None:
    class Failing(MemoryKeyStore):
        failure = reason

    by = replace(authorizer(KEY), keys=Failing({}, reason))
    explanation = explain(rest_request_event(KEY.basic()), reader_of({}), by)
    (step,) = [one for one in explanation.steps if one.verdict is StepVerdict.FAILED]
    assert step.reason is reason
    assert step.advice


@pytest.mark.parametrize(
    ("path", "result"),
    [
        (USERS, RequestResult.PASSES),
        (f"{USERS}/u/conversations", RequestResult.PASSES),
        (f"/v2/apps/{OTHER_APP}/users", RequestResult.FORBIDDEN),
        ("/v2/apps", RequestResult.FORBIDDEN),
        (f"{USERS}?page=1", RequestResult.PASSES),
    ],
)
def test_the_policy_is_evaluated_for_method_and_path(path: str, result: RequestResult) -> None:
    assert get(path, KEY.basic()).result is result


def test_the_statement_and_resource_that_allow_are_named() -> None:
    policy = get(f"{USERS}/u", KEY.basic()).policy
    assert policy is not None
    assert policy.statement == 0
    assert policy.resource is not None
    assert policy.resource.endswith(f"/GET{USERS}/*")


def test_a_forbidden_path_tells_which_methods_it_has() -> None:
    explanation = explained(AskedRequest(KEY.basic(), "DELETE", USERS, ADDRESS))
    step = explanation.steps[-1]
    assert step.detail == f"No statement allows DELETE {USERS}. Allowed on this path: GET, POST"


@pytest.mark.parametrize(
    ("kind", "result"),
    [(EventKind.REST, RequestResult.FORBIDDEN), (EventKind.HTTP, RequestResult.PASSES)],
)
def test_a_path_is_decoded_once_where_an_http_api_is_asked(
    kind: EventKind, result: RequestResult
) -> None:
    path = USERS.replace("users", "use%72s")
    assert explained(AskedRequest(KEY.basic(), "GET", path, ADDRESS, kind)).result is result


def test_a_route_that_no_key_opens_is_told_apart() -> None:
    key = make_key(OwnerType.ACCOUNT)
    explanation = get(f"/v1.1/apps/{APP}/attachments/cookie", key.basic(), key)
    assert explanation.result is RequestResult.FORBIDDEN
    assert "`never`" in explanation.steps[-1].advice


def test_conditions_are_told_with_when_they_end() -> None:
    key = make_key(expires_at=NOW + 60, allowed_cidrs=("192.0.2.0/24",))
    explanation = get(USERS, key.basic(), key)
    assert explanation.policy is not None
    assert explanation.policy.conditions == {
        "DateLessThan": {"aws:CurrentTime": "2027-01-15T08:01:00Z"},
        "IpAddress": {"aws:SourceIp": ["192.0.2.0/24"]},
    }


def test_a_websocket_connection_is_explained() -> None:
    asked = AskedRequest(KEY.basic(), "GET", "", ADDRESS, EventKind.WEBSOCKET)
    explanation = explained(asked)
    assert explanation.result is RequestResult.PASSES
    assert explanation.members()["request"] == {
        "apiKind": "websocket",
        "stage": "prod",
        "method": "$connect",
        "sourceAddress": ADDRESS,
    }


def detail_of(step: Step, explanation: Explanation) -> str:
    (found,) = [one.detail for one in explanation.steps if one.step is step]
    return found


@pytest.mark.parametrize(
    ("key", "step", "detail"),
    [
        pytest.param(KEY, Step.CREDENTIAL, f"Basic, key id {KEY.key_id}", id="credential"),
        (KEY, Step.KEY, f"Key of the app {APP}"),
        (
            MadeKey(replace(KEY.record, external_ids=ExternalIds("Acme", "Shop")), KEY.secret),
            Step.KEY,
            f"Key of the app {APP} (accountExternalId Acme, appExternalId Shop)",
        ),
        (make_key(OwnerType.ACCOUNT), Step.KEY, f"Key of the user account {ACCOUNT}"),
        (KEY, Step.UNEXPIRED, "The key does not expire"),
        (make_key(expires_at=NOW + 1), Step.UNEXPIRED, "Expires at 2027-01-15T08:00:01Z"),
        (make_key(expires_at=NOW - 1), Step.UNEXPIRED, "Expired at 2027-01-15T07:59:59Z"),
        (KEY, Step.SOURCE_ADDRESS, "The key is not limited to source addresses"),
        (
            make_key(allowed_cidrs=("198.51.100.0/24",)),
            Step.SOURCE_ADDRESS,
            f"{ADDRESS}. Allowed: 198.51.100.0/24",
        ),
        (KEY, Step.TOKEN_TIMES, "No token"),
        (KEY, Step.SCOPE, "Basic: scope app"),
        (KEY, Step.POLICY, f"For app/{APP}, scope app"),
        (
            make_integration_key(),
            Step.KEY,
            f"Key of the app {APP}, bound to the integration {INTEGRATION}",
        ),
        (make_integration_key(), Step.SCOPE, "Basic: scope integration"),
        (make_key(revoked_at=NOW - 1), Step.KEY, f"Key of the app {APP}, revoked at 2027-01-15T07"),
    ],
)
def test_a_step_tells_what_was_found(key: MadeKey, step: Step, detail: str) -> None:
    assert detail_of(step, get(USERS, key.basic(), key)).startswith(detail)


def test_a_tokens_claims_and_times_are_told() -> None:
    explanation = get(USERS, KEY.bearer(scope="appUser", userId="u", nbf=NOW, exp=NOW + 9))
    assert detail_of(Step.CREDENTIAL, explanation).endswith("claims scope appUser, userId u")
    assert detail_of(Step.TOKEN_TIMES, explanation) == (
        "Valid from 2027-01-15T08:00:00Z, until 2027-01-15T08:00:09Z; now 2027-01-15T08:00:00Z"
    )
    given = ", ".join(sorted(scopes_of_key(KEY.key_id)))
    assert detail_of(Step.SCOPE, explanation) == (
        f"Claims appUser; a key of this app can claim {given}"
    )


def test_an_integrations_key_is_told_from_its_apps() -> None:
    bound = make_integration_key()
    explanation = get(USERS, bound.bearer(scope="app"), bound)
    assert detail_of(Step.SCOPE, explanation) == (
        "Claims app; a key of this integration can claim integration"
    )


def test_an_expiry_beyond_the_calendar_is_told_all_the_same() -> None:
    key = make_key(expires_at=10**400)
    explanation = get(USERS, key.basic(), key)
    assert detail_of(Step.UNEXPIRED, explanation) == "Expires at the end of the calendar"


def test_a_previous_secret_is_told_with_when_it_ends() -> None:
    key = rotated(KEY, ends_at=NOW + 60)
    explanation = get(USERS, KEY.basic(), key)
    assert detail_of(Step.SECRET, explanation) == (
        "The previous secret, accepted until 2027-01-15T08:01:00Z"
    )


def test_an_ended_overlap_is_told() -> None:
    explanation = get(USERS, KEY.basic(), rotated(KEY, ends_at=NOW - 60))
    assert failed_step(explanation) is Step.SECRET
    assert "ended at 2027-01-15T07:59:00Z" in detail_of(Step.SECRET, explanation)


def test_a_disabled_key_is_told_with_since_when() -> None:
    key = MadeKey(limited(KEY.record, disabled_at=NOW), KEY.secret)
    assert detail_of(Step.ENABLED, get(USERS, key.basic(), key)) == (
        "Disabled since 2027-01-15T08:00:00Z"
    )


def test_a_suspended_key_is_told_with_since_when() -> None:
    key = MadeKey(limited(KEY.record, suspended_at=NOW, disabled_at=NOW - 60), KEY.secret)
    assert detail_of(Step.ENABLED, get(USERS, key.basic(), key)) == (
        "Suspended with its account since 2027-01-15T08:00:00Z"
    )


def test_an_event_that_is_none_fails_at_its_reading() -> None:
    explanation = explain(None, reader_of(None), authorizer())
    assert explanation.result is RequestResult.FAILED
    assert failed_step(explanation) is Step.EVENT
    assert explanation.members()["reason"] == "malformed_event"


def limited_to(*names: str) -> MadeKey:
    return replace(KEY, record=limited(KEY.record, permissions=names))


def test_a_request_within_the_permissions_passes_and_names_them() -> None:
    key = limited_to("users:read")
    explanation = get(USERS, key.basic(), key)
    assert explanation.result is RequestResult.PASSES
    details = {one.step: one.detail for one in explanation.steps}
    assert details[Step.REACH] == "The key is limited to users:read"
    unlimited = {one.step: one.detail for one in get(USERS, KEY.basic()).steps}
    assert unlimited[Step.REACH] == "The key is not limited to permissions"


@pytest.mark.parametrize("names", [("conversations:read", "users:write"), ("gone",)])
def test_a_request_that_only_the_permissions_deny_is_told_so(names: tuple[str, ...]) -> None:
    key = limited_to(*names)
    explanation = get(USERS, key.basic(), key)
    assert explanation.result is RequestResult.FORBIDDEN
    assert failed_step(explanation) is Step.REACH
    reach, access = explanation.steps[-2:]
    assert reach.detail.endswith("; its scope reaches more")
    assert reach.advice in [each.advice for each in NOT_PERMITTED]
    assert access.verdict is StepVerdict.NOT_REACHED


def test_a_request_that_the_scope_denies_too_is_told_so() -> None:
    key = limited_to("read")
    explanation = get(f"/v2/apps/{OTHER_APP}/users", key.basic(), key)
    assert failed_step(explanation) is Step.REACH
    assert explanation.steps[-2].advice in [each.advice for each in NOT_ALLOWED]


def test_a_deny_that_every_key_has_is_told_as_such() -> None:
    key = limited_to("read")
    assert failed_step(get(f"{USERS}/../x", key.basic(), key)) is Step.ACCESS


def test_a_token_that_claims_more_than_its_key_has_stops_at_its_permissions() -> None:
    key = limited_to("read")
    bearer = key.bearer(scope="app", permissions=["users:write"])
    explanation = get(USERS, bearer, key)
    assert failed_step(explanation) is Step.PERMISSIONS
