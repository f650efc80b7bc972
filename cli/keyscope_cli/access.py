"""`keyscope access`: access maps as code, checked and tested before they are deployed."""

from pathlib import Path
from typing import Annotated

import typer

from keyscope.access.access_map import WEBSOCKET, unreached_management
from keyscope.access.method_arn import LONGEST_REGION, MAX_STAGE_LENGTH
from keyscope.access.policy import MAX_POLICY_BYTES, policy_sizes
from keyscope.access.rules import GRANTEES, AccessMap
from keyscope.entry.settings import DEFAULT_MAX_STAGE_LENGTH, DEFAULT_ROUTE_SETS
from keyscope_cli.comparing_maps import diff
from keyscope_cli.drafting_maps import from_openapi
from keyscope_cli.help_text import command_group, examples
from keyscope_cli.maps.map_file import PACKAGED, Routes, load_map, management_warning
from keyscope_cli.output import Output
from keyscope_cli.publishing_maps import publish
from keyscope_cli.testing_maps import run_expectations

app = command_group("Check, test, compare and publish access maps.")
app.command("test", epilog=examples("access test map.toml expectations.toml"))(run_expectations)
app.command("diff", epilog=examples("access diff old.toml new.toml --stack keyscope"))(diff)
app.command("from-openapi", epilog=examples("access from-openapi openapi.yaml --output map.toml"))(
    from_openapi
)
app.command("publish", epilog=examples("access publish map.toml --stack keyscope"))(publish)


@app.command("check", epilog=examples("access check map.toml", "access check --routes v2"))
def check(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="MAP", help="The access map.  [default: Keyscope's own]"),
    ] = None,
    routes: Routes = None,
    max_stage_length: Annotated[
        int,
        typer.Option(
            min=1,
            max=MAX_STAGE_LENGTH,
            metavar="NUMBER",
            help="The length of the longest stage name.",
        ),
    ] = DEFAULT_MAX_STAGE_LENGTH,
    region: Annotated[
        str,
        typer.Option(
            metavar="REGION", help="The stack's region. Its name is part of the policies."
        ),
    ] = LONGEST_REGION,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Check a map and show what each scope may reach.

    Also compares the size of the longest policies with the limit.
    """
    loaded = load_map(file or PACKAGED, routes or _default_routes(file), max_stage_length, region)
    access_map, policies = loaded.access_map, loaded.policies
    sizes = policy_sizes(policies, max_stage_length, region)
    longest_stage = policies.longest_stage_name(region)
    output = Output(as_json=as_json)
    if as_json:
        output.json(
            {
                "rules": [
                    {"scope": scope, "methods": methods.split(","), "path": path}
                    for scope, methods, path in _rows(access_map)
                ],
                "permissions": [
                    {
                        "name": name,
                        "description": access_map.permissions[name].description,
                        "scope": scope,
                        "methods": methods.split(",") if methods else [],
                        "path": path,
                    }
                    for name, scope, methods, path in _permission_rows(access_map)
                ],
                "websocket": sorted(access_map.websocket_scopes),
                "policyBytes": {grantee.value: size for grantee, size in sizes.items()},
                "maxPolicyBytes": MAX_POLICY_BYTES,
                "longestStageName": longest_stage,
                "unreachedManagement": unreached_management(access_map),
            }
        )
        return
    output.table(("Scope", "Methods", "Path"), _rows(access_map))
    output.line()
    if access_map.permissions:
        output.table(
            ("Permission", "Description"),
            [(name, each.description) for name, each in access_map.permissions.items()],
        )
        output.line()
        output.table(("Permission", "Scope", "Methods", "Path"), _permission_rows(access_map))
        output.line()
    output.line(f"WebSocket: {', '.join(sorted(access_map.websocket_scopes)) or 'no scope'}")
    output.line()
    sized = [
        (grantee.value, f"{size:,}", f"{MAX_POLICY_BYTES:,}", f"{size / MAX_POLICY_BYTES:.0%}")
        for grantee, size in sizes.items()
    ]
    output.table(("Longest policy", "Bytes", "Limit", "Used"), sized)
    output.line()
    output.line(f"In {region}, stage names may have up to {longest_stage} characters.")
    if warning := management_warning(access_map):
        output.warn(warning)


def _rows(access_map: AccessMap) -> list[tuple[str, str, str]]:
    return [
        (grantee.value, ",".join(rule.methods), rule.path)
        for grantee in GRANTEES
        for rule in access_map.rules[grantee]
    ]


def _permission_rows(access_map: AccessMap) -> list[tuple[str, str, str, str]]:
    """Return what each permission allows each scope; without methods, to open a WebSocket."""
    return [
        (name, *row)
        for name, permission in access_map.permissions.items()
        for row in (
            *(
                (grantee.value, ",".join(rule.methods), rule.path)
                for grantee, rules in permission.rules.items()
                for rule in rules
            ),
            *((scope.value, "", WEBSOCKET) for scope in sorted(permission.websocket_scopes)),
        )
    ]


def _default_routes(file: Path | None) -> str | None:
    return DEFAULT_ROUTE_SETS if file is None else None
