import re
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keyscope.errors import Reason, Refused
from keyscope.model.ids import OwnerType, new_key_id
from keyscope.model.secret import SECRET_LENGTH, hash_secret, key_id_of_secret, new_secret

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEY_ID = "app_0123456789abcdef01234567"
SECRET = new_secret(KEY_ID)
BODY = st.integers(len(f"ks_{KEY_ID}_"), SECRET_LENGTH - 1)


def reason_of(secret: str) -> Reason:
    with pytest.raises(Refused) as refused:
        key_id_of_secret(secret)
    return refused.value.reason


@given(st.sampled_from(OwnerType), st.binary(min_size=32, max_size=32))
def test_a_new_secret_names_its_key(owner_type: OwnerType, octets: bytes) -> None:
    key_id = new_key_id(owner_type)
    assert key_id_of_secret(new_secret(key_id, lambda _: octets)) == key_id


@pytest.mark.parametrize(
    ("octets", "rest"),
    [
        pytest.param(bytes(32), "0" * 43 + "1MkW49", id="zeros"),
        pytest.param(bytes(31) + b"\x3e", "0" * 41 + "10" + "1X5YBM", id="62"),
        pytest.param(
            b"\xff" * 32, "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1" + "47exCT", id="largest"
        ),
    ],
)
def test_the_format_is_fixed(octets: bytes, rest: str) -> None:
    assert new_secret(KEY_ID, lambda _: octets) == f"ks_{KEY_ID}_{rest}"


def test_a_double_click_selects_a_secret_whole() -> None:
    assert re.fullmatch(r"\w{81}", SECRET, re.ASCII)
    assert len(SECRET) == SECRET_LENGTH


def test_two_secrets_of_a_key_differ() -> None:
    assert new_secret(KEY_ID) != new_secret(KEY_ID)


@given(BODY, st.sampled_from(BASE62))
def test_one_mistyped_character_is_noticed(position: int, character: str) -> None:
    mistyped = SECRET[:position] + character + SECRET[position + 1 :]
    assume(mistyped != SECRET)
    assert reason_of(mistyped) is Reason.MISTYPED_SECRET


@given(BODY)
def test_two_swapped_characters_are_noticed(position: int) -> None:
    swapped = SECRET[: position - 1] + SECRET[position] + SECRET[position - 1]
    mistyped = swapped + SECRET[position + 1 :]
    assume(mistyped != SECRET and SECRET[position - 1] != "_")
    assert reason_of(mistyped) is Reason.MISTYPED_SECRET


def test_a_secret_does_not_pass_under_another_keys_id() -> None:
    assert reason_of(SECRET.replace("0123", "0124")) is Reason.MISTYPED_SECRET


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("", id="empty"),
        pytest.param("ks_", id="prefix alone"),
        pytest.param(SECRET.removeprefix("ks_"), id="no prefix"),
        pytest.param("sk_" + SECRET[3:], id="another prefix"),
        pytest.param(SECRET[:-1], id="one character less"),
        pytest.param(SECRET + "A", id="one character more"),
        pytest.param(SECRET + "\n", id="trailing newline"),
        pytest.param(SECRET[:-1] + "\n", id="newline at the end"),
        pytest.param(SECRET.replace("app_", "usr_"), id="unknown kind of owner"),
        pytest.param(SECRET.replace("abcdef", "ABCDEF"), id="key id in capitals"),
        pytest.param(f"ks_{KEY_ID}-{SECRET[32:]}", id="another separator"),
        pytest.param(SECRET[:-10] + "_" + SECRET[-9:], id="separator in the random part"),
        pytest.param(SECRET[:-10] + "ä" + SECRET[-9:], id="letter outside of ASCII"),
        pytest.param(SECRET[:-10] + "\u0661" + SECRET[-9:], id="digit outside of ASCII"),
    ],
)
def test_another_format_is_refused(secret: str) -> None:
    assert reason_of(secret) is Reason.MALFORMED_SECRET


@given(st.text(max_size=100))
def test_no_other_text_is_more_than_refused(text: str) -> None:
    assert reason_of(text) in {Reason.MALFORMED_SECRET, Reason.MISTYPED_SECRET}


def test_the_hash_is_the_sha256_of_the_text() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert hash_secret("").hex() == empty
