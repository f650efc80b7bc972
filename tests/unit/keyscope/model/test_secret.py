import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keyscope.errors import Reason, Refused
from keyscope.model.secret import check_secret, hash_secret, new_secret

BASE64URL = string.ascii_letters + string.digits + "-_"


@given(st.binary(min_size=32, max_size=32))
def test_a_made_secret_passes_its_own_check(octets: bytes) -> None:
    check_secret(new_secret(lambda _: octets))


def test_a_secret_is_52_characters_with_a_prefix_for_secret_scanners() -> None:
    secret = new_secret()
    assert secret.startswith("ks_")
    assert len(secret) == 52


def test_two_secrets_differ() -> None:
    assert new_secret() != new_secret()


@given(st.integers(3, 51), st.sampled_from(BASE64URL))
def test_one_mistyped_character_is_noticed(position: int, character: str) -> None:
    secret = new_secret()
    mistyped = secret[:position] + character + secret[position + 1 :]
    assume(mistyped != secret)
    with pytest.raises(Refused) as refused:
        check_secret(mistyped)
    assert refused.value.reason is Reason.MISTYPED_SECRET


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("", id="empty"),
        pytest.param("ks_", id="prefix alone"),
        pytest.param(new_secret().removeprefix("ks_"), id="no prefix"),
        pytest.param(new_secret() + "A", id="one character more"),
        pytest.param(new_secret() + "\n", id="trailing newline"),
        pytest.param("ks_" + "ä" * 49, id="not ASCII"),
    ],
)
def test_another_format_is_refused(secret: str) -> None:
    with pytest.raises(Refused) as refused:
        check_secret(secret)
    assert refused.value.reason is Reason.MISTYPED_SECRET


def test_the_hash_is_the_sha256_of_the_text() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert hash_secret("").hex() == empty
