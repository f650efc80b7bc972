"""JSON as in RFC 8259, without Python's extensions."""

import json
from typing import Never


class RepeatedMemberError(Exception):
    """An object contains a member twice. The error contains nothing of the text."""


def read_strict_json(text: str) -> object:
    """Read a JSON text; reject NaN, infinities, repeated members and excessive nesting.

    Raises:
        RepeatedMemberError: an object contains a member twice.
        ValueError: the text is not JSON, or is nested too deep. The error may contain the text.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError from None


def _unique_members(members: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(members)
    # Parsers differ in which of the two they use (RFC 8259, section 4).
    if len(read) != len(members):
        raise RepeatedMemberError
    return read


def _refuse_constant(_name: str) -> Never:
    # NaN and the infinities are Python extensions (RFC 8259, section 6).
    raise ValueError


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_members, parse_constant=_refuse_constant)
