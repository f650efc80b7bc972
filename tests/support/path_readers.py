"""How backends read a path: seven readers, what they make of a text, and what they make it from.

A backend is a composition of readers, in any order. Each reader is a function (`READERS`) and, by
another way, a step backwards: from a language of readings to the language of all texts that the
reader turns into one of them (`BACKWARDS`). `tests/security/test_path_proof.py` holds the two
together; nothing here is taken from the package.

Not modeled: overlong UTF-8 (`%c0%ae`), full-width characters, `%u002e`, NUL, and readers that
drop characters other than TAB, LF and CR. No text that a modern parser takes is read so.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from hypothesis import strategies as st

from tests.support.automata import Dfa, explored, union

DELETED: Final = "\t\n\r"
CUTS: Final = "?#"
OTHER: Final = "x"
"""Stands for every character that no reader and no Deny knows."""
ALPHABET: Final = "/\\.%;" + CUTS + DELETED + "0123456789abcdefABCDEF" + OTHER
MAX_DECODINGS: Final = 3

Reader = Callable[[str], str]
Backwards = Callable[[Dfa], Dfa]


def _decoded(text: str) -> str:
    """Decode what is an escape and keep what is none, as lenient decoders do."""
    return re.sub(
        "%([0-9A-Fa-f]{2})",
        lambda found: chr(int(found[1], 16)),
        text,
    )


def _without_parameters(text: str) -> str:
    return re.sub(";[^/]*", "", text)


def _without_dot_segments(text: str) -> str:
    """Remove `.` and `..` segments (RFC 3986, section 5.2.4)."""
    kept: list[str] = []
    segments = text.split("/")
    for segment in segments:
        if segment == "..":
            kept = kept[: max(1, len(kept) - 1)]
        elif segment != ".":
            kept.append(segment)
    return "/".join([*kept, ""] if segments[-1] in {".", ".."} else kept)


DECODE: Final = "decode"
READERS: Final[Mapping[str, Reader]] = {
    DECODE: _decoded,
    "delete controls": lambda text: text.translate(dict.fromkeys(map(ord, DELETED))),
    "backslash as slash": lambda text: text.replace("\\", "/"),
    "drop parameters": _without_parameters,
    "merge slashes": lambda text: re.sub("/+", "/", text),
    "cut": lambda text: re.split("[?#]", text, maxsplit=1)[0],
    "remove dot segments": _without_dot_segments,
}


def _undecoded(readings: Dfa) -> Dfa:
    alphabet, known = readings.alphabet, frozenset(readings.alphabet)

    def read(state: int, text: str) -> int:
        for symbol in text:
            state = readings.step(state, symbol if symbol in known else OTHER)
        return state

    def step(state: tuple[int, str], symbol: str) -> tuple[int, str]:
        now, pending = state
        if pending and symbol in "0123456789abcdefABCDEF":
            if len(pending) == 1:
                return now, pending + symbol
            return read(now, chr(int(pending[1:] + symbol, 16))), ""
        now = read(now, pending)
        return (now, "%") if symbol == "%" else (read(now, symbol), "")

    return explored(alphabet, (0, ""), step, lambda s: read(*s) in readings.accepting)


def _undeleted(readings: Dfa) -> Dfa:
    return explored(
        readings.alphabet,
        0,
        lambda state, symbol: state if symbol in DELETED else readings.step(state, symbol),
        lambda state: state in readings.accepting,
    )


def _with_backslashes(readings: Dfa) -> Dfa:
    return explored(
        readings.alphabet,
        0,
        lambda state, symbol: readings.step(state, "/" if symbol == "\\" else symbol),
        lambda state: state in readings.accepting,
    )


def _with_parameters(readings: Dfa) -> Dfa:
    def step(state: tuple[int, bool], symbol: str) -> tuple[int, bool]:
        now, dropping = state
        if symbol == ";" or (dropping and symbol != "/"):
            return now, True
        return readings.step(now, symbol), False

    return explored(readings.alphabet, (0, False), step, lambda s: s[0] in readings.accepting)


def _unmerged(readings: Dfa) -> Dfa:
    def step(state: tuple[int, bool], symbol: str) -> tuple[int, bool]:
        now, after_slash = state
        if symbol == "/" and after_slash:
            return state
        return readings.step(now, symbol), symbol == "/"

    return explored(readings.alphabet, (0, False), step, lambda s: s[0] in readings.accepting)


def _uncut(readings: Dfa) -> Dfa:
    def step(state: tuple[int, bool], symbol: str) -> tuple[int, bool]:
        now, is_cut = state
        if is_cut or symbol in CUTS:
            return now, True
        return readings.step(now, symbol), False

    return explored(readings.alphabet, (0, False), step, lambda s: s[0] in readings.accepting)


def _with_dots(readings: Dfa) -> Dfa:
    """Undo the removal of `.` segments alone.

    Whether `..` is removed or not, a text that holds one is already a climbing one.
    """

    def step(state: tuple[int, str], symbol: str) -> tuple[int, str]:
        now, segment = state
        if segment == "." and symbol == "/":
            return now, ""
        now = readings.step(now, ".") if segment == "." else now
        if segment == "" and symbol == ".":
            return now, "."
        return readings.step(now, symbol), "" if symbol == "/" else "other"

    # A text begins within a segment: only what a slash precedes is one as a whole.
    return explored(readings.alphabet, (0, "other"), step, lambda s: s[0] in readings.accepting)


BACKWARDS: Final[Mapping[str, Backwards]] = {
    DECODE: _undecoded,
    "delete controls": _undeleted,
    "backslash as slash": _with_backslashes,
    "drop parameters": _with_parameters,
    "merge slashes": _unmerged,
    "cut": _uncut,
    "remove dot segments": _with_dots,
}


def closed(readings: Dfa) -> Dfa:
    """Return all texts that any number of readers other than decoding turns into a reading."""
    while True:
        texts = union(
            [readings, *(back(readings) for name, back in BACKWARDS.items() if name != DECODE)]
        )
        if texts == readings:
            return texts
        readings = texts


def origins(readings: Dfa, decodings: int = MAX_DECODINGS) -> Dfa:
    """Return all texts that any composition of readers turns into one of the readings.

    The number of readers is unbounded, but for that of decodings.
    """
    texts = closed(readings)
    for _ in range(decodings):
        texts = closed(union([texts, _undecoded(texts)]))
    return texts


@cache
def climbing(decodings: int = MAX_DECODINGS) -> Dfa:
    """Return all texts that some composition of readers reads as holding a segment of two dots.

    Segments that only begin with two dots count as well: what follows them may be dropped, and the
    language is so much simpler that it can be worked out for any number of readers.
    """

    def step(state: str, symbol: str) -> str:
        if state == ".." or symbol == "/":
            return state if state == ".." else ""
        return {"": ".", ".": ".."}.get(state, "other") if symbol == "." else "other"

    plain = explored(ALPHABET, "other", step, lambda state: state == "..")
    return origins(plain, decodings)


def readings(path: str, decodings: int = MAX_DECODINGS) -> set[str]:
    """Return everything that some composition of the readers reads a path as."""
    found = {(path, decodings)}
    waiting = [(path, decodings)]
    while waiting:
        text, left = waiting.pop()
        for name, read in READERS.items():
            following = (read(text), left - (name == DECODE))
            if following[1] >= 0 and following not in found:
                found.add(following)
                waiting.append(following)
    return {text for text, _ in found}


def _escaped(character: str, upper: bool) -> str:  # noqa: FBT001 - drawn
    return f"%{ord(character):02{'X' if upper else 'x'}}"


@st.composite
def disguised(draw: st.DrawFn, text: str, *, raw_controls: bool) -> str:
    """Draw what some composition of readers makes a text of: the readers, backwards.

    Without `raw_controls` the result is one that a request line can hold.
    """
    for _ in range(draw(st.integers(0, 5))):
        # A request's path begins with a slash (RFC 9112, section 3.2.1).
        position = draw(st.integers(1, max(1, len(text) - 1)))
        before, character, after = (
            text[:position],
            text[position : position + 1],
            text[position + 1 :],
        )
        forms = [character + draw(st.sampled_from(DELETED)), ""]
        if character and ord(character) < 256:
            forms += [_escaped(character, draw(st.booleans()))] * 4
        if character == "/":
            forms += ["//", "/./", "\\", ";x=1/", "/;/", "/.;/"]
        text = before + (draw(st.sampled_from(forms)) or character) + after
    text += draw(st.sampled_from(["", "", "", "?", "#", "%3f", "%23", ";x"]))
    if raw_controls:
        return text
    unsafe = DELETED + CUTS
    return "".join(_escaped(each, upper=True) if each in unsafe else each for each in text)
