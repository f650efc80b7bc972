"""`keyscope service-account`: service accounts through the management API (v1.1)."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from keyscope_cli.keys import segment, service_account_keys
from keyscope_cli.options import ManagementOptions, with_options

SERVICE_ACCOUNTS = "/v1.1/serviceaccounts"
PAGE_SIZE = 100
COLUMNS = ("id", "name")

app = typer.Typer(
    no_args_is_help=True,
    help="Service accounts, with a user account's key. The stack needs the route set v1.1.",
)
app.add_typer(service_account_keys, name="key")
ServiceAccountId = Annotated[
    str, typer.Argument(help="The service account's id, 16 hex characters.")
]
Name = Annotated[str, typer.Argument(help="Its name, which no other has in the account.")]


@app.command("list")
@with_options(ManagementOptions)
def list_service_accounts(options: ManagementOptions) -> None:
    """List the service accounts of the account."""
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
    if options.as_json:
        output.json({"serviceAccounts": found})
    else:
        output.table(COLUMNS, [(one["id"], one["name"]) for one in found])


@app.command("create")
@with_options(ManagementOptions)
def create(options: ManagementOptions, name: Name) -> None:
    """Create a service account."""
    _show(options, "POST", SERVICE_ACCOUNTS, {"name": name})


@app.command("show")
@with_options(ManagementOptions)
def show(options: ManagementOptions, service_account_id: ServiceAccountId) -> None:
    """Show a service account."""
    _show(options, "GET", f"{SERVICE_ACCOUNTS}/{segment(service_account_id)}")


@app.command("rename")
@with_options(ManagementOptions)
def rename(options: ManagementOptions, service_account_id: ServiceAccountId, name: Name) -> None:
    """Rename a service account."""
    _show(options, "PUT", f"{SERVICE_ACCOUNTS}/{segment(service_account_id)}", {"name": name})


@app.command("delete")
@with_options(ManagementOptions)
def delete(options: ManagementOptions, service_account_id: ServiceAccountId) -> None:
    """Delete a service account that has no apps, and revoke its keys."""
    options.client().call("DELETE", f"{SERVICE_ACCOUNTS}/{segment(service_account_id)}")
    if options.as_json:
        options.output.json({})
    else:
        options.output.line(f"{service_account_id} is deleted, and its keys are revoked.")


def _show(
    options: ManagementOptions, method: str, path: str, body: Mapping[str, object] | None = None
) -> None:
    one = _shown(options.client().call(method, path, body)["serviceAccount"])
    if options.as_json:
        options.output.json({"serviceAccount": one})
    else:
        options.output.table(COLUMNS, [(one["id"], one["name"])])


def _shown(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": one["_id"], "name": one["name"]}
