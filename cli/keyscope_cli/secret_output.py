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
from keyscope_cli.presentation import facts_of

SHOWN_ONCE: Final = "The secret is shown only once. Store it now, where only its user can read it."

_NO_KEY: Final = "No key was created or rotated."


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where a new secret goes: to a new file, or else into the result."""

    output: Output
    file: Path | None = None
    _descriptor: int | None = None

    def show(self, key: Mapping[str, object], others: Mapping[str, Mapping[str, object]]) -> None:
        """Show a new key, with the other members of the result."""
        shown = dict(key)
        if self._descriptor is not None:
            with os.fdopen(os.dup(self._descriptor), "w", encoding="utf-8") as file:
                file.write(json.dumps({"id": key["id"], "secret": shown.pop("secret")}) + "\n")
            self.output.note(f"Saved the key's ID and secret to {self.file}, readable only by you.")
        else:
            self.output.warn(SHOWN_ONCE)
        if self.output.as_json:
            self.output.json({**others, "key": shown})
            return
        for title, members in others.items():
            self.output.line(title.capitalize(), "bold")
            self.output.facts(facts_of(members), indent=2)
        if others:
            self.output.line("Key", "bold")
        self.output.facts(facts_of(shown), indent=2 if others else 0)


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
        message = f"{file} already exists, and Keyscope does not overwrite it."
        raise Failure(ExitStatus.USAGE, message, f"Use another file. {_NO_KEY}") from None
    except OSError as error:
        message = f"Cannot create {file}: {error.strerror}."
        raise Failure(ExitStatus.USAGE, message, _NO_KEY) from None
    try:
        yield SecretPlace(output, file, descriptor)
    finally:
        is_empty = os.fstat(descriptor).st_size == 0
        os.close(descriptor)
        if is_empty:
            file.unlink()
