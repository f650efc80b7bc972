"""Paths that a backend may read as other paths, as patterns for a Deny.

A policy is matched against the path as it was sent; a backend may percent-decode it, collapse
slashes and remove dot segments first (RFC 3986, sections 2.3, 5.2.4 and 6.2.2). A pattern that
begins with `*` is for `ApiStage.any_path`. Each is as narrow as its length allows: a Deny that is
too wide refuses, and never allows.
"""

from collections.abc import Sequence

CLIMBING = (
    "*/..*",
    "*\\..*",
    "*%2?..*",
    "*%5?..*",
    "*%2e*",
    "*%2E*",
    "*%252*",
    "*%255*",
)
"""Dot segments that leave a subtree, after a slash or a backslash, plain or encoded, and encoded
dots. The last two are the same encoded once more. `..` within a segment is none of them."""

_NEAR = (
    *("*;*", "*%3b*", "*%3B*"),
    *("*//*", "*/%2f*", "*/%2F*"),
    *("*/./*", "*/.%2f*", "*/.%2F*"),
    *("*\\*", "*%5c*", "*%5C*"),
)
"""Parameters of segments (RFC 3986, section 3.3), empty segments, `.` segments and backslashes;
those that an encoded slash begins are in `spellings_of`."""

_HEX_DIGITS = "0123456789abcdef"


def spellings_of(segments: Sequence[str], bound: int, *, subtree: bool) -> list[str]:
    """Return patterns for a path below an allowed subtree, also with `%2F` for any slash.

    The first `bound` segments stand as they are: what differs in them is not allowed anyway.
    """
    head = "/".join(["", *segments[:bound]])
    whole = "/".join([head, *segments[bound:]]) + ("/*" if subtree else "*")
    encoded = ["/".join([head, *segments[bound:end]]) + "%*" for end in range(bound, len(segments))]
    return [whole, *encoded]


def spelled_with(segments: Sequence[str]) -> list[str]:
    """Return patterns for what may stand between segments, and for their characters encoded.

    Placeholders stand for ids, which are hexadecimal.
    """
    texts = [_HEX_DIGITS if segment.startswith("{") else segment for segment in segments]
    octets = {f"{ord(character):02x}" for character in "".join(texts)}
    # %60 is no letter; all others that begin with a 6 are.
    encoded = {"6?" if octet.startswith("6") else octet for octet in octets}
    forms = {form for octet in encoded for form in (octet, octet.upper())}
    return [*_NEAR, *(f"*%{form}*" for form in sorted(forms))]
