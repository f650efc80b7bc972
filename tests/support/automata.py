"""Finite automata over a small alphabet: enough to prove that a language is empty.

A language is a `Dfa`, minimal after `minimized`. The functions are those of any textbook (Hopcroft,
Motwani and Ullman, *Introduction to Automata Theory*, sections 2.2, 4.2 and 4.4).
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

State = TypeVar("State", bound=Hashable)


@dataclass(frozen=True)
class Dfa:
    """A complete automaton: state 0 is the first, `steps[state][symbol]` the next one."""

    alphabet: str
    steps: tuple[tuple[int, ...], ...]
    accepting: frozenset[int]

    def step(self, state: int, symbol: str) -> int:
        return self.steps[state][self.alphabet.index(symbol)]

    def accepts(self, word: str) -> bool:
        state = 0
        for symbol in word:
            state = self.step(state, symbol)
        return state in self.accepting


def explored(
    alphabet: str,
    start: State,
    step: Callable[[State, str], State],
    accepts: Callable[[State], bool],
) -> Dfa:
    """Return the minimal automaton whose states are found by stepping from the first."""
    numbers: dict[State, int] = {start: 0}
    waiting = deque([start])
    steps: list[tuple[int, ...]] = []
    while waiting:
        state = waiting.popleft()
        row = []
        for symbol in alphabet:
            following = step(state, symbol)
            if following not in numbers:
                numbers[following] = len(numbers)
                waiting.append(following)
            row.append(numbers[following])
        steps.append(tuple(row))
    accepting = frozenset(number for state, number in numbers.items() if accepts(state))
    return minimized(Dfa(alphabet, tuple(steps), accepting))


def minimized(dfa: Dfa) -> Dfa:
    """Return the smallest automaton of the language; equal languages give equal automata."""
    classes = [int(state in dfa.accepting) for state in range(len(dfa.steps))]
    count = len(set(classes))
    while True:
        rows = [(classes[s], *(classes[n] for n in dfa.steps[s])) for s in range(len(dfa.steps))]
        names = {row: number for number, row in enumerate(dict.fromkeys(rows))}
        classes = [names[row] for row in rows]
        if len(names) == count:
            break
        count = len(names)
    order = dict.fromkeys([classes[0]])
    of_class = {classes[state]: state for state in reversed(range(len(dfa.steps)))}
    for found in (order_list := list(order)):
        for following in dfa.steps[of_class[found]]:
            if classes[following] not in order:
                order[classes[following]] = None
                order_list.append(classes[following])
    number_of = {found: number for number, found in enumerate(order)}
    return Dfa(
        dfa.alphabet,
        tuple(tuple(number_of[classes[n]] for n in dfa.steps[of_class[found]]) for found in order),
        frozenset(number_of[classes[s]] for s in dfa.accepting if classes[s] in number_of),
    )


def union(languages: Sequence[Dfa]) -> Dfa:
    """Return the words of any of the languages."""
    return explored(
        languages[0].alphabet,
        (0,) * len(languages),
        lambda states, symbol: tuple(
            dfa.step(state, symbol) for dfa, state in zip(languages, states, strict=True)
        ),
        lambda states: any(
            state in dfa.accepting for dfa, state in zip(languages, states, strict=True)
        ),
    )


def matching(alphabet: str, patterns: Iterable[str]) -> Dfa:
    """Return the words that a pattern of IAM's matches: `*` is any run, `?` any one symbol."""
    patterns = tuple(patterns)

    def closed(positions: Iterable[tuple[int, int]]) -> frozenset[tuple[int, int]]:
        found = set(positions)
        for number, at in list(found):
            end = at
            while end < len(patterns[number]) and patterns[number][end] == "*":
                end += 1
                found.add((number, end))
        # A star that ends a pattern takes all: nothing else has to be known.
        done = {(n, at) for n, at in found if at == len(patterns[n]) and patterns[n].endswith("*")}
        return frozenset({min(done)}) if done else frozenset(found)

    def step(positions: frozenset[tuple[int, int]], symbol: str) -> frozenset[tuple[int, int]]:
        following: set[tuple[int, int]] = set()
        for number, at in positions:
            pattern = patterns[number]
            if at == len(pattern):
                if pattern.endswith("*"):
                    return positions
            elif pattern[at] == "*":
                following.add((number, at))
            elif pattern[at] in {"?", symbol}:
                following.add((number, at + 1))
        return closed(following)

    return explored(
        alphabet,
        closed((number, 0) for number in range(len(patterns))),
        step,
        lambda positions: any(at == len(patterns[number]) for number, at in positions),
    )


def shortest_difference(language: Dfa, taken_away: Dfa) -> str | None:
    """Return a shortest word that is in the first language and not in the second, if any."""
    start = (0, 0)
    words = {start: ""}
    waiting = deque([start])
    while waiting:
        states = waiting.popleft()
        if states[0] in language.accepting and states[1] not in taken_away.accepting:
            return words[states]
        for symbol in language.alphabet:
            following = (language.step(states[0], symbol), taken_away.step(states[1], symbol))
            if following not in words:
                words[following] = words[states] + symbol
                waiting.append(following)
    return None
