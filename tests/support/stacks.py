"""The project's own template, translated once a process for each choice of parameters."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from keyscope_local.template.stack import Stack, load_stack

TEMPLATE: Final = Path(__file__).parents[2] / "template.yaml"


def stack_of(parameters: Mapping[str, str] | None = None) -> Stack:
    """Load the template with some parameters given. Tests share the stack, so they only read it."""
    return _loaded(tuple(sorted((parameters or {}).items())))


@cache
def _loaded(parameters: tuple[tuple[str, str], ...]) -> Stack:
    return load_stack(TEMPLATE, dict(parameters))
