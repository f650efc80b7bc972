"""`keyscope account`: accounts and their keys, through the provisioning function."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from keyscope_cli.account_keys import AccountId, key_fields, keys, make
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.keys import AllowedCidrs, ExpiresAt, PermissionNames
from keyscope_cli.options import SecretFile, TargetOptions, with_options
from keyscope_cli.provisioning import account_id_of, provision

PAGE_SIZE = 100
_IN_EFFECT = (
    "The keys stop working within the stack's KeyCacheSeconds. An API of another stack may cache"
    " earlier answers for longer: flush its stage's cache."
)
COLUMNS = ("id", "external id", "name", "state", "created", "suspended")

app = typer.Typer(
    no_args_is_help=True,
    help="Accounts and their keys. Your AWS credentials invoke the provisioning function.",
)
app.add_typer(keys, name="keys")


@app.command("create")
@with_options(TargetOptions)
def create(
    options: TargetOptions,
    name: Annotated[str, typer.Argument(help="What the account is called.")],
    external_id: Annotated[
        str | None, typer.Option(help="Your own id for the account; it can never change.")
    ] = None,
    key_name: Annotated[str | None, typer.Option(help="What its first key is called.")] = None,
    expires_at: ExpiresAt = None,
    allow: AllowedCidrs = None,
    permission: PermissionNames = None,
    secret_file: SecretFile = None,
) -> None:
    """Create an account with its first key."""
    key = key_fields(key_name, expires_at, allow, permission)
    request = {"operation": "createAccount", "displayName": name, **({"key": key} if key else {})}
    if external_id is not None:
        request["externalId"] = external_id
    make(options, request, secret_file)


@app.command("list")
@with_options(TargetOptions)
def list_accounts(
    options: TargetOptions,
    limit: Annotated[int | None, typer.Option(min=1, help="How many at most.")] = None,
) -> None:
    """List accounts, page by page until there are no more."""
    target, output = options.target(), options.output
    found: list[Mapping[str, Any]] = []
    page: dict[str, object] = {}
    with output.progress("Listing accounts") as tell:
        while True:
            size = PAGE_SIZE if limit is None else min(PAGE_SIZE, limit - len(found))
            answer = provision(target, {"operation": "listAccounts", "limit": size, **page})
            found += answer["accounts"]
            tell(f"Listing accounts: {len(found)}")
            if "next" not in answer or (limit is not None and len(found) >= limit):
                break
            page = {"after": answer["next"]}
    if options.as_json:
        output.json({"accounts": found})
    else:
        output.table(COLUMNS, [_row(account) for account in found])


@app.command("show")
@with_options(TargetOptions)
def show(options: TargetOptions, account_id: AccountId) -> None:
    """Show an account: its state, and how many apps it has and can create."""
    target = options.target()
    request = {"operation": "showAccount", "accountId": account_id_of(target, account_id)}
    _show(options, provision(target, request)["account"])


@app.command("suspend")
@with_options(TargetOptions)
def suspend(options: TargetOptions, account_id: AccountId) -> None:
    """Refuse every key of an account until you resume it; run it again after an interruption."""
    _mark(options, "suspendAccount", account_id, "suspending", "Suspending")
    if not options.as_json:
        options.output.note(_IN_EFFECT)


@app.command("resume")
@with_options(TargetOptions)
def resume(options: TargetOptions, account_id: AccountId) -> None:
    """Accept a suspended account's keys again; run it again after an interruption."""
    _mark(options, "resumeAccount", account_id, "resuming", "Resuming")


@app.command("limit")
@with_options(TargetOptions)
def limit(
    options: TargetOptions,
    account_id: AccountId,
    max_apps: Annotated[
        int | None,
        typer.Option(
            min=0, help="How many apps the account, and each of its service accounts, can create."
        ),
    ] = None,
    default_max_apps: Annotated[
        bool, typer.Option("--default-max-apps", help="Use the stack's limit again.")
    ] = False,
) -> None:
    """Change how many apps an account can create."""
    if (max_apps is None) is not default_max_apps:
        message = "Use either --max-apps NUMBER or --default-max-apps."
        raise Failure(ExitStatus.USAGE, message)
    target = options.target()
    account = {"accountId": account_id_of(target, account_id)}
    request = {"operation": "setAccountLimits", **account, "maxApps": max_apps}
    _show(options, provision(target, request)["account"])


@app.command("delete")
@with_options(TargetOptions)
def delete(options: TargetOptions, account_id: AccountId) -> None:
    """Delete an account that has no apps and no service accounts, and revoke its keys."""
    target = options.target()
    request = {"operation": "deleteAccount", "accountId": account_id_of(target, account_id)}
    provision(target, request)
    if options.as_json:
        options.output.json({})
    else:
        options.output.line(f"{account_id} is deleted, and its keys are revoked.")


def _mark(
    options: TargetOptions, operation: str, account_id: str, unfinished: str, text: str
) -> None:
    """Repeat an operation until it is done; each call does a part of it."""
    target = options.target()
    request = {"operation": operation, "accountId": account_id_of(target, account_id)}
    with options.output.progress(text) as tell:
        while True:
            account = provision(target, request)["account"]
            if account["state"] != unfinished:
                break
            tell(f"{text}: {account['keysDone']} keys done")
    _show(options, account)


def _show(options: TargetOptions, account: Mapping[str, Any]) -> None:
    if options.as_json:
        options.output.json({"account": account})
    else:
        whose = "the account's own limit" if account["hasOwnMaxApps"] else "the stack's limit"
        shown = {**account, "maxApps": f"{account['maxApps']} ({whose})"}
        del shown["hasOwnMaxApps"]
        options.output.facts({name: str(value) for name, value in shown.items()})


def _row(account: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        account["id"],
        account.get("externalId", ""),
        account["displayName"],
        account["state"],
        account["createdAt"],
        account.get("suspendedAt", ""),
    )
