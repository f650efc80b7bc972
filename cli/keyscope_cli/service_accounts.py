"""`keyscope service-account`: service accounts through the management API (v1.1)."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from keyscope_cli.confirmation import WHEN_KEYS_FAIL, Yes, confirm
from keyscope_cli.help_text import command_group, examples
from keyscope_cli.id_arguments import IdKind, checked_id
from keyscope_cli.keys import service_account_keys
from keyscope_cli.options import ManagementOptions, with_options
from keyscope_cli.presentation import facts_of, show_list

SERVICE_ACCOUNTS = "/v1.1/serviceaccounts"
PAGE_SIZE = 100
MEMBERS = ("id", "name")
"""What a table of service accounts shows."""

app = command_group(
    "Manage service accounts. This takes a user account's key (act_...) and a stack with the route"
    " set v1.1 or v1.1-short."
)
app.add_typer(service_account_keys, name="key")
ServiceAccountId = Annotated[
    str, typer.Argument(metavar="SERVICE_ACCOUNT_ID", help="The service account's ID.")
]
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A name that the account's other service accounts lack."),
]


@app.command("list", epilog=examples("service-account list"))
@with_options(ManagementOptions)
def list_service_accounts(options: ManagementOptions) -> None:
    """List service accounts."""
    client, output = options.client(), options.output
    found: list[dict[str, Any]] = []
    with output.progress("Listing service accounts") as tell:
        has_more = True
        while has_more:
            query = {"limit": str(PAGE_SIZE), "offset": str(len(found))}
            page = client.call("GET", SERVICE_ACCOUNTS, query=query)
            found += [_shown(one) for one in page["serviceAccounts"]]
            has_more = page["hasMore"]
            tell(f"Listing service accounts: {len(found)}")
    show_list(output, "serviceAccounts", MEMBERS, found, "No service accounts.")


@app.command("create", epilog=examples("service-account create CI"))
@with_options(ManagementOptions)
def create(options: ManagementOptions, name: Name) -> None:
    """Create a service account."""
    _show(options, "POST", SERVICE_ACCOUNTS, {"name": name})


@app.command("show", epilog=examples("service-account show $SERVICE_ACCOUNT_ID"))
@with_options(ManagementOptions)
def show(options: ManagementOptions, service_account_id: ServiceAccountId) -> None:
    """Show a service account."""
    _show(options, "GET", _path(service_account_id))


@app.command("rename", epilog=examples("service-account rename $SERVICE_ACCOUNT_ID Robots"))
@with_options(ManagementOptions)
def rename(options: ManagementOptions, service_account_id: ServiceAccountId, name: Name) -> None:
    """Rename a service account."""
    _show(options, "PUT", _path(service_account_id), {"name": name})


@app.command("delete", epilog=examples("service-account delete $SERVICE_ACCOUNT_ID"))
@with_options(ManagementOptions)
def delete(
    options: ManagementOptions, service_account_id: ServiceAccountId, yes: Yes = False
) -> None:
    """Delete a service account and revoke its keys.

    Delete its apps first. You cannot undo this.
    """
    path = _path(service_account_id)

    def warning() -> str:
        one = options.client().call("GET", path)["serviceAccount"]
        named = f"{one['name']!r} ({one['_id']})"
        return (
            f"This deletes the service account {named} and revokes its keys. Requests that use them"
            f" fail {WHEN_KEYS_FAIL}."
        )

    question = "Delete the service account? This cannot be undone."
    confirm(options.output, warning, question, yes=yes)
    options.client().call("DELETE", path)
    if options.as_json:
        options.output.json({})
    else:
        options.output.line(f"Service account deleted and its keys revoked: {service_account_id}")


def _path(service_account_id: str) -> str:
    return f"{SERVICE_ACCOUNTS}/{checked_id(IdKind.SERVICE_ACCOUNT, service_account_id)}"


def _show(
    options: ManagementOptions, method: str, path: str, body: Mapping[str, object] | None = None
) -> None:
    one = _shown(options.client().call(method, path, body)["serviceAccount"])
    if options.as_json:
        options.output.json({"serviceAccount": one})
    else:
        options.output.facts(facts_of(one))


def _shown(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": one["_id"], "name": one["name"]}
