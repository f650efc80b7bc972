"""`keyscope account`: accounts and their keys, through the provisioning function."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from keyscope_cli.account_keys import AccountId, key_fields, keys, make
from keyscope_cli.confirmation import WHEN_KEYS_FAIL, Yes, confirm
from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.help_text import command_group, examples
from keyscope_cli.keys import AllowedCidrs, ExpiresAt, PermissionNames
from keyscope_cli.options import SecretFile, TargetOptions, with_options
from keyscope_cli.presentation import facts_of, show_list
from keyscope_cli.provisioning import account_id_of, provision

PAGE_SIZE = 100
MEMBERS = ("id", "externalId", "displayName", "state", "createdAt", "suspendedAt")
"""What a table of accounts shows."""
_IN_EFFECT = (
    f"Its keys stop working {WHEN_KEYS_FAIL}. If another stack's API uses the"
    " authorizer, flush that API's cache as well: it may keep earlier responses for longer."
)

app = command_group(
    "Manage accounts and their keys. These commands invoke the provisioning function with your"
    " AWS credentials."
)
app.add_typer(keys, name="keys")


@app.command(
    "create", epilog=examples('account create "Example Bakery" --secret-file account.json')
)
@with_options(TargetOptions)
def create(
    options: TargetOptions,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for the account.")],
    external_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Your own ID for the account. You cannot change it later."),
    ] = None,
    key_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="A name for its first key.")
    ] = None,
    expires_at: ExpiresAt = None,
    allow: AllowedCidrs = None,
    permission: PermissionNames = None,
    secret_file: SecretFile = None,
) -> None:
    """Create an account and its first key."""
    key = key_fields(key_name, expires_at, allow, permission)
    request = {"operation": "createAccount", "displayName": name, **({"key": key} if key else {})}
    if external_id is not None:
        request["externalId"] = external_id
    make(options, request, secret_file)


@app.command("list", epilog=examples("account list --limit 50"))
@with_options(TargetOptions)
def list_accounts(
    options: TargetOptions,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="NUMBER", help="Show at most this many.")
    ] = None,
) -> None:
    """List accounts."""
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
    show_list(output, "accounts", MEMBERS, found, "No accounts.")


@app.command("show", epilog=examples("account show $ACCOUNT_ID"))
@with_options(TargetOptions)
def show(options: TargetOptions, account_id: AccountId) -> None:
    """Show an account's state and limits."""
    _show(options, _found(options, account_id))


@app.command("suspend", epilog=examples("account suspend $ACCOUNT_ID"))
@with_options(TargetOptions)
def suspend(options: TargetOptions, account_id: AccountId, yes: Yes = False) -> None:
    """Reject every key of an account until you resume it.

    If the command is interrupted, run it again.
    """
    confirm(
        options.output,
        lambda: (
            f"This suspends the account {_named(_found(options, account_id))}. Requests with any of"
            " its keys fail, including those of its apps and service accounts, until you run"
            " `keyscope account resume`."
        ),
        "Suspend the account?",
        yes=yes,
    )
    _mark(options, "suspendAccount", account_id, "suspending", "Suspending")
    if not options.as_json:
        options.output.note(_IN_EFFECT)


@app.command("resume", epilog=examples("account resume $ACCOUNT_ID"))
@with_options(TargetOptions)
def resume(options: TargetOptions, account_id: AccountId) -> None:
    """Accept the keys of a suspended account again.

    If the command is interrupted, run it again.
    """
    _mark(options, "resumeAccount", account_id, "resuming", "Resuming")


@app.command(
    "limit",
    epilog=examples(
        "account limit $ACCOUNT_ID --max-apps 50", "account limit $ACCOUNT_ID --default-max-apps"
    ),
)
@with_options(TargetOptions)
def limit(
    options: TargetOptions,
    account_id: AccountId,
    max_apps: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="NUMBER",
            help="How many apps the account, and each of its service accounts, may have.",
        ),
    ] = None,
    default_max_apps: Annotated[
        bool, typer.Option("--default-max-apps", help="Return to the stack's limit.")
    ] = False,
) -> None:
    """Change how many apps an account may have."""
    if (max_apps is None) is not default_max_apps:
        message = "Use either --max-apps NUMBER or --default-max-apps."
        raise Failure(ExitStatus.USAGE, message)
    target = options.target()
    account = {"accountId": account_id_of(target, account_id)}
    request = {"operation": "setAccountLimits", **account, "maxApps": max_apps}
    _show(options, provision(target, request)["account"])


@app.command("delete", epilog=examples("account delete $ACCOUNT_ID"))
@with_options(TargetOptions)
def delete(options: TargetOptions, account_id: AccountId, yes: Yes = False) -> None:
    """Delete an account and revoke its keys.

    Delete the account's apps and service accounts first. You cannot undo this.
    """
    confirm(
        options.output,
        lambda: (
            f"This deletes the account {_named(_found(options, account_id))} and revokes its keys."
        ),
        "Delete the account? This cannot be undone.",
        yes=yes,
    )
    target = options.target()
    request = {"operation": "deleteAccount", "accountId": account_id_of(target, account_id)}
    provision(target, request)
    if options.as_json:
        options.output.json({})
    else:
        options.output.line(f"Account deleted and its keys revoked: {account_id}")


def _found(options: TargetOptions, account_id: str) -> Mapping[str, Any]:
    target = options.target()
    request = {"operation": "showAccount", "accountId": account_id_of(target, account_id)}
    account: Mapping[str, Any] = provision(target, request)["account"]
    return account


def _named(account: Mapping[str, Any]) -> str:
    return f"{account['displayName']!r} ({account['id']})"


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
            tell(f"{text}: {account['keysDone']} keys updated")
    _show(options, account)


def _show(options: TargetOptions, account: Mapping[str, Any]) -> None:
    if options.as_json:
        options.output.json({"account": account})
    else:
        whose = "set for this account" if account["hasOwnMaxApps"] else "the stack's limit"
        shown = {**account, "maxApps": f"{account['maxApps']} ({whose})"}
        del shown["hasOwnMaxApps"]
        options.output.facts(facts_of(shown))
