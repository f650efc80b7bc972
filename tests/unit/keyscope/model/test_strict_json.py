import json
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyscope.model.strict_json import RepeatedMemberError, read_strict_json

VALUES: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda items: st.lists(items) | st.dictionaries(st.text(), items),
    max_leaves=10,
)


@given(VALUES)
def test_what_json_writes_is_read(value: object) -> None:
    assert read_strict_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("{", id="half an object"),
        pytest.param("{}{}", id="two objects"),
        pytest.param("{'a': 1}", id="single quotes"),
        pytest.param('{"a": 1,}', id="a comma too many"),
        pytest.param("/**/ {}", id="a comment"),
        pytest.param('{"a": "\n"}', id="a control character"),
        pytest.param("\ufeff{}", id="byte order mark"),
        pytest.param("NaN", id="NaN"),
        pytest.param('{"a": NaN}', id="NaN within"),
        pytest.param('{"a": Infinity}', id="infinity"),
        pytest.param('{"a": -Infinity}', id="minus infinity"),
        pytest.param('{"a": ' + "9" * 5_000 + "}", id="a number of 5,000 digits"),
        pytest.param("[" * 100_000, id="deep, not closed"),
        pytest.param("[" * 50_000 + "]" * 50_000, id="deep"),
        pytest.param('{"a":' * 20_000 + "1" + "}" * 20_000, id="deep objects"),
    ],
)
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own texts are not promised
        read_strict_json(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"a": 1, "a": 1}', id="twice"),
        pytest.param('{"a": 1, "\\u0061": 1}', id="twice, once escaped"),
        pytest.param('[{"a": {"b": 1, "b": 2}}]', id="twice within"),
    ],
)
def test_a_repeated_member_is_refused_without_its_text(text: str) -> None:
    with pytest.raises(RepeatedMemberError) as refused:
        read_strict_json(text)
    assert refused.value.args == ()
