"""Judges a passage: the length of its sentences and its phrases."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

LONGEST_SENTENCE: Final = 35
"""In words. The aim is 25; what is longer than this is hard to read."""

_REPORT: Final = "say `reports`, `shows`, `says`"
_CREATE: Final = "say `create`, `delete`, `revoke`"

PHRASES: Final[Mapping[str, str]] = {
    r"nobody": "say who, or `no one`",
    r"who(?:ever|soever|mever)": "say who",
    r"whatever (?:it|this|that|they|he) (?:is|are|says?|does|holds?)": "say what",
    r"(?:is|are|was|were|be|been) (?:not |no longer |already )?there(?=[.,;:)]| (?:and|or)\b|$)": (
        "say `exists`, `is installed`, `is available`"
    ),
    r"so that without": "put the condition last",
    r"(?:tells?|telling|told) (?:that|what|whether|which|how|why|when)": _REPORT,
    r"(?:is|are|be|was|were) (?:not )?told(?! to| apart)": "say who reports it",
    r"(?:it|that) is (?:not )?(?:said|told)": "say who says it",
    r"sp(?:eak|eaks|oke|oken) of": "say `mentions`",
    r"shall": "say `must` or `will`",
    r"foretells?|anew|in vain|the like|(?:there|where|here)(?:of|in|by|upon)": "use a plain word",
    r"goes on(?: to| with)?|go on (?:to|with)": "say `continue`",
    r"lets? (?:it|them|him|you|\w+s)? ?in(?=[.,;:)]|$)": "say `allow`",
    r"(?:keys?|secrets?|apps?|accounts?) (?:is|are|was|were) (?:made|ended)(?! up)": _CREATE,
    r"(?:makes?|making) (?:an?|the|its|another) (?:key|secret|app|account)": _CREATE,
    r"end(?:s|ing)? (?:an?|the|this|its|another) (?:key|secret|account)": _CREATE,
    r"(?:ask|asks|asked|asking) (?:an|the|its|each|your) authorizers?": "say `call`",
    r"(?:is|are) refused who|who \w+ is refused|refuses (?:nobody|who|whom)": "say who is refused",
    r"stands? (?:in|at|on|where|under|above|first|last|before|after|between)(?! for)": "say `is`",
    r"proves? (?:nobody|who)": "say `is valid`, `identifies`",
    r"look(?:s|ed)? whether": "say `check whether`",
    r"can(?:not)? be had|to be had": "say `available`",
    r"and no more(?=[.,;:)]|$)": "say `only`",
}
"""Patterns of phrases, and what to write instead."""

_PHRASE: Final = re.compile(
    r"\b(?:" + "|".join(f"({pattern})" for pattern in PHRASES) + r")(?<=\w)(?!\w)", re.IGNORECASE
)
_ADVICE: Final = tuple(PHRASES.values())
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])[\"')*]*\s+(?=[\"'(`*\[A-Z0-9])")
_LINK_TARGET: Final = re.compile(r"\]\([^)]*\)|https?://\S+")
_TITLE: Final = re.compile(r'"[A-Z][^"]*"')
_CODES: Final = re.compile(r"`code`(?:(?:,? (?:and|or) |, )`code`)+")
_WORD: Final = re.compile(r"[A-Za-z][\w'./-]*")
_EXCLAMATION: Final = re.compile(r"[a-z]!(?=\s|$)")


def findings(text: str) -> Iterator[str]:
    """Yield what is wrong with a passage, with what to write instead."""
    for sentence in _SENTENCE_END.split(text):
        length = words(sentence)
        if length > LONGEST_SENTENCE:
            yield f"a sentence of {length} words: {sentence[:60]}..."
    for found in _PHRASE.finditer(text):
        yield f"`{found[0]}`: {_ADVICE[(found.lastindex or 1) - 1]}"
    if _EXCLAMATION.search(text):
        yield "an exclamation mark"


def words(sentence: str) -> int:
    """Count the words of a sentence; a piece of code, a list of them or a quoted title is one."""
    shorter = _TITLE.sub("title", _LINK_TARGET.sub("]", sentence))
    return len(_WORD.findall(_CODES.sub("`code`", shorter)))
