"""`keyscope app`: apps through the management API."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from keyscope_cli.confirmation import WHEN_KEYS_FAIL, Yes, confirm
from keyscope_cli.help_text import command_group, examples
from keyscope_cli.id_arguments import IdKind, checked_id
from keyscope_cli.options import ManagementOptions, with_options
from keyscope_cli.output import counted
from keyscope_cli.presentation import facts_of, show_list

if TYPE_CHECKING:
    from keyscope_cli.management_client import ManagementClient

APPS = "/v2/apps"
PAGE_SIZE = 100
MEMBERS = ("id", "externalId", "displayName")
"""What a table of apps shows."""

app = command_group("Manage the apps of your account or service account.")
AppId = Annotated[str, typer.Argument(metavar="APP_ID", help="The app's ID.")]


@app.command("list", epilog=examples("app list --limit 50"))
@with_options(ManagementOptions)
def list_apps(
    options: ManagementOptions,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="NUMBER", help="Show at most this many.")
    ] = None,
) -> None:
    """List apps."""
    client, output = options.client(), options.output
    with output.progress("Listing apps") as tell:
        found = _all_apps(client, limit, lambda count: tell(f"Listing apps: {count}"))
    show_list(output, "apps", MEMBERS, found, "No apps.")


@app.command("create", epilog=examples("app create Shop"))
@with_options(ManagementOptions)
def create(
    options: ManagementOptions,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name for the app.")],
) -> None:
    """Create an app."""
    _show(options, options.client().call("POST", APPS, {"displayName": name})["app"])


@app.command("show", epilog=examples("app show $APP_ID"))
@with_options(ManagementOptions)
def show(options: ManagementOptions, app_id: AppId) -> None:
    """Show an app."""
    _show(options, options.client().call("GET", _path(app_id))["app"])


@app.command("delete", epilog=examples("app delete $APP_ID"))
@with_options(ManagementOptions)
def delete(options: ManagementOptions, app_id: AppId, yes: Yes = False) -> None:
    """Delete an app and revoke its keys. You cannot undo this."""
    path = _path(app_id)
    confirm(
        options.output,
        lambda: _consequences(options.client(), path),
        "Delete the app? This cannot be undone.",
        yes=yes,
    )
    options.client().call("DELETE", path)
    if options.as_json:
        options.output.json({})
    else:
        options.output.line(f"App deleted and its keys revoked: {app_id}")


def _path(app_id: str) -> str:
    return f"{APPS}/{checked_id(IdKind.APP, app_id)}"


def _consequences(client: "ManagementClient", path: str) -> str:
    one = client.call("GET", path)["app"]
    keys = counted(len(client.call("GET", f"{path}/keys")["keys"]), "key", "keys")
    return (
        f"This deletes the app {one['displayName']!r} ({one['id']}) and revokes its {keys}."
        f" Requests that use them fail {WHEN_KEYS_FAIL}."
    )


def _all_apps(
    client: "ManagementClient", limit: int | None, tell: Callable[[int], None]
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
        options.output.facts(facts_of(one))
