"""Replaces the access map that the parameter AccessMap names with a file of this machine.

In AWS, the file is in the keyscope layer, and the parameter is its name there. Here, any path
works, even one that is longer than the parameter allows.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final, cast

from local.template.intrinsics import Json
from local.template.stack import Stack

_PARAMETER: Final = "AccessMap"
_VARIABLE: Final = "KEYSCOPE_ACCESS_MAP"


def with_access_map(stack: Stack, file: Path) -> Stack:
    """Return the stack with another access map, by absolute path, in each of its readers."""
    path = str(file)
    return replace(
        stack,
        parameters={**stack.parameters, _PARAMETER: path},
        resources={name: _with_path(resource, path) for name, resource in stack.resources.items()},
    )


def _with_path(resource: Json, path: str) -> Json:
    properties = cast("Json", resource.get("Properties", {}))
    environment = cast("Json", properties.get("Environment", {}))
    variables = cast("Json", environment.get("Variables", {}))
    if _VARIABLE not in variables:
        return resource
    changed = {**environment, "Variables": {**variables, _VARIABLE: path}}
    return {**resource, "Properties": {**properties, "Environment": changed}}
