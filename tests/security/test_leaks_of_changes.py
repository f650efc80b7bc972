"""A new secret appears in one response and nowhere else, whatever happens."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from keyscope.entry import cache_flush, expiry_sweep, key_use, lifecycle
from keyscope.entry.cache_flush import cache_flush_handler
from keyscope.entry.expiry_sweep import expiry_sweep_handler
from keyscope.entry.key_use import key_use_handler
from keyscope.entry.management import management_handler
from keyscope.entry.provisioning import provisioning_handler
from keyscope.lifecycle import operations
from keyscope.lifecycle.operations import KeyRequest
from keyscope.model.ids import OwnerType, new_key_id
from keyscope.model.key_limits import KeyLimits
from keyscope.model.principal import Principal
from keyscope.model.scopes import Scope
from tests.support.builders import rest_request_event
from tests.support.leaks import (
    CANARY,
    ERRORS,
    Raising,
    forms_of,
    found,
    listening,
    outcome,
    verbose,
)
from tests.support.legal_credentials import legal_values
from tests.support.logs import log_event
from tests.support.management import proxy_event
from tests.support.seeded_aws import Context, SeededAws, seeded_aws

ROOT: Final = Path(__file__).parents[2]
WITH_ANY_ERROR: Final = pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)


@pytest.fixture(scope="module")
def aws() -> Iterator[SeededAws]:
    with seeded_aws() as aws:
        yield aws


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Let every new secret be the canary."""
    monkeypatch.setattr(operations, "new_secret", lambda _: CANARY)
    return forms_of(CANARY)


CLIENTS: Final = ("writing_dynamodb_client", "kms_client", "sqs_client", "events_client")
WITH_ANY_CLIENT: Final = pytest.mark.parametrize("client", CLIENTS)
CREATE_ACCOUNT: Final = {"operation": "createAccount", "displayName": "Acme"}


def test_provisioning_tells_a_secret_in_its_answer_only(
    canary: Mapping[str, str], aws: SeededAws
) -> None:
    with listening("provisioning", "provisioning-audit") as heard:
        answer = provisioning_handler(verbose(aws))(CREATE_ACCOUNT, Context())
    assert answer["key"]["secret"] == CANARY  # type: ignore[index]
    assert "audit" in heard.text
    assert found(canary, heard.text) == []


@WITH_ANY_ERROR
@WITH_ANY_CLIENT
def test_provisioning_tells_nothing_of_what_a_client_raises(
    client: str,
    error: Exception,
    canary: Mapping[str, str],
    aws: SeededAws,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle, client, lambda: Raising(error))
    operation = {"operation": "revokeKey", "accountId": "0" * 12, "keyId": "act_" + "0" * 24}
    with listening("provisioning", "provisioning-audit") as heard:
        handler = provisioning_handler(verbose(aws))
        told = [outcome(handler, operation)]
        answer = outcome(handler, CREATE_ACCOUNT)
    told += [answer.replace(f"'secret': '{CANARY}'", "")]
    assert found(canary, "\n".join([*told, heard.text])) == []


def account_context(aws: SeededAws) -> dict[str, str]:
    principal = Principal(
        Scope.ACCOUNT, aws.keys.account_key.key_id, OwnerType.ACCOUNT, aws.keys.account_id
    )
    return {"principalId": principal.name, **principal.context()}


def management_events(aws: SeededAws) -> list[dict[str, object]]:
    context, app_id = account_context(aws), aws.keys.service_account_app_id
    key = f"/v2/apps/{aws.keys.app_id}/keys/{aws.keys.cidr_key.key_id}"
    return [
        proxy_event("POST", f"/v2/apps/{app_id}/keys", context, '{"displayName":"Server"}'),
        proxy_event("POST", f"{key}/rotate", context, '{"overlapSeconds":0}'),
        proxy_event("GET", f"/v2/apps/{app_id}/keys", context),
        proxy_event("POST", f"/v2/apps/{app_id}/keys", context, '{"displayName":7}'),
        proxy_event("GET", "/v2/nothing", context),
        proxy_event("GET", key, None),
    ]


def test_management_tells_a_secret_in_its_answer_only(
    canary: Mapping[str, str], aws: SeededAws
) -> None:
    with listening("management", "management-audit") as heard:
        handler = management_handler(verbose(aws))
        answers = [handler(event, Context())["body"] for event in management_events(aws)]  # type: ignore[arg-type]
    assert [found(canary, answer) != [] for answer in answers] == [True, True] + [False] * 4
    assert found(canary, heard.text) == []


