import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.authorize.basic import Basic
from keyscope.authorize.credential import KINDS, MAX_AUTHORIZATION_LENGTH, parse_credential
from keyscope.errors import Reason, Refused
from keyscope.model.principal import CredentialKind
from keyscope.model.secret import hash_secret
from tests.support.builders import basic, make_key

KEY = make_key()
MISTYPED = KEY.secret[:-1] + ("A" if KEY.secret[-1] != "A" else "B")


def encoded(text: str | bytes) -> str:
    octets = text if isinstance(text, bytes) else text.encode()
    return base64.b64encode(octets).decode()


def test_every_kind_of_credential_is_listed_once() -> None:
    assert [one.kind for one in KINDS] == list(CredentialKind)


def test_a_credential_of_each_kind_is_read_as_that_kind_and_names_its_key() -> None:
    values = KEY.of_each_kind(scope="app")
    read = {kind: parse_credential(value) for kind, value in values.items()}
    assert {kind: (one.kind, one.key_id) for kind, one in read.items()} == {
        kind: (kind, KEY.key_id) for kind in CredentialKind
    }


def test_basic_gives_the_key_id_and_the_secret_s_hash() -> None:
    assert parse_credential(KEY.basic()) == Basic(KEY.key_id, hash_secret(KEY.secret))


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "bAsIc"])
def test_the_scheme_ignores_case(scheme: str) -> None:
    value = KEY.basic().replace("Basic", scheme)
    assert parse_credential(value) == Basic(KEY.key_id, hash_secret(KEY.secret))


def test_several_spaces_may_follow_the_scheme() -> None:
    value = KEY.basic().replace("Basic ", "Basic   ")
    assert parse_credential(value) == Basic(KEY.key_id, hash_secret(KEY.secret))


def test_bearer_gives_the_key_id_that_the_token_names() -> None:
    assert parse_credential(KEY.bearer(scope="app")).key_id == KEY.key_id


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(None, Reason.NO_CREDENTIAL, id="no header"),
        pytest.param("", Reason.NO_CREDENTIAL, id="empty header"),
        pytest.param("x" * (MAX_AUTHORIZATION_LENGTH + 1), Reason.CREDENTIAL_TOO_LONG, id="long"),
        pytest.param("Basic", Reason.MALFORMED_BASIC, id="scheme alone"),
        pytest.param(" " + KEY.basic(), Reason.UNSUPPORTED_SCHEME, id="leading space"),
        pytest.param("Digest x", Reason.UNSUPPORTED_SCHEME, id="another scheme"),
        pytest.param(KEY.basic()[6:], Reason.UNSUPPORTED_SCHEME, id="no scheme"),
        pytest.param("Basic ***", Reason.MALFORMED_BASIC, id="not base64"),
        pytest.param("Basic " + encoded("no colon"), Reason.MALFORMED_BASIC, id="no colon"),
        pytest.param("Basic " + encoded(b"\xff:x"), Reason.MALFORMED_BASIC, id="not UTF-8"),
        pytest.param("Basic YTpiYg", Reason.MALFORMED_BASIC, id="unpadded"),
        pytest.param("Basic YTpi=", Reason.MALFORMED_BASIC, id="too much padding"),
        pytest.param("Basic YTpiYR==", Reason.MALFORMED_BASIC, id="trailing bits"),
        pytest.param("Basic -_-_", Reason.MALFORMED_BASIC, id="the other alphabet"),
        pytest.param(KEY.basic() + "\n", Reason.MALFORMED_BASIC, id="trailing newline"),
        pytest.param(KEY.basic() + " ", Reason.MALFORMED_BASIC, id="trailing space"),
        pytest.param(KEY.basic() + ", " + KEY.basic(), Reason.MALFORMED_BASIC, id="two joined"),
        pytest.param(basic("app_x", KEY.secret), Reason.MALFORMED_KEY_ID, id="no key id"),
        pytest.param(basic("usr" + KEY.key_id[3:], KEY.secret), Reason.MALFORMED_KEY_ID, id="usr"),
        pytest.param(basic(KEY.key_id, "password"), Reason.MALFORMED_SECRET, id="password"),
        pytest.param(basic(KEY.key_id, KEY.secret + ":"), Reason.MALFORMED_SECRET, id="colon"),
        pytest.param(basic(KEY.key_id, MISTYPED), Reason.MISTYPED_SECRET, id="mistyped"),
        pytest.param(
            basic(KEY.key_id, make_key().secret), Reason.SECRET_OF_ANOTHER_KEY, id="another key's"
        ),
        pytest.param("Bearer", Reason.MALFORMED_TOKEN, id="no token"),
    ],
)
def test_anything_else_is_refused_with_its_reason(value: str | None, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        parse_credential(value)
    assert refused.value.reason is reason


@given(st.text(max_size=300))
def test_no_text_is_more_than_refused(text: str) -> None:
    with pytest.raises(Refused):
        parse_credential(text)


@given(st.binary(max_size=200))
def test_no_basic_octets_are_more_than_refused(octets: bytes) -> None:
    with pytest.raises(Refused):
        parse_credential("Basic " + encoded(octets))


def test_a_credential_does_not_print_the_hash_of_its_secret() -> None:
    assert repr(hash_secret(KEY.secret)) not in repr(parse_credential(KEY.basic()))


def test_a_credential_does_not_print_its_token() -> None:
    value = KEY.bearer(scope="app")
    assert value.split()[1] not in repr(parse_credential(value))
