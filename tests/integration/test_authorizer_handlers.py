"""The authorizers' handlers, made from their environment, over real stores."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import pytest

from keyscope.authorize.answer import Answer, AuthorizerFailed, Unauthorized
from keyscope.authorize.event import read_http_event, read_rest_event
from keyscope.aws.clients import KmsClient
from keyscope.aws.secret_sealing import SecretSealingBox
from keyscope.entry.authorizer import AuthorizerHandler, authorizer_handler
from keyscope.errors import Misconfigured
from keyscope.lifecycle.operations import KeyRequest, Provisioning
from keyscope.model.ids import OwnerType
from keyscope.model.key_limits import KeyLimits
from keyscope.model.secret import hash_secret, new_secret
from keyscope_local.emulators.listening_program import free_ports
from keyscope_local.emulators.tables import local_client
from keyscope_local.tour.event_values import basic, bearer
from keyscope_local.tour.seed import IssuedKey, SeededStore, local_provisioning, seed
from tests.support.builders import http_event, rest_request_event
from tests.support.dynamodb_local import Store
from tests.support.operations import dynamodb_of
from tests.support.patience import PATIENCE_SECONDS

Event = Mapping[str, object]
NOWHERE = "http://127.0.0.1:{}"


@dataclass(frozen=True)
class Context:
    """What Lambda tells of an invocation."""

    aws_request_id: str = "invocation-1"


def variables_of(store: Store) -> dict[str, str]:
    return {
        "KEYSCOPE_KEYS_TABLE": store.keys_table,
        "KEYSCOPE_DIRECTORY_TABLE": store.directory_table,
        "KEYSCOPE_KMS_KEY_ARN": store.kms_key_arn,
    }


@pytest.fixture(scope="module")
def operations(store: Store) -> Provisioning:
    return local_provisioning({**store.environment, **variables_of(store)})


@pytest.fixture(scope="module")
def seeded(operations: Provisioning) -> SeededStore:
    return seed(operations)


@pytest.fixture
def environment(store: Store, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    return variables_of(store)


def rest_handler(environment: Mapping[str, str]) -> AuthorizerHandler:
    return authorizer_handler("rest_authorizer", read_rest_event, environment)


@pytest.fixture
def rest(environment: dict[str, str]) -> AuthorizerHandler:
    return rest_handler(environment)


@pytest.fixture
def http(environment: dict[str, str]) -> AuthorizerHandler:
    return authorizer_handler("http_authorizer", read_http_event, environment)


def decisions(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if line.get("message") == "decision"]


def credentials_of(seeded: SeededStore) -> dict[str, str]:
    return {
        "app Basic": basic(seeded.app_key),
        "app JWT": bearer(seeded.app_key, {"scope": "app"}),
        "appUser JWT": bearer(seeded.app_key, {"scope": "appUser", "userId": "user-1"}),
        "account Basic": basic(seeded.account_key),
        "account JWT": bearer(seeded.account_key, {"scope": "account"}),
        "service account Basic": basic(seeded.service_account_key),
        "service account JWT": bearer(seeded.service_account_key, {"scope": "account"}),
    }


def contexts_of(seeded: SeededStore) -> dict[str, dict[str, str]]:
    app = {
        "keyId": seeded.app_key.key_id,
        "scope": "app",
        "ownerType": "app",
        "accountId": seeded.account_id,
        "appId": seeded.app_id,
    }
    account = {
        "keyId": seeded.account_key.key_id,
        "scope": "account",
        "ownerType": "account",
        "accountId": seeded.account_id,
    }
    service_account = {
        "keyId": seeded.service_account_key.key_id,
        "scope": "account",
        "ownerType": "serviceAccount",
        "accountId": seeded.account_id,
        "serviceAccountId": seeded.service_account_id,
    }
    by_principal = {
        "app Basic": app,
        "app JWT": app,
        "appUser JWT": {**app, "scope": "appUser", "userId": "user-1"},
        "account Basic": account,
        "account JWT": account,
        "service account Basic": service_account,
        "service account JWT": service_account,
    }
    return {
        name: {**context, "credentialKind": name.split()[-1].lower(), "secretGeneration": "1"}
        for name, context in by_principal.items()
    }


CREDENTIALS = (
    "app Basic",
    "app JWT",
    "appUser JWT",
    "account Basic",
    "account JWT",
    "service account Basic",
    "service account JWT",
)


@pytest.mark.parametrize("credential", CREDENTIALS)
@pytest.mark.parametrize(
    ("api", "event_of"),
    [
        pytest.param("rest", rest_request_event, id="REST"),
        pytest.param("http", http_event, id="HTTP"),
    ],
)
def test_each_credential_proves_its_principal(
    api: str,
    event_of: Callable[[str], Event],
    credential: str,
    seeded: SeededStore,
    request: pytest.FixtureRequest,
) -> None:
    handler: AuthorizerHandler = request.getfixturevalue(api)
    answer = handler(event_of(credentials_of(seeded)[credential]), Context())
    assert answer["context"] == contexts_of(seeded)[credential]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("revoked_key", "revoked_key"),
        ("cidr_key", "source_address_not_allowed"),
    ],
)
def test_a_key_that_may_not_be_used_is_refused_with_its_reason_in_the_log_only(
    capsys: pytest.CaptureFixture[str],
    key: str,
    reason: str,
    seeded: SeededStore,
    environment: dict[str, str],
) -> None:
    rest = rest_handler(environment)
    issued: IssuedKey = getattr(seeded, key)
    with pytest.raises(Unauthorized) as unauthorized:
        rest(rest_request_event(basic(issued)), Context())
    assert str(unauthorized.value) == "Unauthorized"
    (line,) = decisions(capsys)
    assert (line["outcome"], line["reason"], line["key_id"]) == ("refused", reason, issued.key_id)


def test_an_expired_key_is_refused_whether_or_not_dynamodb_has_deleted_it(
    capsys: pytest.CaptureFixture[str], seeded: SeededStore, environment: dict[str, str]
) -> None:
    rest = rest_handler(environment)
    with pytest.raises(Unauthorized):
        rest(rest_request_event(basic(seeded.expired_key)), Context())
    assert decisions(capsys)[0]["reason"] in {"expired_key", "unknown_key"}


def test_a_decision_is_logged_with_both_request_ids(
    capsys: pytest.CaptureFixture[str], seeded: SeededStore, environment: dict[str, str]
) -> None:
    rest = rest_handler(environment)
    rest(rest_request_event(basic(seeded.app_key)), Context())
    (line,) = decisions(capsys)
    assert (line["request_id"], line["invocation_id"]) == ("request-1", "invocation-1")


def test_a_sample_of_allowed_decisions_is_logged_if_the_setting_says_so(
    capsys: pytest.CaptureFixture[str], seeded: SeededStore, environment: dict[str, str]
) -> None:
    rest = rest_handler({**environment, "KEYSCOPE_LOG_ALLOWED_SAMPLE": "3"})
    for _ in range(7):
        rest(rest_request_event(basic(seeded.app_key)), Context())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(line.get("message") == "decision" for line in lines) == 3
    assert sum("DecisionTime" in line for line in lines) == 7
    assert [line["key_id"] for line in lines if line.get("message") == "use"] == [
        seeded.app_key.key_id
    ]


def test_the_record_is_read_once_for_many_requests(
    capsys: pytest.CaptureFixture[str], seeded: SeededStore, environment: dict[str, str]
) -> None:
    rest = rest_handler(environment)
    for _ in range(3):
        rest(rest_request_event(basic(seeded.app_key)), Context())
    assert [line["record_source"] for line in decisions(capsys)] == ["table", "cache", "cache"]


def test_no_line_holds_a_credential(
    capsys: pytest.CaptureFixture[str], seeded: SeededStore, environment: dict[str, str]
) -> None:
    rest = rest_handler(environment)
    credentials = credentials_of(seeded)
    for authorization in credentials.values():
        rest(rest_request_event(authorization), Context())
    output = capsys.readouterr()
    assert output.out.count('"message":"decision"') == len(credentials)
    sent = [authorization.split(" ")[1] for authorization in credentials.values()]
    secrets = [seeded.app_key.secret, seeded.account_key.secret, seeded.service_account_key.secret]
    assert [text for text in sent + secrets if text in output.out + output.err] == []


def test_an_outage_of_the_key_store_is_no_refusal_and_no_allow(
    capsys: pytest.CaptureFixture[str],
    seeded: SeededStore,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", NOWHERE.format(*free_ports(1)))
    handler = rest_handler(environment)
    with pytest.raises(Exception, match="key_store_unavailable") as failure:
        handler(rest_request_event(basic(seeded.app_key)), Context())
    assert not isinstance(failure.value, Unauthorized)
    (line,) = decisions(capsys)
    assert (line["outcome"], line["level"]) == ("failed", "ERROR")


def test_an_outage_of_kms_stops_tokens_but_not_basic(
    seeded: SeededStore, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE.format(*free_ports(1)))
    handler = rest_handler(environment)
    with pytest.raises(Exception, match="kms_unavailable"):
        handler(rest_request_event(bearer(seeded.app_key, {"scope": "app"})), Context())
    assert handler(rest_request_event(basic(seeded.app_key)), Context())["context"]


def test_a_key_revoked_after_its_first_use_is_refused_once_the_container_cache_is_over(
    operations: Provisioning, environment: dict[str, str]
) -> None:
    account, created = operations.create_account("Acme", KeyRequest())
    uncached = {**environment, "KEYSCOPE_KEY_CACHE_SECONDS": "0"}
    handler = rest_handler(uncached)
    event = rest_request_event(basic(IssuedKey(created.key.key_id, created.secret)))
    handler(event, Context())
    operations.revoke_key(account.owner_id, created.key.key_id)
    with pytest.raises(Unauthorized):
        handler(event, Context())


def kms_of(store: Store) -> KmsClient:
    return cast("KmsClient", local_client("kms", store.kms_url))


def sealing_box_of(store: Store) -> SecretSealingBox:
    return SecretSealingBox(kms_of(store), store.kms_key_arn)


def update_key(store: Store, key_id: str, change: str, values: Mapping[str, object]) -> None:
    update = {
        "TableName": store.keys_table,
        "Key": {"key_id": {"S": key_id}},
        "UpdateExpression": change,
        "ExpressionAttributeValues": values,
    }
    dynamodb_of(store).transact_write_items(TransactItems=[{"Update": update}])


def rotate(store: Store, key: IssuedKey, ends_at: int) -> IssuedKey:
    """Give the key a new secret, and let the old one be its previous one until `ends_at`."""
    new = IssuedKey(key.key_id, new_secret(key.key_id))
    update_key(
        store,
        key.key_id,
        "SET previous_secret_hash = secret_hash, previous_secret_ciphertext = secret_ciphertext,"
        " previous_ends_at = :ends_at, secret_hash = :hash, secret_ciphertext = :ciphertext,"
        " revision = :version",
        {
            ":ends_at": {"N": str(ends_at)},
            ":hash": {"B": hash_secret(new.secret)},
            ":ciphertext": {"B": sealing_box_of(store).seal(key.key_id, new.secret)},
            ":version": {"N": "2"},
        },
    )
    return new


def answered(ask: Callable[[], Answer]) -> Answer:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except Unauthorized:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture
def app_key(operations: Provisioning, seeded: SeededStore) -> Iterator[IssuedKey]:
    created = operations.create_key(OwnerType.APP, seeded.app_id, KeyRequest())
    yield IssuedKey(created.key.key_id, created.secret)
    operations.revoke_key(seeded.app_id, created.key.key_id)


def as_jwt(key: IssuedKey) -> str:
    return bearer(key, {"scope": "app"})


SCHEMES = pytest.mark.parametrize("credential_of", [basic, as_jwt], ids=["Basic", "JWT"])


@SCHEMES
def test_a_rotated_key_takes_both_secrets_and_tells_the_operator_which(
    capsys: pytest.CaptureFixture[str],
    credential_of: Callable[[IssuedKey], str],
    store: Store,
    app_key: IssuedKey,
    environment: dict[str, str],
) -> None:
    rest = rest_handler(environment)
    new = rotate(store, app_key, int(time.time()) + 600)
    for key in (app_key, new):
        assert rest(rest_request_event(credential_of(key)), Context())["context"]["keyId"]
    assert [line["secret"] for line in decisions(capsys)] == ["previous", "current"]


@SCHEMES
def test_the_policy_of_a_previous_secret_ends_with_the_overlap_and_that_of_the_new_one_does_not(
    credential_of: Callable[[IssuedKey], str],
    store: Store,
    app_key: IssuedKey,
    rest: AuthorizerHandler,
) -> None:
    # Before the token's own end, which is later.
    ends_at = int(time.time()) + 60
    new = rotate(store, app_key, ends_at)
    before, after = (
        rest(rest_request_event(credential_of(key)), Context())["policyDocument"]["Statement"][0]
        for key in (app_key, new)
    )
    end = datetime.fromtimestamp(ends_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    overlap = {"DateLessThan": {"aws:CurrentTime": end}}
    assert before["Condition"] == overlap
    assert after.get("Condition") != overlap


@SCHEMES
def test_after_the_overlap_only_the_new_secret_is_taken(
    capsys: pytest.CaptureFixture[str],
    credential_of: Callable[[IssuedKey], str],
    store: Store,
    app_key: IssuedKey,
    environment: dict[str, str],
) -> None:
    rest = rest_handler(environment)
    new = rotate(store, app_key, int(time.time()))
    with pytest.raises(Unauthorized):
        rest(rest_request_event(credential_of(app_key)), Context())
    assert decisions(capsys)[0]["reason"] == "rotated_secret"
    assert rest(rest_request_event(credential_of(new)), Context())["context"]


@SCHEMES
def test_a_new_secret_works_in_a_container_that_remembers_the_key_from_before(
    credential_of: Callable[[IssuedKey], str],
    store: Store,
    app_key: IssuedKey,
    rest: AuthorizerHandler,
) -> None:
    rest(rest_request_event(credential_of(app_key)), Context())
    new = rotate(store, app_key, int(time.time()) + 600)
    event = rest_request_event(credential_of(new))
    assert answered(lambda: rest(event, Context()))["context"]


@SCHEMES
def test_a_disabled_key_is_refused_until_it_is_enabled(
    capsys: pytest.CaptureFixture[str],
    credential_of: Callable[[IssuedKey], str],
    store: Store,
    app_key: IssuedKey,
    environment: dict[str, str],
) -> None:
    handler = rest_handler({**environment, "KEYSCOPE_KEY_CACHE_SECONDS": "0"})
    event = rest_request_event(credential_of(app_key))
    update_key(store, app_key.key_id, "SET disabled_at = :now", {":now": {"N": "1"}})
    with pytest.raises(Unauthorized):
        handler(event, Context())
    assert decisions(capsys)[0]["reason"] == "disabled_key"
    update_key(
        store,
        app_key.key_id,
        "SET revision = :same REMOVE disabled_at",
        {":same": {"N": "1"}},
    )
    assert handler(event, Context())["context"]


def test_a_previous_secret_sealed_for_another_key_is_damage_and_no_refusal(
    store: Store, app_key: IssuedKey, rest: AuthorizerHandler
) -> None:
    rotate(store, app_key, int(time.time()) + 600)
    update_key(
        store,
        app_key.key_id,
        "SET previous_secret_ciphertext = :other",
        {":other": {"B": sealing_box_of(store).seal("other", app_key.secret)}},
    )
    with pytest.raises(AuthorizerFailed, match="damaged_record"):
        rest(rest_request_event(as_jwt(app_key)), Context())


def test_a_keys_cidrs_and_expiry_go_into_the_policy(
    operations: Provisioning, seeded: SeededStore, rest: AuthorizerHandler
) -> None:
    created = operations.create_key(
        OwnerType.APP,
        seeded.app_id,
        KeyRequest(limits=KeyLimits(allowed_cidrs=("192.0.2.0/24", "2001:db8::/32"))),
    )
    key = IssuedKey(created.key.key_id, created.secret)
    answer: Answer = rest(rest_request_event(basic(key)), Context())
    allow, _ = answer["policyDocument"]["Statement"]
    assert allow["Condition"] == {"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:db8::/32"]}}


def test_a_function_with_a_wrong_setting_does_not_start(environment: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="KEYSCOPE_STALE_SECONDS"):
        rest_handler({**environment, "KEYSCOPE_STALE_SECONDS": "x"})


def test_a_function_with_an_access_map_that_could_outgrow_its_budget_does_not_start(
    environment: dict[str, str],
) -> None:
    both = {"KEYSCOPE_ROUTES": "v2,v1.1", "KEYSCOPE_MAX_STAGE_LENGTH": "128"}
    with pytest.raises(Misconfigured, match="access map: the policy of"):
        rest_handler({**environment, **both})


def test_what_is_no_event_fails_closed(rest: AuthorizerHandler) -> None:
    with pytest.raises(Exception, match="malformed_event") as failure:
        rest(cast("Event", []), Context())
    assert not isinstance(failure.value, Unauthorized)
