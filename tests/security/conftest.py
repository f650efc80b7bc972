"""What hostile tests measured is printed as tables when the run ends.

A test takes the fixture `report` and adds a row to the table of a title:

    def test_it_stands_the_load(report: Report) -> None:
        ...
        report.row("Load", API="REST", requests=12_345, wrong=0)
"""

import pytest

from tests.support.report import Report

_REPORT = pytest.StashKey[Report]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_REPORT] = Report()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    return request.config.stash[_REPORT]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if shown := config.stash[_REPORT].shown():
        terminalreporter.section("measured")
        terminalreporter.write_line(shown)
