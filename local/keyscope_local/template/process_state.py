"""Temporary changes to this process: environment variables and the import path.

The functions of the stack run inside this process, and Lambda gives each function both.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def environment_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and restore their former values afterwards."""
    former = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def import_path_with(folder: Path) -> Iterator[None]:
    """Search a folder for modules before any other, and restore the import path afterwards."""
    former = sys.path
    sys.path = [str(folder), *former]
    try:
        yield
    finally:
        sys.path = former
