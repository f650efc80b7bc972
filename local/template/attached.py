"""Adds another template, whose APIs use this stack's authorizers, to the stack."""

from dataclasses import replace
from pathlib import Path
from typing import cast

from local.template.function_loader import FUNCTION_TYPE
from local.template.intrinsics import Json, TemplateError
from local.template.stack import Stack, load_stack


def attach(stack: Stack, template: Path) -> Stack:
    """Return the stack with the resources of another template, which imports the stack's exports.

    Raises:
        TemplateError: both have a resource of the same name, or the template cannot be loaded.
    """
    other = load_stack(template, imports=stack.exports)
    if common := sorted(stack.resources.keys() & other.resources.keys()):
        message = f"Both templates have {', '.join(common)}; here their names must differ"
        raise TemplateError(message)
    added = {
        name: _with_absolute_code(resource, other.folder)
        for name, resource in other.resources.items()
    }
    return replace(
        stack,
        resources={**stack.resources, **added},
        physical_ids={**stack.physical_ids, **other.physical_ids},
    )


def _with_absolute_code(resource: Json, folder: Path) -> Json:
    if resource["Type"] != FUNCTION_TYPE:
        return resource
    properties = cast("Json", resource["Properties"])
    code = cast("Json", properties["Code"])
    absolute = {**code, "S3Key": str((folder / str(code["S3Key"])).resolve())}
    return {**resource, "Properties": {**properties, "Code": absolute}}
