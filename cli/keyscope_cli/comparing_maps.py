"""`keyscope access diff`: what changes from one map to another."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from keyscope.aws.dynamodb.limited_keys import all_keys
from keyscope.model.ids import title_of_holder
from keyscope_cli.aws import told_failures
from keyscope_cli.failures import ExitStatus
from keyscope_cli.maps.affected_keys import AffectedKeys, affected_keys
from keyscope_cli.maps.difference import Difference, Row
from keyscope_cli.maps.map_file import Routes, load_map
from keyscope_cli.options import TargetOptions, with_options
from keyscope_cli.output import Output
from keyscope_cli.target import output_of

MAX_NAMED_KEYS = 3


@with_options(TargetOptions)
def diff(
    options: TargetOptions,
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The current map.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The changed map.")],
    routes: Routes = None,
    old_routes: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="The old map's route sets, if they differ."),
    ] = None,
) -> None:
    """Compare two maps.

    Shows which callers gain and lose which routes, and with --stack or --local also which keys.
    The exit status is 1 if anything changes.
    """
    difference = Difference(load_map(old, old_routes or routes), load_map(new, routes))
    rows, permissions = difference.rows(), difference.permissions
    keys = None
    if options.stack is not None or options.local:
        target = options.target()
        table = output_of(target.outputs(), "KeysTableName")
        with told_failures():
            keys = affected_keys(difference, all_keys(target.aws.client("dynamodb"), table))
    if options.as_json:
        options.output.json(
            {
                "changes": [_row_members(row) for row in rows],
                "permissions": [
                    {
                        "name": name,
                        "state": difference.state_of(name),
                        "changes": [_row_members(row) for row in found],
                    }
                    for name, found in permissions.items()
                ],
                **({} if keys is None else {"keys": [_keys_members(each) for each in keys]}),
            }
        )
    else:
        _show_difference(options.output, difference, rows, permissions)
        if keys is not None:
            options.output.line()
            _show_keys(options.output, keys)
    if rows or permissions:
        raise typer.Exit(ExitStatus.NO)


def _show_difference(
    output: Output,
    difference: Difference,
    rows: Sequence[Row],
    permissions: Mapping[str, Sequence[Row]],
) -> None:
    if not rows and not permissions:
        output.line("Both maps allow the same requests.")
    if rows:
        columns = ("Change", "Scope", "Methods", "Path")
        output.table(columns, [_row_cells(row) for row in rows])
    if permissions:
        output.line()
        output.table(
            ("Permission", "State", "Change", "Scope", "Methods", "Path"),
            [
                (name, difference.state_of(name), *_row_cells(row))
                for name, found in permissions.items()
                for row in found
            ],
        )


def _show_keys(output: Output, keys: Sequence[AffectedKeys]) -> None:
    if not keys:
        output.line("No key of the stack is affected.")
        return
    columns = ("Keys of", "Limited to", "Number", "Gains", "Loses", "Keys")
    output.table(columns, [_keys_cells(each) for each in keys])


def _row_cells(row: Row) -> tuple[str, ...]:
    return (row.change, row.scope, ",".join(row.methods), row.path)


def _row_members(row: Row) -> dict[str, object]:
    return {
        "change": row.change,
        "scope": row.scope,
        "methods": [*row.methods],
        "path": row.path,
    }


def _keys_cells(keys: AffectedKeys) -> tuple[str, ...]:
    named = ", ".join(keys.key_ids[:MAX_NAMED_KEYS])
    others = len(keys.key_ids) - MAX_NAMED_KEYS
    return (
        title_of_holder(keys.kind),
        ", ".join(keys.permissions) or "nothing",
        f"{len(keys.key_ids):,}",
        str(sum(len(row.methods) for row in keys.rows if row.change == "gains")),
        str(sum(len(row.methods) for row in keys.rows if row.change == "loses")),
        named + (f" and {others:,} others" if others > 0 else ""),
    )


def _keys_members(keys: AffectedKeys) -> dict[str, object]:
    return {
        "ownerType": keys.kind[0].value,
        "permissions": [*keys.permissions] or None,
        "keyIds": [*keys.key_ids],
        "changes": [_row_members(row) for row in keys.rows],
    }
