"""botocore's descriptions of AWS, found and parsed once a process.

Each session looks for them and parses them again, which takes longer than all that a test's
functions do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final
from unittest.mock import patch

from botocore.loaders import JSONFileLoader, Loader

_PARSED: Final = staticmethod(cache(JSONFileLoader().load_file))
_LIST_SERVICES: Final = Loader.list_available_services
_LISTED: Final[dict[tuple[str, ...], list[str]]] = {}


@contextmanager
def aws_described_once() -> Iterator[None]:
    """Share among sessions what their loaders read."""
    with (
        patch.object(JSONFileLoader, "load_file", _PARSED),
        patch.object(Loader, "list_available_services", _services),
    ):
        yield


def _services(self: Loader, type_name: str) -> list[str]:
    places = (type_name, *self.search_paths)
    if places not in _LISTED:
        _LISTED[places] = _LIST_SERVICES(self, type_name)
    return [*_LISTED[places]]
