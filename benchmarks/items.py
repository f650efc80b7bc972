"""A scenario's stored records as botocore gives and takes them: bytes decoded."""

import base64
from collections.abc import Mapping
from typing import Any


def decoded_items(items: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the records by key id."""
    return {
        key_id: {name: _decoded(attribute) for name, attribute in item.items()}
        for key_id, item in items.items()
    }


def _decoded(attribute: Mapping[str, Any]) -> dict[str, Any]:
    return {
        kind: base64.b64decode(value) if kind == "B" else value for kind, value in attribute.items()
    }
