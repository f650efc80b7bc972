"""Replaces the access map that the parameter AccessMap names with a file of this machine.

In AWS, the file is in the keyscope layer or a layer of its own (AccessMapLayerArn). Here, any path
works, even one that is longer than the parameter allows. As with a layer, the default of
AccessMapRoutes means the map's only route set, and Keyscope's own.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

from keyscope.entry.settings import DEFAULT_ROUTE_SETS
from keyscope_local.template.intrinsics import Json
from keyscope_local.template.stack import Stack

_PARAMETER: Final = "AccessMap"
_VARIABLE: Final = "KEYSCOPE_ACCESS_MAP"
_ROUTES_PARAMETER: Final = "AccessMapRoutes"
_ROUTES_VARIABLE: Final = "KEYSCOPE_ROUTES"


def with_access_map(stack: Stack, file: Path) -> Stack:
    """Return the stack with another access map, by absolute path, in each of its readers."""
    path = str(file)
    changes = {_VARIABLE: path}
    if stack.parameters[_ROUTES_PARAMETER] == DEFAULT_ROUTE_SETS:
        changes[_ROUTES_VARIABLE] = ""
    return replace(
        stack,
        parameters={**stack.parameters, _PARAMETER: path},
        resources={name: _with(resource, changes) for name, resource in stack.resources.items()},
    )


def _with(resource: Json, changes: Mapping[str, str]) -> Json:
    properties = cast("Json", resource.get("Properties", {}))
    environment = cast("Json", properties.get("Environment", {}))
    variables = cast("Json", environment.get("Variables", {}))
    if _VARIABLE not in variables:
        return resource
    changed = {**environment, "Variables": {**variables, **changes}}
    return {**resource, "Properties": {**properties, "Environment": changed}}
