"""No path that a policy's Denies leave over is read as a climbing one: a proof, not a search.

Proved for all texts, and for any number of the readers of `tests/support/path_readers` in any order
among which at most three decode. What is shown is where a path leads, not which method it has.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyscope.access.path_variants import CLIMBING_DECODED, CLIMBING_ENCODED, spellings_of
from keyscope.access.policy_evaluation import wildcard_expression
from tests.support.automata import Dfa, matching, shortest_difference, union
from tests.support.path_readers import (
    ALPHABET,
    BACKWARDS,
    DECODE,
    MAX_DECODINGS,
    OTHER,
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
    **{f"HTTP {place}": denied for place, denied in enumerate(CLIMBING_DECODED, 1)},
    **{f"REST {place}": denied for place, denied in enumerate(CLIMBING_ENCODED, 1)},
}
"""By their place, the narrowest first: a set that lacks a pattern keeps its name."""
BY_KIND: Final = pytest.mark.parametrize("kind", SETS)


def left_over(texts: Dfa, kind: str, *, without: str = "", also: Sequence[str] = ()) -> str | None:
    """Return a shortest text of a language that no Deny matches."""
    denied = [*(pattern for pattern in SETS[kind] if pattern != without), *also]
    impossible = () if kind.startswith("HTTP") else NOT_IN_A_REQUEST_LINE
    return shortest_difference(texts, matching(texts.alphabet, [*denied, *impossible]))


@BY_KIND
def test_no_path_that_is_not_denied_is_read_as_a_climbing_one(kind: str) -> None:
    assert left_over(climbing(), kind) is None


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [(kind, pattern) for kind in ("HTTP 1", "REST 1") for pattern in SETS[kind]],
)
def test_each_deny_is_needed(kind: str, pattern: str) -> None:
    path = left_over(climbing(), kind, without=pattern)
    assert path is not None
    assert any(segment.startswith("..") for each in readings(path) for segment in each.split("/"))


@cache
def read_as_holding(word: str, decodings: int) -> Dfa:
    """Return all texts that some composition of readers reads as holding a word."""
    alphabet = ALPHABET + "".join(sorted({*word} - {*ALPHABET}))
    return origins(matching(alphabet, [f"*{word}*"]), decodings)


# The automata of longer words with more decodings have thousands of states.
@pytest.mark.parametrize(("word", "decodings"), [("ok", 3), ("oke", 2)])
@BY_KIND
def test_no_path_that_is_not_denied_is_read_as_a_route_that_no_key_opens(
    kind: str, word: str, decodings: int
) -> None:
    spelled = [pattern.removeprefix("/head") for pattern in spellings_of(["head"], [word])]
    assert left_over(read_as_holding(word, decodings), kind, also=spelled) is None


def test_the_few_patterns_of_a_closed_route_deny_all_that_the_many_deny() -> None:
    for word in ("cookie", "attachments", "tokens", "o_O~"):
        many, few = (spellings_of(["head"], [word], few=few) for few in (False, True))
        wide = [pattern.strip("*") for pattern in (one.removeprefix("/head") for one in few)]
        assert len(few) <= len(many)
        assert [one for one in many if not any(part in one for part in wide)] == []


@cache
def climbs() -> Dfa:
    return matching(ALPHABET, ["*/..*"])


@cache
def climbs_read_by(name: str) -> Dfa:
    return BACKWARDS[name](climbs())


PATHS: Final = st.text(st.sampled_from(ALPHABET + "%%%%....2222ee"), max_size=12).map(
    lambda text: "/" + text
)


@pytest.mark.parametrize("name", READERS)
@given(path=PATHS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_step_backwards_finds_what_the_reader_reads(name: str, path: str) -> None:
    reading = READERS[name](path)
    if name == "remove dot segments" and "/.." in path:
        # Where this reader takes a climb away, it has climbed.
        reading = path
    spelled = "".join(each if each in ALPHABET else OTHER for each in reading)
    assert climbs_read_by(name).accepts(path) == climbs().accepts(spelled)


@given(path=PATHS)
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_proof_and_the_readers_agree_on_what_climbs(path: str) -> None:
    assert climbing().accepts(path) == any("/.." in reading for reading in readings(path))


def test_more_readers_find_no_more() -> None:
    found = climbing()
    assert [
        name
        for name in BACKWARDS
        if name != DECODE and union([found, BACKWARDS[name](found)]) != found
    ] == []
    assert climbing(MAX_DECODINGS - 1) != found


REFUSED_NAMES: Final = {"...And Justice for All.mp3", "https://example.com/search?q=100%25"}
"""A segment that begins with two dots may be a climb whose rest is dropped, and `%25` decoded once
more is a percent sign that may begin an escape; docs/explanation/isolation.md lists both."""


def spellings_in_a_request(name: str) -> set[str]:
    """Return how clients write a name into one segment of a path.

    By Python's `quote`, JavaScript's `encodeURIComponent`, as RFC 3986, section 3.3, would let it
    stand, and with the digits of escapes in lower case.
    """
    quoted = quote(name, safe="")
    in_lower_case = re.sub("%..", lambda escape: escape[0].lower(), quoted)
    return {quoted, in_lower_case, quote(name, safe="!'()*"), quote(name, safe="!$&'()*+,;=:@")}


@pytest.mark.parametrize("kind", ["HTTP 1", "REST 1"])
def test_of_200_ordinary_names_all_but_two_pass(kind: str) -> None:
    assert len({*NAMES}) == 200
    patterns = [wildcard_expression(pattern) for pattern in SETS[kind]]
    refused = {
        name
        for name in NAMES
        for text in ({name} if kind.startswith("HTTP") else spellings_in_a_request(name))
        if any(pattern.fullmatch(f"api/prod/GET/files/{text}") for pattern in patterns)
    }
    assert refused == REFUSED_NAMES
