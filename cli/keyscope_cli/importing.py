"""`keyscope import`: accounts and apps from a file, through the provisioning function."""

import time
from pathlib import Path
from typing import Annotated

import typer

from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.options import TargetOptions, with_options
from keyscope_cli.output import counted, first_lines
from keyscope_cli.provisioning import provisioner
from keyscope_cli.tenants.importer import Import, Result
from keyscope_cli.tenants.secret_file import SecretFile, secret_file
from keyscope_cli.tenants.tenant_file import Tenant, read_tenants

MAX_WORKERS = 10
"""As many connections as a client keeps (botocore, `max_pool_connections`)."""
_CONTINUE = "Run the same command again to continue."


@with_options(TargetOptions)
def import_(
    options: TargetOptions,
    tenants: Annotated[
        Path, typer.Argument(help="A JSON Lines file: an account with its apps on each line.")
    ],
    file: Annotated[
        Path,
        typer.Option(
            "--secret-file",
            help="Write the keys' secrets to this file (mode 0600). Use the same file again to"
            " continue an interrupted import.",
        ),
    ],
    workers: Annotated[
        int, typer.Option(min=1, max=MAX_WORKERS, help="Requests at the same time.")
    ] = 8,
) -> None:
    """Create accounts and apps from a file, each of them once."""
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
            message = f"{work.secret_file.path} cannot be written: {error.strerror}."
            advice = f"Make room, then run the same command again. {_so_far(work, total)}"
            raise Failure(ExitStatus.UNAVAILABLE, message, advice) from None
        except KeyboardInterrupt:
            message = f"Interrupted. {_so_far(work, total)}"
            raise Failure(ExitStatus.INTERRUPTED, message, _CONTINUE) from None


def _so_far(work: Import, total: int) -> str:
    return f"{work.counts.total():,} of {total:,} accounts and apps are done."


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
        output.note(f"The import took {seconds:,.1f} s. The secrets are in {secrets.path}.")
        if counts[Result.REPLACED]:
            output.note("replaced: an interruption lost the secret, so the key has a new one.")
        if counts[Result.EXISTED]:
            output.note("existed: created elsewhere, so the file has no secret for it.")
    if work.rejections:
        number = counted(len(work.rejections), "account or app was", "accounts and apps were")
        raise Failure(
            ExitStatus.NOT_DONE,
            f"{number} rejected.",
            f"Correct what is wrong. {_CONTINUE}",
            () if options.as_json else first_lines(work.rejections),
        )
