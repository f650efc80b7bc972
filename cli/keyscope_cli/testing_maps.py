"""`keyscope access test`: whether a map decides as a file of expectations says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.maps.decisions import Decisions
from keyscope_cli.maps.expectations import (
    Outcome,
    check_permissions,
    expected_of,
    junit_report,
    outcomes_of,
    read_expectations,
)
from keyscope_cli.maps.map_file import Routes, load_map
from keyscope_cli.output import Output


def run_expectations(
    file: Annotated[Path, typer.Argument(metavar="MAP", help="The access map.")],
    expectations: Annotated[
        Path,
        typer.Argument(
            metavar="EXPECTATIONS", help="A TOML file with what the map must allow and deny."
        ),
    ],
    routes: Routes = None,
    junit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a JUnit report to this file."),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Test that a map decides as you expect.

    Each request is decided by the policies that API Gateway would receive.
    """
    expected = read_expectations(expectations)
    loaded = load_map(file, routes or ",".join(expected.routes))
    check_permissions(expectations, expected, loaded.access_map.permissions)
    outcomes = outcomes_of(Decisions(loaded.policies), expected.expectations)
    if junit is not None:
        _write(junit, junit_report(outcomes))
    failed = [each for each in outcomes if not each.passed]
    output = Output(as_json=as_json)
    if as_json:
        output.json({"outcomes": [_outcome_members(each) for each in outcomes]})
    else:
        _show_outcomes(output, outcomes)
        output.line()
        output.line(f"{len(outcomes) - len(failed)} of {len(outcomes)} decisions are as expected.")
    if failed:
        raise typer.Exit(ExitStatus.NO)


def _show_outcomes(output: Output, outcomes: Sequence[Outcome]) -> None:
    by_request: dict[int, list[Outcome]] = {}
    for each in outcomes:
        by_request.setdefault(id(each.expectation), []).append(each)
    rows = []
    for found in by_request.values():
        wrong = [each for each in found if not each.passed]
        rows.append(
            (
                "failed" if wrong else "passed",
                found[0].expectation.request,
                ", ".join(found[0].expectation.permissions or ()),
                ", ".join(each.caller.name for each in found if each.decision.allowed),
                "; ".join(
                    f"{each.caller.name} must be {expected_of(each)}, but is {each.found}"
                    for each in wrong
                ),
            )
        )
    output.table(("Verdict", "Request", "Permissions", "Allowed for", "Unexpected"), rows)


def _outcome_members(outcome: Outcome) -> dict[str, object]:
    expectation = outcome.expectation
    return {
        "request": expectation.request,
        "permissions": None if expectation.permissions is None else [*expectation.permissions],
        "caller": outcome.caller.name,
        "expected": expected_of(outcome),
        "found": outcome.found,
        "passed": outcome.passed,
    }


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise Failure(ExitStatus.USAGE, f"Cannot write {file}: {error.strerror}.") from None
