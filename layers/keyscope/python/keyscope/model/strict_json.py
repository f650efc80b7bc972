"""JSON by RFC 8259 alone, without what Python's parser accepts beyond it."""

import json
from typing import Never


class RepeatedMemberError(Exception):
    """An object has two members of one name. The error holds nothing of the text."""


def read_strict_json(text: str) -> object:
    """Read a JSON text: no NaN, no infinities, no member twice, and no nesting without end.

    Raises:
        RepeatedMemberError: an object has two members of one name.
        ValueError: the text is not JSON, or is nested too deep. The error may hold the text.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError from None


def _unique_members(members: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(members)
    # Readers differ in which of two they take (RFC 8259, section 4).
    if len(read) != len(members):
        raise RepeatedMemberError
    return read


def _refuse_constant(_name: str) -> Never:
    # NaN and the infinities are Python's extension (RFC 8259, section 6).
    raise ValueError


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_members, parse_constant=_refuse_constant)
