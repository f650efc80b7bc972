"""Shows a new secret once: in the terminal, or in a file that only its owner can read."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keyscope_cli.failures import ExitStatus, Failure
from keyscope_cli.output import Output

SHOWN_ONCE: Final = (
    "The secret is shown this once and never again. Store it where only its user can read it."
)


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a new secret goes: to a new file, or else into the result."""

    output: Output
    file: Path | None = None
    _descriptor: int | None = None

    def show(self, key: Mapping[str, object], others: Mapping[str, object]) -> None:
        """Show a new key, with the other members of the result."""
        shown = dict(key)
        if self._descriptor is not None:
            with os.fdopen(os.dup(self._descriptor), "w", encoding="utf-8") as file:
                file.write(json.dumps({"id": key["id"], "secret": shown.pop("secret")}) + "\n")
            self.output.note(f"The key's id and secret are in {self.file}.")
        else:
            self.output.warn(SHOWN_ONCE)
        if self.output.as_json:
            self.output.json({**others, "key": shown})
            return
        facts = {name: _text(value) for name, value in {**others, **shown}.items()}
        self.output.facts(facts)


@contextmanager
def place_of_secret(output: Output, file: Path | None) -> Iterator[SecretPlace]:
    """Create the file before the key, so that no secret is lost because the file cannot be written.

    Removes the file if the key is not created.

    Raises:
        Failure: the file already exists, or cannot be created.
    """
    if file is None:
        yield SecretPlace(output)
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        message = f"{file} is there already and is not overwritten; no key was made."
        raise Failure(ExitStatus.USAGE, message, "Name another file.") from None
    except OSError as error:
        message = f"{file} cannot be made: {error.strerror}; no key was made."
        raise Failure(ExitStatus.USAGE, message) from None
    try:
        yield SecretPlace(output, file, descriptor)
    finally:
        is_empty = os.fstat(descriptor).st_size == 0
        os.close(descriptor)
        if is_empty:
            file.unlink()


def _text(value: object) -> str:
    if value is None:
        # Only `lastUsedAt` can be null in a result.
        return "Never"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(one)}" for name, one in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
