import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.authorize.bearer_secret import BearerSecret
from keyscope.authorize.credential import parse_credential
from keyscope.errors import Reason, Refused
from keyscope.model.secret import SECRET_PREFIX, hash_secret
from tests.support.builders import make_key

KEY = make_key()
READ = BearerSecret(KEY.key_id, hash_secret(KEY.secret))
MISTYPED = KEY.secret[:-1] + ("A" if KEY.secret[-1] != "A" else "B")


def reason_of(authorization: str) -> Reason:
    with pytest.raises(Refused) as refused:
        parse_credential(authorization)
    return refused.value.reason


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "Bearer    "])
def test_a_secret_alone_gives_its_key_id_and_its_hash(scheme: str) -> None:
    assert parse_credential(scheme + KEY.secret) == READ


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("ks_", Reason.MALFORMED_SECRET, id="prefix alone"),
        pytest.param(KEY.secret[:-1], Reason.MALFORMED_SECRET, id="cut"),
        pytest.param(KEY.secret + " ", Reason.MALFORMED_SECRET, id="trailing space"),
        pytest.param(f"{KEY.secret}, {KEY.secret}", Reason.MALFORMED_SECRET, id="two joined"),
        pytest.param(MISTYPED, Reason.MISTYPED_SECRET, id="mistyped"),
        pytest.param(KEY.secret.upper(), Reason.MALFORMED_TOKEN, id="capitals"),
        pytest.param(f"{KEY.key_id}:{KEY.secret}", Reason.MALFORMED_TOKEN, id="with its key id"),
    ],
)
def test_anything_else_is_refused_with_its_reason(text: str, reason: Reason) -> None:
    assert reason_of(f"Bearer {text}") is reason


@given(st.text(max_size=100))
def test_no_text_behind_the_prefix_is_more_than_refused(text: str) -> None:
    assert reason_of(f"Bearer {SECRET_PREFIX}{text}") in {
        Reason.MALFORMED_SECRET,
        Reason.MISTYPED_SECRET,
    }


@given(st.characters(codec="ascii", categories=["L", "N"]))
def test_no_header_of_a_token_begins_as_a_secret_does(character: str) -> None:
    with pytest.raises(UnicodeDecodeError):
        base64.urlsafe_b64decode(SECRET_PREFIX + character).decode()


def test_it_does_not_print_the_hash_of_its_secret() -> None:
    assert repr(hash_secret(KEY.secret)) not in repr(READ)
