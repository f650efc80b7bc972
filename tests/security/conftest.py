"""What hostile tests measured is printed as tables when the run ends.

A test takes the fixture `report` and adds a row to the table of a title:

    def test_it_stands_the_load(report: Report) -> None:
        ...
        report.row("Load", API="REST", requests=12_345, wrong=0)
"""

import pytest

from tests.support.report import Report, rows_of, shown


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    return Report(request.node.user_properties)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    calls = [
        each
        for outcome in ("passed", "failed")
        for each in terminalreporter.getreports(outcome)
        if each.when == "call"
    ]
    if tables := shown(rows_of(entry for call in calls for entry in call.user_properties)):
        terminalreporter.section("measured")
        terminalreporter.write_line(tables)
