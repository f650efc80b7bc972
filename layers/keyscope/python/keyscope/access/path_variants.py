"""Paths that a backend may read as other paths, as patterns for a Deny.

A policy is matched against the path as the API hands it on. A backend may then percent-decode it
up to three times, delete TAB, LF and CR, read a backslash as a slash, drop `;parameters`, merge
slashes, cut at a decoded `?` or `#`, and remove dot segments (RFC 3986, sections 2.3, 3.3, 5.2.4
and 6.2.2; WHATWG URL). `tests/security/test_path_proof.py` proves that no path that these patterns
leave over is read as a climbing one. A Deny that is too wide refuses, and never allows.
"""

from collections.abc import Sequence

_BASE = (
    *("*/..*", "*\\..*", "*%2e*", "*%2E*"),
    *("*%0*", "*%%*", "*%?%*"),
)
"""A segment that begins with two dots; dots that are escaped; TAB, LF and CR, which URL parsers
delete; and escapes that are made of escapes."""
_SLASHES = ("*%*2f..*", "*%*2F..*", "*%*5c..*", "*%*5C..*")
_NESTED = ("*%252e*", "*%252E*", "*%250*", "*%2525*", "*%25%25*")

CLIMBING_ENCODED = (
    (*_BASE, *_SLASHES, *_NESTED, "*%252%*", "*%255%*", "*%25%30*", "*%25%32*", "*%25%35*"),
    (*_BASE, *_SLASHES, *_NESTED, "*%25?%*", "*%25%3*"),
    (*_BASE, *_SLASHES, "*%25*"),
)
"""For REST APIs, whose policies see the path as it was sent, the narrowest first: no control
characters can occur, and a percent sign of a name is sent as `%25`. Each tuple is enough; the last
refuses every such name."""

CLIMBING_DECODED = (*_BASE, "*%*..*", "*%25*", "*\t*", "*\n*", "*\r*")
"""For HTTP APIs, whose policies see the path decoded once: what is an escape there was sent twice
escaped, and control characters may occur."""


def spellings_of(head: Sequence[str], rest: Sequence[str]) -> list[str]:
    """Return patterns for a path below an allowed subtree, however its last part is spelled.

    The segments of `head` match as they are: what differs in them is not allowed anyway. Of the
    `rest`, literal segments, the longest decides: a path that a backend reads as this one holds it
    as it is, or a character of it is encoded, which is denied here or as climbing is.
    """
    word = max(rest, key=len)
    octets = sorted({f"{ord(character):02x}" for character in word})
    digits = sorted({octet[0] for octet in octets})
    parts = [
        word,
        *(f"%{form}" for octet in octets for form in dict.fromkeys((octet, octet.upper()))),
        *(f"%25{digit}" for digit in digits),
        *(f"%3{digit}" for digit in digits),
    ]
    return ["/".join(["", *head]) + f"*{part}*" for part in parts]
