"""Writes the documents of the management API, generated from its routes.

`docs/reference/openapi.json` is the OpenAPI document, `docs/reference/endpoints.md` the same as a
table.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tools.openapi_document import openapi_document

DOCS: Final = Path(__file__).parents[1] / "docs"
_HEADING: Final = """# The endpoints of the management API

Made by `make openapi` from the code, as is [openapi.json](openapi.json), which has the bodies.
What they do is in [management-api.md](management-api.md).

Every endpoint also answers 401 `unauthorized`, 403 `forbidden` (scopes), 429 `too_many_requests`
and 500 `internal_error`; those with a body 413 `body_too_large` and 415 `unsupported_media_type`;
another method 405 `method_not_allowed`.
"""
_EVERYWHERE: Final = {"401", "403", "413", "415", "429", "500"}


def documents() -> dict[Path, str]:
    """Return the text of each file."""
    document = openapi_document()
    return {
        DOCS / "reference" / "openapi.json": json.dumps(document, indent=2) + "\n",
        DOCS / "reference" / "endpoints.md": "\n".join([_HEADING, *_table(document)]) + "\n",
    }


def _table(document: Mapping[str, Any]) -> Iterator[str]:
    yield "| endpoint | what it does | scope | done | errors |"
    yield "|---|---|---|---|---|"
    for path in sorted(document["paths"], key=_place):
        for method, operation in document["paths"][path].items():
            yield f"| {' | '.join(_row(f'{method.upper()} {path}', operation))} |"


def _place(path: str) -> tuple[bool, str]:
    """Sort v2 before v1.1, and then by path, regardless of the names of placeholders."""
    return not path.startswith("/v2/"), re.sub(r"{\w+}", "{", path)


def _row(endpoint: str, operation: Mapping[str, Any]) -> Iterator[str]:
    responses: Mapping[str, Mapping[str, str]] = operation["responses"]
    errors = [
        f"{status} {', '.join(re.findall('`[a-z_]+`', response['description']))}"
        for status, response in responses.items()
        if status >= "400" and status not in _EVERYWHERE
    ]
    yield f"`{endpoint}`"
    yield operation["summary"]
    yield operation["x-keyscope-callers"]
    yield ", ".join(status for status in responses if status < "400")
    yield "; ".join(errors)


if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text, "utf-8")
