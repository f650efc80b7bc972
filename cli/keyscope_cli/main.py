"""The program `keyscope`: its commands, and how it ends."""

import sys
from importlib.metadata import version
from io import StringIO
from traceback import format_exception
from types import TracebackType
from typing import Annotated

import typer
from typer._click.exceptions import ClickException
from typer.main import get_command

from keyscope_cli import (
    access,
    accounts,
    apps,
    deploying,
    destroying,
    doctor,
    explaining,
    importing,
    service_accounts,
    tokens,
)
from keyscope_cli.credential_input import refuse_secrets
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.keys import app_keys
from keyscope_cli.output import Output

STATUSES = (
    "Exit status: 0 done or sound; 1 the answer is no; 2 wrong usage; 3 your credential was"
    " refused; 4 not there, not valid or not possible now; 5 AWS, the network or the local stack"
    " did not answer; 130 interrupted."
)

app = typer.Typer(
    name="keyscope",
    help="Keyscope's accounts, apps and keys, and why a request passes or not.",
    epilog=STATUSES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(accounts.app, name="account")
app.command("import")(importing.import_)
app.add_typer(apps.app, name="app")
app.add_typer(app_keys, name="key")
app.add_typer(service_accounts.app, name="service-account")
app.command("token")(tokens.token)
app.command("explain")(explaining.explain)
app.add_typer(access.app, name="access")
app.command("doctor")(doctor.doctor)
app.command("deploy")(deploying.deploy)
app.command("destroy")(destroying.destroy)


def _version(asked: bool) -> None:  # noqa: FBT001 - a callback of an option
    if asked:
        sys.stdout.write(f"keyscope {version('keyscope')}\n")
        raise typer.Exit


@app.callback()
def keyscope(
    *,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Keyscope's accounts, apps and keys, and why a request passes or not."""


def main() -> None:
    """Run the program; never returns. All text on standard error goes through `Output`."""
    sys.excepthook = _report_crash
    output = Output()
    try:
        refuse_secrets(sys.argv[1:])
        # The command itself, because calling the `Typer` replaces the hook. It returns the status
        # of an early exit.
        sys.exit(get_command(app)(standalone_mode=False))
    except Failure as failure:
        report(failure, output)
        sys.exit(failure.status)
    except ClickException as error:
        text = StringIO()
        error.show(text)
        _report_lines(text.getvalue(), output)
        sys.exit(error.exit_code)
    except typer.Abort:
        output.note("Aborted.")
        sys.exit(ExitStatus.NO)
    except KeyboardInterrupt:
        sys.exit(ExitStatus.INTERRUPTED)


def report(failure: Failure, output: Output) -> None:
    """Show a person why a command failed and what to do next."""
    output.warn(f"keyscope: {failure.message}")
    for detail in failure.details:
        output.note(detail)
    if failure.advice:
        output.note(failure.advice)


def _report_crash(
    kind: type[BaseException], crash: BaseException, trace: TracebackType | None
) -> None:
    _report_lines("".join(format_exception(kind, crash, trace)), Output())


def _report_lines(text: str, output: Output) -> None:
    for line in text.removesuffix("\n").split("\n"):
        output.note(line)