@pytest.mark.parametrize("error", [ERRORS["a bug"], ERRORS["an error of AWS"]])
@WITH_ANY_CLIENT
def test_management_tells_nothing_of_what_a_client_raises(
    client: str,
    error: Exception,
    canary: Mapping[str, str],
    aws: SeededAws,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lifecycle, client, lambda: Raising(error))
    with listening("management", "management-audit") as heard:
        handler = management_handler(verbose(aws))
        told = [outcome(handler, event) for event in management_events(aws)]
    assert found(canary, "\n".join([*told, heard.text]).replace(f'"secret":"{CANARY}"', "")) == []


@WITH_ANY_ERROR
def test_the_cache_flush_tells_nothing_of_what_a_client_raises(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_flush, "api_gateway_client", lambda: Raising(error))
    settings = {"KEYSCOPE_REST_API_ID": "a1", "KEYSCOPE_STAGE_NAME": "prod"}
    with listening("cache_flush") as heard:
        handler = cache_flush_handler({**settings, "KEYSCOPE_LOG_LEVEL": "DEBUG"})
        told = outcome(handler, {"Records": [{"body": CANARY}]})
    assert "cache_not_flushed" in told
    assert found(forms_of(CANARY), told + heard.text) == []


@WITH_ANY_ERROR
def test_the_recording_of_uses_tells_nothing_of_what_a_client_raises(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_use, "dynamodb_client", lambda: Raising(error))
    used = {"message": "use", "format": 1, "key_id": new_key_id(OwnerType.APP), "used_at": 1}
    with listening("key_use") as heard:
        handler = key_use_handler({"KEYSCOPE_USE_TABLE": "uses", "KEYSCOPE_LOG_LEVEL": "DEBUG"})
        told = outcome(handler, log_event(json.dumps(used), CANARY))
    assert "use_table_unavailable" in told
    assert found(forms_of(CANARY), told + heard.text) == []


def test_the_recording_of_uses_tells_nothing_of_a_line_that_it_cannot_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_use, "dynamodb_client", lambda: None)
    with listening("key_use") as heard:
        handler = key_use_handler({"KEYSCOPE_USE_TABLE": "uses", "KEYSCOPE_LOG_LEVEL": "DEBUG"})
        told = outcome(handler, log_event(CANARY, json.dumps({"message": "use", "x": CANARY})))
    assert "unknown_format" in heard.text
    assert found(forms_of(CANARY), told + heard.text) == []


@WITH_ANY_ERROR
@pytest.mark.parametrize("client", ["writing_dynamodb_client", "events_client"])
def test_the_expiry_sweep_tells_nothing_of_what_a_client_raises(
    client: str, error: Exception, aws: SeededAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry_sweep, client, lambda: Raising(error))
    expires_at = int(time.time()) + 1_000_000
    request = KeyRequest(limits=KeyLimits(expires_at=expires_at))
    key = aws.operations.create_key(OwnerType.APP, aws.keys.app_id, request).key
    with listening("expiry_sweep") as heard:
        handler = expiry_sweep_handler(verbose(aws), lambda: expires_at - 3_600)
        told = outcome(handler, {})
    aws.operations.revoke_key(aws.keys.app_id, key.key_id)
    assert "expiry_warnings_not_sent" in told
    assert found(forms_of(CANARY), told + heard.text) == []


VERBOSE: Final = {
    "POWERTOOLS_DEV": "true",
    "POWERTOOLS_DEBUG": "true",
    "POWERTOOLS_LOGGER_LOG_EVENT": "true",
    "POWERTOOLS_LOG_LEVEL": "DEBUG",
    "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
    "KEYSCOPE_LOG_LEVEL": "DEBUG",
}


@pytest.mark.processes
@pytest.mark.parametrize("without", [(), ("POWERTOOLS_DEV",)], ids=["all", "no POWERTOOLS_DEV"])
def test_no_variable_of_powertools_or_lambda_makes_a_function_tell_a_secret(
    without: tuple[str, ...], aws: SeededAws, tmp_path: Path
) -> None:
    asked = {
        "authorizer": [
            rest_request_event(value)
            for value in legal_values(aws.keys.app_key.key_id, aws.keys.app_key.secret).values()
        ],
        "management": management_events(aws),
        "provisioning": [CREATE_ACCOUNT],
    }
    given, made = tmp_path / "given.json", tmp_path / "made.json"
    given.write_text(json.dumps(asked), "utf-8")
    verbose_variables = {name: value for name, value in VERBOSE.items() if name not in without}
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "tests.support.verbose_functions", str(given), str(made)],
        env={**os.environ, **aws.variables, **verbose_variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    secrets = [aws.keys.app_key.secret, *json.loads(made.read_text("utf-8"))]
    assert len(secrets) == 1 + 3
    assert "DEBUG" in ended.stdout + ended.stderr
    told = ended.stdout + ended.stderr
    assert [name for secret in secrets for name in found(forms_of(secret), told)] == []
