"""Files that contain working credentials of a local run."""

import json
import os
from pathlib import Path


def write_private_json(path: Path, value: object) -> None:
    """Write a JSON file that only its owner can read, even if the file already exists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        json.dump(value, file, indent=2)
        file.write("\n")
