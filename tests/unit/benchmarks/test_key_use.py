"""What recording the use of keys costs."""

import random

import pytest

from benchmarks.key_use import KEYS, dollars, replay
from benchmarks.prices import DYNAMODB_WRITE, MILLION

# Other tests measure what of the package is tested; this one simulates much with it.
pytestmark = pytest.mark.no_cover


def test_no_use_is_lost_and_close_ones_take_one_write() -> None:
    replayed = replay(KEYS, random.Random(1))  # noqa: S311 - a repeatable draw
    assert (replayed.lines, replayed.lost) == (KEYS, 0)
    assert 0 < replayed.writes < replayed.lines
    assert replayed.batches < replayed.lines


def test_a_write_adds_its_price_and_its_time() -> None:
    writes = dollars(0, 0, MILLION)
    assert writes > MILLION * DYNAMODB_WRITE
    assert dollars(1, 2, MILLION) == pytest.approx(writes + dollars(1, 2, 0))
