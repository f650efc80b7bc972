"""No secret and no token, in whatever form, is written, raised or told, whatever happens."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

import pytest

from keyscope.authorize.credential import parse_credential
from keyscope.authorize.event import read_http_event, read_rest_event
from keyscope.authorize.pipeline import Authorizer
from keyscope.aws.lean.client import LeanClient
from keyscope.entry import authorizer
from keyscope.entry.authorizer import AuthorizerHandler, authorizer_handler
from tests.support.builders import basic, make_key, rest_request_event, token
from tests.support.every_attack import every_attack
from tests.support.leaks import (
    CANARY,
    ERRORS,
    Raising,
    forms_of,
    found,
    listening,
    outcome,
    told_by,
    verbose,
)
from tests.support.legal_credentials import legal_values
from tests.support.seeded_aws import SeededAws, seeded_aws

WITH_ANY_ERROR: Final = pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)


@pytest.fixture(scope="module")
def aws() -> Iterator[SeededAws]:
    with seeded_aws() as aws:
        yield aws


def test_no_authorizer_tells_a_secret_or_a_token_whatever_is_sent(aws: SeededAws) -> None:
    key = aws.keys.app_key
    values = legal_values(key.key_id, key.secret)
    attacks = every_attack(key.key_id, key.secret)
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
    """Build a REST authorizer's handler with some collaborators replaced."""
    with pytest.MonkeyPatch.context() as patched:
        build = authorizer.build_authorizer

        def built(*parts: Any) -> Authorizer:  # noqa: ANN401
            return replace(build(*parts), **collaborators)  # type: ignore[arg-type]

        patched.setattr(authorizer, "build_authorizer", built)
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
    assert re.search("AuthorizerFailed|Undecided", told)
    assert found(forms_of(CANARY, key.secret), told + heard.text) == []


@WITH_ANY_ERROR
@pytest.mark.parametrize("call", ["get_item", "decrypt"])
def test_no_authorizer_tells_what_a_client_raises(
    call: str, error: Exception, aws: SeededAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = aws.keys.app_key
    monkeypatch.setattr(LeanClient, call, Raising(error))
    with listening() as heard:
        handler = authorizer_handler(f"leaks_{uuid4()}", read_rest_event, verbose(aws))
        told = outcome(handler, rest_request_event(bearer(key.key_id, key.secret)))
    assert re.search("AuthorizerFailed|Undecided", told)
    assert found(forms_of(CANARY, key.secret), told + heard.text) == []


@WITH_ANY_ERROR
def test_no_authorizer_tells_what_reading_an_event_raises(error: Exception, aws: SeededAws) -> None:
    with listening() as heard:
        handler = authorizer_handler(f"leaks_{uuid4()}", Raising(error), aws.variables)
        told = outcome(handler, {})
    assert re.search("AuthorizerFailed|Undecided", told)
    assert found(forms_of(CANARY), told + heard.text) == []


@WITH_ANY_ERROR
def test_no_authorizer_tells_what_writing_the_log_raises(
    error: Exception, aws: SeededAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorizer, "Telemetry", lambda *_: Raising(error))
    with listening() as heard:
        handler = authorizer_handler(f"leaks_{uuid4()}", read_rest_event, aws.variables)
        told = outcome(handler, rest_request_event(None))
    assert re.search("AuthorizerFailed|Undecided", told)
    assert found(forms_of(CANARY), told + heard.text) == []


def test_a_refusal_holds_nothing_of_the_credential() -> None:
    attacks = every_attack(make_key().key_id, CANARY)
    values = {attack.name: attack.fields[0][1] for attack in attacks if len(attack.fields) == 1}
    leaked = [name for name, it in values.items() if found(forms_of(CANARY, it), told_of(it))]
    assert leaked == []


def told_of(value: str) -> str:
    """Return all that the refusal of a value tells, or nothing where the value is read."""
    try:
        parse_credential(value)
    except Exception as error:  # noqa: BLE001 - any error
        return told_by(error)
    return ""
