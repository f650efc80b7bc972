"""`keyscope import`: accounts and apps from a file, through the provisioning function."""

import time
from pathlib import Path
from typing import Annotated

import typer

from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.help_text import examples
from keyscope_cli.options import TargetOptions, with_options
from keyscope_cli.output import counted, first_lines
from keyscope_cli.provisioning import provisioner
from keyscope_cli.tenants.importer import Import, Result
from keyscope_cli.tenants.secret_file import SecretFile, secret_file
from keyscope_cli.tenants.tenant_file import Tenant, read_tenants

EXAMPLES = examples("import tenants.jsonl --secret-file imported.jsonl")
MAX_WORKERS = 10
"""As many connections as a client keeps (botocore, `max_pool_connections`)."""
_CONTINUE = "To continue, run the same command again."


@with_options(TargetOptions)
def import_(
    options: TargetOptions,
    tenants: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A JSON Lines file. Each line is an account with its apps."
        ),
    ],
    file: Annotated[
        Path,
        typer.Option(
            "--secret-file",
            metavar="FILE",
            help="Save the keys' secrets to this file, readable only by you. To continue an"
            " interrupted import, use the same file again.",
        ),
    ],
    workers: Annotated[
        int,
        typer.Option(
            min=1, max=MAX_WORKERS, metavar="NUMBER", help="How many requests to send at once."
        ),
    ] = 8,
) -> None:
    """Create accounts and apps from a file.

    Running the command again creates nothing twice.
    """
    found = read_tenants(tenants, time.time())
    target = options.target()
    function = target.provisioning_function()
    with secret_file(file, target.stack_id()) as secrets:
        work = Import(secrets, provisioner(target, function))
        started = time.monotonic()
        _run(options, work, found, workers)
        seconds = time.monotonic() - started
    _report(options, work, secrets, seconds)


def _run(options: TargetOptions, work: Import, tenants: list[Tenant], workers: int) -> None:
    total = sum(len(tenant.creations) for tenant in tenants)
    with options.output.progress_bar("Importing", total) as advance:
        try:
            work.run(tenants, workers, advance)
        except Failure as failure:
            message = f"{failure.message} {_so_far(work, total)}"
            raise Failure(failure.status, message, f"{failure.advice} {_CONTINUE}") from None
        except OSError as error:
            message = f"Cannot write to {work.secret_file.path}: {error.strerror}."
            advice = f"Free some space. {_CONTINUE} {_so_far(work, total)}"
            raise Failure(ExitStatus.UNAVAILABLE, message, advice) from None
        except KeyboardInterrupt:
            message = f"Interrupted. {_so_far(work, total)}"
            raise Failure(ExitStatus.INTERRUPTED, message, _CONTINUE) from None


def _so_far(work: Import, total: int) -> str:
    return f"Finished {work.counts.total():,} of {total:,} accounts and apps."


def _report(options: TargetOptions, work: Import, secrets: SecretFile, seconds: float) -> None:
    output, counts = options.output, work.counts
    if options.as_json:
        names = {"doneBefore": Result.DONE_BEFORE} | {
            each.value: each for each in Result if each is not Result.DONE_BEFORE
        }
        shown = {name: counts[result] for name, result in names.items()}
        output.json({**shown, "seconds": round(seconds, 1), "rejections": work.rejections})
    else:
        output.facts({each.value: f"{counts[each]:,}" for each in Result if counts[each]})
        output.note(f"Import finished in {seconds:,.1f} s. The secrets are in {secrets.path}.")
        if counts[Result.REPLACED]:
            output.note("replaced: an interrupted run lost the secret, so the key has a new one.")
        if counts[Result.EXISTED]:
            output.note("existed: this import did not create it, so the file has no secret for it.")
    if work.rejections:
        number = counted(len(work.rejections), "account or app was", "accounts or apps were")
        raise Failure(
            ExitStatus.NOT_DONE,
            f"{number} rejected.",
            f"Correct the file. {_CONTINUE}",
            () if options.as_json else first_lines(work.rejections),
        )
