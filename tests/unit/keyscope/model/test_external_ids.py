from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.model.external_ids import (
    MAX_EXTERNAL_ID_LENGTH,
    ExternalIds,
    folded,
    is_external_id,
)
from keyscope.model.ids import is_account_id, is_app_id, is_integration_id, is_service_account_id

UNRESERVED: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"


@pytest.mark.parametrize(
    "text",
    [
        *("a", "7", "-", "~", "Acme", "acme-inc_2.de~x", "a.", "a..b", "0a1b2c3d4e5", "e" * 64),
        *("0a1b2c3d4e5g", "0a1b2c3d4e5f6", "_0a1b2c3d4e5f", "deadbeef"),
    ],
)
def test_an_external_id_is_up_to_64_unreserved_characters(text: str) -> None:
    assert is_external_id(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "e" * 65, ".", "..", ".acme", "a b", "a/b", "a%2Fb", "a*", "a?", "{accountId}"),
        *("a\n", "acmé", "a:b", "a@b", "a+b", "\n"),
    ],
)
def test_other_texts_are_none(text: str) -> None:
    assert not is_external_id(text)


@pytest.mark.parametrize("length", [12, 16, 24])
@pytest.mark.parametrize("digits", ["0", "a", "F", "aB"])
def test_an_external_id_is_never_like_one_of_keyscopes(length: int, digits: str) -> None:
    assert not is_external_id((digits * length)[:length])
    assert is_external_id((digits * length)[: length - 1])


@given(st.text(st.sampled_from(UNRESERVED), max_size=MAX_EXTERNAL_ID_LENGTH + 1))
def test_no_external_id_is_an_id_of_keyscopes_however_it_is_spelled(text: str) -> None:
    of_keyscopes = (is_account_id, is_service_account_id, is_app_id, is_integration_id)
    assert not is_external_id(text) or not any(
        each(spelled) for each in of_keyscopes for spelled in (text, folded(text))
    )


def test_ids_that_differ_only_in_case_are_one() -> None:
    assert folded("Acme-Shop") == folded("ACME-SHOP") != folded("acme_shop")


def test_only_ids_that_exist_are_named() -> None:
    assert ExternalIds().by_name() == {}
    assert ExternalIds("acme", "shop").by_name() == {
        "accountExternalId": "acme",
        "appExternalId": "shop",
    }
