"""Write the management API's OpenAPI document, made from its routes, to docs/openapi.json."""

import json
from pathlib import Path
from typing import Final

from keyscope.aws.management.openapi import openapi_document

PATH: Final = Path(__file__).parents[1] / "docs" / "openapi.json"


def text() -> str:
    """Return the document as it is written."""
    return json.dumps(openapi_document(), indent=2) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), "utf-8")
