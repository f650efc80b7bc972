"""Hostile credentials: the real handlers refuse each for its reason, and none is a 500."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.authorize.answer import Unauthorized
from keyscope.authorize.credential import Credential, parse_credential
from keyscope.authorize.event import read_http_event, read_rest_event
from keyscope.entry.authorizer import AuthorizerHandler, authorizer_handler
from keyscope.errors import Reason, Refused
from keyscope.model.principal import CredentialKind
from tests.support.attacks import Attack, encoded
from tests.support.builders import NOW, basic, http_event, make_key, rest_request_event
from tests.support.every_attack import every_attack
from tests.support.legal_credentials import legal_values
from tests.support.logs import functions_log_here
from tests.support.profile import EXAMPLES
from tests.support.seeded_aws import Context, SeededAws, seeded_aws
from tests.support.signing import APP, signed

KEY: Final = make_key()
HEADER: Final = {"alg": "HS256", "kid": KEY.key_id}
Captured = pytest.CaptureFixture[str]


@dataclass(frozen=True)
class Served:
    """Both authorizers over one store, and the attacks with a key that is there."""

    rest: AuthorizerHandler
    http: AuthorizerHandler
    aws: SeededAws
    attacks: list[Attack]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with seeded_aws() as aws:
        key = aws.keys.app_key
        yield Served(
            authorizer_handler("hostile_rest", read_rest_event, aws.variables),
            authorizer_handler("hostile_http", read_http_event, aws.variables),
            aws,
            every_attack(key.key_id, key.secret),
        )


def reason_of(handler: AuthorizerHandler, event: object, captured: Captured) -> str:
    """Return the reason of a refusal; a failure fails the test."""
    captured.readouterr()
    with functions_log_here("hostile_rest", "hostile_http"), suppress(Unauthorized):
        return f"allowed: {handler(event, Context())['principalId']}"
    lines = [json.loads(line) for line in captured.readouterr().out.splitlines()]
    reasons: list[str] = [line["reason"] for line in lines if line.get("message") == "decision"]
    return reasons[0]


# All attacks are tried in one test, since a test for each would take pytest longer than they do.
def test_a_rest_request_authorizer_refuses_it(served: Served, capsys: Captured) -> None:
    told = {it.name: reason_of(served.rest, it.rest_request(), capsys) for it in served.attacks}
    assert told == {it.name: it.reason for it in served.attacks}


def test_an_http_api_refuses_it(served: Served, capsys: Captured) -> None:
    told = {it.name: reason_of(served.http, it.http(), capsys) for it in served.attacks}
    assert told == {it.name: it.http_reason or it.reason for it in served.attacks}


def test_a_rest_token_authorizer_refuses_it(served: Served, capsys: Captured) -> None:
    attacks = [it for it in served.attacks if len(it.fields) == 1]
    told = {it.name: reason_of(served.rest, it.rest_token(), capsys) for it in attacks}
    assert told == {it.name: it.reason for it in attacks}


def test_each_attack_has_a_name_of_its_own_and_a_source() -> None:
    attacks = every_attack(KEY.key_id, KEY.secret)
    assert len({attack.name for attack in attacks}) == len(attacks)
    assert all(attack.source for attack in attacks)


@pytest.mark.parametrize("name", list(legal_values(KEY.key_id, KEY.secret)))
@pytest.mark.parametrize("api", ["rest", "http"])
def test_what_is_legal_is_let_in(name: str, api: str, served: Served) -> None:
    key = served.aws.keys.app_key
    value = legal_values(key.key_id, key.secret)[name]
    event = {"rest": rest_request_event, "http": http_event}[api](value)
    handler: AuthorizerHandler = getattr(served, api)
    assert handler(event, Context())["context"]["keyId"] == key.key_id


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
def test_the_name_of_the_field_ignores_case(name: str, served: Served) -> None:
    key = served.aws.keys.app_key
    sent = Attack(name, "RFC 9110, 5.1", Reason.NO_CREDENTIAL, ((name, key_value(served)),))
    assert served.rest(sent.rest_request(), Context())["context"]["keyId"] == key.key_id


def key_value(served: Served) -> str:
    key = served.aws.keys.app_key
    return basic(key.key_id, key.secret)


def parsed_or_refused(value: str) -> Credential | None:
    """Return what is read; any error but a refusal fails the test."""
    try:
        return parse_credential(value)
    except Refused:
        return None


ANY_TEXT: Final = st.text(st.characters())
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["alg", "kid", "typ", "scope", "userId", "exp", "nbf", "iat"])
            | ANY_TEXT,
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(st.sampled_from(["", "Basic ", "Bearer ", "basic", "BEARER\t"]), ANY_TEXT)
@settings(max_examples=EXAMPLES)
def test_no_text_is_more_than_refused(prefix: str, text: str) -> None:
    assert parsed_or_refused(prefix + text) is None


@given(st.sampled_from(["", "Basic ", "Bearer "]), st.binary())
@settings(max_examples=EXAMPLES)
def test_no_octets_are_more_than_refused(prefix: str, octets: bytes) -> None:
    # API Gateway hands on octets of a field as Latin-1.
    assert parsed_or_refused(prefix + octets.decode("latin-1")) is None


@given(st.binary() | st.binary().map(lambda octets: KEY.key_id.encode() + b":" + octets))
@settings(max_examples=EXAMPLES)
def test_no_octets_in_base64_are_more_than_refused(octets: bytes) -> None:
    assert parsed_or_refused(encoded(octets)) is None


@given(JSON, JSON)
@settings(max_examples=EXAMPLES)
def test_no_json_in_a_token_is_more_than_refused(header: object, claims: object) -> None:
    parsed_or_refused("Bearer " + signed(header, claims, KEY.secret))


@given(JSON, JSON)
@settings(max_examples=EXAMPLES)
def test_no_members_added_to_a_token_are_more_than_refused(added: object, claimed: object) -> None:
    header = {**(added if isinstance(added, dict) else {"x": added}), **HEADER}
    claims = {**(claimed if isinstance(claimed, dict) else {"x": claimed}), **APP}
    parsed_or_refused("Bearer " + signed(header, claims, KEY.secret))


def changed(value: str, position: int, change: str, character: str) -> str:
    """Return the value with one character replaced, inserted, deleted or in the other case."""
    at = position % len(value)
    new = {
        "replace": character,
        "insert": character + value[at],
        "delete": "",
        "case": value[at].swapcase(),
        "flip": chr(ord(value[at]) ^ (1 << ord(character) % 8)),
        "double": value[at] * 2,
    }[change]
    return value[:at] + new + value[at + 1 :]


CHANGES: Final = st.tuples(
    st.integers(0, 10_000),
    st.sampled_from(["replace", "insert", "delete", "case", "flip", "double"]),
    st.characters(max_codepoint=0x17F) | st.sampled_from(" \t\r\n=:.,-_+/\0\u0130\ud800"),
)
VALID: Final = KEY.of_each_kind(scope="appUser", userId="user-1", exp=NOW + 600)


def proven(value: str) -> Credential | None:
    """Return the credential that a value is, when it proves the key; `None` for nothing."""
    credential = parsed_or_refused(value)
    if credential is None or credential.key_id != KEY.key_id:
        return None
    return credential if credential.is_proven_by(KEY.record, lambda _: KEY.secret) else None


@pytest.mark.parametrize("kind", VALID)
@given(st.lists(CHANGES, min_size=1, max_size=3))
@settings(max_examples=EXAMPLES)
def test_a_changed_credential_proves_the_very_same_or_nothing(
    kind: CredentialKind, changes: list[tuple[int, str, str]]
) -> None:
    value = VALID[kind]
    for position, change, character in changes:
        value = changed(value, position, change, character)
    assert proven(value) in {None, proven(VALID[kind])}


@pytest.mark.parametrize("kind", VALID)
def test_an_unchanged_credential_proves_something(kind: CredentialKind) -> None:
    assert proven(VALID[kind]) is not None


@pytest.mark.parametrize("kind", VALID)
def test_no_character_changed_in_case_proves_anything_else(kind: CredentialKind) -> None:
    value = VALID[kind]
    credentials = range(value.index(" "), len(value))
    flips = [changed(value, at, "case", "x") for at in credentials]
    assert {proven(flip) for flip in flips if flip != value} == {None}
