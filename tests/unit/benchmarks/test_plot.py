"""The picture of a measurement."""

from benchmarks.plot import plot
from benchmarks.results import Section, Table


def test_a_months_cost_is_drawn_from_the_columns_that_are_named_so() -> None:
    columns = ("requests a month", "logs", "REST API's own", "authorization", "HTTP API's own")
    table = Table("cost", "What a month costs", columns, ((1_000_000, 7.0, 3.5, 2.25, 1.0),))
    picture = plot({"growth": Section(tables=(table,))})
    assert ">$2.25<" in picture
    assert ">$7" not in picture
