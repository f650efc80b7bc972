"""`keyscope doctor`: whether a stack is as it should be."""

import typer

from keyscope_cli.options import TargetOptions, with_options


@with_options(TargetOptions)
def doctor(options: TargetOptions) -> None:
    """Check a stack: each check is ok, a warning or a problem, with what to do."""
    raise typer.Exit
