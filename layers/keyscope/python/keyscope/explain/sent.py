"""A credential as it was sent, read as leniently as possible to find what is wrong with it.

The authorizers' readers stop at the first rule that a credential breaks. This one reads all that it
can, and proves nothing.
"""

import json
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from keyscope.model.strict_json import RepeatedMemberError, read_strict_json

JsonObject = Mapping[str, object]
_NOTHING: Final[JsonObject] = {}


@dataclass(frozen=True, slots=True)
class Sent:
    """The parts of an `Authorization` value, empty if they are missing or unreadable.

    `rest` follows the scheme. `octets` are the rest, decoded as base64 of any alphabet and padding;
    `text` is `octets` in UTF-8. `header` and `claims` are those of a token. `segments` are the
    token's parts between its dots.
    """

    value: str = field(repr=False)
    scheme: str
    rest: str = field(repr=False)
    octets: bytes = field(repr=False)
    text: str = field(repr=False)
    segments: tuple[str, ...] = field(repr=False)
    header: JsonObject = field(repr=False)
    claims: JsonObject = field(repr=False)

    @property
    def header_repeats(self) -> bool:
        """Whether the token's header contains a member twice."""
        try:
            read_strict_json(_text(decoded(self.segments[0])))
        except RepeatedMemberError:
            return True
        except ValueError:
            return False
        return False


def read_sent(value: str | None) -> Sent:
    """Split an `Authorization` value. Never raises an exception."""
    scheme, _, rest = (value or "").lstrip().partition(" ")
    rest = rest.lstrip(" ")
    octets = decoded(rest)
    segments = tuple(rest.split("."))
    header, claims = (_object(segments[place : place + 1]) for place in (0, 1))
    return Sent(value or "", scheme.lower(), rest, octets, _text(octets), segments, header, claims)


def decoded(text: str) -> bytes:
    """Return the octets of base64 of either alphabet, padded or not, or none at all."""
    compact = "".join(text.split()).rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return urlsafe_b64decode(compact + "=" * (-len(compact) % 4)) if compact else b""
    except ValueError:
        return b""


def is_base64(text: str) -> bool:
    """Return whether a text is padded base64 of the standard alphabet, without anything else."""
    try:
        b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return ""


def _object(segment: tuple[str, ...]) -> JsonObject:
    try:
        value = json.loads(_text(decoded(segment[0]))) if segment else None
    except (ValueError, RecursionError):
        return _NOTHING
    return value if isinstance(value, dict) else _NOTHING
