"""No secret and no token, in whatever form, is written, raised or told, whatever happens."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from keyscope import provisioning
from keyscope.answer import AuthorizerFailed, Unauthorized
from keyscope.authorize import Authorizer
from keyscope.aws import bootstrap, cache_flush_bootstrap, lifecycle_bootstrap
from keyscope.aws.bootstrap import AuthorizerHandler, authorizer_handler
from keyscope.aws.cache_flush_bootstrap import cache_flush_handler
from keyscope.aws.management.bootstrap import management_handler
from keyscope.aws.provisioning_bootstrap import provisioning_handler
from keyscope.credential import parse_credential
from keyscope.errors import Unavailable
from keyscope.event import read_http_event, read_rest_event
from keyscope.ids import OwnerType
from keyscope.principal import Principal, Scope
from keyscope.secret import new_secret
from tests.support.attacks import Attack, basic_attacks, header_attacks
from tests.support.builders import basic, make_key, rest_request_event, token
from tests.support.leaks import forms_of, found, listening, told_by
from tests.support.legal_credentials import legal_values
from tests.support.management import proxy_event
from tests.support.seeded_aws import Context, SeededAws, seeded_aws
from tests.support.token_attacks import token_attacks

CANARY: Final = new_secret()
ERRORS: Final[Mapping[str, Exception]] = {
    "a bug": RuntimeError(f"it was {CANARY}"),
    "a missing member": KeyError(CANARY),
    "text that is not UTF-8": UnicodeDecodeError(
        "utf-8", CANARY.encode() + b"\xff", 52, 53, CANARY
    ),
    "an error of AWS": ClientError({"Error": {"Code": "Oops", "Message": CANARY}}, "Decrypt"),
    "an error of botocore": ParamValidationError(report=CANARY),
}
ROOT: Final = Path(__file__).parents[2]
WITH_ANY_ERROR: Final = pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)


@dataclass(frozen=True)
class Raising:
    """Whatever is asked of it, it raises."""

    error: Exception

    def __getattr__(self, name: str) -> Callable[..., object]:
        return self

    def __call__(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - stands for anything
        raise self.error


@pytest.fixture(scope="module")
def aws() -> Iterator[SeededAws]:
    with seeded_aws() as aws:
        yield aws


def attacks_with(key_id: str, secret: str) -> list[Attack]:
    return [
        attack
        for attacks in (header_attacks, basic_attacks, token_attacks)
        for attack in attacks(key_id, secret)
    ]


def verbose(aws: SeededAws) -> dict[str, str]:
    return {**aws.variables, "KEYSCOPE_LOG_LEVEL": "DEBUG"}


def outcome(handler: Callable[[Any, Any], object], event: object) -> str:
    """Return all that an invocation tells its caller or raises."""
    try:
        return repr(handler(event, Context()))
    except (Unauthorized, AuthorizerFailed, Unavailable) as error:
        return told_by(error)


def test_no_authorizer_tells_a_secret_or_a_token_whatever_is_sent(aws: SeededAws) -> None:
    key = aws.keys.app_key
    values = legal_values(key.key_id, key.secret)
    attacks = attacks_with(key.key_id, key.secret)
    with listening() as heard:
        rest = authorizer_handler(f"leaks_{uuid4()}", read_rest_event, verbose(aws))
        http = authorizer_handler(f"leaks_{uuid4()}", read_http_event, verbose(aws))
        told = [outcome(rest, attack.rest_request()) for attack in attacks]
        told += [outcome(http, attack.http()) for attack in attacks]
        told += [outcome(rest, rest_request_event(value)) for value in values.values()]
    assert heard.text.count('"message":"decision"') == len(told)
    assert found(forms_of(key.secret, *values.values()), "\n".join([*told, heard.text])) == []


@pytest.mark.parametrize("state", ["expired_key", "revoked_key", "cidr_key"])
def test_no_authorizer_tells_the_secret_of_a_key_that_may_not_be_used(
    state: str, aws: SeededAws
) -> None:
    key = getattr(aws.keys, state)
    values = [basic(key.key_id, key.secret), bearer(key.key_id, key.secret)]
    with listening() as heard:
        rest = authorizer_handler(f"leaks_{uuid4()}", read_rest_event, verbose(aws))
        told = [outcome(rest, rest_request_event(value)) for value in values]
    assert found(forms_of(key.secret, *values), "\n".join([*told, heard.text])) == []


def bearer(key_id: str, secret: str) -> str:
    return f"Bearer {token(key_id, secret, {'scope': 'app'})}"


def authorizer_over(aws: SeededAws, **collaborators: object) -> AuthorizerHandler:
    """Make a REST authorizer's handler with some collaborators replaced."""
    with pytest.MonkeyPatch.context() as patched:
        make = bootstrap._authorizer  # noqa: SLF001 - the one place where they come together

        def made(settings: Any) -> Authorizer:  # noqa: ANN401
            return replace(make(settings), **collaborators)  # type: ignore[arg-type]

        patched.setattr(bootstrap, "_authorizer", made)
        return authorizer_handler(f"leaks_{uuid4()}", read_rest_event, verbose(aws))


