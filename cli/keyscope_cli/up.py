"""`keyscope up`: serves the whole stack on this machine, after a tour of it."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.help_text import examples
from keyscope_local.tour.state_folder import state_folder as default_folder

HIGHEST_FIRST_PORT: Final = 2**16 - 2
EXAMPLES: Final = examples(
    "up", "up --once --port 0", "up --attach template.yaml --access-map access-map.toml"
)
_NEEDED: Final = ("flask", "flask_cors", "moto", "samtranslator", "starlette", "uvicorn")
"""What the command line itself does without."""


def up(
    *,
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=HIGHEST_FIRST_PORT,
            help="Serve at this port and the next; 0 takes free ports.",
        ),
    ] = 3000,
    once: Annotated[
        bool,
        typer.Option("--once", help="Exit after the tour: with 1 if a response was unexpected."),
    ] = False,
    attach: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Serve the APIs of your SAM template, too, behind the local authorizers.",
        ),
    ] = None,
    attach_parameters: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Parameters of your template."),
    ] = None,
    access_map: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Use your access map.")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help='Parameters of Keyscope\'s template; several in one text: "A=1 B=2".',
        ),
    ] = None,
    platform: Annotated[
        str,
        typer.Option(
            metavar="NAME=VALUE",
            help="Change what is assumed about API Gateway, such as rest.evaluates_time=false.",
        ),
    ] = "",
    state_folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Keep the session file and the log here, instead of in ~/.local/state/keyscope.",
        ),
    ] = None,
) -> None:
    """Run the whole stack on this machine, after a tour of it."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        message = f"The local stack needs {', '.join(missing)}, which is not installed."
        raise Failure(ExitStatus.NOT_DONE, message, "Install Keyscope with what it depends on.")
    # They take longer to import than any other command takes to run.
    from keyscope_local.run import run  # noqa: PLC0415
    from keyscope_local.run_settings import RunOptions  # noqa: PLC0415

    options = RunOptions(
        folder=state_folder or default_folder(os.environ),
        port=port,
        once=once,
        parameters=parameters or (),
        platform=platform,
        attach=attach,
        attach_parameters=attach_parameters or (),
        access_map=access_map,
    )
    raise typer.Exit(run(options))
