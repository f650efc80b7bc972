"""The authorizer that Keyscope is measured against: a fair one does the same work."""

import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import pytest

from keyscope.access.policy_evaluation import AccessRequest, Verdict, evaluate
from keyscope_local.tour.event_values import fill
from keyscope_local.tour.seed import USER_ID, SeededStore, local_provisioning, seed
from tests.support.dynamodb_local import Store

ROOT: Final = Path(__file__).parents[2]
STAGE: Final = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod"
OTHER_APP: Final = "f" * 24
CONTEXT: Final = SimpleNamespace(
    function_name="typical",
    memory_limit_in_mb="512",
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:typical",
    aws_request_id="invocation-1",
)

Ask = Callable[[str], dict[str, object]]


@pytest.fixture(scope="module")
def settings(moto_store: Store) -> dict[str, str]:
    return {
        **moto_store.environment,
        "KEYSCOPE_KEYS_TABLE": moto_store.keys_table,
        "KEYSCOPE_DIRECTORY_TABLE": moto_store.directory_table,
        "KEYSCOPE_KMS_KEY_ARN": moto_store.kms_key_arn,
    }


@pytest.fixture(scope="module")
def seeded(settings: dict[str, str]) -> SeededStore:
    return seed(local_provisioning(settings))


@pytest.fixture
def ask(settings: dict[str, str], seeded: SeededStore, monkeypatch: pytest.MonkeyPatch) -> Ask:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    path = ROOT / "benchmarks" / "peers" / "typical" / "app.py"
    spec = importlib.util.spec_from_file_location("typical_authorizer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def answer(name: str) -> dict[str, object]:
        event = json.loads((ROOT / "events" / f"rest_request_{name}.json").read_text("utf-8"))
        answered: dict[str, object] = module.handler(fill(event, seeded), CONTEXT)
        return answered

    return answer


def verdict(answered: dict[str, object], method_and_path: str) -> Verdict:
    request = AccessRequest(
        action="execute-api:Invoke",
        resource=f"{STAGE}/{method_and_path}",
        now=time.time(),
        source_address="203.0.113.10",
    )
    return evaluate(answered["policyDocument"], request)


@pytest.mark.parametrize("name", ["basic_app", "jwt_app", "basic_account", "jwt_account"])
def test_it_lets_a_key_reach_its_own_app(name: str, ask: Ask, seeded: SeededStore) -> None:
    path = f"GET/v2/apps/{seeded.app_id}/users/anyone"
    assert verdict(ask(name), path) is Verdict.ALLOWED


@pytest.mark.parametrize("name", ["basic_app", "jwt_app", "jwt_app_user", "basic_account"])
def test_it_lets_no_key_reach_an_app_of_another_account(name: str, ask: Ask) -> None:
    assert verdict(ask(name), f"GET/v2/apps/{OTHER_APP}/users") is Verdict.IMPLICITLY_DENIED


def test_a_users_token_reaches_that_user(ask: Ask, seeded: SeededStore) -> None:
    path = f"GET/v2/apps/{seeded.app_id}/users/{USER_ID}"
    assert verdict(ask("jwt_app_user"), path) is Verdict.ALLOWED


def test_a_users_token_reaches_no_other_user(ask: Ask, seeded: SeededStore) -> None:
    path = f"GET/v2/apps/{seeded.app_id}/users/other"
    assert verdict(ask("jwt_app_user"), path) is Verdict.IMPLICITLY_DENIED


@pytest.mark.parametrize(
    "name",
    [
        *("basic_wrong_secret", "basic_unknown_key", "basic_revoked_key", "basic_expired_key"),
        *("basic_malformed", "digest_unsupported_scheme", "no_credential"),
        *("jwt_wrong_signature", "jwt_expired_token", "jwt_not_yet_valid", "jwt_unsigned"),
        *("jwt_wrong_scope", "jwt_no_user_id", "jwt_unknown_key"),
    ],
)
def test_it_refuses_what_proves_nothing(name: str, ask: Ask) -> None:
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        ask(name)