@WITH_ANY_ERROR
@pytest.mark.parametrize("collaborator", ["keys", "secrets", "policies", "clock", "timer"])
def test_no_authorizer_tells_what_a_collaborator_raises(
    collaborator: str, error: Exception, aws: SeededAws
) -> None:
    key = aws.keys.app_key
    with listening() as heard:
        handler = authorizer_over(aws, **{collaborator: Raising(error)})
        told = outcome(handler, rest_request_event(bearer(key.key_id, key.secret)))
    assert "AuthorizerFailed" in told
    assert found(forms_of(CANARY, key.secret), told + heard.text) == []


@WITH_ANY_ERROR
@pytest.mark.parametrize("client", ["dynamodb_client", "kms_client"])
def test_no_authorizer_tells_what_a_client_raises(
    client: str, error: Exception, aws: SeededAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = aws.keys.app_key
    monkeypatch.setattr(bootstrap, client, lambda: Raising(error))
    with listening() as heard:
        handler = authorizer_handler(f"leaks_{uuid4()}", read_rest_event, verbose(aws))
        told = outcome(handler, rest_request_event(bearer(key.key_id, key.secret)))
    assert "AuthorizerFailed" in told
    assert found(forms_of(CANARY, key.secret), told + heard.text) == []


@WITH_ANY_ERROR
def test_no_authorizer_tells_what_reading_an_event_raises(error: Exception, aws: SeededAws) -> None:
    with listening() as heard:
        handler = authorizer_handler(f"leaks_{uuid4()}", Raising(error), aws.variables)
        told = outcome(handler, {})
    assert "AuthorizerFailed" in told
    assert found(forms_of(CANARY), told + heard.text) == []


@WITH_ANY_ERROR
def test_no_authorizer_tells_what_writing_the_log_raises(
    error: Exception, aws: SeededAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "Telemetry", lambda *_: Raising(error))
    with listening() as heard:
        handler = authorizer_handler(f"leaks_{uuid4()}", read_rest_event, aws.variables)
        told = outcome(handler, rest_request_event(None))
    assert "AuthorizerFailed" in told
    assert found(forms_of(CANARY), told + heard.text) == []


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(attack, id=attack.name)
        for attack in attacks_with(make_key().key_id, CANARY)
        if len(attack.fields) == 1
    ],
)
def test_a_refusal_holds_nothing_of_the_credential(attack: Attack) -> None:
    told = ""
    try:
        parse_credential(attack.fields[0][1])
    except Exception as error:  # noqa: BLE001 - whatever it is
        told = told_by(error)
    assert found(forms_of(CANARY, attack.fields[0][1]), told) == []


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Let every new secret be the canary."""
    monkeypatch.setattr(provisioning, "new_secret", lambda: CANARY)
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
    monkeypatch.setattr(lifecycle_bootstrap, client, lambda: Raising(error))
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
    monkeypatch.setattr(lifecycle_bootstrap, client, lambda: Raising(error))
    with listening("management", "management-audit") as heard:
        handler = management_handler(verbose(aws))
        told = [outcome(handler, event) for event in management_events(aws)]
    assert found(canary, "\n".join([*told, heard.text]).replace(f'"secret":"{CANARY}"', "")) == []


@WITH_ANY_ERROR
def test_the_cache_flush_tells_nothing_of_what_a_client_raises(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_flush_bootstrap, "api_gateway_client", lambda: Raising(error))
    settings = {"KEYSCOPE_REST_API_ID": "a1", "KEYSCOPE_STAGE_NAME": "prod"}
    with listening("cache_flush") as heard:
        handler = cache_flush_handler({**settings, "KEYSCOPE_LOG_LEVEL": "DEBUG"})
        told = outcome(handler, {"Records": [{"body": CANARY}]})
    assert "cache_not_flushed" in told
    assert found(forms_of(CANARY), told + heard.text) == []


VERBOSE: Final = {
    "POWERTOOLS_DEV": "true",
    "POWERTOOLS_DEBUG": "true",
    "POWERTOOLS_LOGGER_LOG_EVENT": "true",
    "POWERTOOLS_LOG_LEVEL": "DEBUG",
    "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
    "KEYSCOPE_LOG_LEVEL": "DEBUG",
}


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
