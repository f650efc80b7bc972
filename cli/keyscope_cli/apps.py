"""`keyscope app`: apps through the management API."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from keyscope_cli.keys import segment
from keyscope_cli.management_client import ManagementClient
from keyscope_cli.options import ManagementOptions, with_options

APPS = "/v2/apps"
PAGE_SIZE = 100
COLUMNS = ("id", "external id", "name")

app = typer.Typer(no_args_is_help=True, help="The apps of your account, or service account.")
AppId = Annotated[str, typer.Argument(help="The app's id, 24 hex characters.")]


@app.command("list")
@with_options(ManagementOptions)
def list_apps(
    options: ManagementOptions,
    limit: Annotated[int | None, typer.Option(min=1, help="How many at most.")] = None,
) -> None:
    """List apps, page by page until there are no more."""
    client, output = options.client(), options.output
    with output.progress("Listing apps") as tell:
        found = _all_apps(client, limit, lambda count: tell(f"Listing apps: {count}"))
    if options.as_json:
        output.json({"apps": found})
    else:
        output.table(COLUMNS, [_row(one) for one in found])


@app.command("create")
@with_options(ManagementOptions)
def create(
    options: ManagementOptions,
    name: Annotated[str, typer.Argument(help="What the app is called.")],
) -> None:
    """Create an app."""
    _show(options, options.client().call("POST", APPS, {"displayName": name})["app"])


@app.command("show")
@with_options(ManagementOptions)
def show(options: ManagementOptions, app_id: AppId) -> None:
    """Show an app."""
    _show(options, options.client().call("GET", f"{APPS}/{segment(app_id)}")["app"])


@app.command("delete")
@with_options(ManagementOptions)
def delete(options: ManagementOptions, app_id: AppId) -> None:
    """Delete an app and revoke its keys, all at once."""
    options.client().call("DELETE", f"{APPS}/{segment(app_id)}")
    if options.as_json:
        options.output.json({})
    else:
        options.output.line(f"{app_id} is deleted, and its keys are revoked.")


def _all_apps(
    client: ManagementClient, limit: int | None, tell: Callable[[int], None]
) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    query = {"page[size]": str(min(limit or PAGE_SIZE, PAGE_SIZE))}
    while True:
        page = client.call("GET", APPS, query=query)
        found += page["apps"]
        tell(len(found))
        if not page["meta"]["hasMore"] or (limit is not None and len(found) >= limit):
            return found[:limit]
        query["page[after]"] = page["meta"]["afterCursor"]


def _show(options: ManagementOptions, one: Mapping[str, Any]) -> None:
    if options.as_json:
        options.output.json({"app": one})
    else:
        options.output.table(COLUMNS, [_row(one)])


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    return one["id"], one.get("externalId", ""), one["displayName"]
