"""Paths that a backend may read as other paths, as patterns for a Deny.

API Gateway matches a policy against the path that it passes on. A backend may then percent-decode
the path up to three times, and delete TAB, LF and CR. It may read a backslash as a slash, drop
`;parameters`, merge slashes, cut at a decoded `?` or `#`, and remove dot segments (RFC 3986,
sections 2.3, 3.3, 5.2.4 and 6.2.2; WHATWG URL). `tests/security/test_path_proof.py` proves that no
backend reads a path that these patterns do not match as one that climbs. A Deny that is too broad
only refuses requests; it never allows one.
"""

from collections.abc import Sequence

_DOTS = ("*/..*", "*\\..*")
_BASE = (*_DOTS, "*%2e*", "*%2E*", "*%0*", "*%%*", "*%?%*")
"""Segments that begin with two dots; escaped dots; escaped TAB, LF and CR, which URL parsers
delete; and escapes of escapes."""
_SLASHES = ("*%*2f..*", "*%*2F..*", "*%*5c..*", "*%*5C..*")
_NESTED = ("*%252e*", "*%252E*", "*%250*", "*%2525*", "*%25%25*")

CLIMBING_ENCODED = (
    (*_BASE, *_SLASHES, *_NESTED, "*%252%*", "*%255%*", "*%25%30*", "*%25%32*", "*%25%35*"),
    (*_BASE, *_SLASHES, *_NESTED, "*%25?%*", "*%25%3*"),
    (*_BASE, *_SLASHES, "*%25*"),
    (*_BASE, "*%*..*", "*%25*"),
)
"""For REST APIs, whose policies see the path as sent: it contains no control characters, and a
percent sign in a name is sent as `%25`. Each tuple is sufficient. The narrowest comes first; the
last ones refuse every name that contains a percent sign, and the very last also an escape that two
dots follow."""

_CONTROLS = ("*\t*", "*\n*", "*\r*")
CLIMBING_DECODED = (
    (*_BASE, "*%*..*", "*%25*", *_CONTROLS),
    (*_DOTS, "*%*", *_CONTROLS),
)
"""For HTTP APIs, whose policies see the path decoded once: what is still an escape was escaped
twice, and there may be control characters. Each tuple is sufficient; the last one refuses every
name that contains a percent sign."""


def spellings_of(head: Sequence[str], rest: Sequence[str], *, few: bool = False) -> list[str]:
    """Return patterns for every spelling of a path below an allowed subtree.

    The segments of `head` match literally, because no other spelling of them is allowed anyway.
    `rest` are literal segments, and the longest one is enough: a path that a backend reads as this
    one contains that segment as it is, or encodes one of its characters. These patterns, or those
    against climbing, deny both. With `few`, about half as many patterns also deny paths that encode
    other characters with the same first digit, such as `{` beside the letters from p to z.
    """
    word = max(rest, key=len)
    octets = sorted({f"{ord(character):02x}" for character in word})
    digits = sorted({octet[0] for octet in octets})
    forms = [form for octet in octets for form in dict.fromkeys((octet, octet.upper()))]
    parts = [
        word,
        *(f"%{form}" for form in (digits if few else forms)),
        *(f"%25{digit}" for digit in digits),
        *(f"%3{digit}" for digit in digits),
    ]
    return ["/".join(["", *head]) + f"*{part}*" for part in parts]
