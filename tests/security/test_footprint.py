"""The bounds that tell a leak from noise."""

import pytest

from tests.support.footprint import Footprint, growth_of, trend_of


def quarters(*values: tuple[float, int, int]) -> list[Footprint]:
    """Return samples, four of each quarter, whose median is the value."""
    return [Footprint(*value) for value in values for _ in range(4)]


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        pytest.param(
            quarters((150, 9, 9), (160, 20, 22), (160.5, 22, 20), (160.4, 23, 25)),
            [],
            id="warming up, then noise",
        ),
        pytest.param(
            quarters((160, 9, 9), (160, 9, 9), (163, 9, 9), (162.5, 9, 9)),
            ["grew by 2.5 MB"],
            id="much memory",
        ),
        pytest.param(
            quarters((160, 9, 9), (160.6, 9, 9), (161.2, 9, 9), (161.8, 9, 9)),
            ["grew all the time: [160.0, 160.6, 161.2, 161.8] MB"],
            id="little memory, but more and more",
        ),
        pytest.param(
            quarters((160, 9, 9), (160, 9, 9), (160, 11, 9), (160, 13, 9)),
            ["opened files: 9, then 13"],
            id="file descriptors",
        ),
        pytest.param(
            quarters((160, 9, 9), (160, 9, 9), (160, 9, 11), (160, 9, 13)),
            ["started threads: 9, then 13"],
            id="threads",
        ),
    ],
)
def test_growth_is_told_from_noise(samples: list[Footprint], told: list[str]) -> None:
    assert growth_of(trend_of(samples)) == told
