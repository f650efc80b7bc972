"""No path that a policy's Denies leave over is read as a climbing one: a proof, not a search.

Proved for all texts, and for any number of the readers of `tests/support/path_readers` in any order
among which at most three decode. What is shown is where a path leads, not which method it has.
"""

from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.spellings import CLIMBING_DECODED, CLIMBING_ENCODED, spellings_of
from tests.support.automata import Dfa, matching, shortest_difference, union
from tests.support.path_readers import (
    ALPHABET,
    BACKWARDS,
    DECODE,
    MAX_DECODINGS,
    READERS,
    climbing,
    origins,
    readings,
)
from tests.support.profile import EXAMPLES

NAMES: Final = (
    (Path(__file__).parents[1] / "vectors" / "ordinary_names.txt").read_text("utf-8").splitlines()
)
NOT_IN_A_REQUEST_LINE: Final = ("*\t*", "*\n*", "*\r*")
"""What no path that was not decoded holds (RFC 9112, section 3)."""
SETS: Final = {
    "HTTP": CLIMBING_DECODED,
    **{f"REST {len(denied)}": denied for denied in CLIMBING_ENCODED},
}
BY_KIND: Final = pytest.mark.parametrize("kind", SETS)


def left_over(texts: Dfa, kind: str, without: str = "") -> str | None:
    """Return a shortest text of a language that no Deny matches."""
    denied = [pattern for pattern in SETS[kind] if pattern != without]
    impossible = () if kind == "HTTP" else NOT_IN_A_REQUEST_LINE
    return shortest_difference(texts, matching(texts.alphabet, [*denied, *impossible]))


@BY_KIND
def test_no_path_that_is_not_denied_is_read_as_a_climbing_one(kind: str) -> None:
    assert left_over(climbing(), kind) is None


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [(kind, pattern) for kind in ("HTTP", "REST 21") for pattern in SETS[kind]],
)
def test_each_deny_is_needed(kind: str, pattern: str) -> None:
    path = left_over(climbing(), kind, without=pattern)
    assert path is not None
    assert any(segment.startswith("..") for each in readings(path) for segment in each.split("/"))


WORD: Final = "cookie"
LETTERS: Final = "".join(sorted({*WORD} - {*ALPHABET}))


@BY_KIND
def test_no_path_that_is_not_denied_is_read_as_a_route_that_no_key_opens(kind: str) -> None:
    spelled = [pattern.removeprefix("/head") for pattern in spellings_of(["head"], [WORD])]
    alphabet = ALPHABET + LETTERS
    holding = matching(alphabet, [f"*{WORD}*"])
    impossible = () if kind == "HTTP" else NOT_IN_A_REQUEST_LINE
    denied = matching(alphabet, [*SETS[kind], *impossible, *spelled])
    assert shortest_difference(origins(holding), denied) is None


TEXTS: Final = st.text(st.sampled_from(ALPHABET + "%%%%....2222ee"), max_size=12)


@pytest.mark.parametrize("name", READERS)
@given(text=TEXTS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_step_backwards_finds_what_the_reader_reads(name: str, text: str) -> None:
    reading = READERS[name](text)
    if name == "remove dot segments" and ".." in text.split("/"):
        reading = "/.."
    spelled = "".join(each if each in ALPHABET else "x" for each in reading)
    assert BACKWARDS[name](_climbs()).accepts(text) == _climbs().accepts(spelled)


@given(text=TEXTS.map(lambda text: "/" + text))
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_proof_and_the_readers_agree_on_what_climbs(text: str) -> None:
    climbs = any("/.." in reading for reading in readings(text))
    assert climbing().accepts(text) == climbs


def _climbs() -> Dfa:
    return matching(ALPHABET, ["*/..*"])


def test_more_readers_find_no_more() -> None:
    found = climbing()
    assert [
        name
        for name in BACKWARDS
        if name != DECODE and union([found, BACKWARDS[name](found)]) != found
    ] == []
    assert climbing(MAX_DECODINGS - 1) != found
