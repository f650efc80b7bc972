"""Adds another template, whose APIs use this stack's authorizers, to the stack."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from keyscope_local.template.function_loader import FUNCTION_TYPE
from keyscope_local.template.intrinsics import Json, TemplateError
from keyscope_local.template.stack import LOCAL_BUCKET, Stack, code_folder_of, load_stack


def attach(stack: Stack, template: Path, parameters: Mapping[str, str] | None = None) -> Stack:
    """Return the stack with the resources of another template, which imports the stack's exports.

    `parameters` are the other template's; those that are missing have their defaults.

    Raises:
        TemplateError: both have a resource of the same name, the template cannot be loaded, or a
            function's code is not in a folder.
    """
    other = load_stack(template, parameters, imports=stack.exports)
    if common := sorted(stack.resources.keys() & other.resources.keys()):
        message = f"Both templates have {', '.join(common)}. Here their names must differ"
        raise TemplateError(message)
    added = {
        name: _with_absolute_code(other, name, resource)
        for name, resource in other.resources.items()
    }
    return replace(
        stack,
        resources={**stack.resources, **added},
        physical_ids={**stack.physical_ids, **other.physical_ids},
        attached=frozenset(added),
    )


def _with_absolute_code(stack: Stack, name: str, resource: Json) -> Json:
    if resource["Type"] != FUNCTION_TYPE:
        return resource
    folder = code_folder_of(stack, name).resolve()
    code = {"S3Bucket": LOCAL_BUCKET, "S3Key": str(folder)}
    return {**resource, "Properties": {**cast("Json", resource["Properties"]), "Code": code}}
