"""The program `keyscope`: its commands, and how it ends."""

import sys
from io import StringIO
from traceback import format_exception
from types import TracebackType
from typing import Annotated

import typer
from typer._click.exceptions import ClickException
from typer.main import get_command

from keyscope_cli.credential_input import refuse_secrets
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.loaded_late import ProgramGroup
from keyscope_cli.output import Output

ABOUT = "Manage Keyscope's accounts, apps and keys, and see why a request passes or fails."
STATUSES = """\b
Exit status:
  0    The command succeeded, or the answer is yes.
  1    The answer is no: a request is denied, a check fails, or you canceled.
  2    The command line is wrong. Nothing was sent.
  3    Your credential was rejected, or lacks access.
  4    The request was rejected: not found, not valid or not possible now.
  5    AWS, the network or the local stack did not respond.
  130  The command was interrupted.
"""

app = typer.Typer(
    name="keyscope",
    cls=ProgramGroup,
    help=ABOUT,
    epilog=STATUSES,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:  # noqa: FBT001 - a callback of an option
    if asked:
        from keyscope_cli.release import told_release  # noqa: PLC0415 - no other command needs it

        sys.stdout.write(f"keyscope {told_release()}\n")
        raise typer.Exit


@app.callback()
def keyscope(
    *,
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and the commit."
        ),
    ] = False,
) -> None:
    """Run before each command; the help is that of the program."""


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
        # Typer names the class of the error that its validation raised.
        error.message = error.message.removeprefix("Value error, ")
        error.show(text)
        _report_lines(text.getvalue(), output)
        sys.exit(error.exit_code)
    except typer.Abort:
        output.note("Canceled.")
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
